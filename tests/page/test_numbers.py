"""Numbers that nobody calls, and the headroom of pools, without a network."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import PermissionDenied, ProtocolError
from airflow_provider_retreaver.core.operations import Progress
from airflow_provider_retreaver.page import views
from airflow_provider_retreaver.page.numbers import read_numbers, without_calls
from airflow_provider_retreaver.page.polls import Polled

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
POOLS = [
    {"id": 1, "cid": "a", "numbers_count": 2, "max_pool_size": 10},
    {"id": 2, "cid": None, "numbers_count": 10, "max_pool_size": 10},
]


def number(id_, created="2026-01-01T00:00:00Z", **fields):
    """Return a number as Retreaver sends it."""
    return {"id": id_, "number": f"+1800555{id_:04}", "created_at": created, **fields}


def run(numbers, report, pools=POOLS):
    """Run the procedure with lists that are given."""
    progress = Progress(read_numbers(NOW))
    progress.send(pools)
    progress.send(numbers)
    if isinstance(report, Exception):
        progress.throw(report)
    else:
        progress.send(report)
    return progress.result


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.booleans())
def test_a_number_with_calls_is_never_listed(called, quiet, by_id):
    """By ID or by the number itself, what has calls is left out, and nothing else is."""
    rows = [number(id_) for id_ in called | quiet]
    report = [
        {"id": id_ if by_id else None, "facet_name": f"1-800-555-{id_:04}", "total_calls": 1.0} for id_ in called
    ]
    assert {row["id"] for row in without_calls(rows, report)} == quiet - called


def test_young_numbers_are_counted_apart():
    """A number of last week without calls is no idle one; the oldest comes first."""
    rows = [number(1, "2026-11-20T00:00:00Z"), number(2), number(3, "2025-01-01T00:00:00Z"), number(4, None)]
    read = run(rows, [{"id": 2, "facet_name": "x", "total_calls": 0}])
    assert [one.id for one in read.idle] == [4, 3, 2]
    assert (read.numbers, read.young) == (4, 1)


def test_pools_have_the_least_headroom_first():
    """The full pool comes before the one with room, and its bar is full."""
    shown = views.numbers(Polled(run([], []), NOW))["pools"]
    assert [(pool.id, bar.full) for pool, bar in shown] == [(2, True), (1, False)]


def test_a_report_that_may_not_be_read_leaves_the_pools():
    """Which numbers are idle is then not known, which is not the same as none."""
    read = run([number(1)], PermissionDenied("no reports for this key", status=403))
    assert (len(read.pools), read.idle, read.problem) == (2, None, "no reports for this key")


def test_a_pool_that_is_not_as_documented_is_an_error():
    """A pool without its size is not shown as one with none."""
    with pytest.raises(ProtocolError, match="max_pool_size"):
        run([], [], [{"id": 1, "numbers_count": 2}])
