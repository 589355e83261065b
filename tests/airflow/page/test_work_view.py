"""What the page tells of this package's own tasks, from a real run's rows in Airflow's database."""

from __future__ import annotations

import re

import pytest

from tests.airflow.support.account import Account
from tests.airflow.support.page import assert_no_secret, words

pytestmark = pytest.mark.airflow

DAG = """
import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_retreaver.operators.caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.operators.trackdrive import TrackDriveBuyerGroupListOperator
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.transfers.warehouse import RetreaverMergeCallsOperator


class ExportOfOurs(RetreaverCallsToObjectStorageOperator):
    pass


@task
def count(retreaver_conn_id):
    return {"counted": 3}


with DAG(
    "work_of_tests",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    params={"target_ids": Param([1], type="array")},
    tags=["retreaver"],
):
    RetreaverSetCapsOperator(task_id="raise", retreaver_conn_id="main", target_ids=[1], hard=110)
    RetreaverSetCapsOperator(
        task_id="too_many", retreaver_conn_id="main", target_ids=[1, 2], hard=7, max_changes=1
    )
    RetreaverSetPausedOperator(
        task_id="pause", retreaver_conn_id="main", target_ids=[2], paused=True, snapshot_path="FOLDER/snapshot.json"
    )
    RetreaverSetPausedOperator(
        task_id="other_company", retreaver_conn_id="other", target_ids=[2], paused=True, dry_run=True
    )
    export = ExportOfOurs(
        task_id="export",
        retreaver_conn_id="main",
        start=pendulum.now("UTC").subtract(hours=3),
        end=pendulum.now("UTC").subtract(hours=2),
        destination="FOLDER/calls/",
    )
    manifests = {"merge": "{{ ti.xcom_pull('export')['manifest'] }}", "other_merge": "FOLDER/no.json"}
    for task_id, manifest in manifests.items():
        export >> RetreaverMergeCallsOperator(task_id=task_id, manifest=manifest, sql_conn_id="none", table="calls")
    count(retreaver_conn_id="main")
    RetreaverTargetIdleSensor(task_id="idle", retreaver_conn_id="main", target_id=1)
    TrackDriveBuyerGroupListOperator(task_id="groups", trackdrive_conn_id="drive", limit=5)
"""


@pytest.fixture(scope="module")
def folder(airflow_database, running_sandbox, airflow_lab, tmp_path_factory):
    """Run a DAG whose tasks change, are refused, take a snapshot and export; return the folder of its files."""
    account = Account(running_sandbox)
    account.reset()
    account.target("Acme <b>Roofing</b>", cap=100)
    account.target("Second +1 212 555 0123", cap=100)
    folder = tmp_path_factory.mktemp("work")
    source = DAG.replace("FOLDER", f"file://{folder}")
    connections = {name: account.connection(extra={"max_wait": 0}) for name in ("main", "other")}
    connections["drive"] = account.trackdrive_connection()
    done = airflow_lab.run_dag(source, connections=connections, home=airflow_database.parent, retries=False)
    assert (done.states["raise"], done.states["too_many"]) == ("success", "failed"), done.output
    return folder


def test_our_work(site, folder):
    """The view tells what each task did, with a link to it; numbers are masked, and names are escaped."""
    html = site.view("work")
    text = words(html)
    assert "changed 1, unchanged 0, failed 0 target 1 (Acme &lt;b&gt;Roofing&lt;/b&gt;): hard_cap 100 → 110" in text
    assert "work_of_tests, too_many RetreaverSetCapsOperator refused A guard refused it: 2 of 2 targets" in text
    assert f"Manifest: file://{folder}/calls/" in text
    assert "target 2 (Second +1…23): paused False → True" in text
    assert f"<code>file://{folder}/snapshot.json</code>, 1 field changed, taken by" in html
    assert re.search(r'data-airflow href="/dags/work_of_tests/runs/manual__[^"/]+/tasks/pause"', html)
    assert "5550123" not in html
    assert "other_company" not in html
    assert_no_secret(html)


def test_what_is_derived_and_what_loads(site, folder):
    """A class that somebody has derived, a function with the connection, a sensor and a load are shown."""
    text = words(site.view("work"))
    assert "work_of_tests, export ExportOfOurs success" in text
    assert "work_of_tests, count" in text
    assert "counted 3" in text
    assert "work_of_tests, idle RetreaverTargetIdleSensor" in text
    assert "work_of_tests, merge RetreaverMergeCallsOperator" in text
    assert "other_merge" not in text
    assert "work_of_tests, groups" not in text


def test_the_work_of_trackdrive(site, folder, account):
    """A TrackDrive connection is chosen like others, and has this view only; nothing is asked for it."""
    site.connect("drive", account.trackdrive_connection())
    assert ">drive</option>" in site.get("/").text
    assert site.get("/drive/").headers["location"] == "/retreaver/page/drive/work"
    html = site.view("work", "drive")
    text = words(html)
    assert "TrackDrive: drive" in text
    assert "work_of_tests, groups TrackDriveBuyerGroupListOperator success" in text
    assert "work_of_tests, raise" not in text
    assert 'href="/retreaver/page/drive/caps"' not in html
    for view in ("caps", "caps/target/1", "calls", "numbers", "health"):
        assert site.get(f"/drive/{view}").status_code == 404
        assert site.get(f"/drive/{view}", "vera").text == site.get(f"/drive/{view}").text
    assert site.get("/drive/work", "vera").status_code == 404
    assert account.entries() == []
    assert_no_secret(html)


def test_tasks_belong_to_their_connection(site, folder, account):
    """A task is shown for the connection that it used only."""
    site.connect("other", account.connection(extra={"max_wait": 0}))
    text = words(site.view("work", "other"))
    assert "work_of_tests, other_company" in text
    assert "too_many" not in text
    assert "dry run" in text


def test_health(site, folder):
    """The view tells how long ago each scheduled export succeeded, and what was answered last."""
    site.sql("UPDATE task_instance SET end_date = datetime('now', '-26 hours') WHERE task_id = 'export'")
    site.view("caps")
    text = words(site.view("health"))
    task = "work_of_tests, export ExportOfOurs(, its DAG is paused)?"
    assert re.search(f"{task} 1 d 2 h ", text), text
    assert "GET /targets.json 200" in text
    assert "4 of 4 requests at once" in text


def test_only_readable_dags(site, folder, monkeypatch):
    """Tasks of DAGs that the reader may not read are left out, and so are results that it may not read."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

    manager = get_auth_manager()
    monkeypatch.setattr(
        type(manager),
        "is_authorized_dag",
        lambda self, *, method, user, access_entity=None, details=None: access_entity is not DagAccessEntity.XCOM,
    )
    text = words(site.view("work"))
    assert "work_of_tests, raise" in text
    assert "hard_cap" not in text
    assert "A guard refused it" not in text
    monkeypatch.setattr(type(manager), "is_authorized_dag", lambda self, **_: False)
    assert "work_of_tests" not in site.view("work")
    assert "work_of_tests" not in site.view("health")
    assert "work_of_tests" not in site.view("caps/target/1")


def test_a_dag_for_a_target(site, folder, account):
    """A target leads to the DAGs that the reader may trigger for it, with the configuration."""
    account.target()
    html = site.view("caps/target/1")
    assert 'href="/dags/work_of_tests"' in html
    assert "{&#34;target_ids&#34;: [1]}" in html
    assert "work_of_tests" not in site.view("caps/group/1")
