"""`RetreaverResetCapOperator` in whole DAGs that a real Airflow runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.airflow.support.account import Account

pytestmark = pytest.mark.airflow

SOURCE = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import RetreaverGetOperator
from airflow_provider_retreaver.operators.targets import RetreaverUpdateBusinessHoursOperator
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor
from airflow_provider_retreaver.transfers.calls_sql import RetreaverCallsToSqlOperator


@task
def full():
    return [4, "5"]


@task
def one(id_):
    return id_


@task(trigger_rule="all_done")
def summary(result):
    return [[row["id"] for row in result[name]] for name in ("reset", "failed")]


with DAG(
    "resets",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"ids": [1, 2], "group": 1, "how": "false", "rows": [{"target_id": 1, "hard": -1}]},
    default_args={"retry_delay": timedelta(0)},
) as dag:
    RetreaverResetCapOperator(
        task_id="templated", target_ids="{{ params.ids }}", target_group_ids="{{ params.group }}",
        dry_run="{{ params.how }}", retreaver_conn_id="{{ 'retreaver_' ~ 'default' }}",
    )
    RetreaverResetCapOperator.partial(task_id="mapped").expand(target_ids=full())
    RetreaverResetCapOperator(task_id="gathered", target_ids=one.expand(id_=["6", "7"]))
    RetreaverResetCapOperator.partial(task_id="kwargs").expand_kwargs([{"target_ids": 8}, {"tids": "nine"}])
    RetreaverResetCapOperator(
        task_id="retried", target_ids=[10, 11], retries=1, state_path="file://{{ params.folder }}"
    )
    failing = RetreaverResetCapOperator(task_id="failing", target_ids=[12, 999], retries=5)
    summary(failing.output)
    RetreaverResetCapOperator(task_id="unnamed", retries=5)
    RetreaverResetCapOperator(task_id="unconnected", target_ids=1, retreaver_conn_id="nowhere", retries=5)
    RetreaverGetOperator(task_id="missing", resource="targets", resource_id=999, retries=5)
    RetreaverTargetIdleSensor(task_id="watching", target_id=999, retries=5)
    RetreaverCallsToSqlOperator(
        task_id="no_database", sql_conn_id="nowhere", table="calls", start="2026-01-05T00:00:00Z",
        end="2026-01-06T00:00:00Z", retries=5,
    )
    RetreaverSetCapsOperator(task_id="minus_one", rows="{{ params.rows }}", retries=5)
    RetreaverUpdateBusinessHoursOperator(task_id="nine_to_five", target_ids=1, hours={"mon": "9-5"}, retries=5)
"""


@pytest.fixture(scope="module")
def ran(airflow_lab, running_sandbox, tmp_path_factory):
    """Run the DAG once; the tests check its results."""
    account = Account(running_sandbox)
    account.reset()
    ids = [account.target(f"T{number}", filled=10, tid="nine" if number == 9 else None) for number in range(1, 13)]
    assert ids == list(range(1, 13))
    assert account.group([3], cap=20, filled=5) == 1
    account.fault("/targets/11/reset_cap", status=422)
    result = airflow_lab.run_dag(
        SOURCE,
        connections={"retreaver_default": account.connection()},
        conf={"folder": str(tmp_path_factory.mktemp("state"))},
    )
    return result, account.sent("POST")


def reset(result, task):
    """Return what a task has reset: target IDs and counts."""
    rows = result.xcoms[task]["return_value"]["reset"]
    return [(row.get("id"), row["filled_before"], row["filled_after"]) for row in rows]


def test_templates(ran):
    """Rendered params name targets and a group; also the connection id and dry_run are templates."""
    result, posts = ran
    assert result.states["templated"] == "success", result.output
    assert sorted(reset(result, "templated"), key=str) == [(1, 10, 0), (2, 10, 0), (3, 10, 0), (None, 5, 0)]
    assert "POST /target_groups/1/reset_cap.json" in posts
    assert "POST /targets/3/reset_cap.json" not in posts


def test_dynamic_mapping(ran):
    """A list from XCom is expanded to one task instance a target; expand_kwargs works too."""
    result, _ = ran
    assert [reset(result, f"mapped[{index}]") for index in (0, 1)] == [[(4, 10, 0)], [(5, 10, 0)]]
    assert [reset(result, f"kwargs[{index}]") for index in (0, 1)] == [[(8, 10, 0)], [(9, 10, 0)]]


def test_results_of_mapped_tasks_as_ids(ran):
    """The lazy sequence that mapped tasks leave behind is a list of IDs."""
    result, _ = ran
    assert sorted(reset(result, "gathered")) == [(6, 10, 0), (7, 10, 0)]


def test_a_retry_inside_airflow(ran):
    """The second attempt resets the one that failed; the result holds both and nothing was reset twice."""
    result, posts = ran
    assert result.states["retried"] == "success", result.output
    assert sorted(reset(result, "retried")) == [(10, 10, 0), (11, 10, 0)]
    assert posts.count("POST /targets/10/reset_cap.json") == 1
    assert posts.count("POST /targets/11/reset_cap.json") == 2


def test_a_partial_failure_pushes_its_result(ran):
    """A task that failed for one target has pushed its result, with the targets that were reset and that were not."""
    result, _ = ran
    assert result.states["failing"] == "failed"
    assert result.xcoms["summary"]["return_value"] == [[12], [999]]
    assert "1 of 2 were not reset: target 999" in result.output


def test_bad_parameters_do_not_use_up_retries(ran):
    """What no retry can avoid fails at the first attempt."""
    result, _ = ran
    assert result.states["unnamed"] == "failed"
    assert result.output.count("No targets are selected") >= 1
    assert attempts(result, "unnamed") == 1
    assert attempts(result, "retried") == 2


FINAL = {
    "failing": "999: GET /targets/999.json was answered 404.*no retry mends this",
    "missing": "GET /targets/999.json was answered 404",
    "watching": "999",
    "unconnected": "The conn_id `nowhere` isn't defined: create the connection in Airflow",
    "no_database": "The conn_id `nowhere` isn't defined: create the connection in Airflow",
    "minus_one": "hard is the number -1, which may stand for no cap or for a change by -1",
    "nine_to_five": "'9-5', which can be read in two ways; write '09:00-17:00' or '21:00-05:00'",
}


@pytest.mark.parametrize("task", FINAL)
def test_what_no_retry_mends_is_not_retried(ran, task):
    """A wrong ID, an undefined connection of Retreaver or a database, and values with two readings fail at once."""
    result, _ = ran
    assert result.states[task] == "failed"
    assert attempts(result, task) == 1
    assert re.search(FINAL[task], result.output)


def attempts(result, task):
    """Return how often a task was tried."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(result.db_path)) as database:
        ((tries,),) = database.execute("SELECT try_number FROM task_instance WHERE task_id = ?", (task,)).fetchall()
    return tries


def test_one_line_in_the_log_sums_up(ran):
    """The task's log ends with the counts."""
    result, _ = ran
    assert "Hard caps: reset 4, skipped 0, failed 0" in result.output


def test_every_task_ended_as_expected(ran):
    """Only the tasks that should fail have failed."""
    result, _ = ran
    failed = {task for task, state in result.states.items() if state != "success"}
    assert failed == {"unnamed", *FINAL}, result.output


def test_the_example_dag(airflow_lab, running_sandbox, project):
    """The example resets exactly the full hard caps of the demo account, and reports them."""
    account = Account(running_sandbox)
    account.reset("demo")
    caps = {one["id"]: one["caps"] for page in (1, 2, 3) for one in account.list_targets(page)}
    hard = {id_: next(cap for cap in rows if cap["type"] == "Hard") for id_, rows in caps.items()}
    full = {id_ for id_, cap in hard.items() if cap["cap"] is not None and cap["filled"] >= cap["cap"]}
    assert len(caps) == 60
    assert 5 < len(full) < 40
    result = airflow_lab.run_dag(
        project / "example_dags" / "retreaver_nightly_cap_reset.py",
        connections={"retreaver_default": account.connection()},
        retries=False,
    )
    assert result.exit_code == 0, result.output
    assert {row[0] for row in reset(result, "reset_full_caps")} == full
    assert sorted(account.sent("POST")) == sorted(f"POST /targets/{id_}/reset_cap.json" for id_ in full)
    assert {id_: account.filled(id_) for id_ in hard} == {
        id_: 0 if id_ in full else cap["filled"] for id_, cap in hard.items()
    }
    assert result.xcoms["report"]["return_value"].startswith(f"Reset {len(full)} hard caps (")
    assert not [line for line in result.output.splitlines() if "Warning" in line and "retreaver" in line]


def test_the_example_dag_comes_too_late(airflow_lab, running_sandbox, project):
    """A run of long ago is skipped with the reason, and the report still runs."""
    account = Account(running_sandbox)
    account.reset("demo")
    result = airflow_lab.run_dag(
        project / "example_dags" / "retreaver_nightly_cap_reset.py",
        connections={"retreaver_default": account.connection()},
        retries=False,
        logical_date=datetime.now(UTC) - timedelta(days=10),
    )
    assert result.states == {"reset_full_caps": "skipped", "report": "success"}, result.output
    assert "max_staleness (12.0 h)" in result.output
    assert "No caps were reset" in result.xcoms["report"]["return_value"]
    assert account.sent() == []
