"""Numbers: what callers dial. At Retreaver, creating a number costs money and deleting it cannot be undone."""

from __future__ import annotations

from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.api import affiliates, campaigns, ivr
from airflow_provider_retreaver.sandbox.api.columns import Column, one_of
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, routes
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

TYPES = ("Toll-free", "Local")
PREFIXES = {
    "US": "+1332",
    "CA": "+1647",
    "AT": "+43720",
    "BE": "+322",
    "DK": "+457",
    "FI": "+3589",
    "FR": "+331",
    "GB": "+4420",
    "IE": "+3531",
    "IT": "+3906",
    "NL": "+3120",
    "PL": "+4822",
    "SE": "+468",
}
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")
_KEYPAD = {
    letter: digit
    for digit, letters in {
        "2": "ABC",
        "3": "DEF",
        "4": "GHI",
        "5": "JKL",
        "6": "MNO",
        "7": "PQRS",
        "8": "TUV",
        "9": "WXYZ",
    }.items()
    for letter in letters
}


def unused_number(store: Store, random: Random, kind: str, country: str, desired_text: str = "") -> str:
    """Return an unused number, with the desired text in it if one is free.

    :param store: The sandbox's database.
    :param random: Source of randomness.
    :param kind: One of ``TYPES``.
    :param country: A key of ``PREFIXES``; of local numbers only.
    :param desired_text: The desired text, letters and digits.
    :return: The number in E.164.
    """
    word = "".join(_KEYPAD.get(letter, letter) for letter in desired_text.upper() if letter.isalnum())[:7]
    while True:
        prefix = f"+1{random.choice(_TOLL_FREE)}" if kind == "Toll-free" else PREFIXES[country]
        number = prefix + word + "".join(str(random.randint(2, 9)) for _ in range(7 - len(word)))
        if not store.value("SELECT count(*) FROM numbers WHERE number = ? AND deleted = 0", (number,)):
            return number
        # A word of seven letters allows one number for each prefix: drop letters when those are in use.
        word = word[:-1]


def _prepare(
    context: RequestContext, attributes: Attributes, values: dict[str, Any], errors: Errors, row: Row | None
) -> None:
    campaigns.check(context, attributes, values, errors, row)
    afid = attributes.get("afid")
    if afid in (None, "") and (row is None or "afid" in attributes):
        errors["afid"] = ["can't be blank"]
    values |= ivr.audio(attributes, context.now, errors)
    if row is not None:
        # Type and country of a number cannot change.
        for name in ("type", "country"):
            values.pop(name, None)
    if errors:
        return
    if afid is not None:
        values["affiliate_id"] = affiliates.find_or_create(context, str(afid))
    if row is None:
        kind, country = values.setdefault("type", "Toll-free"), values.setdefault("country", "US")
        desired_text = str(attributes.get("desired_text") or "")
        values["number"] = unused_number(context.store, context.state.random, kind, country, desired_text)


def _save_nested(context: RequestContext, number_id: int, attributes: Attributes) -> None:
    ivr.change(context, "number", number_id, attributes)


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    store = context.store
    campaign = store.row("SELECT * FROM campaigns WHERE id = ?", (row["campaign_id"],)) or {}
    of_number, has_greeting = ivr.get_rows(store, "number", row["id"]), _has_greeting(row)
    sql = "SELECT afid FROM affiliates WHERE id = ?"
    return {
        "id": row["id"],
        "number": row["number"],
        "toll_free": row["type"] == "Toll-free",
        "type": row["type"],
        "country": row["country"],
        "name": row["name"],
        "updated_at": format_seconds(row["updated_at"]),
        "created_at": format_seconds(row["created_at"]),
        "sid": row["sid"],
        "afid": store.value(sql, (row["affiliate_id"],)),
        "cid": campaign.get("cid"),
        "number_pool_id": row["pool_id"],
        "uses_campaign_settings": not has_greeting and not any(of_number.values()),
        "greeting": {**ivr.greeting(row if has_greeting else campaign), "inherited": not has_greeting},
        **_menu(context, of_number, row["campaign_id"]),
    }


def _has_greeting(row: Row) -> bool:
    return row["message"] is not None or row["audio_name"] is not None


def _menu(context: RequestContext, of_number: dict[str, list[Row]], campaign_id: int) -> dict[str, Any]:
    """Write timers and menu options: the number's own, or those of its campaign.

    The reference shows the timers of a number bare where it is read, and in envelopes where it is created or changed.
    """
    of_campaign = ivr.get_rows(context.store, "campaign", campaign_id)
    result: dict[str, Any] = {}
    for table, own in of_number.items():
        rows = [{**row, "inherited": not own} for row in own or of_campaign[table]]
        is_bare = table == "timers" and context.request.method == "GET"
        result[table] = rows if is_bare else ivr.wrap(table, rows)
    return result


def filters(context: RequestContext, names: dict[str, tuple[str, ...]]) -> tuple[str, list[Any]]:
    """Read filters by campaign, affiliate and sub ID.

    :param context: The request and the sandbox's state.
    :param names: For ``cid``, ``afid`` and ``sid``, the query parameters that are read, the first that is present.
    :return: SQL to append to a condition, and its values.
    """
    where, values = "", []
    sources = {
        "cid": "campaign_id IN (SELECT id FROM campaigns WHERE cid = ?)",
        "afid": "affiliate_id IN (SELECT id FROM affiliates WHERE afid = ?)",
        "sid": "sid = ?",
    }
    for own, parameters in names.items():
        text = next((text for text in map(context.request.param, parameters) if text), None)
        if text is not None:
            where += f" AND {sources[own]}"
            values.append(text)
    return where, values


def _filters(context: RequestContext) -> tuple[str, list[Any]]:
    """Read the current names, and the legacy ones while legacy routes are enabled."""
    current = {"cid": "client_cid", "afid": "client_afid", "sid": "sub_id"}
    older = context.state.options.legacy_routes
    return filters(context, {own: (name, own) if older else (name,) for own, name in current.items()})


NUMBERS = Resource(
    table="numbers",
    envelope="number",
    render=_render,
    prepare=_prepare,
    save_nested=_save_nested,
    filters=_filters,
    columns=(
        Column("type", one_of(*TYPES), optional=False),
        Column("country", one_of(*PREFIXES), optional=False),
        Column("sid"),
        Column("name"),
        *ivr.GREETING,
    ),
)
ROUTES = routes(NUMBERS, "numbers")
