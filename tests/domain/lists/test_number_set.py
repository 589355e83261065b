"""Sets of numbers in sorted arrays, against Python's own sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet

NUMBERS = st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=60)


@given(NUMBERS, NUMBERS)
def test_set_operations(left, right):
    """Difference, intersection and union are those of sets, in ascending order."""
    one, other = NumberSet.of(left), NumberSet.of(right)
    assert list(one) == sorted(set(left))
    assert list(one.minus(other)) == sorted(set(left) - set(right))
    assert list(one.common(other)) == sorted(set(left) & set(right))
    assert list(one.plus(other)) == sorted(set(left) | set(right))
    assert (one == other) == (set(left) == set(right))
    assert [number for number in right if number in one] == [number for number in right if number in set(left)]


@given(NUMBERS)
def test_numbers_are_sorted_in_several_runs(numbers):
    """The result is the same as for one run."""
    collector = Collector(run=7)
    for number in numbers:
        collector.add(number)
    assert collector.finish() == NumberSet(sorted(set(numbers)))
    assert collector.taken == len(numbers)


def test_equal_sets_have_equal_bytes():
    """Order and duplicates change neither the bytes, which a fingerprint uses, nor the hash."""
    assert NumberSet.of([3, 1, 2, 3]).to_bytes() == NumberSet.of([1, 2, 3]).to_bytes()
    assert hash(NumberSet.of([3, 1])) == hash(NumberSet.of([1, 3]))
    assert NumberSet.of([1]) != [1]


def test_slices():
    """A slice is a list of plain integers."""
    numbers = NumberSet.of(range(10, 20))
    assert numbers.part(2, 4) == [12, 13]
    assert numbers[3] == 13
    assert len(numbers) == 10
