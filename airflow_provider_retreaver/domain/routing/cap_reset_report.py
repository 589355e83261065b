"""What a run of resetting caps reports: one log line and one row for every object."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.objects.naming import customer_id, describe, told
from airflow_provider_retreaver.domain.routing.caps import hard_cap

log = logging.getLogger(__name__)


def names(key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say which object a row of the report is about."""
    kind, _, id_ = key.partition(" ")
    if kind == "group":
        return {"target_group_id": int(id_), "name": told(row, "name")}
    if id_.startswith("tid "):
        return {"id": None, "tid": id_[4:], "name": None}
    return {"id": int(id_), "tid": customer_id(row), "name": told(row, "name")}


class CapsReport:
    """Collects what was reset, skipped and failed, logging each as it happens.

    :param rows: the objects as read last, by key.
    :param group_of: the group through which a target was chosen, by key of the target.
    """

    def __init__(self, rows: Mapping[str, Row], group_of: Mapping[str, int]) -> None:
        self._rows = rows
        self._group_of = group_of
        self._lists: dict[str, dict[str, dict[str, Any]]] = {"reset": {}, "skipped": {}, "failed": {}}

    def as_json(self) -> dict[str, Any]:
        """Return `{"reset", "skipped", "failed"}` (and `would_reset` of a dry run) as lists of plain rows."""
        return {name: list(rows.values()) for name, rows in self._lists.items()}

    def failed(self, key: str) -> bool:
        """Whether a failure was reported for this object."""
        return key in self._lists["failed"]

    def done(self, key: str, before: int | None, after: int | None, *, earlier: bool = False) -> None:
        """Report a reset, of this attempt or an earlier one."""
        shown = "not read back" if after is None else after
        what = "Left alone, an earlier attempt reset" if earlier else "Reset"
        log.info("%s %s: %s -> %s, %s", what, self._called(key), before, shown, self._cap(key))
        self._lists["reset"][key] = self._line(key, before, after)

    def would(self, key: str) -> None:
        """Report what a dry run leaves alone."""
        filled = hard_cap(self._rows[key]).filled
        log.info("Dry run: would reset %s, which counts %s, %s", self._called(key), filled, self._cap(key))
        self._lists.setdefault("would_reset", {})[key] = self._line(key, filled, None)

    def skip(self, key: str, reason: str) -> None:
        """Report an object that needs no reset."""
        log.info("Skipped %s: %s", self._called(key), reason)
        self._lists["skipped"][key] = names(key, self._rows[key]) | {"reason": reason}

    def fail(self, key: str, sentence: str) -> None:
        """Report an object that was not reset, or not provably."""
        log.error("Failed: %s: %s", self._called(key), sentence)
        self._lists["failed"][key] = names(key, self._rows.get(key, {})) | {"error": sentence}

    def _called(self, key: str) -> str:
        return describe(key, self._rows.get(key, {}))

    def _cap(self, key: str) -> str:
        cap = hard_cap(self._rows[key]).cap
        return "no hard cap" if cap is None else f"hard cap {cap}"

    def _line(self, key: str, before: int | None, after: int | None) -> dict[str, Any]:
        row = self._rows[key]
        line = names(key, row) | {"filled_before": before, "filled_after": after, "cap": hard_cap(row).cap}
        return line | ({"target_group_id": self._group_of[key]} if key in self._group_of else {})
