"""What was applied last, by which drift differs from what is not applied yet."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct

from airflow_provider_retreaver.account.plan import Plan, canonical
from airflow_provider_retreaver.core.errors import InvalidArgument

FORMAT, VERSION = "retreaver-account-applied", 1


class Applied(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was applied last.

    :param format: what the file is.
    :param version: of the format.
    :param company: Retreaver's ID of the company.
    :param plan: hash of the plan that was applied last.
    :param files: what the files of that plan say, see `Plan`.
    :param managed: what was applied, by address and field.
    """

    format: str = FORMAT
    version: int = VERSION
    company: int
    plan: str
    files: dict[str, Any]
    managed: dict[str, dict[str, Any]]

    def dump(self) -> bytes:
        """Return what `load_applied` reads.

        :return: canonical JSON.
        """
        return canonical(self)


def applied_by(plan: Plan, before: Applied | None, done: Collection[str] = ()) -> Applied:
    """Return what is applied when an apply begins, and when it ends.

    :param plan: that is applied.
    :param before: what was applied before; None for nothing.
    :param done: addresses whose change was made.
    :return: what the plan wants of the objects that are as it wants them, and for the others what was before.
    """
    changed = {one.address for one in plan.changes} - set(done)
    old = before.managed if before is not None and before.company == plan.company else {}
    managed = {
        address: fields if address not in changed else old[address]
        for address, fields in plan.managed.items()
        if address not in changed or address in old
    }
    return Applied(company=plan.company, plan=plan.sha256, files=plan.files, managed=managed)


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
