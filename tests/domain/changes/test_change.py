"""The one procedure of all changes: only differences are sent, what was sent is proved, and nothing is done twice."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    NotFound,
    ProtocolError,
)
from airflow_provider_retreaver.domain.changes.change import ChangeObjects
from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.objects.key import ObjectKey, group_key, target_key
from airflow_provider_retreaver.domain.objects.reading import find_contacts, find_groups, find_targets
from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection
from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps, NewCap, parse_caps, parse_rows
from airflow_provider_retreaver.domain.routing.caps import any_full
from airflow_provider_retreaver.domain.routing.group_members import DesiredMemberList, DesiredMembership
from airflow_provider_retreaver.domain.routing.hours_change import DesiredHours
from airflow_provider_retreaver.domain.routing.pause import DesiredPause, is_paused, keep_open
from airflow_provider_retreaver.domain.routing.tag_change import DesiredTags, TagEdit
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours
from tests.domain.support.retreaver import SimulatedRetreaver

NEEDED = ("caps", "business_hours", "paused", "tag_values")


@pytest.fixture
def retreaver():
    """Give an empty account."""
    return SimulatedRetreaver()


def caps_spec(ids, **caps):
    """Return the task that sets caps of targets."""
    state = DesiredCaps(parse_caps(caps, ""))
    chosen = TargetSelection(ids=ids)
    return ChangeSpec(find=lambda *_: find_targets(chosen, NEEDED), state=lambda *_: state, relative=state.relative)


def hours_spec(ids, hours, **how):
    """Return the task that sets hours."""
    state = DesiredHours(WeeklyHours.parse(hours), today=date(2026, 3, 1), **how)
    return ChangeSpec(find=lambda *_: find_targets(TargetSelection(ids=ids), NEEDED), state=lambda *_: state)


def run(retreaver, task, **how):
    """Run a task and return its result."""
    return retreaver.client.run(ChangeObjects(task, **how).procedure())


def fields_of(result, name="changed"):
    """Return the fields of a result."""
    return [(row["id"], row["field"], row["before"], row["after"]) for row in result[name]]


def errors(result):
    """Return the errors of a result, by ID."""
    return {row["id"] if row["id"] is not None else row["named"]: row["error"] for row in result["failed"]}


def open_text(retreaver, id_, day):
    """Return the sandbox's own rows of a day of the week as tuples."""
    rows = [row for row in retreaver.read(id_)["business_hours"] if row["day_of_week"] == day]
    return [(row["work_day"], row["time_open"], row["time_close"], row["invert"]) for row in rows]


class Killed(BaseException):
    """Stands in for SIGKILL."""


# -- caps


def test_only_differences_are_sent(retreaver):
    """A target that is as it should be gets no request; of another only the caps that differ are sent."""
    ids = [retreaver.target(), retreaver.target(hard_cap_attributes={"cap": 50}, daily_cap_attributes={"cap": 5})]
    result = run(retreaver, caps_spec(ids, hard=100, daily=5, hourly="keep"))
    assert fields_of(result) == [(1, "daily_cap", None, 5), (2, "hard_cap", 50, 100)]
    assert retreaver.writes() == [
        ("/targets/1.json", {"daily_cap_attributes": {"cap": 5}}),
        ("/targets/2.json", {"hard_cap_attributes": {"cap": 100}}),
    ]
    again = run(retreaver, caps_spec(ids, hard=100, daily=5))
    assert (again["changed"], [row["id"] for row in again["unchanged"]]) == ([], [1, 2])
    assert len(retreaver.writes()) == 2


@pytest.mark.parametrize(
    ("given", "before", "after"),
    [
        (7, 100, 7), ("7", None, 7), (7.0, 100, 7), (0, 5, 0), (None, 100, None), ("none", 100, None),
        ("+10%", 105, 116), ("-10%", 105, 95), ("+5", 1, 6), (-5, 20, 15), ("-5", 5, 0), ("+50%", 0, 0),
        ("+12.5%", 100, 113),
    ],
)  # fmt: skip
def test_new_caps(given, before, after):
    """Caps are given as numbers, changes, percents (halves up) and no cap."""
    assert NewCap.parse(given, "hard").of(before, "hard") == after


@pytest.mark.parametrize("given", [True, 1.5, "ten", "", "10%", "+1.5", "--5", [], "1e3", 10**12])
def test_caps_that_are_none(given):
    """What is no cap is refused by name before anything is sent."""
    with pytest.raises(InvalidArgument, match="hourly must be a number of calls"):
        NewCap.parse(given, "hourly")


@pytest.mark.parametrize("given", [float("nan"), Decimal("NaN"), float("inf")])
def test_caps_that_are_missing_values(given):
    """NaN is what data frames have for a missing value; taking it for "no cap" would open a target without limit."""
    with pytest.raises(InvalidArgument, match=r"hourly is (nan|NaN|inf)"):
        parse_caps({"hourly": given}, "")


@pytest.mark.parametrize(
    "given",
    [
        [{"target_id": 3, "hard": 100}],
        ({"target_id": 3, "hard": 100},),
        "[{'target_id': 3, 'hard': 100}]",
        '[{"target_id": 3, "hard": 100}]',
        "[{'target_id': Decimal('3'), 'hard': Decimal('100.00')}]",
        [{"target_id": 3.0, "hard": 100.0}],
        {3: {"hard": "100"}},
        "{3: {'hard': 100}}",
        '{"3": {"hard": 100}}',
    ],
)
def test_rows_in_every_form(given):
    """Rows of a query and of a task, rendered by a template or not, mean the same."""
    (caps,) = parse_rows(given).values()
    assert caps["hard"].to == 100


def test_relative_changes_need_something_to_change(retreaver):
    """No cap cannot be changed by a percent, nor a small one below nothing; the others are done."""
    ids = [retreaver.target(hard_cap_attributes={"cap": cap}) for cap in (None, 3, 10)]
    result = run(retreaver, caps_spec(ids, hard=-5))
    assert fields_of(result) == [(3, "hard_cap", 10, 5)]
    assert "has no hard cap to change by -5" in errors(result)[1]
    assert "is 3 and cannot be changed by -5" in errors(result)[2]


def test_concurrency_and_groups(retreaver):
    """Concurrency caps and the caps of groups are set like the others."""
    group = retreaver.group([retreaver.target()])
    task = ChangeSpec(
        find=lambda *_: find_groups([group]),
        state=lambda *_: DesiredCaps(parse_caps({"concurrency": 4, "hard": 9}, "")),
    )
    assert {row["kind"] for row in run(retreaver, task)["changed"]} == {"group"}
    assert retreaver.caps(group, "target_group") == {
        "hard": 9, "hourly": None, "daily": None, "monthly": None, "concurrency": 4,
    }  # fmt: skip


ROWS = {
    "no mapping": ([3], r"rows\[0\] must map"),
    "unknown field": ([{"target_id": 1, "hrad": 3}], "unknown field 'hrad'"),
    "no object": ([{"hard": 3}], "exactly one of target_id"),
    "two objects": ([{"target_id": 1, "tid": "A", "hard": 3}], "exactly one of"),
    "twice": ([{"target_id": 1, "hard": 3}, {"id": "1", "hard": 4}], r"rows\[1\] is about target 1"),
    "bad cap": ([{"target_id": 1, "hard": "lots"}], r"rows\[0\] \(target 1\): hard must be"),
    "bad ID": ([{"target_id": "x", "hard": 1}], r"rows\[0\].target_id holds 'x'"),
    "no JSON": ("{", "neither JSON nor a Python value"),
    "a number": (7, "must be a list"),
}


@pytest.mark.parametrize(("given", "why"), ROWS.values(), ids=ROWS.keys())
def test_bad_rows(given, why):
    """A warehouse row that cannot be is named."""
    with pytest.raises(InvalidArgument, match=why):
        parse_rows(given)


@pytest.mark.parametrize("form", [list, str, json.dumps, lambda rows: {3: {"daily": rows[0]["daily"]}}])
@pytest.mark.parametrize("value", [-1, -1.0, -5])
def test_a_bare_negative_number_in_rows_is_refused(value, form):
    """A table's -1 may stand for no cap: as a change it would eat a cap every night, so both readings are named."""
    number = int(value)
    why = rf"rows\[0\] \(target 3\): daily is the number {number}, .*no cap or for a change by {number}.*'{number}'"
    with pytest.raises(InvalidArgument, match=why):
        parse_rows(form([{"target_id": 3, "daily": value}]))
    assert parse_rows([{"target_id": 3, "daily": str(number)}]) == {
        target_key(3): {"daily": NewCap(by=Decimal(number))}
    }


@pytest.mark.parametrize("value", [Decimal("-1.00"), Decimal("-0.5"), -2.5])
def test_a_negative_number_of_a_driver_is_refused(value):
    """The same holds for a column with decimals."""
    with pytest.raises(InvalidArgument, match="which may stand for no cap"):
        parse_rows([{"tid": "A7", "hard": value}])


def test_rows():
    """Rows are read from a list, a mapping by ID, and JSON; what a row does not have is kept."""
    assert parse_rows([{"tid": "A7", "hard": None}, {"target_group_id": 5, "daily": "+10%"}]) == {
        ObjectKey("target", customer_id="A7"): {"hard": NewCap()},
        group_key(5): {"daily": NewCap.parse("+10%", "")},
    }
    assert parse_rows('{"3": {"hard": 5, "hourly": "keep"}}') == {target_key(3): {"hard": NewCap(to=5)}}


# -- what may go wrong


def test_the_vendor_accepts_but_does_not_change(retreaver):
    """A change that was accepted and is not read back fails, with the field, its value and the expected one."""
    ids = [retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/1.json", method="PUT", status=204)
    result = run(retreaver, caps_spec(ids, hard=7))
    assert errors(result) == {
        1: "The change was accepted, but not all of it is read back. hard_cap is still 100, expected 7. No field was "
        "changed."
    }
    assert fields_of(result) == [(2, "hard_cap", 100, 7)]


def test_half_of_a_change(retreaver):
    """The error has what was changed and what was not."""
    id_ = retreaver.target()
    retreaver.before_next("GET", "/targets/1.json", lambda: None)
    retreaver.before_next("PUT", "/targets/1.json", lambda: retreaver.before_next(
        "GET", "/targets/1.json", lambda: retreaver.change(id_, daily_cap_attributes={"cap": 1})))  # fmt: skip
    result = run(retreaver, caps_spec([id_], hard=7, daily=8))
    assert fields_of(result) == [(1, "hard_cap", 100, 7)]
    assert "daily_cap is 1, was none, expected 8: others changed it at the same time." in errors(result)[1]
    assert "Changed: hard_cap." in errors(result)[1]


def test_another_client_changes_another_field(retreaver, caplog):
    """A change of another field by another client stays, and is logged."""
    id_ = retreaver.target()
    retreaver.before_next("PUT", "/targets/1.json", lambda: retreaver.change(id_, monthly_cap_attributes={"cap": 1}))
    result = run(retreaver, caps_spec([id_], hard=7))
    assert result["failed"] == []
    assert 'target 1 ("Acme") was also changed by others' in caplog.text
    assert retreaver.caps(id_)["monthly"] == 1


def test_a_target_that_was_deleted(retreaver):
    """404, before or between, fails that target alone."""
    ids = [retreaver.target(), retreaver.target(), retreaver.target()]
    retreaver.ask("DELETE", "/targets/1.json")
    retreaver.before_next("PUT", "/targets/2.json", lambda: retreaver.ask("DELETE", "/targets/2.json"))
    result = run(retreaver, caps_spec(ids, hard=7))
    assert fields_of(result) == [(3, "hard_cap", 100, 7)]
    assert {id_: "404" in error for id_, error in errors(result).items()} == {1: True, 2: True}


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"cut": True}])
@pytest.mark.parametrize("then", ["done", "nothing"])
def test_lost_answers(retreaver, fault, then):
    """A change whose response was lost is sent again, which is safe, and ends as requested."""
    id_ = retreaver.target()
    retreaver.fault("/targets/1.json", method="PUT", then=then, **fault)
    result = run(retreaver, caps_spec([id_], hard="+10%"))
    assert fields_of(result) == [(1, "hard_cap", 100, 110)]
    assert retreaver.caps(id_)["hard"] == 110


def test_a_lost_response_is_verified_by_reading(retreaver):
    """When all answers are lost, what is read back decides, not the error."""
    id_ = retreaver.target()
    retreaver.fault("/targets/1.json", method="PUT", status=500, then="done", times=8)
    assert fields_of(run(retreaver, caps_spec([id_], hard=7))) == [(1, "hard_cap", 100, 7)]


def test_refused_credentials_in_the_middle(retreaver):
    """A key that is refused ends the run; what was accepted before stays in the result and in the memory."""
    ids = [retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/2.json", method="PUT", status=401)
    record = Record()
    work = ChangeObjects(caps_spec(ids, hard=7), record=record)
    with pytest.raises(AuthenticationError):
        retreaver.client.run(work.procedure())
    assert fields_of(work.result()) == [(1, "hard_cap", 100, 7)]
    assert record.done.keys() == {"target 1"}


def test_invalid_responses(retreaver):
    """An object without the fields concerned fails alone, before and after the change."""
    ids = [retreaver.target(), retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/1.json", method="GET", status=200, body={"target": {"id": 1}})
    retreaver.before_next("PUT", "/targets/2.json", lambda: retreaver.fault(
        "/targets/2.json", method="GET", status=200, body={"target": {"id": 2}}))  # fmt: skip
    result = run(retreaver, caps_spec(ids, hard=7))
    assert fields_of(result) == [(3, "hard_cap", 100, 7)]
    assert "without 'caps'" in errors(result)[1]
    assert "what was read back is invalid" in errors(result)[2]


def test_what_cannot_be_read_back(retreaver):
    """A change that was sent and cannot be read back is reported as such."""
    id_ = retreaver.target()
    retreaver.before_next(
        "PUT", "/targets/1.json", lambda: retreaver.fault("/targets/1.json", method="GET", status=404)
    )
    result = run(retreaver, caps_spec([id_], hard=7))
    assert "The change was accepted, but it could not be read back: GET /targets/1.json" in errors(result)[id_]
    assert result["changed"] == []


def test_what_cannot_be_judged_is_not_left_out(retreaver):
    """A target whose selection cannot be decided fails, and so does a group that does not exist."""
    ids = [retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/1.json", status=200, body={"target": {"id": 1, "paused": False}})
    task = ChangeSpec(
        find=lambda *_: find_targets(TargetSelection(ids=ids, groups=[9]), ("caps",), any_full),
        state=lambda *_: DesiredPause(paused=True),
    )
    result = run(retreaver, task)
    assert {key: error[:40] for key, error in errors(result).items()} == {
        1: "Object 1 came without 'caps', which Retr", 9: "GET /target_groups/9.json was answered 4",
    }  # fmt: skip
    assert result["changed"] == []


# -- memory


@pytest.mark.parametrize("after_requests", range(1, 9))
def test_killed_anywhere_and_tried_again(retreaver, after_requests):
    """Killed before any request and tried again, a relative change is applied once, and the result is whole."""
    ids = [retreaver.target(), retreaver.target()]
    notes = []
    send = retreaver.send

    def mortal(request, wire):
        if len(retreaver.sent) == after_requests:
            raise Killed
        return send(request, wire)

    retreaver.send = mortal
    with contextlib.suppress(Killed):
        run(retreaver, caps_spec(ids, hard="+10%"), save=lambda record: notes.append(json.dumps(record.dump())))
    retreaver.send = send
    record = Record.load(json.loads(notes[-1])) if notes else Record()
    result = run(retreaver, caps_spec(ids, hard="+10%"), record=record)
    assert fields_of(result) == [(1, "hard_cap", 100, 110), (2, "hard_cap", 100, 110)]
    assert [retreaver.caps(id_)["hard"] for id_ in ids] == [110, 110]


def test_a_relative_change_that_lost_its_base(retreaver):
    """A cap that others set between two attempts is not changed from there, and the reason is given."""
    id_ = retreaver.target()
    record = Record(plan={"target 1": [["hard_cap", 100, 110]]})
    retreaver.change(id_, hard_cap_attributes={"cap": 60})
    result = run(retreaver, caps_spec([id_], hard="+10%"), record=record)
    assert "was 100 when this run began, was to become 110, and is 60 now" in errors(result)[1]
    assert retreaver.writes() == []


def test_a_retry_touches_only_what_is_to_do(retreaver):
    """What an attempt has done is reported again and not sent again, even when others have changed it since."""
    ids = [retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/2.json", method="PUT", status=422)
    record = Record()
    assert fields_of(run(retreaver, caps_spec(ids, hard=7), record=record)) == [(1, "hard_cap", 100, 7)]
    retreaver.change(1, hard_cap_attributes={"cap": 33})
    retreaver.sent.clear()
    result = run(retreaver, caps_spec(ids, hard=7), record=Record.load(record.dump()))
    assert fields_of(result) == [(1, "hard_cap", 100, 7), (2, "hard_cap", 100, 7)]
    assert [path for path, _ in retreaver.writes()] == ["/targets/2.json"]


# -- guards and dry runs


LIMITS = [(3, True), (4, False), ("50%", True), (0.75, True), ("100%", False), (None, False), (0, True)]


@pytest.mark.parametrize(("limit", "stops"), LIMITS)
def test_max_changes(retreaver, limit, stops):
    """Above the limit nothing is sent at all."""
    ids = [retreaver.target() for _ in range(4)]
    if stops:
        with pytest.raises(ChangeRefused, match="4 of 4 targets would be changed"):
            run(retreaver, caps_spec(ids, hard=7), limit=ChangeLimit.parse(limit))
    else:
        run(retreaver, caps_spec(ids, hard=7), limit=ChangeLimit.parse(limit))
    assert len(retreaver.writes()) == (0 if stops else 4)


def test_a_dry_run_sends_nothing_and_says_what_a_guard_would(retreaver):
    """A dry run reads, reports the difference, and returns a refusal instead of raising it."""
    ids = [retreaver.target(), retreaver.target()]
    result = run(retreaver, caps_spec(ids, hard=7), dry_run=True, limit=ChangeLimit.parse(1))
    assert fields_of(result, "would_change") == [(1, "hard_cap", 100, 7), (2, "hard_cap", 100, 7)]
    assert result["dry_run"] is True
    assert "max_changes allows 1" in result["refused"]
    assert {method for method, _, _ in retreaver.sent} == {"GET"}


# -- hours


def test_hours_are_sent_by_row(retreaver):
    """Only the rows of days that differ are sent, each with its ID; the rest is not touched."""
    id_ = retreaver.target(time_zone="London")
    before = {row["day_of_week"]: row["id"] for row in retreaver.read(id_)["business_hours"]}
    result = run(retreaver, hours_spec([id_], {"mon": "22:00-06:00", "wed": "24h", "sun": "closed"}))
    assert fields_of(result) == [
        (1, "sunday", "24h", "closed"), (1, "monday", "24h", "22:00-24:00"),
    ]  # fmt: skip
    [(_, body)] = retreaver.writes()
    assert [row["id"] for row in body["business_hours_attributes"]] == [before[0], before[1]]
    assert {row["day_of_week"]: row["id"] for row in retreaver.read(id_)["business_hours"]} == before
    assert open_text(retreaver, id_, 1) == [(True, 2200, 2400, False)]


def test_several_spans_where_there_are_rows(retreaver):
    """A day with two rows takes two spans; one with one row refuses them with the day and the reason."""
    rows = [{"day_of_week": day} for day in (0, 1, 1, 2, 3, 4, 5, 6)]
    two, one = retreaver.target(business_hours_attributes=rows), retreaver.target()
    result = run(retreaver, hours_spec([two, one], {"mon": "08:00-12:00, 13:00-17:00", "tue": "closed"}))
    assert open_text(retreaver, two, 1) == [(True, 800, 1200, False), (True, 1300, 1700, False)]
    assert "monday: 08:00-12:00, 13:00-17:00 takes 2 rows, and the target has one row" in errors(result)[one]
    assert "Nothing was sent" in errors(result)[one]
    assert open_text(retreaver, one, 2) == [(True, 0, 2400, False)]


def test_a_day_without_a_row(retreaver):
    """A day for which the target has no row can stay closed, and cannot be opened."""
    id_ = retreaver.target(business_hours_attributes=[{"day_of_week": 1}])
    assert run(retreaver, hours_spec([id_], {"tue": "closed"}))["failed"] == []
    result = run(retreaver, hours_spec([id_], {"tue": "09:00-10:00"}))
    assert "tuesday: the target has no row for that day" in errors(result)[id_]


def test_rows_replaced_between_read_and_write(retreaver):
    """A row whose ID is gone by the time it is sent fails with target and day, and a retry reads anew."""
    id_ = retreaver.target()

    def replace():
        row = next(row for row in retreaver.read(id_)["business_hours"] if row["day_of_week"] == 2)
        retreaver.change(id_, business_hours_attributes=[{"id": row["id"], "_destroy": True}, {"day_of_week": 2}])

    retreaver.before_next("PUT", "/targets/1.json", replace)
    result = run(retreaver, hours_spec([id_], {"tue": "09:00-10:00"}))
    assert "The rows of tuesday were replaced by others after they were read" in errors(result)[id_]
    assert "tuesday is still 24h, expected 09:00-10:00" in errors(result)[id_]
    assert run(retreaver, hours_spec([id_], {"tue": "09:00-10:00"}))["failed"] == []


def test_a_concurrent_edit_of_hours(retreaver):
    """Hours that another client set between write and read-back are named with their day."""
    id_ = retreaver.target()

    def edit():
        row = next(row for row in retreaver.read(id_)["business_hours"] if row["day_of_week"] == 5)
        retreaver.change(id_, business_hours_attributes=[{"id": row["id"], "time_close": 1200}])

    retreaver.before_next("PUT", "/targets/1.json", lambda: retreaver.before_next("GET", "/targets/1.json", edit))
    result = run(retreaver, hours_spec([id_], {"fri": "09:00-17:00"}))
    assert (
        "friday is 09:00-12:00, was 24h, expected 09:00-17:00: others changed it at the same time"
        in errors(result)[1]
    )


def test_zones(retreaver):
    """Hours in another zone are moved, refused where they cannot be, or move the target when requested."""
    zones = ("Pacific Time (US & Canada)", "London", "Eastern Time (US & Canada)")
    west, london, east = (retreaver.target(time_zone=zone) for zone in zones)
    result = run(retreaver, hours_spec([west, london, east], {"daily": "09:00-17:00"}, zone="America/New_York"))
    assert open_text(retreaver, west, 1) == [(True, 600, 1400, False)]
    assert open_text(retreaver, east, 1) == [(True, 900, 1700, False)]
    assert "change their clocks on different days" in errors(result)[london]
    run(retreaver, hours_spec([london, east], {"daily": "09:00-17:00"}, zone="US/Eastern", move=True))
    assert retreaver.read(london)["time_zone"] == zones[2]
    assert open_text(retreaver, london, 1) == [(True, 900, 1700, False)]


def test_a_zone_by_another_name_stays(retreaver):
    """A target in Edinburgh that is to be in Europe/London keeps its name."""
    id_ = retreaver.target(time_zone="Edinburgh")
    run(retreaver, hours_spec([id_], "24h", zone="Europe/London", move=True))
    assert retreaver.read(id_)["time_zone"] == "Edinburgh"


def test_unclear_hours(retreaver):
    """Rows that mean nothing documented are only replaced for a whole day."""
    row = {"time_open": 2200, "time_close": 600}
    id_ = retreaver.target(business_hours_attributes=[{"day_of_week": day, **row} for day in range(7)])
    result = run(retreaver, hours_spec([id_], {"mon": "22:00-06:00"}))
    assert "hours of tuesday are unclear (22:00-06:00)" in errors(result)[id_]
    assert run(retreaver, hours_spec([id_], "22:00-06:00"))["failed"] == []
    assert open_text(retreaver, id_, 3) == [(True, 600, 2200, True)]


# -- pausing


def pause_spec(ids, least, *, paused=True):
    """Return the task that pauses targets and keeps some open."""
    return ChangeSpec(
        find=lambda *_: find_targets(TargetSelection(ids=ids), NEEDED),
        state=lambda *_: DesiredPause(paused=paused),
        guard=lambda edits: keep_open(least, edits),
    )


def test_keep_open(retreaver):
    """Fewer open targets than required in any group concerned refuse the whole change; other groups do not."""
    ids = [retreaver.target() for _ in range(4)]
    retreaver.group(ids[:3])
    retreaver.group(ids[3:])
    with pytest.raises(ChangeRefused, match=r'group 1 \("Roofers"\) would have 1 open \(target 3\)'):
        run(retreaver, pause_spec(ids[:2], 2))
    assert retreaver.writes() == []
    assert len(run(retreaver, pause_spec(ids[:1], 2))["changed"]) == 1


def test_keep_open_counts_who_takes_calls(retreaver):
    """A paused target and one whose cap is full are not open; one that was paused already is not paused again."""
    ids = [retreaver.target() for _ in range(4)]
    retreaver.group(ids)
    retreaver.change(ids[0], paused=True)
    retreaver.ask("POST", f"/__sandbox__/targets/{ids[1]}/fill", {"filled": 100})
    with pytest.raises(ChangeRefused, match=r"would have 1 open \(target 4\)"):
        run(retreaver, pause_spec([ids[0], ids[2]], 2))
    assert len(run(retreaver, pause_spec([ids[0], ids[2]], 1))["changed"]) == 1


def test_keep_open_does_not_guess(retreaver):
    """A member that cannot be read stops the pause; without targets to pause nothing is read."""
    ids = [retreaver.target(), retreaver.target()]
    retreaver.group(ids)
    retreaver.fault("/targets/2.json", method="GET", status=404)
    with pytest.raises(NotFound):
        run(retreaver, pause_spec(ids[:1], 1))
    retreaver.change(ids[0], paused=True)
    retreaver.sent.clear()
    assert [row["id"] for row in run(retreaver, pause_spec(ids[:1], 2))["unchanged"]] == [ids[0]]
    assert [path for _, path, _ in retreaver.sent] == ["/targets/1.json"]


def test_whether_a_target_is_paused():
    """Retreaver sends `paused`, or only `paused_at`; a target with neither does not count as open."""
    assert is_paused({"paused": True})
    assert is_paused({"paused_at": "2026-01-01T00:00:00Z"})
    assert not is_paused({"paused_at": None})
    with pytest.raises(ProtocolError, match="target 3 came without 'paused'"):
        is_paused({"id": 3})


# -- tags


def tags_spec(find, kind="target", **edit):
    """Return the task that changes tags."""
    state = DesiredTags(TagEdit.parse(**edit), kind)
    return ChangeSpec(find=find, state=lambda *_: state)


def test_tags(retreaver):
    """Tags are put on and taken off beside others, which stay; the same again sends nothing."""
    id_ = retreaver.target(tag_list="<<<a:1>>>,<<<b:2>>>,<<<b:3>>>")
    task = tags_spec(
        lambda *_: find_targets(TargetSelection(ids=[id_]), NEEDED), add={"c": ["4", "5"]}, remove=["b:2"]
    )
    assert fields_of(run(retreaver, task)) == [(1, "tags", ["a:1", "b:2", "b:3"], ["a:1", "b:3", "c:4", "c:5"])]
    assert [(tag["key"], tag["value"]) for tag in retreaver.read(id_)["tag_values"]] == [
        ("a", "1"), ("b", "3"), ("c", "4"), ("c", "5"),
    ]  # fmt: skip
    assert run(retreaver, task)["changed"] == []
    cleared = tags_spec(lambda *_: find_targets(TargetSelection(tag=Tag("a", "1")), NEEDED), replace=[])
    run(retreaver, cleared)
    assert retreaver.read(id_)["tag_values"] == []


def test_tags_with_operators_are_not_rewritten(retreaver):
    """A tag that is not '==' is neither lost nor turned into '==': the object is refused, unless nothing changes."""
    id_ = retreaver.target()
    fault = {"target": {"id": id_, "tag_values": [{"key": "state", "value": "NY", "operator": "!="}]}}
    find = lambda *_: find_targets(TargetSelection(ids=[id_]), NEEDED)  # noqa: E731
    retreaver.fault("/targets/1.json", method="GET", status=200, body=fault, times=2)
    result = run(retreaver, tags_spec(find, add="a:b"))
    assert "has the tag state != NY, and a tag list has no operator '!='" in errors(result)[id_]
    assert run(retreaver, tags_spec(find, add="state:NY"))["failed"] == []
    assert retreaver.writes() == []


def test_contacts_whose_masked_numbers_are_equal(retreaver):
    """Two unknown numbers whose masked forms are equal are two failures."""
    numbers = ["+18005550199", "+18665550199"]
    edit = TagEdit.parse(add="a:1")
    result = run(retreaver, ChangeSpec(
        find=lambda *_: find_contacts([], numbers), state=lambda *_: DesiredTags(edit, "contact")))  # fmt: skip
    assert [(row["kind"], row["id"], row["named"]) for row in result["failed"]] == [
        ("contact", None, "with number +1…99")
    ] * 2
    assert all(number not in json.dumps(result) for number in numbers)


def test_tags_of_contacts(retreaver):
    """Contacts are selected by ID and by phone number, once each; an unknown number is masked."""
    id_ = retreaver.contact("+18668987878")
    find = lambda *_: find_contacts([id_], ["+18668987878", "+18005550199"])  # noqa: E731
    result = run(retreaver, tags_spec(find, "contact", add="vip:yes"))
    assert fields_of(result) == [(id_, "tags", [], ["vip:yes"])]
    assert list(errors(result)) == ["with number +1…99"]


# -- groups


def group_spec(group, state):
    """Return the task that changes a group."""
    return ChangeSpec(find=lambda *_: find_groups([group]), state=lambda *_: state, counted="memberships")


def test_groups_beside_other_writers(retreaver):
    """Helpers keep what another client adds at the same time; only what differs is sent."""
    ids = [retreaver.target() for _ in range(5)]
    group = retreaver.group(ids[:3])
    path = f"/target_groups/{group}.json"
    retreaver.before_next("PUT", path, lambda: retreaver.change(group, "target_group", add_targets_by_id=[ids[4]]))
    result = run(retreaver, group_spec(group, DesiredMembership(add=[1, 4], remove=[2, 5])))
    assert fields_of(result) == [(group, "target 4", False, True), (group, "target 2", True, False)]
    assert retreaver.writes() == [(path, {"add_targets_by_id": [4], "remove_targets_by_id": [2]})]
    assert retreaver.read(group, "target_group")["target_ids"] == [1, 3, 4, 5]


def test_groups_replaced(retreaver):
    """The whole list is replaced, and emptied when it is empty; a share counts memberships."""
    ids = [retreaver.target() for _ in range(4)]
    group = retreaver.group(ids[:3])
    with pytest.raises(ChangeRefused, match=r"3 of 3 memberships would be changed, and max_changes allows 0\.5 of 3"):
        run(retreaver, group_spec(group, DesiredMemberList([3, 4, 2][:0])), limit=ChangeLimit.parse("50%"))
    run(retreaver, group_spec(group, DesiredMemberList([4, 3])))
    assert retreaver.read(group, "target_group")["target_ids"] == [3, 4]
    run(retreaver, group_spec(group, DesiredMemberList([])))
    assert retreaver.read(group, "target_group")["target_ids"] == []


def test_an_unknown_member(retreaver):
    """A target that does not exist is refused by Retreaver, whose message is reported."""
    group = retreaver.group([retreaver.target()])
    result = run(retreaver, group_spec(group, DesiredMembership(add=[99], remove=[])))
    assert "there is no target 99" in errors(result)[group]
    with pytest.raises(InvalidArgument, match="Target 3 is in add and in remove"):
        DesiredMembership([3], [3])


def test_many_targets_are_read_by_listing(retreaver):
    """More targets than a page are read from the list, and each is changed."""
    ids = [retreaver.target() for _ in range(60)]
    result = run(retreaver, caps_spec(ids, daily=5))
    assert len(result["changed"]) == 60
    first_write = next(index for index, (method, *_) in enumerate(retreaver.sent) if method == "PUT")
    assert [path for _, path, _ in retreaver.sent[:first_write]] == ["/targets.json"] * 3


def test_many_are_read_again_before_they_are_replaced(retreaver):
    """A tag that is added while other targets are changed is not lost: that target fails, and a retry changes it."""
    ids = [retreaver.target() for _ in range(30)]
    task = tags_spec(lambda *_: find_targets(TargetSelection(ids=ids), NEEDED), add="a:1")
    retreaver.before_next("PUT", "/targets/1.json", lambda: retreaver.change(ids[-1], tag_list="<<<b:2>>>"))
    result = run(retreaver, task)
    assert len(result["changed"]) == 29
    assert len(retreaver.writes()) == 29
    assert "It was changed by others after it was read: tags none -> b:2. Nothing was sent" in errors(result)[ids[-1]]
    assert fields_of(run(retreaver, task)) == [(ids[-1], "tags", ["b:2"], ["a:1", "b:2"])]
    odd = tags_spec(lambda *_: find_targets(TargetSelection(ids=ids), NEEDED), add="c:3")
    retreaver.before_next("PUT", "/targets/1.json", lambda: retreaver.fault(
        f"/targets/{ids[-1]}.json", method="GET", status=200, body={"target": {"id": ids[-1]}}))  # fmt: skip
    result = run(retreaver, odd)
    assert (len(result["changed"]), "without 'tag_values'" in errors(result)[ids[-1]]) == (29, True)


def test_protocol_errors_name_the_object(retreaver):
    """A group that came without its members fails."""
    group = retreaver.group([])
    retreaver.fault(f"/target_groups/{group}", status=200, body={"target_group": {"id": group}})
    result = run(retreaver, group_spec(group, DesiredMemberList([])))
    assert "without 'target_ids'" in errors(result)[group]
    with pytest.raises(ProtocolError, match="concurrency cap"):
        DesiredCaps({}).current({"id": 1, "caps": [], "concurrency_cap": "many"})
