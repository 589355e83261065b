"""Counting calls: what it costs, what it means, and what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import ClockReading, Progress, ServerTime, Wait
from airflow_provider_retreaver.domain.watching.call_volume import CallVolume, WindowCount
from airflow_provider_retreaver.resources.targets import list_targets
from tests.domain.support.vendor import Vendor

CONTROL = "/__sandbox__"


@pytest.fixture
def vendor():
    """Give an empty account, whose clock is known: all tests of a process share one."""
    made = Vendor()
    made.client.count(list_targets())
    made.sent.clear()
    return made


def volume(**options):
    """Return a condition with what a sensor has by default."""
    defaults = dict.fromkeys(("start", "end", "window", "at_least", "at_most", "filters"))
    return CallVolume.from_parameters(**{**defaults, **options})


def add(vendor, count=1, **fields):
    """Add calls and return their UUIDs."""
    return vendor.ask("POST", f"{CONTROL}/calls", {"count": count, "fields": fields})["uuids"]


def advance(vendor, **length):
    """Let time pass at the vendor's."""
    vendor.ask("POST", f"{CONTROL}/clock", {"advance": timedelta(**length).total_seconds()})


def advance_knowingly(vendor, **length):
    """Let time pass at the vendor's, and the client learn of it, as it would if it passed here too."""
    advance(vendor, **length)
    vendor.client.count(list_targets())


def look(vendor, condition, state=None):
    """Ask and judge, and return the evaluation with the number of requests."""
    before = len(vendor.sent)
    evaluation = condition.evaluate(vendor.client.run(condition.query.run({} if state is None else state)))
    return evaluation, len(vendor.sent) - before


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 5_000])
def test_two_requests_whatever_the_volume(vendor, count):
    """A count is exact and costs two requests at most."""
    add(vendor, count)
    evaluation, requests = look(vendor, volume(window="1h", at_least=0))
    assert (evaluation.met, evaluation.value) == (True, count)
    assert requests <= 2


def test_sliding_windows_slide(vendor):
    """Calls leave a sliding window as time passes at the vendor's, also while state is kept."""
    add(vendor, 3)
    quiet, state = volume(window=3600, at_most=2), {}
    assert not look(vendor, quiet, state)[0].met
    advance(vendor, minutes=59)
    assert look(vendor, quiet, state)[0].value == 3
    advance(vendor, minutes=2)
    evaluation, _ = look(vendor, quiet, state)
    assert (evaluation.met, evaluation.value) == (True, 0)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_the_vendors_hour_counts(vendor, hours):
    """A clock that differs from the vendor's, by a day and more, does not move the window, not even at first."""
    advance(vendor, hours=hours)
    add(vendor, 7, created_at=(datetime.now(UTC) + timedelta(hours=hours, minutes=-50)).isoformat())
    add(vendor, 5, created_at=(datetime.now(UTC) + timedelta(hours=hours, minutes=-70)).isoformat())
    assert look(vendor, volume(window="1h", at_least=1))[0].value == 7
    assert look(vendor, volume(window="1h", at_least=1))[1] <= 2, "once known, the difference costs nothing"


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 6, 1), 24)])
def test_days_on_which_clocks_change(vendor, day, hours):
    """A fixed window from local midnight to local midnight has as many hours as that day has."""
    zone = ZoneInfo("America/New_York")
    start = datetime(*day, tzinfo=zone)
    end = start + timedelta(days=1)
    utc = start.astimezone(UTC)
    vendor.ask("POST", f"{CONTROL}/clock", {"now": (utc + timedelta(days=2)).isoformat()})
    for hour in range(-2, 28):
        add(vendor, 1, created_at=(utc + timedelta(hours=hour, minutes=30)).isoformat())
    assert look(vendor, volume(start=start, end=end, at_least=0))[0].value == hours


def test_a_sliding_day_is_24_hours():
    """A window of a day is 24 hours, whatever the calendar says; texts and timedeltas mean the same."""
    for window in ("1d", "24h", "1440m", "86400s", 86_400, "86400", timedelta(days=1)):
        assert volume(window=window, at_least=1).query.window.seconds == 86_400


FILTERED = {"status": "completed", "converted": True, "state": ["NY", "CA"], "min_duration": 60, "max_duration": 600}


BOUNDS = (("start", 6), ("end", 1))


def matching(vendor, count=1, **fields):
    """Add calls that match all filters, but for the fields given."""
    right = {"status": "completed", "converted": 1, "caller_state": "NY", "total_duration": 90}
    return add(vendor, count, **{**right, **fields})


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "in-progress"},
        {"converted": 0},
        {"caller_state": "TX"},
        {"total_duration": 59},
        {"total_duration": 601},
        {"total_duration": None},
    ],
)
def test_filters_the_vendor_does_not_have(vendor, wrong):
    """Every condition that is looked at here counts."""
    matching(vendor, 4)
    matching(vendor, 3, caller_state="ca")
    matching(vendor, 2, **wrong)
    assert look(vendor, volume(window="1h", at_least=1, filters=FILTERED))[0].value == 7


def test_only_what_is_new_is_read(vendor):
    """After the first look only pages of calls that were updated since are read, and the count stays exact."""
    hours_ago = {f"created_at_{end}": (datetime.now(UTC) - timedelta(hours=ago)).isoformat() for end, ago in BOUNDS}
    matching(vendor, 950, **hours_ago)
    condition, state = volume(window="10h", at_least=1, filters={"status": "completed"}), {}
    evaluation, requests = look(vendor, condition, state)
    assert (evaluation.value, requests) == (950, 10)
    advance_knowingly(vendor, minutes=10)
    evaluation, requests = look(vendor, condition, state)
    assert (evaluation.value, requests) == (950, 1)
    new = matching(vendor, 20)
    late = matching(vendor, 1, status="ringing")
    evaluation, requests = look(vendor, condition, state)
    assert (evaluation.value, requests) == (970, 1)
    advance_knowingly(vendor, minutes=10)
    vendor.ask("POST", f"{CONTROL}/calls/{late[0]}", {"fields": {"status": "completed"}})
    vendor.ask("POST", f"{CONTROL}/calls/{new[0]}", {"fields": {"status": "canceled"}})
    vendor.ask("POST", f"{CONTROL}/calls/{new[1]}", {"fields": {"status": "canceled"}})
    evaluation, requests = look(vendor, condition, state)
    assert (evaluation.value, requests) == (969, 1)
    assert look(vendor, condition)[0].value == 969, "state or not, the count is the same"


def test_a_hundred_thousand_remembered_calls_hold_nobody_up():
    """Others get a turn between every few thousand of them, and those that left the window are forgotten."""
    now = datetime.now(UTC)
    made = {str(number): (now - timedelta(hours=number % 20)).isoformat() for number in range(100_000)}
    state = {"calls": made, "newest": now.isoformat()}
    query = volume(window="630m", at_least=1, filters={"status": "completed"}).query
    progress, turns = Progress(query.run(state)), 0
    while not progress.done:
        turns += isinstance(progress.step, Wait)
        progress.send(ClockReading(now, timedelta(0)) if isinstance(progress.step, ServerTime) else None)
    assert progress.result.count == len(state["calls"]) == 55_000
    assert turns >= 20


def test_a_failed_reading_changes_no_state(vendor):
    """A look that breaks off leaves the state as it was, so the next one misses nothing."""
    condition, state = volume(window="10h", at_least=1, filters={"status": "completed"}), {}
    matching(vendor, 5)
    look(vendor, condition, state)
    kept = {name: (dict(value) if isinstance(value, dict) else value) for name, value in state.items()}
    advance(vendor, minutes=5)
    matching(vendor, 250)
    vendor.fault("/calls", times=50, status=400)
    with pytest.raises(Exception, match="400"):
        look(vendor, condition, state)
    assert state == kept
    vendor.ask("DELETE", f"{CONTROL}/faults")
    assert look(vendor, condition, state)[0].value == 255


def test_filters_the_vendor_has_are_sent(vendor):
    """The vendor's own filters cost two requests, and go with those that are looked at here."""
    vendor.target(tid="A7")
    vendor.target(tid="B8")
    matching(vendor, 150, tid="A7")
    matching(vendor, 20, tid="A7", status="ringing")
    matching(vendor, 30, tid="B8")
    sent = volume(window="1h", at_least=1, filters={"client_tid": "A7"})
    assert look(vendor, sent) == (sent.evaluate(WindowCount(170, settled=False)), 2)
    both = volume(window="1h", at_least=1, filters={"client_tid": "A7", "status": "completed"})
    assert look(vendor, both)[0].value == 150


def test_a_fixed_window_is_judged_when_it_has_ended(vendor):
    """`at_most` holds only when no call can come any more; too many, or too few at the end, is hopeless."""
    now = datetime.now(UTC)
    vendor.ask("POST", f"{CONTROL}/clock", {"now": now.isoformat()})
    window = {"start": (now - timedelta(minutes=1)).isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
    few = volume(**window, at_least=1, at_most=3)
    add(vendor, 2)
    assert not look(vendor, few)[0].met
    advance(vendor, minutes=60, seconds=30)
    assert not look(vendor, few)[0].met, "calls may still become visible"
    advance(vendor, minutes=1)
    evaluation = look(vendor, few)[0]
    assert (evaluation.met, evaluation.value, evaluation.impossible) == (True, 2, None)
    many = look(vendor, volume(**window, at_least=3))[0]
    assert not many.met
    assert "has ended" in many.impossible
    silent = look(vendor, volume(**window, at_most=1))[0]
    assert not silent.met
    assert "never falls" in silent.impossible


def test_at_least_need_not_wait_for_the_end(vendor):
    """Enough calls are enough before a fixed window has ended, and in one that stays open."""
    now = datetime.now(UTC)
    add(vendor, 5)
    start = (now - timedelta(hours=1)).isoformat()
    assert look(vendor, volume(start=start, at_least=5))[0].met
    assert look(vendor, volume(start=start, end=(now + timedelta(hours=1)).isoformat(), at_least=5))[0].met


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"window": "1h"}, "at_least"),
        ({"at_least": 1}, "window"),
        ({"at_least": 1, "window": "1h", "start": "2026-01-01T00:00:00Z"}, "window"),
        ({"at_least": 1, "window": "1h", "end": "2026-01-01T00:00:00Z"}, "end"),
        ({"at_least": 1, "window": "soon"}, "window"),
        ({"at_least": 1, "window": "0s"}, "window"),
        ({"at_least": 1, "window": "9999d"}, "window"),
        ({"at_least": 1, "window": True}, "window"),
        ({"at_least": -1, "window": "1h"}, "at_least"),
        ({"at_least": "many", "window": "1h"}, "at_least"),
        ({"at_least": 5, "at_most": 4, "window": "1h"}, "at_least"),
        ({"at_most": 4, "start": "2026-01-01T00:00:00Z"}, "at_most"),
        ({"at_least": 1, "start": datetime(2026, 1, 1)}, "start"),  # noqa: DTZ001
        ({"at_least": 1, "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "end"),
        ({"at_least": 1, "window": "1h", "filters": "client_tid=A7"}, "filters"),
        ({"at_least": 1, "window": "1h", "filters": {"client_td": "A7"}}, "client_tid"),
        ({"at_least": 1, "window": "1h", "filters": {"status": []}}, "status"),
        ({"at_least": 1, "window": "1h", "filters": {"converted": "maybe"}}, "converted"),
        ({"at_least": 1, "window": "1h", "filters": {"min_duration": -1}}, "min_duration"),
    ],
)
def test_bad_parameters_are_refused_by_name(vendor, options, named):
    """What cannot be right is refused before anything is sent, naming the parameter."""
    with pytest.raises(InvalidArgument, match=named):
        look(vendor, volume(**options))
    assert vendor.sent == []


def test_old_versions_of_the_call_log_are_told(vendor):
    """A call without the field that a filter looks at is an error that says what to set, not a call that differs."""
    condition = volume(window="1h", at_least=1, filters={"converted": True})
    with pytest.raises(ProtocolError, match="calls_version"):
        condition.query.filters.match({"uuid": "u", "status": "completed"})
