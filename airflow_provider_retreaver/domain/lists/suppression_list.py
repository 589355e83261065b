"""Reading Retreaver's list of suppressed numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.operations import Each, Procedure, Row
from airflow_provider_retreaver.domain.lists.number_set import Collector
from airflow_provider_retreaver.domain.lists.phones import from_e164
from airflow_provider_retreaver.domain.lists.suppression_plan import EMPTY, Known, SuppressionRequest
from airflow_provider_retreaver.domain.objects.suppression_scope import Scope, WantedScope
from airflow_provider_retreaver.domain.progress import ProgressLogger
from airflow_provider_retreaver.resources import suppression

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """Listed numbers of one scope."""

    numbers: Collector = field(default_factory=Collector)
    differing: Collector = field(default_factory=Collector)


@dataclass(slots=True)
class _Reading:
    """Retreaver's list, grouped by scope as its rows come."""

    can_resubscribe: bool
    watched: Callable[[int], bool] | None = None
    seen: dict[int, int] = field(default_factory=dict)
    groups: dict[Scope, _Group] = field(default_factory=dict)
    unreadable: int = 0
    progress: ProgressLogger = field(
        default_factory=lambda: ProgressLogger(lambda line: log.info("Suppressed numbers read: %s.", line))
    )
    rows: int = 0

    def visit(self, row: Row) -> None:
        """Add one row."""
        self.rows += 1
        self.progress.update(self.rows)
        number = from_e164(str(row.get("number", "")).strip())
        if number is None:
            self.unreadable += 1
            return
        if self.watched is not None and self.watched(number):
            self.seen[number] = state_of(row)
        scope = Scope.of(row)
        group = self.groups.get(scope)
        if group is None:
            group = self.groups[scope] = _Group()
        group.numbers.add(number)
        if row.get("can_resubscribe") is not self.can_resubscribe:
            group.differing.add(number)


def state_of(row: Row) -> int:
    """Return a value that differs when a suppressed number was changed, or removed and suppressed again.

    :param row: the suppressed number.
    :return: equal for equal rows, in one process.
    """
    return hash((row.get("id"), row.get("created_at"), row.get("can_resubscribe"), Scope.of(row)))


def read_list(
    wanted: SuppressionRequest,
    scope: WantedScope,
    *,
    watched: Callable[[int], bool] | None = None,
    each: Callable[[], None] | None = None,
) -> Procedure[Known]:
    """Read Retreaver's list completely (current routes).

    :param wanted: what the sync has to achieve.
    :param scope: of the sync.
    :param watched: says of which numbers the result has the state of their rows; None for none.
    :param each: called for each row.
    :return: the known numbers.
    :raises ListingIncomplete: when it cannot be read completely.
    """
    reading = _Reading(wanted.can_resubscribe, watched)

    def visit(row: Row) -> None:
        if each is not None:
            each()
        reading.visit(row)

    yield Each(suppression.list_suppressed_numbers(), visit)
    if reading.unreadable:
        log.warning(
            "%d of %d suppressed numbers are not in E.164 and are not changed.",
            reading.unreadable,
            reading.rows,
        )
    yield from scope.learn(reading.groups)
    there = differing = covered = conflicting = EMPTY
    for one, group in reading.groups.items():
        numbers = group.numbers.finish()
        if scope.covers(one):
            there, differing = there.plus(numbers), differing.plus(group.differing.finish())
        elif one.is_company:
            covered = covered.plus(numbers)
        else:
            conflicting = conflicting.plus(numbers)
    seen = reading.seen if watched is not None else None
    return Known(there, there, differing, covered, conflicting, seen)
