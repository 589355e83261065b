"""Uploads to caller lists: accepted at once, executed after a delay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import InvalidValue, phone, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.paging import LINK_BASE
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store


def accept(context: RequestContext, row: Row, attributes: dict[str, Any]) -> dict[str, Any]:
    """Accept an upload; its numbers take effect after the sandbox's upload delay.

    :param context: The request and the sandbox's state.
    :param row: Row of the caller list.
    :param attributes: Attributes from the request.
    :return: The upload in its envelope.
    :raises ApiError: With status 422, if numbers are missing or the action is unknown.
    """
    errors = {}
    numbers, action = attributes.get("numbers"), attributes.get("action", "create")
    if not isinstance(numbers, str) or not numbers.strip():
        errors["numbers"] = ["can't be blank"]
    if action not in ("create", "delete"):
        errors["action"] = ["is not included in the list"]
    if errors:
        raise validation_error(errors)
    now, state = context.now, context.state
    csv_key = f"{state.random.getrandbits(128):032x}"
    clear = truth(attributes.get("clear_before_upload")) or 0
    context.store.insert(
        "caller_list_uploads",
        {
            "list_id": row["id"],
            "action": action,
            "clear_before_upload": clear,
            "numbers": numbers,
            "csv_key": csv_key,
            "created_at": now,
            "due_at": now + round(state.upload_delay * 1000),
        },
    )
    return {
        "caller_list_upload": {
            "status": "Processing",
            "created_at": format_milliseconds(now, context.zone()),
            "error_messages": [],
            "action": action,
            "clear_before_upload": bool(clear),
            "csv_file_url": f"{LINK_BASE}/caller_list_uploads/{csv_key}.csv",
        }
    }


def execute_due(store: Store, now: int) -> None:
    """Execute the uploads that are due, in their order.

    :param store: The sandbox's database.
    :param now: The sandbox's time in milliseconds since the epoch.
    """
    for upload in store.rows("SELECT * FROM caller_list_uploads WHERE done = 0 AND due_at <= ? ORDER BY id", (now,)):
        if upload["clear_before_upload"]:
            store.run("DELETE FROM caller_list_numbers WHERE list_id = ?", (upload["list_id"],))
        numbers = _valid_numbers(upload["numbers"].split())
        if upload["action"] == "create":
            add_numbers(store, upload["list_id"], numbers, upload["due_at"])
        else:
            sql = "DELETE FROM caller_list_numbers WHERE list_id = ? AND number = ?"
            store.run_many(sql, [(upload["list_id"], number) for number in numbers])
        store.update("caller_list_uploads", upload["id"], {"done": 1, "numbers": ""})


def add_numbers(store: Store, list_id: int, numbers: Iterable[str], now: int) -> None:
    """Add numbers to a list; those that are on it stay unchanged.

    :param store: The sandbox's database.
    :param list_id: ID of the caller list.
    :param numbers: Phone numbers in E.164.
    :param now: Time of their addition in milliseconds since the epoch.
    """
    sql = "INSERT OR IGNORE INTO caller_list_numbers (list_id, number, created_at) VALUES (?, ?, ?)"
    store.run_many(sql, [(list_id, number, now) for number in numbers])


def _valid_numbers(texts: Iterable[str]) -> list[str]:
    """Return the valid phone numbers; others in an upload are ignored."""
    numbers = []
    for text in texts:
        try:
            numbers.append(phone(text))
        except InvalidValue:
            continue
    return numbers
