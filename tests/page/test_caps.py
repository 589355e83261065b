"""The view of caps without a network: what is nearest to full, what is missing, what a search finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.operations import Listing, Outcome, Progress, Together
from airflow_provider_retreaver.domain.objects.key import group_key, target_key
from airflow_provider_retreaver.page import views
from airflow_provider_retreaver.page.caps import (
    MOST_SINGLE_READS,
    Bar,
    CapsRead,
    ReadRow,
    matching,
    owners,
    read_caps,
)
from airflow_provider_retreaver.page.polls import Polled

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OPEN = [
    {"id": day, "day_of_week": day, "work_day": True, "time_open": 0, "time_close": 2400, "invert": False}
    for day in range(7)
]


def target(id_, cap=None, filled=0, **fields):
    """Return a target as Retreaver sends it."""
    caps = [{"type": "Hard", "cap": cap, "filled": filled}]
    return {"id": id_, "name": f"T{id_}", "caps": caps, "business_hours": OPEN, "time_zone": "UTC", **fields}


def of(*rows, groups=()):
    """Return targets and groups as read."""
    read = {target_key(row["id"]): ReadRow(row, NOW) for row in rows}
    read.update({group_key(row["id"]): ReadRow(row, NOW) for row in groups})
    return CapsRead(read, 0)


def run(procedure, targets, groups=(), single=None):
    """Run a procedure with lists that are given; return its result and the IDs that were read one by one."""
    progress, asked = Progress(procedure), []
    while not progress.done:
        step = progress.step
        if isinstance(step, Listing):
            progress.send(list(groups if "group" in step.request.path else targets))
        else:
            assert isinstance(step, Together)
            ids = [int(one.request.path.rpartition("/")[2].removesuffix(".json")) for one in step.operations]
            asked += ids
            progress.send([Outcome(value=single(id_)) for id_ in ids])
    return progress.result, asked


@given(st.lists(st.tuples(st.none() | st.integers(0, 50), st.integers(0, 60)), max_size=30))
def test_the_nearest_to_full_comes_first(caps):
    """Shares fall from the first row to the last, whatever the caps are; those without caps come last."""
    shown = owners(of(*(target(index + 1, cap, filled) for index, (cap, filled) in enumerate(caps))), NOW)
    shares = [owner.nearest for owner in shown]
    assert shares == sorted(shares, reverse=True)
    assert len(shown) == len(caps)
    assert all((owner.nearest >= 1) == owner.full for owner in shown)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_share_is_full_exactly_when_the_cap_stops_calls(filled, cap):
    """A cap of 0 is full; 100 % is never shown of a cap that has room."""
    bar = Bar("hard", filled, cap)
    assert bar.full == (bar.share >= 1)


def test_concurrency_is_a_cap():
    """Calls in progress count against the concurrency cap."""
    (owner,) = owners(of(target(1, concurrency_cap=3, calls_in_progress=3)), NOW)
    assert [(bar.name, bar.filled, bar.cap) for bar in owner.bars] == [("concurrency", 3, 3)]
    assert owner.full


def test_groups():
    """A target names its groups; a group has no hours and says how many targets it has."""
    group = {"id": 9, "name": "Roofers", "target_ids": [1, 2], "caps": []}
    shown = owners(of(target(1), target(2), target(3), groups=[group]), NOW)
    by_key = {(owner.kind, owner.id): owner for owner in shown}
    assert by_key["target", 1].related == ("Roofers",)
    assert by_key["target", 3].related == ()
    assert by_key["group", 9].related == ("2 targets",)
    assert by_key["group", 9].opening is None


def test_what_cannot_be_read_is_said():
    """Caps and hours that are not as documented are no caps and hours: the row says so."""
    broken = target(1, caps=[{"type": "Hard", "cap": "ten", "filled": 1}], business_hours=None, time_zone="Mars")
    (owner,) = owners(of(broken), NOW)
    assert owner.bars is None
    assert "hard cap" in owner.problem
    assert owner.opening.is_open is None
    assert not owner.open_now


def test_a_phone_number_in_a_name_is_masked():
    """A number that somebody pasted into a name is not shown."""
    (owner,) = owners(of(target(1, name="Call +1 (212) 555-0123 now")), NOW)
    assert "555" not in owner.name
    assert owner.name.startswith("Call +1")


@given(st.text(max_size=12), st.text(max_size=30))
def test_a_search_finds_what_has_all_words(search, name):
    """A row is found exactly when each word of the search occurs in what is shown of it."""
    (owner,) = owners(of(target(1, name=name)), NOW)
    found = matching([owner], search, "all")
    assert bool(found) == all(word in owner.text for word in search.casefold().split())


@given(st.integers(0, 130), st.text(max_size=5) | st.integers(-3, 9).map(str))
def test_every_row_is_on_one_page(count, page):
    """Whatever page is asked for, one is shown; the pages together show each row once."""
    polled = Polled(of(*(target(id_ + 1) for id_ in range(count))), NOW)
    one = views.caps(polled, NOW, "", "all", page)
    assert 1 <= one["page"] <= one["pages"]
    every = [views.caps(polled, NOW, "", "all", str(number + 1))["rows"] for number in range(one["pages"])]
    ids = [owner.id for rows in every for owner in rows]
    assert sorted(ids) == list(range(1, count + 1))


def test_lists_without_caps_are_completed_step_by_step():
    """Each poll reads the oldest of what the list leaves out, and every figure keeps the time it was read at."""
    bare = [{"id": id_, "name": f"T{id_}"} for id_ in range(1, 2 * MOST_SINGLE_READS + 51)]
    before, ids = None, []
    for poll in range(4):
        at = NOW + timedelta(seconds=30 * poll)
        before, asked = run(read_caps(at, before), bare, single=target)
        assert len(asked) == MOST_SINGLE_READS
        ids += asked
    assert set(ids) == {row["id"] for row in bare}
    assert before.left == 0
    assert ids[:50] == ids[2 * MOST_SINGLE_READS + 50 : 3 * MOST_SINGLE_READS]
    times = {read.at for read in before.rows.values()}
    assert len(times) == 3


def test_complete_lists_need_no_further_request():
    """Where the lists have everything, nothing is read one by one."""
    read, asked = run(read_caps(NOW, None), [target(1)], [{"id": 1, "name": "G", "target_ids": [1], "caps": []}])
    assert asked == []
    assert set(read.rows) == {target_key(1), group_key(1)}


@pytest.mark.parametrize(("show", "ids"), [("open", {1}), ("full", {2}), ("paused", {3}), ("all", {1, 2, 3})])
def test_choices(show, ids):
    """Each choice shows what its name says."""
    closed = [{**row, "work_day": False} for row in OPEN]
    rows = (target(1), target(2, 5, 5, business_hours=closed), target(3, paused=True))
    assert {owner.id for owner in matching(owners(of(*rows), NOW), "", show)} == ids
