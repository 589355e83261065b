"""What a caller hears and can press: greetings, timers and menu options of campaigns and numbers."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import (
    Column,
    InvalidValue,
    natural,
    one_of,
    phone_or_sip,
    text,
    truth,
)
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.nested import NestedTable, nested_rows
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

GREETING = (
    Column("message"),
    Column("voice_gender", one_of("Male", "Female")),
    Column("repeat", natural, optional=False),
)


def _seconds(value: Any) -> int:
    """Read a timer's seconds; a negative number is allowed."""
    digits = text(value)
    if digits is None or not digits.removeprefix("-").isdigit():
        raise InvalidValue("is not a number")
    return int(digits)


def _button(value: Any) -> str:
    button = text(value)
    if button is None or button not in tuple("1234567890*#"):
        raise InvalidValue("is not a button (1 2 3 4 5 6 7 8 9 0 * #)")
    return button


_TIMERS = NestedTable("timers", (Column("seconds", _seconds, required=True), Column("url", required=True)), {})
_MENU_OPTIONS = NestedTable(
    "menu_options",
    (Column("option", _button, required=True), Column("target_number", phone_or_sip), Column("target_cid")),
    {},
)
_NESTED = {table.name: table for table in (_TIMERS, _MENU_OPTIONS)}


def audio(attributes: dict[str, Any], now: int, errors: dict[str, list[str]]) -> dict[str, Any]:
    """Read an uploaded greeting; only its name and its size are stored.

    :param attributes: Attributes from the request.
    :param now: The sandbox's time in milliseconds since the epoch.
    :param errors: Errors by attribute; is added to if the file is not Base64.
    :return: Values by column; empty without a file.
    """
    data = attributes.get("message_file_b64_data")
    if data is None:
        return {}
    try:
        size = len(base64.b64decode(str(data), validate=True))
    except (binascii.Error, ValueError):
        errors["message_file_b64_data"] = ["is not Base64"]
        return {}
    name = text(attributes.get("message_file_b64_filename")) or "greeting"
    return {"audio_name": name, "audio_size": size, "audio_updated_at": now}


def change(context: RequestContext, owner: str, owner_id: int, attributes: dict[str, Any]) -> None:
    """Save ``timers_attributes``, ``menu_options_attributes`` and ``destroy_nested``.

    :param context: The request and the sandbox's state.
    :param owner: ``campaign`` or ``number``.
    :param owner_id: ID of the campaign or number.
    :param attributes: Attributes from the request.
    :raises ApiError: With status 422, if menu options lack the option 1 or have an option twice.
    """
    if truth(attributes.get("destroy_nested")):
        for table in _NESTED:
            context.store.run(f"DELETE FROM {table} WHERE owner = ? AND owner_id = ?", (owner, owner_id))
    for table in _NESTED:
        for row in nested_rows(attributes, f"{table}_attributes"):
            _change_one(context, table, owner, owner_id, row)
    buttons = [row["option"] for row in _of(context.store, "menu_options", owner, owner_id)]
    if buttons and "1" not in buttons:
        raise validation_error({"menu_options": ["must have an option for 1"]})
    if len(buttons) != len(set(buttons)):
        raise validation_error({"menu_options.option": ["has already been taken"]})


def _change_one(context: RequestContext, table: str, owner: str, owner_id: int, attributes: dict[str, Any]) -> None:
    def check(values: Row, errors: dict[str, list[str]]) -> None:
        target_cid = values.get("target_cid")
        sql = "SELECT count(*) FROM campaigns WHERE company_id = ? AND cid = ? AND deleted = 0"
        if target_cid and not context.store.value(sql, (context.company_id, target_cid)):
            errors["target_cid"] = [f"there is no campaign {target_cid}"]

    parent = {"owner": owner, "owner_id": owner_id}
    _NESTED[table].save(context.store, attributes, parent, owner=owner, check=check)


def add_timer(store: Store, owner: str, owner_id: int, seconds: int, url: str) -> None:
    """Add one timer.

    :param store: The sandbox's database.
    :param owner: ``campaign`` or ``number``.
    :param owner_id: ID of the campaign or number.
    :param seconds: Seconds of the call after which the URL is requested.
    :param url: The URL.
    """
    store.insert("timers", {"owner": owner, "owner_id": owner_id, "seconds": seconds, "url": url})


def _of(store: Store, table: str, owner: str, owner_id: int) -> list[Row]:
    names = ", ".join(column.name for column in _NESTED[table].columns)
    sql = f"SELECT id, {names} FROM {table} WHERE owner = ? AND owner_id = ? ORDER BY id"
    return store.rows(sql, (owner, owner_id))


def get_rows(store: Store, owner: str, owner_id: int) -> dict[str, list[Row]]:
    """Return timers and menu options.

    :param store: The sandbox's database.
    :param owner: ``campaign`` or ``number``.
    :param owner_id: ID of the campaign or number.
    :return: Lists by ``timers`` and ``menu_options``.
    """
    return {table: _of(store, table, owner, owner_id) for table in _NESTED}


def wrap(table: str, rows: list[Row]) -> list[dict[str, Row]]:
    """Put each row of timers or menu options into its envelope.

    :param table: ``timers`` or ``menu_options``.
    :param rows: The rows.
    :return: For example ``[{"timer": {...}}]``.
    """
    return [{table[:-1]: row} for row in rows]


def greeting(row: Row) -> dict[str, Any]:
    """Write a greeting: the uploaded file, or the text; the fields of the other kind are null.

    :param row: Row of a campaign or number.
    :return: The fields of the greeting.
    """
    recorded = row["audio_name"] is not None
    return {
        "message": None if recorded else row["message"],
        "voice_gender": None if recorded else row["voice_gender"] or "Female",
        "audio_file_name": row["audio_name"],
        "audio_file_content_type": "application/octet-stream" if recorded else None,
        "audio_file_size": row["audio_size"],
        "audio_file_updated_at": format_seconds(row["audio_updated_at"]),
    }
