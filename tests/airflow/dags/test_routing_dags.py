"""The example DAGs of routing operations in a real Airflow, judged by the sandbox's own routing clock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest

from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

EXAMPLES = PROJECT / "example_dags"
NEW_YORK = ZoneInfo("America/New_York")


def is_open(account, id_, moment):
    """Return whether a call would reach a target at a time, by the sandbox's routing."""
    url = f"{account.url}/__sandbox__/targets/{id_}/open?at={quote(moment.isoformat())}"
    with urlopen(url) as answer:
        return json.load(answer)["open"]


def read(account, id_):
    """Return a target as it is, without what changes by itself."""
    row = account._handle("GET", f"/targets/{id_}.json")["target"]
    hours = [{name: one[name] for name in one if not name.endswith("_at")} for one in row["business_hours"]]
    return {"hours": hours, "paused": row["paused"], "zone": row["time_zone"]}


def example(airflow_lab, account, name, moment, home=None, **conf):
    """Run an example DAG as the schedule would at a time."""
    result = airflow_lab.run_dag(
        EXAMPLES / f"{name}.py",
        connections={"retreaver_default": account.connection()},
        logical_date=moment.astimezone(UTC),
        conf=conf,
        retries=False,
        home=home,
    )
    assert result.exit_code == 0, result.output
    return result


OFFICE = {0: None, **dict.fromkeys(range(1, 6), ("09:00", "17:30")), 6: ("10:00", "14:00")}


def test_business_hours(airflow_lab, account):
    """After the DAG, every target is open exactly in the given hours, in its own time zone, all week long."""
    zones = {
        "Boston Roofing 1": "Eastern Time (US & Canada)",
        "Atlanta Legal 2": "Hawaii",
        "Chicago Solar 3": "London",
    }
    ids = {name: account.target(name, time_zone=zone) for name, zone in zones.items()}
    other = account.target("other")
    before = read(account, other)
    result = example(airflow_lab, account, "retreaver_business_hours", datetime(2026, 11, 23, 5, 30, tzinfo=NEW_YORK))
    assert result.states == {"office": "success", "night_shift": "success"}
    # The week begins on a Sunday; London's and New York's clocks change on other days of 2026.
    sunday = datetime(2026, 11, 22)  # noqa: DTZ001 - a wall clock
    for step in range(0, 7 * 24 * 60, 30):
        for near in (-1, 0):
            local = sunday + timedelta(minutes=step + near)
            day, clock = (local.weekday() + 1) % 7, f"{local:%H:%M}"
            office = OFFICE[day] is not None and OFFICE[day][0] <= clock < OFFICE[day][1]
            night = (clock >= "22:00" and 1 <= day <= 5) or (clock < "06:00" and 2 <= day <= 6)
            for (name, zone), meant in zip(
                (
                    ("Boston Roofing 1", "America/New_York"),
                    ("Atlanta Legal 2", "Pacific/Honolulu"),
                    ("Chicago Solar 3", "Europe/London"),
                ),
                (office, office, night),
                strict=True,
            ):
                moment = local.replace(tzinfo=ZoneInfo(zone))
                assert is_open(account, ids[name], moment) == meant, (name, day, clock)
    assert read(account, other) == before
    changed = result.xcoms["night_shift"]["return_value"]["changed"]
    assert {row["field"]: row["after"] for row in changed}["tuesday"] == "00:00-06:00, 22:00-24:00"


def test_a_holiday(airflow_lab, account, tmp_path):
    """Buyers are closed on Thanksgiving, exactly as before from the day after, and not touched on other days."""
    odd = [
        {"day_of_week": day, "time_open": 600, "time_close": 2200, "invert": True, "work_day": day != 2}
        for day in range(7)
    ]
    ids = [
        account.target("always", time_zone="Eastern Time (US & Canada)"),
        account.target("nights", time_zone="Eastern Time (US & Canada)", business_hours_attributes=odd),
        account.target("paused", time_zone="Eastern Time (US & Canada)", paused=True),
    ]
    group, outside = account.group(ids), account.target("outside")
    before = [read(account, id_) for id_ in (*ids, outside)]
    conf = {"target_group_id": group, "snapshots": f"file://{tmp_path}"}
    morning = datetime(2026, 11, 25, 0, 10, tzinfo=NEW_YORK)
    seen = []
    for days in range(3):
        moment = morning + timedelta(days=days)
        result = example(airflow_lab, account, "retreaver_holiday_closing", moment, **conf)
        states = {task: state for task, state in result.states.items() if task.startswith(("close", "reopen"))}
        noons = [is_open(account, id_, moment.replace(hour=hour)) for id_ in ids for hour in (3, 12, 23)]
        seen.append((sorted(states.values()), noons))
    usual = [True, True, True, True, False, True, False, False, False]
    assert seen == [
        (["skipped", "skipped"], usual),
        (["skipped", "success"], [False] * 9),
        (["skipped", "success"], usual),
    ]
    assert [read(account, id_) for id_ in (*ids, outside)] == before
    assert [path.name for path in tmp_path.iterdir()] == ["holiday-2026-11-26.json"]


def test_an_evening_and_a_morning(airflow_lab, account, tmp_path):
    """Full buyers are paused in the evening; in the morning those are resumed, not those paused by hand."""
    full, free = account.target("full", filled=10), account.target("free", filled=9)
    by_hand = account.target("by hand", filled=10, paused=True)
    conf = {"snapshots": f"file://{tmp_path}"}
    evening = datetime(2026, 11, 24, 19, 0, 30, tzinfo=NEW_YORK)
    result = example(airflow_lab, account, "retreaver_evening_pause", evening, **conf)
    assert [row["id"] for row in result.xcoms["pause[0]"]["return_value"]["changed"]] == [full]
    assert [read(account, id_)["paused"] for id_ in (full, free, by_hand)] == [True, False, True]
    for id_ in (full, by_hand):
        account.fill(id_, 0)
    noon = evening + timedelta(hours=12)
    assert [is_open(account, id_, noon) for id_ in (full, free, by_hand)] == [False, True, False]
    example(airflow_lab, account, "retreaver_evening_pause", noon, half="morning", **conf)
    assert [is_open(account, id_, noon) for id_ in (full, free, by_hand)] == [True, True, False]


ATTEMPT = """
import json, sys
from tests.airflow.operators.test_routing_operators import *
perform(globals()[sys.argv[1]], **json.loads(sys.argv[2]))
"""


def kill_in_the_middle(account, operator, parameters, target):
    """Start an attempt in a process of its own, and kill it while it waits for the answer to a target's change."""
    asked, before = f"PUT /targets/{target}.json", len(account.sent("PUT"))
    arguments = [sys.executable, "-c", ATTEMPT, operator, json.dumps(parameters)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as attempt:
        patience = time.monotonic() + 300
        while asked not in account.sent("PUT")[before:]:
            assert attempt.poll() is None, attempt.communicate()[0].decode()
            assert time.monotonic() < patience, "the attempt did not come to the change in 300 s"
            time.sleep(0.02)
        attempt.send_signal(signal.SIGKILL)
        assert attempt.wait(10) == -signal.SIGKILL


def test_killed_while_it_closes(account, tmp_path):
    """Killed with SIGKILL in the middle of a holiday's closing, twice: all are closed, and come back exactly."""
    from tests.airflow.operators.test_routing_operators import (
        RetreaverRestoreOperator,
        RetreaverUpdateBusinessHoursOperator,
        perform,
    )

    ids = account.targets(25)
    before = [read(account, id_) for id_ in ids]
    snapshot = f"file://{tmp_path}/snapshots/x.json"
    parameters = {
        "target_ids": ids,
        "hours": "closed",
        "snapshot_path": snapshot,
        "state_path": f"file://{tmp_path}/state",
    }
    for target in (ids[3], ids[22]):
        account.clear_faults()
        account.fault(f"/targets/{target}.json", method="PUT", delay=3)
        kill_in_the_middle(account, "RetreaverUpdateBusinessHoursOperator", parameters, target)
    account.clear_faults()
    result = perform(RetreaverUpdateBusinessHoursOperator, **parameters)
    assert sorted({row["id"] for row in result["changed"]}) == ids
    assert {(row["before"], row["after"]) for row in result["changed"]} == {("24h", "closed")}
    assert len(result["changed"]) == 7 * len(ids)
    assert not any(is_open(account, id_, datetime(2026, 11, 25, 12, tzinfo=UTC)) for id_ in ids)
    assert sorted({row["id"] for row in perform(RetreaverRestoreOperator, snapshot_path=snapshot)["changed"]}) == ids
    assert [read(account, id_) for id_ in ids] == before


def test_killed_while_it_raises_caps(account, tmp_path):
    """Killed with SIGKILL in the middle of a relative change: no cap is raised twice, none is forgotten."""
    from tests.airflow.operators.test_routing_operators import RetreaverSetCapsOperator, cap, perform

    ids = account.targets(25)
    parameters = {"target_ids": ids, "hard": "+10%", "state_path": f"file://{tmp_path}/state"}
    for target in (ids[3], ids[22]):
        account.clear_faults()
        account.fault(f"/targets/{target}.json", method="PUT", delay=3)
        kill_in_the_middle(account, "RetreaverSetCapsOperator", parameters, target)
    account.clear_faults()
    result = perform(RetreaverSetCapsOperator, **parameters)
    assert sorted((row["id"], row["before"], row["after"]) for row in result["changed"]) == [
        (id_, 10, 11) for id_ in ids
    ]
    assert {cap(account, id_) for id_ in ids} == {11}


MAPPED = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator


@task
def warehouse():
    return [{"target_id": 1, "hard": "+10%"}, {"tid": "A2", "hard": None}]


with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1), default_args={"retry_delay": timedelta(0)}):
    rows = warehouse()
    caps = RetreaverSetCapsOperator(task_id="caps", rows=rows)
    tags = RetreaverUpdateTagsOperator.partial(task_id="tags", add={"on": "{{ ds }}"}).expand(target_ids=[1, 2])
    group = RetreaverUpdateTargetGroupOperator(
        task_id="group", target_group_id="{{ params.group }}", add="{{ params.members }}",
        params={"group": 1, "members": [1, 2]},
    )
    group >> RetreaverSetPausedOperator(
        task_id="pause", paused="{{ 1 == 1 }}", dry_run="{{ 1 == 1 }}", target_group_ids=1, keep_open="{{ 0 }}"
    )
    group >> RetreaverSetPausedOperator(
        task_id="refused", paused=True, target_group_ids=1, keep_open=1, retries=5
    )
"""


def test_xcoms_templates_and_mapping(airflow_lab, account):
    """Parameters come from XComs, templates and mappings; a guard fails its task at once."""
    account.target(tid="A1")
    account.target(tid="A2")
    account.group([])
    result = airflow_lab.run_dag(
        MAPPED,
        connections={"retreaver_default": account.connection()},
        logical_date=datetime(2026, 11, 25, tzinfo=UTC),
    )
    changed = result.xcoms["caps"]["return_value"]["changed"]
    assert [(row["id"], row["before"], row["after"]) for row in changed] == [(1, 10, 11), (2, 10, None)]
    assert result.xcoms["tags[1]"]["return_value"]["changed"][0]["after"] == ["on:2026-11-25"]
    assert len(result.xcoms["group"]["return_value"]["changed"]) == 2
    assert len(result.xcoms["pause"]["return_value"]["would_change"]) == 2
    assert result.states["refused"] == "failed"
    assert result.output.count("keep_open=1 does not allow this change") >= 1
    assert [read(account, id_)["paused"] for id_ in (1, 2)] == [False, False]
