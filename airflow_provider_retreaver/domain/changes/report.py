"""What a run of changes reports: one log line for every object and one row for every field."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.secrets import redact
from airflow_provider_retreaver.domain.changes.differences import Change
from airflow_provider_retreaver.domain.objects.naming import describe, told

log = logging.getLogger(__name__)


class ChangeReport:
    """Collects what was changed, left alone and failed, logging each as it happens.

    :param rows: the objects as read last, by key.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._lists: dict[str, list[dict[str, Any]]] = {"changed": [], "unchanged": [], "failed": []}

    def as_json(self) -> dict[str, Any]:
        """Return `{"changed", "unchanged", "failed"}` (and `would_change` of a dry run) as lists of plain rows."""
        return {name: list(rows) for name, rows in self._lists.items()}

    def changed(self, key: str, changes: Sequence[Change]) -> None:
        """Report fields that are as they were wanted."""
        log.info("Changed %s: %s", self.called(key), _lines(changes))
        self._lists["changed"].extend(self._fields(key, changes))

    def would(self, key: str, changes: Sequence[Change]) -> None:
        """Report what a dry run leaves alone."""
        log.info("Would change %s: %s", self.called(key), _lines(changes))
        self._lists.setdefault("would_change", []).extend(self._fields(key, changes))

    def unchanged(self, key: str) -> None:
        """Report an object that was already as it was wanted."""
        log.info("Unchanged: %s", self.called(key))
        self._lists["unchanged"].append(self._name(key))

    def fail(self, key: str, sentence: str) -> None:
        """Report an object that is not as it was wanted, or not provably."""
        sentence = redact(sentence)
        log.error("Failed: %s: %s", self.called(key), sentence)
        self._lists["failed"].append(self._name(key) | {"error": sentence})

    def called(self, key: str) -> str:
        """Return how an object is called in a log line."""
        return describe(key, self._rows.get(key, {}))

    def _fields(self, key: str, changes: Sequence[Change]) -> list[dict[str, Any]]:
        name = self._name(key)
        return [
            name | {"field": one.field, "before": _clean(one.before), "after": _clean(one.after)} for one in changes
        ]

    def _name(self, key: str) -> dict[str, Any]:
        kind, _, rest = key.partition(" ")
        row = self._rows.get(key, {})
        if not rest.isdecimal():
            return {"kind": kind, "id": None, "named": rest}
        named = {"kind": kind, "id": int(rest)}
        return named | ({"name": told(row, "name")} if row.get("name") else {})


def _lines(changes: Sequence[Change]) -> str:
    return redact("; ".join(map(str, changes)))


def _clean(value: Any) -> Any:
    """Return a value without a key that somebody may have pasted into a tag."""
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return redact(value) if isinstance(value, str) else value
