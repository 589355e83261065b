"""How objects are called in log lines, errors and results.

Procedures know an object by a key: its kind and its ID (`target 3`, `group 5`, `contact 7`), or what it was asked for
by where its ID is not known (`target tid A7`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core.secrets import redact


def describe(key: str, row: Mapping[str, Any]) -> str:
    """Return how an object is called in a log line: `target 3 (tid A7, "Acme Roofing")`."""
    tid, name = customer_id(row), told(row, "name")
    known = [part for part in (f"tid {tid}" if tid else "", f'"{name}"' if name else "") if part]
    return f"{key} ({', '.join(known)})" if known else key


def customer_id(row: Mapping[str, Any]) -> Any:
    """Return the tid of a target, under either of the vendor's names for it."""
    return told(row, "tid") or told(row, "client_tid")


def told(row: Mapping[str, Any], name: str) -> Any:
    """Return a field of an object as it may be shown."""
    value = row.get(name)
    # Somebody may have pasted a key into a name: it would travel into logs and XComs.
    return redact(value) if isinstance(value, str) else value
