"""Uploads to caller lists: accepted at once, done a little later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Wrong, phone, truth
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.api.paging import LINK_BASE
from airflow_provider_retreaver.sandbox.http.wire import invalid
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store


def accept(exchange: Exchange, row: Row, given: dict[str, Any]) -> dict[str, Any]:
    """Take an upload; its numbers count after the sandbox's upload delay."""
    errors = {}
    numbers, action = given.get("numbers"), given.get("action", "create")
    if not isinstance(numbers, str) or not numbers.strip():
        errors["numbers"] = ["can't be blank"]
    if action not in ("create", "delete"):
        errors["action"] = ["is not included in the list"]
    if errors:
        raise invalid(errors)
    now, world = exchange.now, exchange.world
    csv_key = f"{world.random.getrandbits(128):032x}"
    clear = truth(given.get("clear_before_upload")) or 0
    exchange.store.insert(
        "caller_list_uploads",
        {
            "list_id": row["id"],
            "action": action,
            "clear_before_upload": clear,
            "numbers": numbers,
            "csv_key": csv_key,
            "created_at": now,
            "due_at": now + round(world.upload_delay * 1000),
        },
    )
    return {
        "caller_list_upload": {
            "status": "Processing",
            "created_at": format_milliseconds(now, exchange.zone()),
            "error_messages": [],
            "action": action,
            "clear_before_upload": bool(clear),
            "csv_file_url": f"{LINK_BASE}/caller_list_uploads/{csv_key}.csv",
        }
    }


def finish(store: Store, now: int) -> None:
    """Do what is due, in the order it came."""
    for upload in store.rows("SELECT * FROM caller_list_uploads WHERE done = 0 AND due_at <= ? ORDER BY id", (now,)):
        if upload["clear_before_upload"]:
            store.run("DELETE FROM caller_list_numbers WHERE list_id = ?", (upload["list_id"],))
        numbers = _readable(upload["numbers"].split())
        if upload["action"] == "create":
            put(store, upload["list_id"], numbers, upload["due_at"])
        else:
            sql = "DELETE FROM caller_list_numbers WHERE list_id = ? AND number = ?"
            store.run_many(sql, [(upload["list_id"], number) for number in numbers])
        store.update("caller_list_uploads", upload["id"], {"done": 1, "numbers": ""})


def put(store: Store, list_id: int, numbers: Iterable[str], now: int) -> None:
    """Put numbers on a list; those on it stay as they are."""
    sql = "INSERT OR IGNORE INTO caller_list_numbers (list_id, number, created_at) VALUES (?, ?, ?)"
    store.run_many(sql, [(list_id, number, now) for number in numbers])


def _readable(texts: Iterable[str]) -> list[str]:
    """Keep what reads as a phone number; the rest of an upload is left out."""
    numbers = []
    for text in texts:
        try:
            numbers.append(phone(text))
        except Wrong:
            continue
    return numbers
