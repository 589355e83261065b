"""Business hours: requested hours, the meaning of Retreaver's rows, and the way between the two, minute by minute."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.domain.routing.hours_rows import (
    DAY,
    DAYS,
    WEEK,
    Hours,
    Row,
    day_text,
    merged,
    of_day,
    open_spans,
    rows_for,
    rows_of,
    spans_text,
    without,
)
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours
from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions

NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def minutes_of(spans):
    """Return the minutes of spans as a set, one by one."""
    return {minute for start, end in spans for minute in range(start, end)}


def row_is_open(row, minute):
    """Apply Retreaver's description of a row to one minute of its day, in Retreaver's numbers."""
    if not row["work_day"]:
        return False
    clock = minute // 60 * 100 + minute % 60
    inside = row["time_open"] <= clock < row["time_close"]
    return not inside if row["invert"] else inside


def week_of(written):
    """Say for each of the 10,080 minutes of a week whether a named shift is on (an independent model)."""
    on = [False] * WEEK
    for day, shifts in written.items():
        for start, length in shifts:
            for minute in range(length):
                on[(NAMES.index(day) * DAY + start + minute) % WEEK] = True
    return on


def clock(minute):
    """Write a minute of a day, 24:00 included."""
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def written_weeks(draw):
    """Draw a week of shifts that do not overlap, as minutes and as an author would write it."""
    bounds = sorted(draw(st.sets(st.integers(0, WEEK - 1), min_size=2, max_size=24)))
    offset = draw(st.integers(0, 1))
    pairs = list(zip(bounds[offset::2], bounds[offset + 1 :: 2], strict=False))
    shifts = {name: [] for name in NAMES}
    for start, end in pairs:
        length = min(end - start, DAY - 1)
        shifts[NAMES[start // DAY]].append((start % DAY, length))
    written = {}
    for name, spans in shifts.items():
        texts = [f"{clock(start)}-{clock((start + length) % DAY)}" for start, length in spans]
        written[name] = ", ".join(texts) or "closed"
    return shifts, written


@given(written_weeks())
@settings(max_examples=60, deadline=None)
def test_requested_hours_are_open_in_each_of_10080_minutes(drawn):
    """Any week of shifts, over midnight and over the end of the week, means exactly the minutes of a naive model."""
    shifts, written = drawn
    expected = week_of(shifts)
    found = minutes_of(WeeklyHours.parse(written).applied(()))
    assert [minute in found for minute in range(WEEK)] == expected


@st.composite
def day_spans(draw, most=3):
    """Draw the open spans of a day."""
    bounds = sorted(draw(st.sets(st.integers(0, DAY), max_size=most * 2)))
    return merged(zip(bounds[::2], bounds[1::2], strict=False))


hours = st.builds(
    lambda work, ends, invert: Hours(work, min(ends), max(ends), invert),
    st.booleans(), st.tuples(st.integers(0, DAY), st.integers(0, DAY)), st.booleans(),
)  # fmt: skip
present_rows = st.lists(hours, min_size=1, max_size=4)


@given(day_spans(), present_rows)
@settings(deadline=None)
def test_rows_have_the_requested_minutes(wanted, present):
    """Whatever rows there are, the rows written have the requested minutes, by Retreaver's description."""
    rows = rows_for(wanted, present)
    if isinstance(rows, str):
        assert len(wanted) > len(present)
        assert f"takes {len(wanted)} rows" in rows
        return
    assert len(rows) == len(present)
    wire = [row.wire() for row in rows]
    assert open_spans(rows) == wanted
    if rows == present:
        return
    # Written rows mean one thing however a reader combines them: any row open, or all rows open where inverted.
    open_minutes = {minute for minute in range(DAY) if any(row_is_open(row, minute) for row in wire)}
    assert open_minutes == minutes_of(wanted)
    inverted = [row for row in wire if row["invert"] and row["work_day"]]
    assert not inverted or all(row == inverted[0] for row in wire)


@given(day_spans(most=4), st.integers(4, 6))
def test_spans_to_rows_to_spans(wanted, count):
    """Any schedule of a day survives the way to rows and back when the day has rows enough."""
    rows = rows_for(wanted, [Hours(True, 0, DAY, False)] * count)
    assert not isinstance(rows, str)
    assert open_spans(rows) == wanted


@given(present_rows)
def test_rows_that_already_mean_it_stay(present):
    """Rows to schedule to rows: the same rows, whatever they are."""
    meaning = open_spans(present)
    assert rows_for(meaning, present) == present


@given(present_rows, day_spans(most=2))
def test_what_is_written_is_written_once(present, wanted):
    """Working out rows from rows just written changes nothing more."""
    rows = rows_for(wanted, present)
    if not isinstance(rows, str):
        assert rows_for(wanted, rows) == rows


@given(hours, st.integers(0, 6), st.integers(1, 10**9))
def test_a_row_survives_the_wire(one, day, id_):
    """A row as Retreaver takes it is read back as itself."""
    wire = json.loads(json.dumps({"id": id_, "day_of_week": day, **one.wire()}))
    assert Row.read(wire, "target 1") == Row(id_, day, one)


def test_rows_that_can_stay_stay():
    """Of two rows for two spans, the one that already has one of them is not sent again."""
    one, other = Hours(True, 480, 720, False), Hours(True, 780, 1020, False)
    wanted = ((480, 720), (780, 1020))
    assert rows_for(wanted, [Hours(True, 0, DAY, False), one]) == [other, one]
    assert rows_for(wanted, [other, Hours(False, 480, 720, False)]) == [other, one]
    assert rows_for(wanted[:1], [other, one]) == [one, one]


def test_overnight_rows():
    """22:00-06:00 every day is an inverted row a day; for one night, the end of a day and the start of the next."""
    one = [Hours(True, 0, DAY, False)]
    every = WeeklyHours.parse({"daily": "22:00-06:00"}).applied(())
    assert [row.wire() for row in rows_for(of_day(every, 1), one)] == [
        {"work_day": True, "time_open": 600, "time_close": 2200, "invert": True}
    ]
    monday = WeeklyHours.parse({"mon": "22:00-06:00"}).applied(())
    assert [spans_text(of_day(monday, day)) for day in range(7)] == [
        "closed", "22:00-24:00", "00:00-06:00", "closed", "closed", "closed", "closed",
    ]  # fmt: skip
    assert [row.wire() for row in rows_for(of_day(monday, 2), one)] == [
        {"work_day": True, "time_open": 0, "time_close": 600, "invert": False}
    ]


def test_saturday_night_reaches_sunday():
    """A span over Saturday's midnight opens Sunday's small hours."""
    week = WeeklyHours.parse({"sat": "20:00-02:30"}).applied(())
    assert spans_text(of_day(week, 0)) == "00:00-02:30"
    assert spans_text(of_day(week, 6)) == "20:00-24:00"


def test_days_not_named_stay_but_for_the_small_hours():
    """A named day is described completely; the others keep their minutes, and a night adds to the day after it."""
    week = merged((day * DAY + 540, day * DAY + 1020) for day in range(7))
    changed = WeeklyHours.parse({"mon": "22:00-06:00", "wed": "closed"}).applied(week)
    assert [spans_text(of_day(changed, day)) for day in range(7)] == [
        "09:00-17:00", "22:00-24:00", "00:00-06:00, 09:00-17:00", "closed",
        "09:00-17:00", "09:00-17:00", "09:00-17:00",
    ]  # fmt: skip


FORMS = {
    "issue's own": ({"mon-fri": "09:00-17:30", "sat": "10:00-14:00", "sun": "closed"}, "09:00-17:30"),
    "upper case and spaces": ({" Mon - Fri ": " 9:00 – 17:30 ", "SAT,Sun": "closed"}, "09:00-17:30"),
    "several spans": ({"mon": "08:00-12:00, 13:00-17:00"}, "08:00-12:00, 13:00-17:00"),
    "several spans in a tuple": ({"mon": ("08:00-12:00", "13:00-17:00")}, "08:00-12:00, 13:00-17:00"),
    "a rendered tuple": ("{'mon': ('08:00-12:00', '13:00-17:00')}", "08:00-12:00, 13:00-17:00"),
    "several spans for every day": (["08:00-12:00", "13:00-17:00"], "08:00-12:00, 13:00-17:00"),
    "a rendered tuple for every day": ("('08:00-12:00', '13:00-17:00')", "08:00-12:00, 13:00-17:00"),
    "a narrow space before AM": ({"mon": "9\u202fAM\u20115\u202fPM"}, "09:00-17:00"),
    "dashes that do not break": ({"mon\u2011fri": "09:00\u201117:00"}, "09:00-17:00"),
    "other dashes": ({"mon\uff0dfri": "09:00 \u2212 12:00, 13:00\u201517:00"}, "09:00-12:00, 13:00-17:00"),
    "invisible characters": ({"\u202amon\u202c": "\u200e09:00\u200b-17:00\ufeff"}, "09:00-17:00"),
    "a.m. and p.m.": ({"mon": "9 a.m. - 5 p.m."}, "09:00-17:00"),
    "am and a time of the 24-hour clock": ({"mon": "9am-17:00"}, "09:00-17:00"),
    "overnight in full": ({"mon": "09:00-05:00"}, "09:00-24:00"),
    "overnight by halves": ({"mon": "9am-5am"}, "09:00-24:00"),
    "early in full": ({"mon": "01:00-05:00"}, "01:00-05:00"),
    "several spans in a list": ({"mon": ["08:00-12:00", "13:00-17:00"]}, "08:00-12:00, 13:00-17:00"),
    "touching spans": ({"mon": "13:00-17:00,08:00-13:00"}, "08:00-17:00"),
    "24h": ({"monday": "24h"}, "24h"),
    "all day as a span": ({"monday": "00:00-24:00"}, "24h"),
    "to midnight": ({"monday": "18:00-24:00"}, "18:00-24:00"),
    "to midnight, said 00:00": ({"monday": "18:00-00:00"}, "18:00-24:00"),
    "am and pm": ({"monday": "9am-12:30pm, 1 pm-5:30 pm"}, "09:00-12:30, 13:00-17:30"),
    "midnight to noon": ({"monday": "12am-12pm"}, "00:00-12:00"),
    "weekdays": ({"weekdays": "9-17"}, "09:00-17:00"),
    "JSON text": ('{"mon": "09:00-17:00"}', "09:00-17:00"),
    "rendered dict": ("{'mon': ['09:00-12:00', '13:00-17:00']}", "09:00-12:00, 13:00-17:00"),
    "one text for every day": ("closed", "closed"),
    "range over the week's end": ({"fri-mon": "10:00-11:00"}, "10:00-11:00"),
}


@pytest.mark.parametrize(("written", "monday"), FORMS.values(), ids=FORMS.keys())
def test_forms(written, monday):
    """Hours are understood in the forms that people and templates write."""
    assert spans_text(of_day(WeeklyHours.parse(written).applied(()), 1)) == monday


REFUSED = {
    "no such hour": ({"mon": "25:00-26:00"}, r"hours\['mon'\] holds '25:00': there is no such time"),
    "no such minute": ({"tue": "9:60-10:00"}, r"hours\['tue'\] holds '9:60': there is no such time"),
    "past 24:00": ({"tue": "9:00-24:01"}, "24:01"),
    "begins at 24:00": ({"tue": "24:00-06:00"}, "begins at 24:00"),
    "13pm": ({"tue": "1pm-13pm"}, "no such hour"),
    "no time": ({"tue": "nine-five"}, "'nine', which is not a time"),
    "no span": ({"tue": "09:00"}, "'09:00', which is not a span"),
    "no length": ({"tue": "09:00-09:00"}, "no time or all day"),
    "unknown day": ({"mnday": "24h"}, "unknown day 'mnday'.*did you mean 'monday'"),
    "unknown day in a range": ({"mon-fry": "24h"}, "unknown day 'fry' in 'mon-fry'; did you mean 'friday'"),
    "three days in a range": ({"mon-wed-fri": "24h"}, "a range is two days"),
    "day twice": ({"mon-fri": "24h", "wed": "closed"}, "wednesday twice, in 'mon-fri' and in 'wed'"),
    "overlap in a day": ({"mon": "09:00-12:00, 11:00-15:00"}, "monday 09:00-12:00 reaches into monday 11:00-15:00"),
    "overlap over midnight": (
        {"mon": "22:00-06:00", "tue": "05:00-09:00"}, "monday 22:00-06:00 reaches into tuesday 05:00-09:00",
    ),
    "overlap over the week's end": (
        {"sat": "22:00-06:00", "sun": "05:00-09:00"}, "saturday 22:00-06:00 reaches into sunday 05:00-09:00",
    ),
    "closed and open": ({"mon": "closed, 09:00-10:00"}, "'closed', which is not a span"),
    "none": ({"mon": None}, r"hours\['mon'\] must be hours"),
    "empty list": ({"mon": []}, "must be hours"),
    "number": ({"mon": 9}, "must be hours"),
    "no day": ({}, "has no day"),
    "day that is a number": ({1: "24h"}, "the day 1"),
    "a number for every day": (9, "must map days"),
    "nothing": ("None", "must map days"),
    "a mapping for a day": ({"mon": {"open": "09:00-10:00"}}, "must be hours"),
    "broken JSON": ('{"mon": ', "neither JSON nor a Python value"),
    "JSON with a day twice": ('{"mon": "24h", "mon": "closed"}', "the key .mon. twice"),
}  # fmt: skip


AMBIGUOUS = {
    "1-5pm": "'13:00-17:00' or '01:00-17:00'",
    "5-9pm": "'17:00-21:00' or '05:00-21:00'",
    "9am-5": "'09:00-17:00' or '09:00-05:00'",
    "9-5": "'09:00-17:00' or '21:00-05:00'",
    "9:00-5:00": "'09:00-17:00' or '21:00-05:00'",
    "1:00-5:00": "'01:00-05:00' or '13:00-17:00'",
    "8-12": "'08:00-12:00' or '20:00-00:00'",
    "08:00-5pm": "'08:00-17:00' or '20:00-17:00'",
    "9-5:30": "'09:00-17:30' or '21:00-05:30'",
    "12-1pm": "'12:00-13:00' or '00:00-13:00'",
    "9:30\u202fam\u201112": "'09:30-12:00' or '09:30-00:00'",
    "9-9": "'09:00-21:00' or '21:00-09:00'",
}


@pytest.mark.parametrize(("written", "readings"), AMBIGUOUS.items())
@pytest.mark.parametrize("form", ["{}", "{}, 22:00-23:00"])
def test_a_time_that_may_be_in_either_half_of_the_day_is_refused(written, readings, form):
    """No half of the day is guessed: the error says what to write for both readings, and both are then read."""
    with pytest.raises(InvalidArgument, match=rf"hours\['mon'\] holds .* in two ways; write {readings}\."):
        WeeklyHours.parse({"mon": form.format(written)})
    for reading in readings.split(" or "):
        assert WeeklyHours.parse({"mon": reading.strip("'")}).spans


@pytest.mark.parametrize(("written", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(written, why):
    """Hours that cannot be are refused in one sentence that names the day and what is wrong."""
    with pytest.raises(InvalidArgument, match=why) as caught:
        WeeklyHours.parse(written)
    assert "\n" not in str(caught.value)


@given(
    st.lists(st.tuples(st.integers(0, WEEK), st.integers(0, WEEK))),
    st.lists(st.tuples(st.integers(0, WEEK), st.integers(0, WEEK))),
)
@settings(max_examples=40, deadline=None)
def test_spans_are_sets(one, other):
    """Joining and taking away spans is joining and taking away sets of minutes."""
    assert minutes_of(merged(one)) == minutes_of(one)
    assert minutes_of(without(one, other)) == minutes_of(one) - minutes_of(other)


@given(written_weeks(), st.integers(-WEEK, WEEK))
@settings(max_examples=30, deadline=None)
def test_shifting_moves_every_minute(drawn, minutes):
    """Hours on clocks that are behind are the same minutes, each so many earlier, around the week."""
    written = WeeklyHours.parse(drawn[1])
    moved = written.shifted(minutes)
    assert minutes_of(moved.spans) == {(minute - minutes) % WEEK for minute in minutes_of(written.spans)}
    assert minutes_of(moved.concerned) == {(minute - minutes) % WEEK for minute in minutes_of(written.concerned)}


def test_hours_in_another_zone():
    """New York's nine to five is six to two in Los Angeles; in London no row can express it all year."""
    written = WeeklyHours.parse({"mon": "09:00-17:00"})
    today = datetime(2026, 3, 1, tzinfo=UTC).date()
    moved = written.in_zone("America/New_York", "Pacific Time (US & Canada)", today)
    assert spans_text(of_day(moved.applied(()), 1)) == "06:00-14:00"
    # Monday in New York begins while it is still Sunday in Los Angeles.
    assert moved.concerned == ((DAY - 180, 2 * DAY - 180),)
    with pytest.raises(InvalidArgument, match=r"change their clocks on different days.*change_time_zone"):
        written.in_zone("America/New_York", "London", today)


def test_texts():
    """Rows are written so that a person can check them."""
    assert day_text([Hours(True, 360, 1320, True)]) == "00:00-06:00, 22:00-24:00"
    assert day_text([Hours(False, 0, DAY, False)]) == "closed"
    assert day_text([]) == "closed"
    assert day_text([Hours(True, 1320, 360, False)]) == "unclear (22:00-06:00)"
    assert str(Hours(False, 360, 1320, True)) == "off (all but 06:00-22:00)"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (None, "target 3 came without 'business_hours'"),
        ([None], "without id or day"),
        ([{"id": 1, "day_of_week": 7}], "without id or day"),
        ([{"id": 1, "day_of_week": True}], "without id or day"),
        ([{"id": 1, "day_of_week": 2, "time_open": 960}], "target 3 came with business hours on tuesday"),
        ([{"id": 1, "day_of_week": 2, "time_close": 2500}], "tuesday"),
        ([{"id": 1, "day_of_week": 2, "work_day": "yes"}], "tuesday"),
        ([{"id": 1, "day_of_week": 2, "invert": True, "inverted": False}], "tuesday"),
        ([{"id": 1, "day_of_week": 2, "inverted": "yes"}], "tuesday"),
    ],
)
def test_invalid_rows(rows, why):
    """Rows that are none are an error that names target and day, not a guess."""
    with pytest.raises(ProtocolError, match=why):
        rows_of({"id": 3, "business_hours": rows}, "target 3")


@pytest.mark.parametrize("names", [("invert",), ("inverted",), ("invert", "inverted")])
def test_inverted_hours_are_read_under_both_names(names):
    """A row that comes with `inverted` instead of `invert` is no plain row."""
    row = {"id": 1, "day_of_week": 2, "time_open": 600, "time_close": 2200, **dict.fromkeys(names, True)}
    (read,) = rows_of({"business_hours": [row]}, "target 3")[2]
    assert read.hours == Hours(True, 360, 1320, True)


class Routing:
    """A target in the sandbox, and the sandbox's own word on whether it is open."""

    def __init__(self, rows_a_day):
        self._sandbox = Sandbox(SandboxOptions())
        rows = [{"day_of_week": day} for day in range(7) for _ in range(rows_a_day)]
        body = {"target": {"number": "+19195550000", "time_zone": "London", "business_hours_attributes": rows}}
        self.target = self.ask("POST", "/targets.json", body)["target"]

    def ask(self, method, path, body=None, query=()):
        """Send a request."""
        query = [("api_key", "sandbox-key"), ("company_id", "1"), *query]
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self._sandbox.handle(method, path, query, {"content-type": "application/json"}, raw)
        assert answer.status < 300, answer
        return json.loads(answer.body)

    def put(self, rows):
        """FieldChange rows by their IDs, and read the target back."""
        path = f"/targets/{self.target['id']}.json"
        self.ask("PUT", path, {"target": {"business_hours_attributes": rows}})
        self.target = self.ask("GET", path)["target"]

    def open_at(self, moment):
        """Ask whether a call would reach the target."""
        path = f"/__sandbox__/targets/{self.target['id']}/open"
        return self.ask("GET", path, query=[("at", moment.isoformat())])["open"]


@pytest.mark.parametrize("rows_a_day", [1, 2])
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_the_sandbox_reads_the_rows_alike(rows_a_day, data):
    """Around every change of a week, the sandbox's own routing agrees with the requested hours."""
    routing = Routing(rows_a_day)
    _, written = data.draw(written_weeks())
    week = WeeklyHours.parse(written).applied(())
    meant = set()
    for day, present in rows_of(routing.target, "target").items():
        spans = of_day(week, day)
        rows = rows_for(spans, [row.hours for row in present])
        if isinstance(rows, str):
            spans = ((0, DAY),)
        else:
            routing.put([{"id": row.id, **now.wire()} for row, now in zip(present, rows, strict=True)])
        meant |= {day * DAY + minute for minute in minutes_of(spans)}
    # A week of London's winter, when its clocks show UTC: 2026-01-04 is a Sunday.
    sunday = datetime(2026, 1, 4, tzinfo=UTC)
    edges = {
        (minute + near) % WEEK
        for minute in range(WEEK)
        for near in (0,)
        if ((minute in meant) != ((minute - 1) % WEEK in meant))
    }
    for minute in sorted({(edge + near) % WEEK for edge in edges for near in (-1, 0, 1)} | set(range(0, WEEK, 360))):
        assert routing.open_at(sunday + timedelta(minutes=minute)) == (minute in meant), (
            DAYS[minute // DAY],
            minute % DAY,
        )


def test_daylight_saving_shifts_nothing():
    """Hours are wall-clock: nine o'clock in London is nine o'clock before and after its clocks change."""
    routing = Routing(1)
    rows = rows_of(routing.target, "target")
    wanted = [Hours(True, 540, 1020, False).wire()]
    routing.put([{"id": row.id, **wanted[0]} for day in rows.values() for row in day])
    for winter_or_summer in ("2026-03-27T{}+00:00", "2026-03-30T{}+01:00"):
        times = ("08:59:00", "09:00:00", "16:59:00", "17:00:00")
        seen = [routing.open_at(datetime.fromisoformat(winter_or_summer.format(time))) for time in times]
        assert seen == [False, True, True, False]
