"""Counts of calls: their cost, their filters, and Retreaver's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, PermissionDenied, ProtocolError
from airflow_provider_retreaver.core.operations import ClockReading, Each, Progress, ServerTime, Wait
from airflow_provider_retreaver.domain.watching.call_filters import CallFilters
from airflow_provider_retreaver.domain.watching.call_volume import CallVolume, WindowCount
from airflow_provider_retreaver.domain.watching.newest_call import NewestCallQuery
from airflow_provider_retreaver.resources.targets import list_targets
from tests.domain.support.retreaver import SimulatedRetreaver

CONTROL = "/__sandbox__"


@pytest.fixture
def retreaver():
    """Provide an empty account whose clock the client knows: all tests of a process share one."""
    account = SimulatedRetreaver()
    account.client.count(list_targets())
    account.sent.clear()
    return account


def volume(**options):
    """Return a condition with the sensor's defaults."""
    defaults = dict.fromkeys(("start", "end", "window", "at_least", "at_most", "filters"))
    return CallVolume.from_parameters(**{**defaults, **options})


def add(retreaver, count=1, **fields):
    """Add calls and return their UUIDs."""
    return retreaver.ask("POST", f"{CONTROL}/calls", {"count": count, "fields": fields})["uuids"]


def advance(retreaver, **length):
    """Move Retreaver's clock forward."""
    retreaver.ask("POST", f"{CONTROL}/clock", {"advance": timedelta(**length).total_seconds()})


def advance_both(retreaver, **length):
    """Move Retreaver's clock forward, and let the client know, as if both clocks moved."""
    advance(retreaver, **length)
    retreaver.client.count(list_targets())


def poll(retreaver, condition, state=None):
    """Run the query once; return the evaluation and the number of requests."""
    before = len(retreaver.sent)
    evaluation = condition.evaluate(retreaver.client.run(condition.query.run({} if state is None else state)))
    return evaluation, len(retreaver.sent) - before


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 5_000])
def test_a_count_costs_two_requests(retreaver, count):
    """A count is exact and costs at most two requests, however many calls there are."""
    add(retreaver, count)
    evaluation, requests = poll(retreaver, volume(window="1h", at_least=0))
    assert (evaluation.met, evaluation.value) == (True, count)
    assert requests <= 2


def test_calls_leave_a_sliding_window(retreaver):
    """Calls leave a sliding window as time passes at Retreaver, also while state is kept."""
    add(retreaver, 3)
    quiet, state = volume(window=3600, at_most=2), {}
    assert not poll(retreaver, quiet, state)[0].met
    advance(retreaver, minutes=59)
    assert poll(retreaver, quiet, state)[0].value == 3
    advance(retreaver, minutes=2)
    evaluation, _ = poll(retreaver, quiet, state)
    assert (evaluation.met, evaluation.value) == (True, 0)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_windows_follow_retreavers_clock(retreaver, hours):
    """A local clock that differs from Retreaver's, even by days, does not move the window, not even at first."""
    advance(retreaver, hours=hours)
    add(retreaver, 7, created_at=(datetime.now(UTC) + timedelta(hours=hours, minutes=-50)).isoformat())
    add(retreaver, 5, created_at=(datetime.now(UTC) + timedelta(hours=hours, minutes=-70)).isoformat())
    assert poll(retreaver, volume(window="1h", at_least=1))[0].value == 7
    assert poll(retreaver, volume(window="1h", at_least=1))[1] <= 2, "a known difference costs no request"


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 6, 1), 24)])
def test_days_on_which_clocks_change(retreaver, day, hours):
    """A fixed window from local midnight to local midnight has as many hours as that day."""
    zone = ZoneInfo("America/New_York")
    start = datetime(*day, tzinfo=zone)
    end = start + timedelta(days=1)
    utc = start.astimezone(UTC)
    retreaver.ask("POST", f"{CONTROL}/clock", {"now": (utc + timedelta(days=2)).isoformat()})
    for hour in range(-2, 28):
        add(retreaver, 1, created_at=(utc + timedelta(hours=hour, minutes=30)).isoformat())
    assert poll(retreaver, volume(start=start, end=end, at_least=0))[0].value == hours


def test_a_sliding_day_is_24_hours():
    """A window of a day is 24 hours, whether it is a text, a number or a timedelta."""
    for window in ("1d", "24h", "1440m", "86400s", 86_400, "86400", timedelta(days=1)):
        assert volume(window=window, at_least=1).query.window.seconds == 86_400


FILTERED = {"status": "completed", "converted": True, "state": ["NY", "CA"], "min_duration": 60, "max_duration": 600}
BOUNDS = (("start", 6), ("end", 1))


@pytest.mark.parametrize(
    ("filters", "field", "value"),
    [
        ({"min_duration": 60}, "total_duration", "Infinity"),
        ({"max_duration": 60}, "total_duration", "a minute"),
        ({"min_duration": 60}, "total_duration", ["60"]),
        ({"converted": True}, "converted", "perhaps"),
    ],
)
def test_a_value_that_cannot_be_compared_is_named(filters, field, value):
    """A field that is not of its kind is an error with the call, never a match or a bare error."""
    with pytest.raises(ProtocolError, match=f"Call call-a has a {field} .* that the filter"):
        CallFilters.from_mapping(filters).match({"uuid": "call-a", field: value})


@pytest.mark.parametrize(
    ("filters", "field", "value", "matches"),
    [
        ({"min_duration": 60}, "total_duration", "60", True),
        ({"min_duration": 60}, "total_duration", None, False),
        ({"max_duration": 60}, "total_duration", "60.5", False),
        ({"converted": True}, "converted", "false", False),
        ({"converted": False}, "converted", None, True),
    ],
)
def test_values_are_read_as_in_tables(filters, field, value, matches):
    """A number or truth value that comes as a text is what it says."""
    assert CallFilters.from_mapping(filters).match({"uuid": "call-a", field: value}) is matches


def matching(retreaver, count=1, **fields):
    """Add calls that match all filters, except for the given fields."""
    defaults = {"status": "completed", "converted": 1, "caller_state": "NY", "total_duration": 90}
    return add(retreaver, count, **{**defaults, **fields})


@pytest.mark.parametrize(
    "other",
    [
        {"status": "in-progress"},
        {"converted": 0},
        {"caller_state": "TX"},
        {"total_duration": 59},
        {"total_duration": 601},
        {"total_duration": None},
    ],
)
def test_filters_applied_here(retreaver, other):
    """A call is not counted when one of the filters that are applied here does not match."""
    matching(retreaver, 4)
    matching(retreaver, 3, caller_state="ca")
    matching(retreaver, 2, **other)
    assert poll(retreaver, volume(window="1h", at_least=1, filters=FILTERED))[0].value == 7


def test_only_updated_calls_are_read_again(retreaver):
    """After the first poll only calls that were updated since are read, and the count stays exact."""
    hours_ago = {f"created_at_{end}": (datetime.now(UTC) - timedelta(hours=ago)).isoformat() for end, ago in BOUNDS}
    matching(retreaver, 950, **hours_ago)
    condition, state = volume(window="10h", at_least=1, filters={"status": "completed"}), {}
    evaluation, requests = poll(retreaver, condition, state)
    assert (evaluation.value, requests) == (950, 10)
    advance_both(retreaver, minutes=10)
    evaluation, requests = poll(retreaver, condition, state)
    assert (evaluation.value, requests) == (950, 1)
    new = matching(retreaver, 20)
    late = matching(retreaver, 1, status="ringing")
    evaluation, requests = poll(retreaver, condition, state)
    assert (evaluation.value, requests) == (970, 1)
    advance_both(retreaver, minutes=10)
    retreaver.ask("POST", f"{CONTROL}/calls/{late[0]}", {"fields": {"status": "completed"}})
    retreaver.ask("POST", f"{CONTROL}/calls/{new[0]}", {"fields": {"status": "canceled"}})
    retreaver.ask("POST", f"{CONTROL}/calls/{new[1]}", {"fields": {"status": "canceled"}})
    evaluation, requests = poll(retreaver, condition, state)
    assert (evaluation.value, requests) == (969, 1)
    assert poll(retreaver, condition)[0].value == 969, "the count is the same without state"


def test_a_large_state_does_not_block_the_loop():
    """With 100,000 calls in the state other tasks run every few thousand calls; calls that left the window go."""
    now = datetime.now(UTC)
    calls = {str(number): (now - timedelta(hours=number % 20)).isoformat() for number in range(100_000)}
    state = {"calls": calls, "newest": now.isoformat()}
    query = volume(window="630m", at_least=1, filters={"status": "completed"}).query
    progress, turns = Progress(query.run(state)), 0
    while not progress.done:
        turns += isinstance(progress.step, Wait)
        progress.send(ClockReading(now, timedelta(0)) if isinstance(progress.step, ServerTime) else None)
    assert progress.result.count == len(state["calls"]) == 55_000
    assert turns >= 20


def test_a_failed_poll_keeps_the_state(retreaver):
    """A poll that fails leaves the state unchanged, so the next one misses nothing."""
    condition, state = volume(window="10h", at_least=1, filters={"status": "completed"}), {}
    matching(retreaver, 5)
    poll(retreaver, condition, state)
    before = {name: (dict(value) if isinstance(value, dict) else value) for name, value in state.items()}
    advance(retreaver, minutes=5)
    matching(retreaver, 250)
    retreaver.fault("/calls", times=50, status=400)
    with pytest.raises(Exception, match="400"):
        poll(retreaver, condition, state)
    assert state == before
    retreaver.ask("DELETE", f"{CONTROL}/faults")
    assert poll(retreaver, condition, state)[0].value == 255


def test_filters_that_retreaver_has_are_sent(retreaver):
    """Filters that Retreaver has are sent and cost two requests and a look-up; local ones combine with them."""
    retreaver.target(tid="A7")
    retreaver.target(tid="B8")
    matching(retreaver, 150, tid="A7")
    matching(retreaver, 20, tid="A7", status="ringing")
    matching(retreaver, 30, tid="B8")
    sent = volume(window="1h", at_least=1, filters={"client_tid": "A7"})
    assert poll(retreaver, sent) == (sent.evaluate(WindowCount(170, settled=False)), 3)
    both = volume(window="1h", at_least=1, filters={"client_tid": "A7", "status": "completed"})
    assert poll(retreaver, both)[0].value == 150


def test_a_fixed_window_is_evaluated_when_it_is_settled(retreaver):
    """`at_most` is met only when the window is settled; too many calls, or too few at the end, end the wait."""
    now = datetime.now(UTC)
    retreaver.ask("POST", f"{CONTROL}/clock", {"now": now.isoformat()})
    window = {"start": (now - timedelta(minutes=1)).isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
    limited = volume(**window, at_least=1, at_most=3)
    add(retreaver, 2)
    assert not poll(retreaver, limited)[0].met
    advance(retreaver, minutes=60, seconds=30)
    assert not poll(retreaver, limited)[0].met, "calls can still become visible"
    advance(retreaver, minutes=1)
    evaluation = poll(retreaver, limited)[0]
    assert (evaluation.met, evaluation.value, evaluation.impossible) == (True, 2, None)
    missing = poll(retreaver, volume(**window, at_least=3))[0]
    assert not missing.met
    assert "has ended" in missing.impossible
    exceeded = poll(retreaver, volume(**window, at_most=1))[0]
    assert not exceeded.met
    assert "never falls" in exceeded.impossible


def test_at_least_is_met_before_the_end(retreaver):
    """`at_least` is met before a fixed window has ended, and in one that stays open."""
    now = datetime.now(UTC)
    add(retreaver, 5)
    start = (now - timedelta(hours=1)).isoformat()
    assert poll(retreaver, volume(start=start, at_least=5))[0].met
    assert poll(retreaver, volume(start=start, end=(now + timedelta(hours=1)).isoformat(), at_least=5))[0].met


@pytest.mark.parametrize(
    ("options", "name"),
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
def test_invalid_parameters_are_named(retreaver, options, name):
    """An invalid parameter is refused by name before anything is sent."""
    with pytest.raises(InvalidArgument, match=name):
        poll(retreaver, volume(**options))
    assert retreaver.sent == []


@pytest.mark.parametrize("missing", [None, "None", " None "])
def test_filters_that_render_none_are_not_applied(missing):
    """A filter that is None, or the text that a template renders for None, is not applied, not even as False."""
    filters = dict.fromkeys(("converted", "status", "client_tid", "min_duration"), missing)
    assert volume(window="1h", at_least=1, filters=filters).query == volume(window="1h", at_least=1).query


def test_an_old_version_of_the_call_log_is_an_error(retreaver):
    """A call without the field of a filter is an error that says what to set, not a call that does not match."""
    condition = volume(window="1h", at_least=1, filters={"converted": True})
    with pytest.raises(ProtocolError, match="calls_version"):
        condition.query.filters.match({"uuid": "u", "status": "completed"})


NOBODY = [
    ("client_afid", "affiliate with afid"),
    ("client_cid", "campaign with cid"),
    ("client_tid", "target with tid"),
]


@pytest.mark.parametrize(("name", "what"), NOBODY)
@pytest.mark.parametrize("local", [{}, {"status": "completed"}])
def test_a_filter_whose_object_does_not_exist_is_no_quiet_line(retreaver, name, what, local):
    """A wrong ID is an error that names it, whether Retreaver or this package applies the other filters."""
    with pytest.raises(NotFound, match=f"filters: there is no {what} 'no-such'.*allow_unknown"):
        poll(retreaver, volume(window="1h", at_most=0, filters={name: "no-such", **local}))


def test_objects_of_filters_are_looked_up_once(retreaver):
    """The first poll costs one request for each object that the filters name, the next ones none."""
    retreaver.target(tid="A7")
    retreaver.ask("POST", "/campaigns.json", {"campaign": {"cid": "C1", "name": "Roofs"}})
    condition, state = volume(window="1h", at_most=0, filters={"client_tid": "A7", "client_cid": "C1"}), {}
    assert [poll(retreaver, condition, state)[1] for _ in range(3)] == [3, 1, 1]
    assert state == {"filters_known": True}


def test_an_unknown_object_is_counted_when_that_is_asked_for(retreaver):
    """With `allow_unknown` nothing is looked up, for objects that are created later."""
    condition = volume(window="1h", at_most=0, filters={"client_cid": "later"}, allow_unknown="True")
    assert poll(retreaver, condition) == (condition.evaluate(WindowCount(0, settled=False)), 1)


def test_a_key_that_may_not_look_up_is_no_quiet_line(retreaver):
    """When Retreaver refuses the look-up, its error ends the wait, and nothing is taken for absent."""
    retreaver.fault("/campaigns/cid/C1.json", status=403)
    with pytest.raises(PermissionDenied, match=r"/campaigns/cid/C1\.json"):
        poll(retreaver, volume(window="1h", at_most=0, filters={"client_cid": "C1"}))


ODD_TIMES = ["9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00Z", "soon", " "]


@pytest.mark.parametrize("time", ODD_TIMES)
@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_a_call_with_an_odd_time_is_named(time, field):
    """A time that cannot be calculated with ends the poll in an error that names the call and the field."""
    progress = Progress(volume(window="1h", at_least=1, filters={"status": "ended"}).query.run({}))
    while not isinstance(progress.step, Each):
        clock = ClockReading(datetime(2026, 1, 5, 12, tzinfo=UTC), timedelta(0))
        progress.send(clock if isinstance(progress.step, ServerTime) else None)
    call = {"uuid": "abc", "created_at": "2026-01-05T11:30:00Z", "updated_at": "2026-01-05T11:30:00Z"}
    with pytest.raises(ProtocolError, match=rf"Call abc has the {field} '.*', which is no time"):
        progress.step.visit({**call, "status": "ended", field: time})


@pytest.mark.parametrize("time", ODD_TIMES)
def test_a_newest_call_with_an_odd_time_is_an_error(time):
    """The watcher of new calls never announces a window that it cannot calculate."""
    progress = Progress(NewestCallQuery.from_filters(None).run({}))
    with pytest.raises(ProtocolError, match=r"has the updated_at '.*', which is no time"):
        progress.send([{"updated_at": time}])
