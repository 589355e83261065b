"""Snapshots: exactly what was is restored, and what others have changed is not lost."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.changes.change import ChangeObjects
from airflow_provider_retreaver.domain.changes.edit import ChangeSpec
from airflow_provider_retreaver.domain.objects.reading import find_targets
from airflow_provider_retreaver.domain.objects.selection import TargetSelection
from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps, parse_caps
from airflow_provider_retreaver.domain.routing.hours_change import DesiredHours
from airflow_provider_retreaver.domain.routing.pause import DesiredPause
from airflow_provider_retreaver.domain.routing.snapshot import NEEDED, PARTS, RestoredState, Snapshot
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours
from tests.domain.support.retreaver import SimulatedRetreaver

HOURS = ("time_zone", "paused", "concurrency_cap")


def change(retreaver, state, ids):
    """Make a change with a snapshot; return the snapshot as it would come out of its file, and the result."""
    snapshot = Snapshot(1, {"dag_id": "d"}, "2026-12-24T00:00:00+00:00")

    def prepare(edits):
        snapshot.add(edits)
        yield from ()

    task = ChangeSpec(
        find=lambda *_: find_targets(TargetSelection(ids=ids), NEEDED), state=lambda *_: state, prepare=prepare
    )
    result = retreaver.client.run(ChangeObjects(task).procedure())
    return Snapshot.load(json.loads(json.dumps(snapshot.dump())), "x.json"), result


def restore(retreaver, snapshot, *, overwrite=False, parts=PARTS):
    """Restore a snapshot."""
    ids = list(snapshot.targets)
    task = ChangeSpec(
        find=lambda *_: find_targets(TargetSelection(ids=ids), NEEDED),
        state=lambda key, _: RestoredState(snapshot.targets[key.id], parts, overwrite=overwrite),
    )
    return retreaver.client.run(ChangeObjects(task).procedure())


def whole(retreaver, id_):
    """Return everything of a target that a snapshot is about, rows with their IDs."""
    row = retreaver.read(id_)
    hours = [{name: one[name] for name in one if not name.endswith("_at")} for one in row["business_hours"]]
    return [{name: row[name] for name in HOURS}, [{**cap} for cap in row["caps"]], hours]


def closed(zone=None):
    """Return the desired state of a holiday."""
    return DesiredHours(WeeklyHours.parse("closed"), zone=zone, move=zone is not None, today=date(2026, 12, 24))


STATES = {
    "holiday": closed(),
    "holiday elsewhere": closed("Tokyo"),
    "night": DesiredHours(WeeklyHours.parse("22:00-06:00"), today=date(2026, 12, 24)),
    "pause": DesiredPause(paused=True),
    "caps": DesiredCaps(parse_caps({"hard": 1, "daily": None, "concurrency": 2}, "")),
}

times = st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59)).map(
    lambda one: {"time_open": one[0] * 100 + one[1], "time_close": one[2] * 100 + one[3]}
)
day_rows = st.fixed_dictionaries({"work_day": st.booleans(), "invert": st.booleans()})


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
@given(st.lists(st.tuples(st.integers(0, 6), times, day_rows), min_size=1, max_size=12), st.booleans())
@settings(max_examples=12, deadline=None)
def test_exactly_what_was(state, rows, paused):
    """Any target, whatever its rows, is after restoring what it was before the change, row by row."""
    retreaver = SimulatedRetreaver()
    attributes = [{"day_of_week": day, **span, **flags} for day, span, flags in rows]
    id_ = retreaver.target(
        business_hours_attributes=attributes, paused=paused, daily_cap_attributes={"cap": 9}, time_zone="Lima"
    )
    before = whole(retreaver, id_)
    snapshot, _ = change(retreaver, state, [id_])
    assert restore(retreaver, snapshot)["failed"] == []
    assert whole(retreaver, id_) == before
    retreaver.sent.clear()
    again = restore(retreaver, snapshot)
    assert (again["changed"], again["failed"], retreaver.writes()) == ([], [], [])


def test_others_changed_it():
    """A field that is neither as before nor as we left it refuses that target, with all three values."""
    retreaver = SimulatedRetreaver()
    ids = [retreaver.target(), retreaver.target()]
    snapshot, _ = change(retreaver, closed(), ids)
    row = next(row for row in retreaver.read(1)["business_hours"] if row["day_of_week"] == 5)
    other = [{"id": row["id"], "work_day": True, "time_open": 1000, "time_close": 1200}]
    retreaver.change(1, business_hours_attributes=other, hard_cap_attributes={"cap": 5})
    result = restore(retreaver, snapshot)
    [failed] = result["failed"]
    assert failed["id"] == 1
    assert "friday: 00:00-24:00 before, off (00:00-24:00) by us, 10:00-12:00 now" in failed["error"]
    assert "hard_cap: 100 before, 100 by us, 5 now" in failed["error"]
    assert {row["id"] for row in result["changed"]} == {2}
    assert retreaver.caps(1)["hard"] == 5


def test_only_some_parts():
    """What is not restored is not compared either."""
    retreaver = SimulatedRetreaver()
    id_ = retreaver.target()
    snapshot, _ = change(retreaver, closed(), [id_])
    retreaver.change(id_, hard_cap_attributes={"cap": 5})
    assert restore(retreaver, snapshot, parts=["hours"])["failed"] == []
    assert retreaver.caps(id_)["hard"] == 5
    assert all(row["work_day"] for row in retreaver.read(id_)["business_hours"])


def test_overwrite():
    """With overwrite, what was before is restored whatever is there now."""
    retreaver = SimulatedRetreaver()
    id_ = retreaver.target()
    before = whole(retreaver, id_)
    snapshot, _ = change(retreaver, closed(), [id_])
    retreaver.change(id_, paused=True, hard_cap_attributes={"cap": 5}, time_zone="Tokyo")
    assert restore(retreaver, snapshot, overwrite=True)["failed"] == []
    assert whole(retreaver, id_) == before


def test_rows_that_were_replaced():
    """Rows with other IDs are given what theirs had; where their number differs, the same minutes or a refusal."""
    retreaver = SimulatedRetreaver()
    rows = [{"day_of_week": day, "time_open": 900, "time_close": 1200} for day in (1, 1, 2)]
    rows[1] |= {"time_open": 1300, "time_close": 1700}
    id_ = retreaver.target(business_hours_attributes=rows)
    snapshot, _ = change(retreaver, DesiredHours(WeeklyHours.parse("closed"), today=date(2026, 1, 1)), [id_])
    one, other, tuesday = retreaver.read(id_)["business_hours"]
    gone = [{"id": row["id"], "_destroy": True} for row in (other, tuesday)]
    retreaver.change(id_, business_hours_attributes=[*gone, {"day_of_week": 2, "work_day": False}])
    result = restore(retreaver, snapshot, overwrite=True)
    assert "monday cannot be restored: 09:00-12:00, 13:00-17:00 takes 2 rows" in result["failed"][0]["error"]
    retreaver.change(id_, business_hours_attributes=[{"day_of_week": 1}, {"day_of_week": 1}])
    assert restore(retreaver, snapshot, overwrite=True)["failed"] == []
    opened = [(row["day_of_week"], row["time_open"]) for row in retreaver.read(id_)["business_hours"]]
    assert sorted(opened) == [(1, 900), (1, 900), (1, 1300), (2, 900)]
    assert one["id"] in {row["id"] for row in retreaver.read(id_)["business_hours"]}


def test_rows_without_documented_meaning():
    """Rows without documented meaning are restored as they were, and refused once their number differs."""
    retreaver = SimulatedRetreaver()
    id_ = retreaver.target(business_hours_attributes=[{"day_of_week": 1, "time_open": 2200, "time_close": 600}])
    before = whole(retreaver, id_)
    snapshot, _ = change(retreaver, DesiredHours(WeeklyHours.parse({"mon": "closed"}), today=date(2026, 1, 1)), [id_])
    assert restore(retreaver, snapshot)["failed"] == []
    assert whole(retreaver, id_) == before
    retreaver.change(id_, business_hours_attributes=[{"day_of_week": 1}])
    [failed] = restore(retreaver, snapshot, overwrite=True)["failed"]
    assert (
        "monday cannot be restored: it had 1 rows, has 2, and the meaning of what it had is not documented"
        in failed["error"]
    )


def test_rows_replaced_while_they_are_restored():
    """Rows that are replaced between reading and writing fail with the day."""
    retreaver = SimulatedRetreaver()
    id_ = retreaver.target()
    snapshot, _ = change(retreaver, closed(), [id_])

    def replace():
        row = retreaver.read(id_)["business_hours"][0]
        retreaver.change(id_, business_hours_attributes=[{"id": row["id"], "_destroy": True}, {"day_of_week": 0}])

    retreaver.before_next("PUT", f"/targets/{id_}.json", replace)
    [failed] = restore(retreaver, snapshot)["failed"]
    assert "The rows of sunday were replaced by others" in failed["error"]


def test_what_was_saved_first_stays():
    """A second attempt of the same run does not take its own first attempt's work for what was before."""
    retreaver = SimulatedRetreaver()
    ids = [retreaver.target(), retreaver.target()]
    retreaver.fault("/targets/2.json", method="PUT", status=422)
    snapshot, result = change(retreaver, closed(), ids)
    assert [row["id"] for row in result["failed"]] == [2]
    assert set(snapshot.targets) == {1, 2}

    def prepare(edits):
        snapshot.add(edits)
        yield from ()

    task = ChangeSpec(
        find=lambda *_: find_targets(TargetSelection(ids=ids), NEEDED), state=lambda *_: closed(), prepare=prepare
    )
    assert retreaver.client.run(ChangeObjects(task).procedure())["failed"] == []
    assert restore(retreaver, snapshot)["failed"] == []
    assert all(row["work_day"] for id_ in ids for row in retreaver.read(id_)["business_hours"])


WHOLE = Snapshot(1, {}, "t").dump()
BEFORE = {"caps": [], "business_hours": [], "paused": False, "time_zone": "UTC"}
BAD = {
    "no snapshot": ({}, "is not a snapshot"),
    "a list": ([], "is not a snapshot"),
    "a later version": (WHOLE | {"version": 2}, "of version 2.*update it"),
    "no company": ({k: v for k, v in WHOLE.items() if k != "company_id"}, "damaged"),
    "no run": (WHOLE | {"run": None}, "damaged"),
    "a target without parts": (WHOLE | {"targets": {"1": {}}}, "damaged"),
    "a target without hours": (WHOLE | {"targets": {"1": {"before": {"caps": []}, "after": {}}}}, "damaged"),
    "a target without ID": (
        WHOLE | {"targets": {"x": {"name": "Acme", "before": BEFORE, "after": BEFORE}}},
        "damaged",
    ),
    "odd targets": (WHOLE | {"targets": 5}, "damaged"),
}


@pytest.mark.parametrize(("value", "why"), BAD.values(), ids=BAD.keys())
def test_files_that_are_none(value, why):
    """A file that is no snapshot, or a damaged or newer one, is refused by path."""
    with pytest.raises(InvalidArgument, match=f"x.json .*{why}"):
        Snapshot.load(value, "x.json")


def test_another_company():
    """A snapshot of one company is not put into another."""
    with pytest.raises(InvalidArgument, match=r"x\.json is of company 1, and the connection is to company 2"):
        Snapshot(1, {}, "t").check_company({"id": 2}, "x.json")
