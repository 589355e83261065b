"""What numeric columns hold of a number, by their types."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.calls.sql_limits import limit_of


@pytest.mark.parametrize(
    ("dialect", "kind", "scale", "kept", "lost"),
    [
        ("postgresql", "integer", 0, [22, Decimal("22.0"), "22", "-7"], [Decimal("22.5"), "22.5", "007"]),
        ("mysql", "tinyint", 0, [1, True], [Decimal("0.5")]),
        ("postgresql", "numeric", 2, [Decimal("12.34"), Decimal("12.340"), Decimal("1E+5"), "12.34"],
         [Decimal("12.345"), "12.345", "1e-3", Decimal("0.001")]),
        ("mysql", "decimal", 2, [Decimal("-12.34"), Decimal("0.000")], [Decimal("-12.345")]),
        ("postgresql", "money", None, [Decimal("12.34")], [Decimal("12.345")]),
        ("postgresql", "real", None, [Decimal("12.345")], [Decimal("12345.67"), 1234567]),
        ("mysql", "float", None, [Decimal("12.345")], [Decimal("12345.67")]),
        ("mysql", "double", 2, [Decimal("12.34")], [Decimal("12.345")]),
        ("postgresql", "double precision", None, [Decimal("1234567.12345678")], [Decimal("1234567.123456789")]),
        ("sqlite", "NUMERIC", None, [10**17, Decimal("0.1")], [Decimal("1234567890.1234567"), "08920"]),
        ("sqlite", "REAL", None, [10**14], [10**15 + 1]),
    ],
)  # fmt: skip
def test_what_is_kept_and_what_is_lost(dialect, kind, scale, kept, lost):
    """A number that would come back as another one is told, whether it is a number or the text of one."""
    limit = limit_of(dialect, kind, scale)
    assert [value for value in kept if limit.loses(value)] == []
    assert [value for value in lost if not limit.loses(value)] == []


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("postgresql", "text"), ("postgresql", "numeric"), ("postgresql", "interval"), ("postgresql", "point"),
        ("mysql", "varchar"), ("mysql", "json"), ("sqlite", "TEXT"), ("sqlite", ""), ("sqlite", "CHARACTER(20)"),
    ],
)  # fmt: skip
def test_types_that_lose_nothing(dialect, kind):
    """Texts, amounts without a scale and what is not a number have no limit."""
    assert limit_of(dialect, kind, None) is None


def test_what_is_no_number_is_left_to_the_database():
    """A text that is no number, a time or nothing is not judged here: the database refuses it or does not."""
    limit = limit_of("postgresql", "integer", 0)
    values = ["", "abc", "1 2", "NaN", "+1 (919) 555-0123", None, datetime(2026, 1, 5, tzinfo=UTC), "9" * 5000 + "x"]
    assert [value for value in values if limit.loses(value)] == []


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_scale_agrees_with_rounding(number):
    """A number is lost exactly when rounding to the scale changes it."""
    assert limit_of("postgresql", "numeric", 2).loses(number) == (round(number, 2) != number)
