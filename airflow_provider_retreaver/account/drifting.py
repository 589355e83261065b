"""Drift: what differs from the files, and whether it is not applied yet or was changed by others since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import msgspec
from msgspec import Struct

from airflow_provider_retreaver.account.applying import ApplyResult
from airflow_provider_retreaver.account.plan import Plan, canonical
from airflow_provider_retreaver.core.errors import InvalidArgument

FORMAT, VERSION = "retreaver-account-applied", 1

Reason = Literal["drift", "not applied", "unknown"]


class Applied(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was applied last.

    :param format: what the file is.
    :param version: of the format.
    :param company: Retreaver's ID of the company.
    :param plan: hash of the plan that was applied last.
    :param managed: what was applied, by address and field.
    """

    format: str = FORMAT
    version: int = VERSION
    company: int
    plan: str
    managed: dict[str, dict[str, Any]]

    def dump(self) -> bytes:
        """Return what `load_applied` reads.

        :return: canonical JSON.
        """
        return canonical(self)


class DriftRow(TypedDict):
    """One field that differs, or one object that is missing or not wanted (`field` is blank)."""

    address: str
    field: str
    wanted: Any
    now: Any
    reason: Reason


def applied_after(plan: Plan, result: ApplyResult, before: Applied | None) -> Applied:
    """Return what is applied after an apply.

    :param plan: that was applied.
    :param result: of the apply.
    :param before: what was applied before; None for nothing.
    :return: what the plan wants of the objects that are as it wants them, and for the others what was before.
    """
    changed = {one.address for one in plan.changes}
    done = {one["address"] for one in result["outcomes"] if one["status"] == "done"}
    old: Mapping[str, dict[str, Any]] = (
        before.managed if before is not None and before.company == plan.company else {}
    )
    managed = {
        address: fields if address not in changed or address in done else old[address]
        for address, fields in plan.managed.items()
        if address not in changed or address in done or address in old
    }
    return Applied(company=plan.company, plan=plan.sha256, managed=managed)


def load_applied(data: bytes | str, where: str) -> Applied:
    """Read what was applied last.

    :param data: what `Applied.dump` returned.
    :param where: it came from, for errors.
    :return: what was applied.
    :raises InvalidArgument: when it is something else.
    """
    try:
        applied = msgspec.json.decode(data, type=Applied)
    except (msgspec.DecodeError, msgspec.ValidationError):
        applied = None
    if applied is None or (applied.format, applied.version) != (FORMAT, VERSION):
        raise InvalidArgument(f"{where} is not what an apply of this package leaves; check the path, or delete it.")
    return applied


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
        if change.action != "update":
            existed = change.action == "create" and known is not None
            wanted = "there" if change.action == "create" else "removed"
            now = "missing" if change.action == "create" else "there"
            reason: Reason = "unknown" if applied is None else "drift" if existed else "not applied"
            rows.append(DriftRow(address=change.address, field="", wanted=wanted, now=now, reason=reason))
            continue
        for field, one in change.fields.items():
            if applied is None:
                reason = "unknown"
            else:
                same = known is not None and field in known and known[field] == one.after
                reason = "drift" if same else "not applied"
            rows.append(
                DriftRow(address=change.address, field=field, wanted=one.after, now=one.before, reason=reason)
            )
    return rows
