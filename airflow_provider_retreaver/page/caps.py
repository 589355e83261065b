"""What the page shows of targets and target groups: caps, hours, pauses, members. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self, get_args

from msgspec import convert

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.operations import Listing, Procedure, Row
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.objects.at_once import together
from airflow_provider_retreaver.domain.objects.key import ObjectKey, group_key, target_key
from airflow_provider_retreaver.domain.objects.naming import customer_id, safe_field
from airflow_provider_retreaver.domain.objects.reading import get_object
from airflow_provider_retreaver.domain.routing.caps import TYPES, cap_of
from airflow_provider_retreaver.domain.routing.open_now import Opening, opening
from airflow_provider_retreaver.resources.target_groups import list_target_groups
from airflow_provider_retreaver.resources.targets import list_targets

Kind = Literal["target", "group"]
Show = Literal["all", "open", "full", "paused", "groups"]
SHOWS: tuple[Show, ...] = get_args(Show)
CONCURRENCY = "concurrency"
# What a row must have; Retreaver's lists may leave out what is nested.
NEEDED = {"target": ("caps", "business_hours"), "group": ("caps", "target_ids")}
# What is shown of a row; all else is forgotten at once.
SHOWN = frozenset(
    (
        *("id", "name", "tid", "client_tid", "paused", "caps", "concurrency_cap", "calls_in_progress"),
        *("business_hours", "time_zone", "target_ids"),
    )
)
# How many objects that a list has without these fields are read one by one at each poll.
MOST_SINGLE_READS = 100
NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Bar:
    """How far one cap is filled.

    :param name: `hard`, `hourly`, `daily`, `monthly` or `concurrency`.
    :param filled: calls counted; of `concurrency` those in progress.
    :param cap: calls allowed.
    """

    name: str
    filled: int
    cap: int

    @property
    def share(self) -> float:
        """Filled of the cap; a cap of 0 is full."""
        return self.filled / self.cap if self.cap > 0 else 1.0

    @property
    def full(self) -> bool:
        """Whether it stops calls."""
        return self.filled >= self.cap


@dataclass(frozen=True, slots=True)
class Owner:
    """A target or group as the page shows it.

    :param kind: which of the two.
    :param id: Retreaver's ID.
    :param name: of the object, or its ID where it has none.
    :param tid: the customer's ID; blank for none.
    :param bars: of the caps that it has; None where Retreaver's list came without them.
    :param opening: business hours; None for a group.
    :param paused: whether it is paused.
    :param related: names of a target's groups; for a group, how many targets it has.
    :param read_at: when the figures were read.
    :param problem: why figures are missing; blank otherwise.
    """

    kind: Kind
    id: int
    name: str
    tid: str
    bars: tuple[Bar, ...] | None
    opening: Opening | None
    paused: bool
    related: tuple[str, ...]
    read_at: datetime
    problem: str = ""

    @property
    def nearest(self) -> float:
        """The largest share of its caps; below 0 without caps."""
        return max((bar.share for bar in self.bars or ()), default=-1.0)

    @property
    def open_now(self) -> bool:
        """Whether it is open by its hours and not paused."""
        return self.opening is not None and self.opening.is_open is True and not self.paused

    @property
    def full(self) -> bool:
        """Whether one of its caps stops calls."""
        return any(bar.full for bar in self.bars or ())

    @property
    def text(self) -> str:
        """What a search looks at, in lower case."""
        return " ".join((self.name, self.tid, str(self.id), *self.related)).casefold()


@dataclass(frozen=True, slots=True)
class ReadRow:
    """An object as read, and when.

    :param row: as Retreaver sent it.
    :param at: when it was read.
    :param error: why it could not be completed; blank otherwise.
    """

    row: Row
    at: datetime
    error: str = ""


class CapsRead:
    """The targets and groups of a company.

    :param rows: by key; each has an integer ID.
    :param left: how many of them still lack fields, which the next polls read.
    """

    def __init__(self, rows: Mapping[ObjectKey, ReadRow], left: int) -> None:
        self.rows = rows
        self.left = left
        self._shown: tuple[datetime, list[Owner]] | None = None

    def saved(self) -> tuple[list[tuple[Kind, int, ReadRow]], int]:
        """Return what `of_saved` makes it of again.

        :return: kind, ID and row of each object, and `left`.
        """
        rows: list[tuple[Kind, int, ReadRow]] = [
            ("group" if key.kind == "group" else "target", int(key.id or 0), one) for key, one in self.rows.items()
        ]
        return rows, self.left

    @classmethod
    def of_saved(cls, value: object) -> Self:
        """Return what `saved` was called on.

        :param value: of `saved`, as JSON has it.
        :return: the targets and groups.
        :raises ValidationError: of msgspec, when it is something else.
        """
        rows, left = convert(value, tuple[list[tuple[Kind, int, ReadRow]], int])
        keyed = {group_key(id_) if kind == "group" else target_key(id_): one for kind, id_, one in rows}
        return cls(keyed, left)

    def owners(self, now: datetime) -> list[Owner]:
        """Return what is shown, what is nearest to full first; made once a minute, since hours count minutes.

        :param now: at which hours are judged.
        :return: targets and groups; not to be changed.
        """
        minute = now.replace(second=0, microsecond=0)
        shown = self._shown
        if shown is None or shown[0] != minute:
            shown = self._shown = (minute, owners(self, minute))
        return shown[1]


def read_caps(now: datetime, before: CapsRead | None) -> Procedure[CapsRead]:
    """Read all targets and groups; those that the lists have without caps are read one by one, some at each poll.

    :param now: the time of the poll.
    :param before: what the last poll read.
    :return: the objects.
    :raises RetreaverError: when a list cannot be read.
    """
    listed = yield from _list(list_targets(), target_key, now)
    listed.update((yield from _list(list_target_groups(), group_key, now)))
    incomplete = [key for key, read in listed.items() if _lacks(key, read.row)]
    known = before.rows if before is not None else {}
    # The figures that are oldest come first; what was never read is older than anything.
    order = sorted(incomplete, key=lambda key: (key in known and not _lacks(key, known[key].row), _age(known, key)))
    chosen = order[:MOST_SINGLE_READS]
    outcomes = yield from together([get_object(key) for key in chosen])
    for key, outcome in zip(chosen, outcomes, strict=True):
        value, error = outcome.value, outcome.error
        listed[key] = ReadRow(_shown(value), now) if value else ReadRow(listed[key].row, now, str(error or ""))
    for key in order[MOST_SINGLE_READS:]:
        listed[key] = known.get(key, listed[key])
    read = CapsRead(listed, sum(1 for key in order if _lacks(key, listed[key].row)))
    # Made by the poll, so that no reader waits for it.
    read.owners(now)
    return read


def _age(known: Mapping[ObjectKey, ReadRow], key: ObjectKey) -> float:
    return known[key].at.timestamp() if key in known else 0.0


def _lacks(key: ObjectKey, row: Row) -> bool:
    return any(name not in row for name in NEEDED[key.kind])


def _list(listing: Listing, key_of: Callable[[int], ObjectKey], now: datetime) -> Procedure[dict[ObjectKey, ReadRow]]:
    rows: list[Row] = yield listing
    found: dict[ObjectKey, ReadRow] = {}
    for row in rows:
        id_ = row.get("id")
        if not isinstance(id_, int) or isinstance(id_, bool):
            raise ProtocolError(f"{listing.request.label} returned a {listing.envelope} without an 'id'.")
        found[key_of(id_)] = ReadRow(_shown(row), now)
    return found


def _shown(row: Row) -> Row:
    return {name: without_secrets(value, name) for name, value in row.items() if name in SHOWN}


def owners(read: CapsRead, now: datetime) -> list[Owner]:
    """Return what is shown, what is nearest to full first.

    :param read: targets and groups.
    :param now: at which hours are judged.
    :return: targets and groups.
    """
    names: dict[int, list[str]] = {}
    for key, one in read.rows.items():
        if key.kind == "group":
            for member in _ids(one.row.get("target_ids")):
                names.setdefault(member, []).append(_name(one.row))
    shown = [_owner(key, one, names, now) for key, one in read.rows.items()]
    return sorted(shown, key=lambda owner: (-owner.nearest, owner.kind, owner.name.casefold(), owner.id))


def _owner(key: ObjectKey, read: ReadRow, groups: Mapping[int, Sequence[str]], now: datetime) -> Owner:
    row, id_ = read.row, int(key.id or 0)
    bars, problem = _bars(row)
    is_group = key.kind == "group"
    members = len(_ids(row.get("target_ids")))
    return Owner(
        kind="group" if is_group else "target",
        id=id_,
        name=_name(row),
        tid=one_line(customer_id(row) or "", NAME_LENGTH, numbers=False),
        bars=bars,
        opening=None if is_group else opening(row, now),
        paused=row.get("paused") is True,
        related=(f"{members} {'target' if members == 1 else 'targets'}",) if is_group else tuple(groups.get(id_, ())),
        read_at=read.at,
        problem=read.error or problem,
    )


def _bars(row: Row) -> tuple[tuple[Bar, ...] | None, str]:
    """Return the caps that an object has, and why they are not known."""
    bars: list[Bar] = []
    try:
        for name in TYPES:
            cap = cap_of(row, name)
            if cap.cap is not None:
                bars.append(Bar(name, cap.filled, cap.cap))
    except ProtocolError as error:
        return None, str(error) if "caps" in row else "Retreaver's list came without caps; a later poll reads them."
    limit, busy = row.get("concurrency_cap"), row.get("calls_in_progress")
    if isinstance(limit, int) and isinstance(busy, int):
        bars.append(Bar(CONCURRENCY, busy, limit))
    return tuple(bars), ""


def _ids(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []


def _name(row: Row) -> str:
    # A phone number or a key may have been pasted into a name.
    return one_line(safe_field(row, "name") or f"no name, ID {row.get('id')}", NAME_LENGTH)


def matching(shown: Iterable[Owner], search: str, show: Show) -> list[Owner]:
    """Return those that a search finds.

    :param shown: targets and groups.
    :param search: words that must all occur in name, customer's ID, ID or groups, without regard to case.
    :param show: which of them.
    :return: in the same order.
    """
    words = search.casefold().split()
    return [owner for owner in shown if _belongs(owner, show) and all(word in owner.text for word in words)]


def _belongs(owner: Owner, show: Show) -> bool:
    match show:
        case "open":
            return owner.open_now
        case "full":
            return owner.full
        case "paused":
            return owner.paused
        case "groups":
            return owner.kind == "group"
        case _:
            return True
