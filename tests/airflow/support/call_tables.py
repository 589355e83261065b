"""Helpers of the tests of loads into tables: adding calls and executing the operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.airflow.support.account import Account, context_of

START, END = "2026-01-05T00:00:00+00:00", "2026-01-06T00:00:00+00:00"
MAPPING = {
    "id": "uuid",
    "changed": "updated_at",
    "caller": "caller",
    "seconds": "total_duration",
    "revenue": "revenue",
    "converted": "converted",
    "tags": "tags",
}
# A load that prints a line for every batch, so that a test can kill it; run as a program.
LOAD = """
import sys
from tests.airflow.support.call_tables import to_sql
from airflow_provider_retreaver.transfers.call_table import Writing
result = Writing.result
def result_and_report(self):
    changed = result(self)
    print("WRITTEN", flush=True)
    return changed
Writing.result = result_and_report
to_sql(batch_size=50)
"""


def add_calls(account: Account, count: int = 1, **fields: Any) -> list[str]:
    """Add calls on 5 January 2026, set the sandbox's clock to the 7th, and return the calls' UUIDs."""
    account._control("POST", "clock", {"now": "2026-01-07T00:00:00Z"})
    spread = (
        {"created_at_start": START, "created_at_end": END} if count > 1 else {"created_at": "2026-01-05T12:00:00Z"}
    )
    added = account._control("POST", "calls", {"count": count, "fields": {**spread, **fields}})
    uuids: list[str] = added["uuids"]
    return uuids


def change_call(account: Account, uuid: str, **fields: Any) -> None:
    """Change a call."""
    account._control("POST", f"calls/{uuid}", {"fields": fields})


def add_calls_with_one_too_large(account: Account, column: str) -> tuple[str, dict[str, Any]]:
    """Add 300 calls that fit any column except number 250; return its UUID and a mapping with the column."""
    uuids = add_calls(account, 300, caller="123", total_duration=7, tags={}, revenue=1)
    too_large = {
        "caller": "+17195220377",
        "total_duration": 99_999,
        "tags": {"day": "call +17195220377"},
        "revenue": 60,
    }
    field = {"seconds": "total_duration"}.get(column, column)
    change_call(account, uuids[250], **{field: too_large[field]})
    return uuids[250], {**MAPPING, "tags": {"field": "tags.day", "type": "text"}}


def to_sql(context: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Execute a `RetreaverCallsToSqlOperator` as a worker would after rendering, and return its result as JSON."""
    from airflow_provider_retreaver.transfers.calls import RetreaverCallsToSqlOperator

    arguments = {"sql_conn_id": "warehouse", "table": "calls", "start": START, "end": END, **parameters}
    operator = RetreaverCallsToSqlOperator(task_id="load", **arguments)
    result: dict[str, Any] = json.loads(json.dumps(operator.execute(context_of() if context is None else context)))
    return result
