"""Helpers of the tests of suppression and caller lists: numbers, sources, attempts, and reading the list."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.airflow.support.account import Account, TaskInstance

FIRST = 9192000000


def phone_numbers(count: int, start: int = 0) -> list[str]:
    """Return consecutive phone numbers in E.164, as Retreaver stores them."""
    return [f"+1{FIRST + start + index}" for index in range(count)]


def suppressed(account: Account) -> dict[str, tuple[bool, str | None]]:
    """Return every suppressed number with its `can_resubscribe` and its campaign."""
    names = {row["campaign"]["id"]: row["campaign"]["cid"] for row in account._handle("GET", "/campaigns.json")}
    numbers: dict[str, tuple[bool, str | None]] = {}
    page = 1
    while rows := account._handle("GET", "/suppressed_numbers.json", page=page):
        for row in (row["suppressed_number"] for row in rows):
            numbers[row["number"]] = (row["can_resubscribe"], names.get(row.get("cid")))
        page += 1
    return numbers


def suppress(account: Account, numbers: Iterable[str], **attributes: Any) -> None:
    """Suppress numbers as another client."""
    for number in numbers:
        body = {"suppressed_number": {"can_resubscribe": False, **attributes}}
        account._handle("POST", f"/suppressed_numbers/{number}.json", body)


def create_warehouse(folder: Path, numbers: Iterable[str]) -> dict[str, str]:
    """Create a database with numbers in a table `do_not_call` and return the connection to it."""
    file = folder / "warehouse.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS do_not_call (id INTEGER PRIMARY KEY, phone TEXT)")
        database.execute("DELETE FROM do_not_call")
        database.executemany("INSERT INTO do_not_call (phone) VALUES (?)", [(number,) for number in numbers])
    return {"conn_type": "sqlite", "host": str(file)}


def attempt_context(run: str = "first", task: str = "sync", **parts: Any) -> Mapping[str, Any]:
    """Return the context of an attempt of a task of a run."""
    return {"ti": TaskInstance(run_id=run, task_id=task), **parts}


def sync(context: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Execute a `RetreaverSuppressionSyncOperator` as a worker would, and return its result as JSON."""
    from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator

    operator = RetreaverSuppressionSyncOperator(
        task_id="sync", **{"mode": "mirror", "can_resubscribe": False, **parameters}
    )
    result: dict[str, Any] = json.loads(json.dumps(operator.execute({} if context is None else context)))
    return result


def nonzero_counts(result: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of a result that are not 0."""
    return {
        name: value
        for name, value in result.items()
        if isinstance(value, int) and value and not isinstance(value, bool)
    }
