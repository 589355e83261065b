"""A plan: what would change, in which order, what it costs and what is risky, as one canonical JSON with its hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct

from airflow_provider_retreaver.account.schema import Prices
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources.resource import Id

VERSION = 1

TOLL_FREE = "Toll-free"
# What is risky whatever the value is: by kind, and by field of an object that is changed.
DELETES = {"numbers": "releases the number for good", "number_pools": "releases all numbers of the pool for good"}
CREATES = {"numbers": ["buys a number"], "number_pools": ["numbers cost money as the pool buys them"]}
CHANGES = {
    **dict.fromkeys(("tid", "cid", "afid"), "changes the customer ID, which calls and postbacks may refer to"),
    "number": "sends calls to another number",
    "campaign": "moves to another campaign",
    "sip_password": "changes the password",
}

T = TypeVar("T")
Action = Literal["create", "update", "delete"]


class Document(Struct, frozen=True):
    """What is kept as a file."""

    def dump(self) -> bytes:
        """Return it as the file that `decoded` reads.

        :return: canonical JSON, keys in order and no spaces: the same document is always the same bytes.
        """
        return msgspec.json.encode(self, order="sorted")


class FieldDiff(Struct, forbid_unknown_fields=True, frozen=True):
    """A field before and after.

    :param before: as it was read; the apply refuses the object when it is neither this nor `after`.
    :param after: as it should be; None where the object is deleted.
    """

    before: Any = None
    after: Any = None


class Change(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What happens to one object.

    :param address: of the object in the files.
    :param action: what is done.
    :param id: by what requests name it; None for a new object.
    :param name: that people know it by.
    :param fields: what changes; of a new object all that is sent, of a deleted one all that it has.
    :param purchase: what is bought: type, country, desired text.
    :param needs: addresses that must be created or moved before.
    :param risks: what may go wrong for callers or money, as short texts.
    """

    address: str
    action: Action
    id: Id | None = None
    name: str | None = None
    fields: dict[str, FieldDiff] = {}
    purchase: dict[str, str] | None = None
    needs: list[str] = []
    risks: list[str] = []

    @property
    def kind(self) -> str:
        """Name of the kind of the object."""
        return self.address.partition("/")[0]

    @property
    def key(self) -> str:
        """Key of the object in its section."""
        return self.address.partition("/")[2]

    @property
    def after(self) -> dict[str, Any]:
        """The fields that change, as they should be."""
        return {name: diff.after for name, diff in self.fields.items()}

    @property
    def bought(self) -> dict[str, str]:
        """Attributes of a number that is bought."""
        return {name: value for name, value in (self.purchase or {}).items() if name != "key"}


class Cost(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What numbers cost.

    :param bought: numbers by type.
    :param released: numbers by type.
    :param pools: numbers that new and larger pools may buy, without those of deleted and smaller ones.
    :param monthly: what a month costs more, in the currency of the prices; None without prices.
    """

    bought: dict[str, int] = {}
    released: dict[str, int] = {}
    pools: int = 0
    monthly: float | None = None


class _Head(Struct):
    """What every version of a plan begins with."""

    format: Literal["retreaver-account-plan"]
    version: Any = None


class Plan(Document, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A plan.

    :param format: what the file is.
    :param version: of the format.
    :param company: Retreaver's ID of the company.
    :param files_sha256: of what the files say.
    :param git_commit: of the files, where they are in git.
    :param environment: name of the environment's overlay.
    :param objects: how many objects the files have.
    :param changes: in the order in which they are made.
    :param cost: what it costs.
    :param moves: new addresses by old ones.
    :param labels: Retreaver's IDs of objects that files name by one, by address.
    :param files: what the files say, as one file that `read_files` reads again.
    :param managed: what the files want of each object, by address and field; the next `drift` compares with it.
    :param warnings: what cannot be compared, as sentences.
    :param sha256: of everything else.
    """

    format: Literal["retreaver-account-plan"] = "retreaver-account-plan"
    version: int = VERSION
    company: int
    files_sha256: str
    git_commit: str | None = None
    environment: str | None = None
    objects: int
    changes: list[Change]
    cost: Cost
    moves: dict[str, str]
    labels: dict[str, int]
    files: dict[str, Any]
    managed: dict[str, dict[str, Any]]
    warnings: list[str]
    sha256: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many objects are created, updated and deleted."""
        actions = [one.action for one in self.changes]
        return {action: actions.count(action) for action in ("create", "update", "delete")}

    def hashed(self) -> Plan:
        """Return the plan with its hash.

        :return: the plan.
        """
        return msgspec.structs.replace(self, sha256=self.digest())

    def digest(self) -> str:
        """Return the hash of everything but the hash.

        :return: SHA-256 in hexadecimal digits.
        """
        return hashlib.sha256(msgspec.structs.replace(self, sha256="").dump()).hexdigest()


def decoded(data: bytes | str, kind: type[T], problem: str) -> T:
    """Read what `Document.dump` returned.

    :param data: JSON.
    :param kind: of document.
    :param problem: the error where it is something else, as a sentence.
    :return: the document.
    :raises InvalidArgument: when it is something else.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError:
        raise InvalidArgument(problem) from None


def load_plan(data: bytes | str, where: str, sha256: str | None = None) -> Plan:
    """Read a plan and hold it against its hash.

    :param data: what `Plan.dump` returned.
    :param where: it came from, for errors.
    :param sha256: hash of the plan that was approved, or its first 12 digits at least; None for whatever it has.
    :return: the plan.
    :raises InvalidArgument: when it is no plan, is one of another version, was changed, or is not the approved one.
    """
    head = decoded(data, _Head, f"{where} is no plan of this package; check the path.")
    if head.version != VERSION:
        raise InvalidArgument(
            f"{where} is a plan of version {quoted(head.version)}, and this package applies version {VERSION}; "
            f"make a new plan."
        )
    changed = f"{where} was changed after it was made: its hash does not fit; make a new plan."
    plan = decoded(data, Plan, changed)
    if plan.digest() != plan.sha256:
        raise InvalidArgument(changed)
    if sha256 is not None:
        wanted = sha256.strip().lower()
        if len(wanted) < 12 or not plan.sha256.startswith(wanted):
            raise InvalidArgument(
                f"{where} is the plan {plan.sha256[:12]}, and {quoted(wanted[:64])} was approved; look at the plan "
                f"again, and approve it by its hash (12 digits at least)."
            )
    return plan


def risks_of(change: Change) -> list[str]:
    """Return what a change risks.

    :param change: of the plan.
    :return: short texts; none for a change that is safe.
    """
    if change.action == "delete":
        return [DELETES.get(change.kind, "deletes the object for good")]
    if change.action == "create":
        return CREATES.get(change.kind, [])
    risks = (_risk_of_field(name, after) for name, after in change.after.items())
    return [risk for risk in risks if risk is not None]


def _risk_of_field(name: str, after: Any) -> str | None:
    if name == "paused":
        return "stops its calls" if after else "lets calls through again"
    if name.startswith("hours.") and after == "closed":
        return f"closes {name.partition('.')[2]}"
    if name.startswith("caps.") and not after:
        return f"removes {name}" if after is None else f"{name} 0 stops its calls"
    if name == "groups" and not after:
        return "leaves its last group"
    return CHANGES.get(name)


def cost_of(changes: Sequence[Change], rows: Mapping[str, Row], prices: Prices) -> Cost:
    """Return what a plan costs.

    :param changes: of the plan.
    :param rows: objects as they are, by address.
    :param prices: what a number costs a month.
    :return: the cost.
    """
    numbers = [(one, rows.get(one.address, {})) for one in changes if one.kind == "numbers"]
    bought = Counter((one.purchase or {}).get("type", TOLL_FREE) for one, _ in numbers if one.action == "create")
    released = Counter(_type_of(row) for one, row in numbers if one.action == "delete")
    pools = [_pool_change(one, rows.get(one.address, {})) for one in changes if one.kind == "number_pools"]
    by_type = {TOLL_FREE: prices.toll_free, "Local": prices.local}
    counts = [*bought.items(), *((type_, -count) for type_, count in released.items()), *pools]
    needed = [(count, by_type.get(type_, UNSET)) for type_, count in counts if count]
    charged = [count * price for count, price in needed if price is not UNSET]
    return Cost(
        bought=dict(bought),
        released=dict(released),
        pools=sum(count for _, count in pools),
        monthly=round(sum(charged), 2) if needed and len(charged) == len(needed) else None,
    )


def _type_of(row: Row) -> str:
    return str(row.get("type") or (TOLL_FREE if row.get("toll_free") else "Local"))


def _pool_change(change: Change, row: Row) -> tuple[str, int]:
    """Return of which type a pool's numbers are, and how many more it may have after the change."""
    type_ = str(change.after.get("type") or row.get("type") or TOLL_FREE)
    if change.action == "delete":
        return type_, -int(row.get("numbers_count") or 0)
    size = change.fields.get("max_pool_size", FieldDiff())
    return type_, int(size.after or 0) - int(size.before or 0)
