"""Payout bid modification tables: written once, one of them active, and what the active one pays for a bid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.sandbox.api import payout_rules
from airflow_provider_retreaver.sandbox.api.campaigns import CAMPAIGNS
from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Route
from airflow_provider_retreaver.sandbox.api.paging import link_headers, requested_page
from airflow_provider_retreaver.sandbox.http.wire import ApiError, Reply, api_error
from airflow_provider_retreaver.sandbox.state.clock import format_seconds, to_datetime
from airflow_provider_retreaver.sandbox.state.store import Row

ENVELOPE = "payout_bid_modification_table"
_PATH = f"api/v5/campaigns/{{campaign_id}}/{ENVELOPE}s"
_WRITTEN_ONCE = ("csv_data", "salt", "table_version")


@dataclass(frozen=True, slots=True)
class Payout:
    """What the active table pays for a bid.

    :param amount: The payout.
    :param table_version: Label of the table.
    :param rule_id: Of the rule that matches, as the table has it; None for none.
    :param bucket: Of the bid, 0 to 9999.
    :param percentage: Of the revenue, by that rule; None where the payout stays as it is.
    """

    amount: float
    table_version: str
    rule_id: str | None
    bucket: int
    percentage: float | None


def add(context: RequestContext, campaign_id: int, attributes: Attributes) -> Row:
    """Add a table to a campaign.

    :param context: The request and the sandbox's state.
    :param campaign_id: ID of the campaign.
    :param attributes: ``csv_data``, ``active``, ``salt`` and ``table_version``.
    :return: Row of the table.
    :raises ApiError: With status 422, if the CSV cannot be read or the version is taken.
    """
    text, version = attributes.get("csv_data"), attributes.get("table_version")
    if not isinstance(text, str) or not text.strip():
        raise _refusal("Csv data can't be blank")
    try:
        payout_rules.parse(text)
    except InvalidValue as error:
        raise _refusal(f"Csv data could not be parsed into rules ({error})") from error
    label = None if version in (None, "") else str(version)
    if label is not None and label in {str(_version(row)) for row in _rows(context, campaign_id)}:
        raise _refusal("Table version has already been taken")
    stamp = {"company_id": context.company_id, "created_at": context.now, "updated_at": context.now}
    values = {"campaign_id": campaign_id, "csv_data": text, "table_version": label}
    salt = str(attributes.get("salt") or _default_salt(context))
    row_id = context.store.insert("payout_tables", {**stamp, **values, "salt": salt})
    if truth(attributes.get("active")):
        _activate(context, campaign_id, row_id)
    return context.store.one("SELECT * FROM payout_tables WHERE id = ?", (row_id,))


def payout(context: RequestContext, campaign_id: int | None, uuid: str, bid: dict[str, Any]) -> Payout | None:
    """Apply the active table of a campaign to a bid.

    :param context: The request and the sandbox's state.
    :param campaign_id: ID of the campaign, None without one.
    :param uuid: UUID of the reservation.
    :param bid: Values by tag key, ``revenue`` among them; None for what is not known.
    :return: What is paid; None without an active table.
    """
    sql = "SELECT * FROM payout_tables WHERE company_id = ? AND campaign_id = ? AND active = 1"
    table = context.store.row(sql, (context.company_id, campaign_id))
    if table is None:
        return None
    revenue, bucket = float(bid["revenue"]), payout_rules.bucket(table["salt"], uuid)
    known = {name: str(value) for name, value in {**bid, "pbm_bucket": bucket}.items() if value is not None}
    rule = payout_rules.matching(payout_rules.parse(table["csv_data"]), known)
    percentage = None if rule is None else rule.percentage
    amount = revenue if percentage is None else round(revenue * percentage / 100, 2)
    return Payout(amount, str(_version(table)), None if rule is None else rule.rule_id, bucket, percentage)


def as_logged(paid: Payout, original: float) -> dict[str, Any]:
    """Return what the log of real-time bidding shows of a modified payout.

    :param paid: The modified payout.
    :param original: The payout without the table.
    :return: Values by name.
    """
    is_number = paid.rule_id is not None and paid.rule_id.isdecimal()
    return {
        "pbm_table_version": paid.table_version,
        "pbm_rule_id": int(paid.rule_id or 0) if is_number else paid.rule_id,
        "pbm_bucket": paid.bucket,
        "pbm_variant": "control" if paid.percentage is None else "treatment",
        "pbm_original_payout": original,
        "pbm_percent_of_revenue": paid.percentage,
    }


def _list(context: RequestContext) -> Reply:
    rows = _rows(context, _campaign(context)["id"])
    at = requested_page(context.request, accepts_per_page=True)
    listed = [_render(row) for row in rows[at.offset : at.offset + at.size]]
    return Reply(listed, headers=link_headers(context.request, at, len(rows)))


def _get(context: RequestContext) -> Reply:
    return Reply(_render(_find(context)))


def _create(context: RequestContext) -> Reply:
    campaign = _campaign(context)
    return Reply(_render(add(context, campaign["id"], context.request.envelope(ENVELOPE))))


def _update(context: RequestContext) -> Reply:
    """Activate or deactivate a table. Retreaver's reference: "Activate or roll back a table"."""
    row, given = _find(context), context.request.envelope(ENVELOPE)
    fixed = [name for name in _WRITTEN_ONCE if name in given]
    if fixed:
        raise _refusal(f"{fixed[0].replace('_', ' ').capitalize()} can't be changed after create")
    active = truth(given.get("active"))
    if active is None:
        raise _refusal("Active can't be blank")
    if active:
        _activate(context, row["campaign_id"], row["id"])
    else:
        context.store.update("payout_tables", row["id"], {"active": 0, "updated_at": context.now})
    return Reply(_render(_find(context)))


def _delete(context: RequestContext) -> Reply:
    context.store.run("DELETE FROM payout_tables WHERE id = ?", (_find(context)["id"],))
    return Reply()


def _activate(context: RequestContext, campaign_id: int, row_id: int) -> None:
    context.store.run("UPDATE payout_tables SET active = (id = ?) WHERE campaign_id = ?", (row_id, campaign_id))


def _campaign(context: RequestContext) -> Row:
    campaign = CAMPAIGNS.lookup(context, "id", context.args["campaign_id"])
    if campaign is None:
        raise api_error(404, "campaign not found")
    return campaign


def _rows(context: RequestContext, campaign_id: int) -> list[Row]:
    sql = "SELECT * FROM payout_tables WHERE company_id = ? AND campaign_id = ? ORDER BY created_at DESC, id DESC"
    return context.store.rows(sql, (context.company_id, campaign_id))


def _find(context: RequestContext) -> Row:
    wanted = context.args["id"]
    rows = _rows(context, _campaign(context)["id"])
    row = next((row for row in rows if str(row["id"]) == wanted), None)
    if row is None:
        raise api_error(404, f"{ENVELOPE} not found")
    return row


def _version(row: Row) -> int | str:
    return row["id"] if row["table_version"] is None else str(row["table_version"])


def _render(row: Row) -> dict[str, Any]:
    """Write a table, which has no envelope."""
    return {
        "id": row["id"],
        "campaign_id": row["campaign_id"],
        "table_version": _version(row),
        "active": bool(row["active"]),
        "salt": row["salt"],
        "csv_data": row["csv_data"],
        "created_at": format_seconds(row["created_at"]),
    }


def _default_salt(context: RequestContext) -> str:
    name = context.store.value("SELECT name FROM companies WHERE id = ?", (context.company_id,))
    slug = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    return f"{slug}_{to_datetime(context.now).date().isoformat()}"


def _refusal(message: str) -> ApiError:
    return ApiError(422, {"errors": [message]})


ROUTES = [
    Route("GET", _PATH, _list),
    Route("POST", _PATH, _create),
    Route("GET", f"{_PATH}/{{id}}", _get),
    Route("PUT", f"{_PATH}/{{id}}", _update),
    Route("PATCH", f"{_PATH}/{{id}}", _update),
    Route("DELETE", f"{_PATH}/{{id}}", _delete),
]
