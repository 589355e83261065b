"""What the tests of suppression and caller lists share: sources, attempts, and the list behind the client's back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.airflow.support.account import Account, TaskInstance

FIRST = 9192000000


def some(count: int, start: int = 0) -> list[str]:
    """Return so many phone numbers in a row, as the vendor has them."""
    return [f"+1{FIRST + start + place}" for place in range(count)]


def suppressed(account: Account) -> dict[str, tuple[bool, str | None]]:
    """Return every suppressed number with its `can_resubscribe` and its campaign."""
    found: dict[str, tuple[bool, str | None]] = {}
    page = 1
    while rows := account._handle("GET", "/suppressed_numbers.json", page=page):
        for row in (row["suppressed_number"] for row in rows):
            found[row["number"]] = (row["can_resubscribe"], row["cid"])
        page += 1
    return found


def suppress(account: Account, numbers: Iterable[str], **attributes: Any) -> None:
    """Suppress numbers as somebody else would."""
    for number in numbers:
        body = {"suppressed_number": {"can_resubscribe": False, **attributes}}
        account._handle("POST", f"/suppressed_numbers/{number}.json", body)


def warehouse(folder: Path, numbers: Iterable[str]) -> dict[str, str]:
    """Fill a table `do_not_call` with numbers and return the connection to its database."""
    file = folder / "warehouse.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS do_not_call (id INTEGER PRIMARY KEY, phone TEXT)")
        database.execute("DELETE FROM do_not_call")
        database.executemany("INSERT INTO do_not_call (phone) VALUES (?)", [(number,) for number in numbers])
    return {"conn_type": "sqlite", "host": str(file)}


def run_of(run: str = "first", task: str = "sync", **parts: Any) -> Mapping[str, Any]:
    """Return the context of an attempt of a run."""
    return {"ti": TaskInstance(run_id=run, task_id=task), **parts}


def sync(context: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Execute a `RetreaverSuppressionSyncOperator` as a worker would, and return its result as JSON."""
    from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator

    operator = RetreaverSuppressionSyncOperator(
        task_id="sync", **{"mode": "mirror", "can_resubscribe": False, **parameters}
    )
    result: dict[str, Any] = json.loads(json.dumps(operator.execute({} if context is None else context)))
    return result


def counts(result: Mapping[str, Any]) -> dict[str, int]:
    """Return the figures of a result that are not nothing."""
    return {
        name: value
        for name, value in result.items()
        if isinstance(value, int) and value and not isinstance(value, bool)
    }
