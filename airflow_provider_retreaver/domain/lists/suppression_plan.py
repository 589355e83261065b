"""What a suppression sync has to do: the difference between a source and what is known to be suppressed.

One number has one record at the vendor: suppressed for the whole company, or for one campaign. So a sync for a
campaign leaves numbers alone that are suppressed company-wide (they are blocked for the campaign already, and
narrowing their record would unblock them everywhere else), and a number whose record belongs to another campaign
cannot be suppressed a second time: it is a conflict, reported and not sent.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Each, Procedure, Row
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164, from_e164
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.progress import ProgressLogger
from airflow_provider_retreaver.resources import suppression

log = logging.getLogger(__name__)

MODES = ("add", "mirror", "remove")
ADD, CHANGE, REMOVE, CONFLICT = "add", "change", "remove", "conflict"
# The order in which they are done: whoever must not call is blocked before anybody is let through again.
ACTIONS = (ADD, CHANGE, REMOVE)
EMPTY = NumberSet()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sync is asked for.

    :param mode: `add` never removes, `mirror` removes what the source does not have, `remove` removes what it has.
    :param can_resubscribe: whether callers may unblock themselves by pressing 7.
    :param campaign: customer's ID of the campaign (`cid`), None for the whole company.
    :param only_ours: leave numbers alone that others have put there.
    :param legacy: whether the connection uses the legacy routes, which cannot list suppressed numbers.
    """

    mode: str
    can_resubscribe: bool
    campaign: str | None = None
    only_ours: bool = False
    legacy: bool = False

    def fingerprint(self, source: NumberSet) -> str:
        """Return what is the same as long as the plan for a source would be meant the same."""
        said = json.dumps([self.mode, self.can_resubscribe, self.campaign, self.only_ours, self.legacy])
        return hashlib.sha256(said.encode() + source.to_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ours:
    """What this sync has put on the list and not taken off, as far as it knows.

    :param sure: numbers that are there.
    :param unsure: numbers of which it is not known whether a change to them has happened.
    """

    sure: NumberSet = EMPTY
    unsure: NumberSet = EMPTY

    @property
    def both(self) -> NumberSet:
        """All that may be there."""
        return self.sure.plus(self.unsure)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known to be suppressed.

    :param there: within the scope of the sync.
    :param removable: what a removal may concern; more than `there` where something is unsure.
    :param differing: of `there`: with the other `can_resubscribe`.
    :param covered: company-wide, where the sync is for a campaign.
    :param conflicting: for a campaign that is not the sync's.
    """

    there: NumberSet
    removable: NumberSet
    differing: NumberSet = EMPTY
    covered: NumberSet = EMPTY
    conflicting: NumberSet = EMPTY

    @classmethod
    def recorded(cls, ours: Ours) -> Known:
        """Return what the sync's own record knows: all there is under the legacy routes."""
        return cls(ours.sure.minus(ours.unsure), ours.both)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in the order of `ACTIONS`, and what cannot be."""

    add: NumberSet = EMPTY
    change: NumberSet = EMPTY
    remove: NumberSet = EMPTY
    conflict: NumberSet = EMPTY
    unchanged: int = 0

    def __len__(self) -> int:
        return len(self.add) + len(self.change) + len(self.remove)

    def of(self, action: str) -> NumberSet:
        """Return the numbers of an action."""
        numbers: NumberSet = getattr(self, action)
        return numbers

    def part(self, start: int, stop: int) -> list[tuple[str, int]]:
        """Return the steps from one place to another, as action and number."""
        steps, offset = [], 0
        for action in ACTIONS:
            numbers = self.of(action)
            found = numbers.part(max(0, start - offset), max(0, stop - offset))
            steps += [(action, number) for number in found]
            offset += len(numbers)
        return steps

    def reached(self, action: str, stop: int) -> list[int]:
        """Return the numbers of an action whose step comes before a place."""
        offset = sum(len(self.of(one)) for one in ACTIONS[: ACTIONS.index(action)])
        return self.of(action).part(0, max(0, stop - offset))

    def within(self, action: str, start: int, stop: int) -> int:
        """Return how many of the steps from one place to another are of an action."""
        offset = sum(len(self.of(one)) for one in ACTIONS[: ACTIONS.index(action)])
        end = offset + len(self.of(action))
        return max(0, min(stop, end) - max(start, offset))

    def lines(self) -> Iterator[str]:
        """Write it as csv lines without their ends: a header, then action and number."""
        yield "action,number"
        for action in (*ACTIONS, CONFLICT):
            for number in self.of(action):
                yield f"{action},{e164(number)}"

    @classmethod
    def read(cls, lines: Iterable[str], unchanged: int, where: str) -> Plan:
        """Read what `lines` has written.

        :param where: names the file.
        :raises InvalidArgument: when it is damaged.
        """
        found = {action: Collector() for action in (*ACTIONS, CONFLICT)}
        for line in lines:
            action, _, text = line.strip().partition(",")
            number = from_e164(text)
            if action in found and number is not None:
                found[action].add(number)
            elif line.strip() != "action,number":
                raise InvalidArgument(
                    f"{where} is damaged: it does not hold a plan; delete its folder to start over."
                )
        return cls(**{action: numbers.finish() for action, numbers in found.items()}, unchanged=unchanged)


@dataclass(slots=True)
class _Reading:
    """The vendor's list, sorted into heaps as its rows come."""

    wanted: Wanted
    there: Collector = field(default_factory=Collector)
    differing: Collector = field(default_factory=Collector)
    covered: Collector = field(default_factory=Collector)
    conflicting: Collector = field(default_factory=Collector)
    unreadable: int = 0
    progress: ProgressLogger = field(
        default_factory=lambda: ProgressLogger(lambda line: log.info("Suppressed numbers read: %s.", line))
    )
    rows: int = 0

    def visit(self, row: Row) -> None:
        """Take one row."""
        self.rows += 1
        self.progress.update(self.rows)
        number = from_e164(str(row.get("number", "")).strip())
        if number is None:
            self.unreadable += 1
            return
        heap = self._heap(scope_of(row))
        heap.add(number)
        if heap is self.there and row.get("can_resubscribe") is not self.wanted.can_resubscribe:
            self.differing.add(number)

    def _heap(self, scope: str | None) -> Collector:
        if scope == self.wanted.campaign:
            return self.there
        return self.covered if scope is None else self.conflicting


def scope_of(row: Row) -> str | None:
    """Return the campaign that a suppressed number is suppressed for, None for the whole company."""
    said = row.get("cid") or row.get("campaign_id")
    return None if said in (None, "") else str(said)


def read_list(wanted: Wanted) -> Procedure[Known]:
    """Read the vendor's list to its end (current routes).

    :raises ListingIncomplete: when it cannot be read to its end.
    """
    reading = _Reading(wanted)
    yield Each(suppression.list_suppressed_numbers(), reading.visit)
    if reading.unreadable:
        log.warning(
            "%d of %d suppressed numbers are not written in E.164 and are left alone.",
            reading.unreadable,
            reading.rows,
        )
    there = reading.there.finish()
    return Known(there, there, reading.differing.finish(), reading.covered.finish(), reading.conflicting.finish())


def compare(wanted: Wanted, source: NumberSet, known: Known, ours: Ours) -> Plan:
    """Work out what has to be done.

    :param ours: what the sync has put there itself, for `only_ours`.
    """
    if wanted.mode == "remove":
        # Nothing tells what the legacy routes have, so every number of the source is taken off.
        removable = source if wanted.legacy and not wanted.only_ours else known.removable
        gone = source.common(owned(removable, wanted, ours))
        return Plan(remove=gone, unchanged=len(source) - len(gone))
    missing = source.minus(known.there).minus(known.covered)
    conflict = missing.common(known.conflicting)
    add = missing.minus(conflict)
    change = owned(source.common(known.differing), wanted, ours)
    gone = owned(known.removable, wanted, ours).minus(source) if wanted.mode == "mirror" else EMPTY
    return Plan(add, change, gone, conflict, len(source) - len(add) - len(change) - len(conflict))


def owned(numbers: NumberSet, wanted: Wanted, ours: Ours) -> NumberSet:
    """Return those of the numbers that a sync may change or remove."""
    return numbers.common(ours.both) if wanted.only_ours else numbers


def limits(given: Any) -> list[ChangeLimit]:
    """Read `max_removals`: a number, a share, several of them (the lowest counts), or None for no limit.

    :raises InvalidArgument: when it is none of these.
    """
    several = given if isinstance(given, (list, tuple)) else [given]
    return [ChangeLimit.parse(one, "max_removals") for one in several]


def check_removals(plan: Plan, known: int, source: int, given: Any) -> None:
    """Refuse a plan that takes off more than is meant.

    :param known: numbers known to be on the list, of which a share is taken.
    :param source: numbers in the source.
    :param given: `max_removals`.
    :raises ChangeRefused: with the counts.
    """
    counts = (
        f"The source has {source} numbers, {known} are known to be on the list; {len(plan.add)} would be added, "
        f"{len(plan.remove)} removed, {plan.unchanged} stay."
    )
    for limit in limits(given):
        limit.check(len(plan.remove), known, "suppressed numbers", verb="removed", more=counts)
