"""Differences and the guard that keeps them small."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.domain.changes.differences import FieldChange, changed_by_others, differences
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

views = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=3)


@pytest.mark.parametrize(
    ("given_", "limit"),
    [
        (3, ChangeLimit(3)), ("3", ChangeLimit(3)), (0, ChangeLimit(0)), (0.1, ChangeLimit(share=0.1)),
        ("0.1", ChangeLimit(share=0.1)), ("10%", ChangeLimit(share=0.1)), ("12.5 %", ChangeLimit(share=0.125)),
        (5.0, ChangeLimit(number=5)), (Decimal("5.00"), ChangeLimit(number=5)), (0.5, ChangeLimit(share=0.5)),
        (Decimal(7), ChangeLimit(number=7)), ("100%", ChangeLimit(share=1.0)),
        (None, ChangeLimit()), ("None", ChangeLimit()),
    ],
)  # fmt: skip
def test_limits(given_, limit):
    """A limit is a number, a share, a percentage, or none."""
    assert ChangeLimit.parse(given_) == limit


@pytest.mark.parametrize("given_", [-1, True, "many", "110%", 1.5, [], "-5%", "nan"])
def test_limits_that_are_none(given_):
    """Anything else is refused by name."""
    with pytest.raises(InvalidArgument, match="max_changes must be"):
        ChangeLimit.parse(given_)


@pytest.mark.parametrize("given_", [1.0, "1.0", Decimal("1.00"), "1."])
def test_one_point_zero_may_be_one_change_or_all(given_):
    """A driver's 1.0 is either one change or all of them, and is refused with what to write."""
    with pytest.raises(InvalidArgument, match="one change or a share of all; write 1 or '100%'"):
        ChangeLimit.parse(given_)


@given(st.integers(1, 500), st.integers(0, 99))
def test_shares(of, percent):
    """A share allows that share, rounded down, and not one change more."""
    limit = ChangeLimit.parse(f"{percent}%")
    most = of * percent // 100
    limit.check(most, of, "targets")
    with pytest.raises(ChangeRefused, match=f"{most + 1} of {of} targets"):
        limit.check(most + 1, of, "targets")


@given(views, views)
def test_differences(before, wanted):
    """Applying the differences makes the desired fields."""
    changes = differences(before, wanted)
    assert before | {one.field: one.after for one in changes} == before | wanted
    assert all(one.before != one.after for one in changes)


@given(views, views, views)
def test_three_ways(base, ours, theirs):
    """A field was changed by others when it is neither as before nor as after our change."""
    lines = changed_by_others(base, ours, theirs)
    assert {line[0] for line in lines} == {name for name in base if theirs[name] not in (base[name], ours[name])}


def test_lines():
    """A change is written so that a person sees what happens."""
    assert str(FieldChange("hard_cap", None, 5)) == "hard_cap none -> 5"
    assert str(FieldChange("paused", False, True)) == "paused no -> yes"
    assert str(FieldChange("tags", ["a:1", "b:2"], [])) == "tags a:1, b:2 -> none"
