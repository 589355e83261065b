"""Values of a source that cannot be read: each may be a number, so a mirror does not take it for an absent one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.number_sources import Collected, Rejected
from airflow_provider_retreaver.domain.lists.phones import Normalizer, e164
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

log = logging.getLogger(__name__)

EMPTY = NumberSet()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The values of a source that cannot be read; without arguments there are none.

    :param count: of the values.
    :param could_mean: numbers that they could stand for: a mirror removes none of them.
    :param first: some of the values.
    :param stops_removals: whether there are so many that a mirror removes nothing.
    :param allowed: how many there may be, in words.
    :param read: reads a number of Retreaver's list by the rule of the source's numbers.
    """

    count: int = 0
    could_mean: NumberSet = EMPTY
    first: tuple[Rejected, ...] = ()
    stops_removals: bool = False
    allowed: str = ""
    read: Callable[[object], int | str] | None = None

    @classmethod
    def of(cls, collected: Collected, normalizer: Normalizer, max_unreadable: object) -> Unreadable:
        """Return the unreadable values of a source.

        :param collected: the source.
        :param normalizer: that has read it.
        :param max_unreadable: how many there may be, as `ChangeLimit.parse` takes it.
        :return: the values.
        :raises InvalidArgument: when `max_unreadable` is none.
        """
        limit = ChangeLimit.parse(max_unreadable, "max_unreadable")
        return cls(
            collected.unreadable,
            collected.could_mean,
            collected.first_unreadable,
            limit.exceeded(collected.unreadable, collected.rows),
            limit.describe(collected.rows),
            normalizer.read,
        )

    def divide(self, missing: NumberSet, source: NumberSet) -> tuple[NumberSet, NumberSet]:
        """Divide listed numbers that the source does not have into those to remove and those to keep.

        :param missing: the listed numbers.
        :param source: numbers of the source.
        :return: numbers to remove, and numbers to keep.
        """
        if self.stops_removals:
            return EMPTY, missing
        kept = missing.common(self.could_mean)
        missing = missing.minus(kept)
        written_otherwise = NumberSet(number for number in missing if self._reads_as(number) in source)
        return missing.minus(written_otherwise), kept.plus(written_otherwise)

    def _reads_as(self, number: int) -> int:
        """Return how the source's reader writes a listed number: some countries have two forms of one number."""
        found = self.read(e164(number)) if self.read is not None else number
        return found if isinstance(found, int) else number

    def tell_kept(self, kept: int, what: str) -> None:
        """Say in the log that numbers are kept which a mirror would remove.

        :param kept: count of the numbers.
        :param what: they are called, e.g. `suppressed numbers`.
        """
        if kept and self.stops_removals:
            log.warning(
                "%d %s are not in the source and are kept, since %d values of the source cannot be read and "
                "max_unreadable allows %s: any of them may be one of these numbers. Correct the values, or raise "
                "max_unreadable.",
                kept, what, self.count, self.allowed,
            )  # fmt: skip
        elif kept:
            log.warning("%d %s are kept, since values of the source that cannot be read could mean them.", kept, what)

    def tell_not_added(self, listed: NumberSet | None, then: str) -> None:
        """Say in the log which values are not added to a list, with masked numbers.

        :param listed: numbers that are on the list, None when they are not known.
        :param then: what follows for a caller who is not on the list, e.g. `can still call`.
        """
        if not self.count:
            return
        log.warning(
            "%d values of the source cannot be read, so they are not added; a caller who is not on the list %s.",
            self.count, then,
        )  # fmt: skip
        for one in self.first:
            if listed is None:
                log.warning("Unless on the list already, the caller %s: %s", then, one)
            elif not any(number in listed for number in one.could_mean):
                log.warning("Not on the list, so the caller %s: %s", then, one)
        if self.count > len(self.first):
            log.warning("These are from the first %d of them; rejects.csv below state_path has all.", len(self.first))
