"""Parameters in whole DAGs that a real Airflow renders: as texts, and as native objects."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from tests.airflow.support.account import Account

pytestmark = pytest.mark.airflow

SOURCE = """
from datetime import datetime, timedelta
from decimal import Decimal

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

WINDOW = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}


@task
def rows():
    return [{"target_id": 1, "hard": 100.0}, {"tid": "second's", "daily": "-1"}]


@task
def tags():
    return {"zip": [90210.0], "city": "O'Hare"}


@task
def hours():
    return {"mon-tue": ["09:00-12:00"], "wed": "9am-5pm"}


with DAG(
    "parameters", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=NATIVE,
    params={"filters": {"caller": "+13105550177", "sub_id": "7"}, "tids": ["O'Brien", "second's"],
            "caller": "+13105550177"},
    default_args={"retry_delay": timedelta(0), "retries": 3},
):
    rows_, tags_, hours_ = rows(), tags(), hours()
    pull = "{{ ti.xcom_pull('%s') }}"
    caps = RetreaverSetCapsOperator(task_id="caps", rows=pull % "rows")
    tagged = RetreaverUpdateTagsOperator(task_id="tagged", tids="{{ params.tids }}", replace=pull % "tags")
    opened = RetreaverUpdateBusinessHoursOperator(task_id="opened", target_ids=1, hours=pull % "hours")
    paused = RetreaverSetPausedOperator(
        task_id="paused", paused=True, tag="{{ {'zip': 90210} }}", dry_run="{{ true }}", state_path="{{ none }}"
    )
    wiped = RetreaverUpdateTagsOperator(task_id="wiped", target_ids=1, replace="{{ none }}")
    rows_ >> caps >> tags_ >> tagged >> paused >> wiped
    hours_ >> opened
    RetreaverCallVolumeSensor(task_id="counted", at_most=0, filters="{{ params.filters }}", **WINDOW)
    RetreaverCallsToObjectStorageOperator(
        task_id="exported", destination="{{ params.folder }}", filters="{{ params.filters }}", **WINDOW
    )
    RetreaverCallVolumeSensor(task_id="one_filter", at_most=0, filters={"caller": "{{ params.caller }}"}, **WINDOW)
    RetreaverUpdateBusinessHoursOperator(
        task_id="vancouver", target_ids=1, hours="08:00-18:00", time_zone="America/Vancouver"
    )
    RetreaverCallVolumeSensor(task_id="year_9999", at_most=0, start="9999-12-31T23:59:59-05:00")
"""


@pytest.fixture(scope="module", params=[False, True], ids=["text", "native"])
def ran(request, airflow_lab, running_sandbox, tmp_path_factory):
    """Run the DAG once with each kind of rendering; Python's zones are the package's."""
    account = Account(running_sandbox)
    account.reset()
    for name in ("O'Brien", "second's"):
        account.target(name, tid=name, time_zone="Pacific Time (US & Canada)", daily_cap_attributes={"cap": 50})
    result = airflow_lab.run_dag(
        SOURCE.replace("NATIVE", str(request.param)),
        connections={"retreaver_default": account.connection()},
        conf={"folder": f"file://{tmp_path_factory.mktemp('calls')}"},
        env={"PYTHONTZPATH": ""},
    )
    return result, account, request.param


def result_of(ran, task):
    """Return the result of a task that must have succeeded."""
    result, _, _ = ran
    assert result.states[task] == "success", result.output
    return result.xcoms[task]["return_value"]


def changed(ran, task):
    """Return the fields that a task has changed, by target and field."""
    return {(row["id"], row["field"]): row["after"] for row in result_of(ran, task)["changed"]}


def attempts(result, task):
    """Return how often a task was tried."""
    with closing(sqlite3.connect(result.db_path)) as database:
        ((tries,),) = database.execute("SELECT try_number FROM task_instance WHERE task_id = ?", (task,)).fetchall()
    return tries


def test_rows_of_another_task(ran):
    """Floats are whole numbers, an apostrophe breaks nothing, and a negative text is a change."""
    assert changed(ran, "caps") == {(1, "hard_cap"): 100, (2, "daily_cap"): 49}


def test_tags_of_another_task(ran):
    """A number that became a float is the tag that it was, on targets that a list of texts names."""
    assert changed(ran, "tagged") == {(id_, "tags"): ["city:O'Hare", "zip:90210"] for id_ in (1, 2)}


def test_hours_of_another_task(ran):
    """Lists and am/pm are read."""
    hours = changed(ran, "opened")
    assert hours[1, "monday"] == hours[1, "tuesday"] == "09:00-12:00"


def test_a_mapping_that_selects(ran):
    """A tag that is rendered as a mapping selects by it, and a path that is rendered as None is none."""
    would = result_of(ran, "paused")["would_change"]
    assert [(row["id"], row["after"]) for row in would] == [(1, True), (2, True)]


def test_filters_rendered_as_a_whole(ran):
    """The sensor and the export ask Retreaver for the caller that was meant."""
    assert result_of(ran, "counted") == 0
    assert result_of(ran, "exported")["calls"] == 0
    _, account, _ = ran
    asked = [dict(entry["query"]) for entry in account.entries() if "calls" in entry["path"]]
    callers = {query["caller"] for query in asked if "caller" in query}
    assert callers == {"+13105550177"}
    assert len([query for query in asked if query.get("sub_id") == "7"]) >= 2


def test_one_filter_rendered_alone(ran):
    """As text it is the caller; as a native object it has lost its sign, and is refused instead of another caller."""
    result, _, native = ran
    if native:
        assert result.states["one_filter"] == "failed"
        assert re.search(r"caller must be a text .* may have lost its sign", result.output)
        assert attempts(result, "one_filter") == 1
    else:
        assert result_of(ran, "one_filter") == 0


FINAL = {
    "wiped": "There is no tag to change: give add, remove or replace",
    "vancouver": "'America/Vancouver' has no name in Retreaver: it differs from 'Pacific Time",
    "year_9999": "start must be RFC 3339 .* in a year from 1900 to 8999",
}


@pytest.mark.parametrize("task", FINAL)
def test_what_is_refused_by_name(ran, task):
    """Values that would do harm fail at the first attempt, with what to write, and nothing is sent."""
    result, account, _ = ran
    assert result.states[task] == "failed"
    assert attempts(result, task) == 1
    assert re.search(FINAL[task], result.output)
    assert len(account.sent("PUT")) == 5


def test_everything_else_succeeded(ran):
    """Only the tasks that should fail have failed."""
    result, _, native = ran
    failed = {task for task, state in result.states.items() if state != "success"}
    assert failed == {*FINAL, *(["one_filter"] if native else [])}, result.output
