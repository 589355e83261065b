"""Sets of a million phone numbers in 8 MB: sorted arrays that are compared by merging."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import merge

# Unsigned, 64 bits: E.164 has 15 digits at most.
_TYPE = "Q"
# Numbers that are sorted together; sorting takes less than 50 MB of memory for any number of them.
RUN = 500_000


class NumberSet:
    """Numbers in ascending order, each once.

    :param numbers: ascending, each once; `NumberSet.of` takes any.
    """

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = array(_TYPE, numbers)

    @classmethod
    def of(cls, numbers: Iterable[int]) -> NumberSet:
        """Build a set.

        :param numbers: in any order, duplicates included.
        :return: the set.
        """
        collector = Collector()
        for number in numbers:
            collector.add(number)
        return collector.finish()

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __getitem__(self, index: int) -> int:
        return self._numbers[index]

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number

    def __eq__(self, other: object) -> bool:
        return self._numbers == other._numbers if isinstance(other, NumberSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._numbers.tobytes())

    def part(self, start: int, stop: int) -> list[int]:
        """Return a part of the numbers.

        :param start: place of the first.
        :param stop: place after the last.
        :return: the numbers.
        """
        return self._numbers[start:stop].tolist()

    def minus(self, other: NumberSet) -> NumberSet:
        """Return the numbers that are not in another set.

        :param other: the other set.
        :return: a new set.
        """
        return NumberSet(_difference(self._numbers, other._numbers))

    def common(self, other: NumberSet) -> NumberSet:
        """Return the numbers that are in both sets.

        :param other: the other set.
        :return: a new set.
        """
        return NumberSet(_intersection(self._numbers, other._numbers))

    def plus(self, other: NumberSet) -> NumberSet:
        """Return the numbers that are in either set.

        :param other: the other set.
        :return: a new set.
        """
        if not self or not other:
            return self or other
        return NumberSet(_each_once(merge(self._numbers, other._numbers)))

    def to_bytes(self) -> bytes:
        """Return the numbers as bytes, for hashes.

        :return: the same bytes for the same numbers on one machine.
        """
        return self._numbers.tobytes()


class Collector:
    """Collects numbers in any order, in bounded memory.

    :param run: how many are sorted together.
    """

    def __init__(self, run: int = RUN) -> None:
        self._run = run
        self._fresh = array(_TYPE)
        self._runs: list[array[int]] = []
        self.taken = 0

    def add(self, number: int) -> None:
        """Add a number.

        :param number: digits of E.164 as an integer.
        """
        self._fresh.append(number)
        self.taken += 1
        if len(self._fresh) >= self._run:
            self._sort()

    def finish(self) -> NumberSet:
        """Return the numbers, each once; `taken` is their count with duplicates.

        :return: the set.
        """
        self._sort()
        runs, self._runs = self._runs, []
        return NumberSet(runs[0] if len(runs) == 1 else _each_once(merge(*runs)))

    def _sort(self) -> None:
        if self._fresh:
            self._runs.append(array(_TYPE, _each_once(iter(sorted(self._fresh)))))
            self._fresh = array(_TYPE)


def _each_once(ascending: Iterator[int]) -> Iterator[int]:
    last = -1
    for number in ascending:
        if number != last:
            yield number
            last = number


def _difference(left: array[int], right: array[int]) -> Iterator[int]:
    others = iter(right)
    other = next(others, -1)
    for number in left:
        while -1 < other < number:
            other = next(others, -1)
        if number != other:
            yield number


def _intersection(left: array[int], right: array[int]) -> Iterator[int]:
    others = iter(right)
    other = next(others, -1)
    for number in left:
        while -1 < other < number:
            other = next(others, -1)
        if number == other:
            yield number
