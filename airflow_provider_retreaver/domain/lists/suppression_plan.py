"""The plan of a suppression sync: the difference between a source and the numbers that are known to be suppressed.

Retreaver has one record for each number: suppressed for the whole company, or for one campaign. So a sync for a
campaign does not change numbers that are suppressed for the company: they are already blocked for the campaign, and
narrowing their record would unblock them everywhere else. A number whose record is for another campaign cannot be
suppressed a second time: it is a conflict, which is reported and not sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164, from_e164
from airflow_provider_retreaver.domain.lists.unreadable import Unreadable
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

MODES = ("add", "mirror", "remove")
ADD, CHANGE, REMOVE, CONFLICT, KEEP = "add", "change", "remove", "conflict", "keep"
# The order in which they are sent: numbers are blocked before others are unblocked.
ACTIONS = (ADD, CHANGE, REMOVE)
# Those of which nothing is sent.
UNSENT = (CONFLICT, KEEP)
EMPTY = NumberSet()
NONE_UNREADABLE = Unreadable()


@dataclass(frozen=True, slots=True)
class SuppressionRequest:
    """What a sync has to achieve.

    :param mode: `add` never removes, `mirror` removes what the source does not have, `remove` removes what it has.
    :param can_resubscribe: whether callers may unblock themselves by pressing 7.
    :param campaign: customer's ID (`cid`) of the campaign, None for the whole company.
    :param only_ours: do not change numbers that others have added.
    :param legacy: whether the connection uses the legacy routes, which cannot list suppressed numbers.
    """

    mode: str
    can_resubscribe: bool
    campaign: str | None = None
    only_ours: bool = False
    legacy: bool = False

    def fingerprint(self, source: NumberSet, unreadable: Unreadable = NONE_UNREADABLE) -> str:
        """Return a hash of these parameters and a source; a saved plan is continued only if it is equal.

        :param source: numbers of the source.
        :param unreadable: its values that cannot be read.
        :return: hexadecimal digits.
        """
        parameters = [self.mode, self.can_resubscribe, self.campaign, self.only_ours, self.legacy]
        doubts = [unreadable.stops_removals, len(unreadable.could_mean)]
        content = source.to_bytes() + unreadable.could_mean.to_bytes()
        return hashlib.sha256(json.dumps([*parameters, *doubts]).encode() + content).hexdigest()


@dataclass(frozen=True, slots=True)
class Ours:
    """Numbers that this sync has added and not removed, according to its record.

    :param sure: numbers that are suppressed.
    :param unsure: numbers for which the outcome of a change is unknown.
    """

    sure: NumberSet = EMPTY
    unsure: NumberSet = EMPTY

    @property
    def both(self) -> NumberSet:
        """All numbers that may be suppressed."""
        return self.sure.plus(self.unsure)


@dataclass(frozen=True, slots=True)
class Known:
    """Numbers that are known to be suppressed.

    :param there: within the scope of the sync.
    :param removable: numbers that may be removed; more than `there` where outcomes are unknown.
    :param differing: numbers of `there` with the other `can_resubscribe`.
    :param covered: suppressed for the company, when the sync is for a campaign.
    :param conflicting: suppressed for another campaign.
    :param seen: `state_of` the rows of numbers that the sync may remove, where it looks again before it does.
    """

    there: NumberSet
    removable: NumberSet
    differing: NumberSet = EMPTY
    covered: NumberSet = EMPTY
    conflicting: NumberSet = EMPTY
    seen: Mapping[int, int] | None = None

    @classmethod
    def recorded(cls, ours: Ours) -> Known:
        """Return what the sync's own record has: all that is known with the legacy routes.

        :param ours: the record.
        :return: the known numbers.
        """
        return cls(ours.sure.minus(ours.unsure), ours.both)


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be sent, in the order of `ACTIONS`, and what cannot be.

    :param add: numbers to suppress.
    :param change: numbers whose `can_resubscribe` changes.
    :param remove: numbers to remove.
    :param conflict: numbers that cannot be suppressed.
    :param unchanged: count of the others.
    :param keep: numbers that are not in the source, and are not removed since an unreadable value may mean them.
    """

    add: NumberSet = EMPTY
    change: NumberSet = EMPTY
    remove: NumberSet = EMPTY
    conflict: NumberSet = EMPTY
    unchanged: int = 0
    keep: NumberSet = EMPTY

    def __len__(self) -> int:
        return len(self.add) + len(self.change) + len(self.remove)

    def of(self, action: str) -> NumberSet:
        """Return the numbers of an action.

        :param action: one of `ACTIONS`.
        :return: the numbers.
        """
        numbers: NumberSet = getattr(self, action)
        return numbers

    def part(self, start: int, stop: int) -> list[tuple[str, int]]:
        """Return a part of the steps.

        :param start: place of the first step.
        :param stop: place after the last step.
        :return: pairs of action and number.
        """
        steps, offset = [], 0
        for action in ACTIONS:
            numbers = self.of(action)
            found = numbers.part(max(0, start - offset), max(0, stop - offset))
            steps += [(action, number) for number in found]
            offset += len(numbers)
        return steps

    def reached(self, action: str, stop: int) -> list[int]:
        """Return the numbers of an action whose steps are before a place.

        :param action: one of `ACTIONS`.
        :param stop: the place.
        :return: the numbers.
        """
        offset = sum(len(self.of(one)) for one in ACTIONS[: ACTIONS.index(action)])
        return self.of(action).part(0, max(0, stop - offset))

    def within(self, action: str, start: int, stop: int) -> int:
        """Return how many steps of an action are between two places.

        :param action: one of `ACTIONS`.
        :param start: the first place.
        :param stop: the place after the last.
        :return: the count.
        """
        offset = sum(len(self.of(one)) for one in ACTIONS[: ACTIONS.index(action)])
        end = offset + len(self.of(action))
        return max(0, min(stop, end) - max(start, offset))

    def end_of_action(self, place: int) -> int:
        """Return where the steps of an action end: steps of two actions are not sent at once, which has no order.

        :param place: of one of its steps.
        :return: the place after its last step.
        """
        end = 0
        for action in ACTIONS:
            end += len(self.of(action))
            if end > place:
                break
        return end

    def lines(self) -> Iterator[str]:
        """Return the plan as lines of csv, without line ends.

        :return: lines of action and number.
        """
        yield "action,number"
        for action in (*ACTIONS, *UNSENT):
            for number in self.of(action):
                yield f"{action},{e164(number)}"

    @classmethod
    def read(cls, lines: Iterable[str], unchanged: int, where: str) -> Plan:
        """Read the result of `lines`.

        :param lines: the lines.
        :param unchanged: count of unchanged numbers.
        :param where: name of the file.
        :return: the plan.
        :raises InvalidArgument: when a line is damaged.
        """
        found = {action: Collector() for action in (*ACTIONS, *UNSENT)}
        for line in lines:
            action, _, text = line.strip().partition(",")
            number = from_e164(text)
            if action in found and number is not None:
                found[action].add(number)
            elif line.strip() != "action,number":
                raise InvalidArgument(f"{where} is damaged: it is not a plan; delete its folder to start again.")
        return cls(**{action: numbers.finish() for action, numbers in found.items()}, unchanged=unchanged)


def compare(
    wanted: SuppressionRequest,
    source: NumberSet,
    known: Known,
    ours: Ours,
    unreadable: Unreadable = NONE_UNREADABLE,
) -> Plan:
    """Return what has to be sent.

    :param wanted: what the sync has to achieve.
    :param source: numbers of the source.
    :param known: numbers that are known to be suppressed.
    :param ours: numbers that the sync has added, for `only_ours`.
    :param unreadable: values of the source that cannot be read.
    :return: the plan.
    """
    if wanted.mode == "remove":
        # The legacy routes cannot list, so every number of the source is removed.
        removable = source if wanted.legacy and not wanted.only_ours else known.removable
        gone = source.common(owned(removable, wanted, ours))
        return Plan(remove=gone, unchanged=len(source) - len(gone))
    missing = source.minus(known.there).minus(known.covered)
    conflict = missing.common(known.conflicting)
    add = missing.minus(conflict)
    change = owned(source.common(known.differing), wanted, ours)
    gone = kept = EMPTY
    if wanted.mode == "mirror":
        gone, kept = unreadable.divide(owned(known.removable, wanted, ours).minus(source), source)
    return Plan(add, change, gone, conflict, len(source) - len(add) - len(change) - len(conflict), kept)


def owned(numbers: NumberSet, wanted: SuppressionRequest, ours: Ours) -> NumberSet:
    """Return the numbers that a sync may change or remove.

    :param numbers: the numbers.
    :param wanted: what the sync has to achieve.
    :param ours: numbers that the sync has added.
    :return: all of them, or with `only_ours` those that the sync has added.
    """
    return numbers.common(ours.both) if wanted.only_ours else numbers


def limits(given: object) -> list[ChangeLimit]:
    """Read `max_removals`.

    :param given: a number, a share, several of them (the lowest applies), or None for no limit.
    :return: the limits.
    :raises InvalidArgument: when it is none of these.
    """
    several = given if isinstance(given, (list, tuple)) else [given]
    return [ChangeLimit.parse(one, "max_removals") for one in several]


def check_removals(plan: Plan, known: int, source: int, given: object) -> None:
    """Refuse a plan that removes too many numbers.

    :param plan: the plan.
    :param known: count of numbers on the list, of which a share is taken.
    :param source: count of numbers in the source.
    :param given: `max_removals`.
    :raises ChangeRefused: with the counts.
    """
    counts = (
        f"The source has {source} numbers, {known} are known to be on the list; {len(plan.add)} would be added, "
        f"{len(plan.remove)} removed, {plan.unchanged} are unchanged."
    )
    for limit in limits(given):
        limit.check(len(plan.remove), known, "suppressed numbers", verb="removed", more=counts)
