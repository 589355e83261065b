"""Drift: what differs from the files, and whether it is not applied yet or was changed by others since."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from msgspec import UNSET

from airflow_provider_retreaver.account.applied import Applied
from airflow_provider_retreaver.account.plan import Plan
from airflow_provider_retreaver.core.errors import InvalidArgument

Reason = Literal["drift", "not applied", "unknown"]


class DriftRow(TypedDict):
    """One field that differs, or one object that is missing or not wanted (`field` is blank)."""

    address: str
    field: str
    wanted: Any
    now: Any
    reason: Reason


def drift_of(plan: Plan, applied: Applied | None) -> list[DriftRow]:
    """Return what differs from the files.

    A field is drift when the last apply set it to what the files want still: others have changed it. It is not
    applied yet when the files want something else than the last apply. Without a last apply nobody knows.

    :param plan: of the files, made now.
    :param applied: what was applied last; None for nothing.
    :return: a row for each difference.
    :raises InvalidArgument: when what was applied is of another company.
    """
    if applied is not None and applied.company != plan.company:
        raise InvalidArgument(f"What was applied last is of company {applied.company}, not {plan.company}.")
    rows: list[DriftRow] = []
    for change in plan.changes:
        known = None if applied is None else applied.managed.get(change.address)
        # Field, wanted and current value, and whether the last apply has set just that.
        found: list[tuple[str, Any, Any, bool]] = [
            (field, one.after, one.before, (known or {}).get(field, UNSET) == one.after)
            for field, one in change.fields.items()
        ]
        if change.action == "create":
            found = [("", "there", "missing", known is not None)]
        elif change.action == "delete":
            found = [("", "removed", "there", False)]
        for field, wanted, now, was_set in found:
            reason: Reason = "unknown" if applied is None else "drift" if was_set else "not applied"
            rows.append(DriftRow(address=change.address, field=field, wanted=wanted, now=now, reason=reason))
    return rows
