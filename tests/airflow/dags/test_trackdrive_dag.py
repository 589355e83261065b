"""TrackDrive's operators in a real Airflow: the nightly example of both platforms, and results through templates."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY
from tests.airflow.support.trackdrive import TOKEN, TrackDriveAccount
from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow

DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_retreaver.operators.trackdrive import (
    TrackDriveBuyerGroupCreateOperator,
    TrackDriveBuyerGroupDeleteOperator,
    TrackDriveBuyerGroupGetOperator,
    TrackDriveBuyerGroupListOperator,
    TrackDriveBuyerGroupUpdateOperator,
)

CREATED = "{{ ti.xcom_pull(task_ids='create')['id'] }}"

with DAG(dag_id="trackdrive", schedule=None, params={"buyer": "loan-22-en"}):
    create = TrackDriveBuyerGroupCreateOperator(
        task_id="create", attributes={"name": "Group of {{ params.buyer }}", "attempt_total_limit": 5}
    )
    change = TrackDriveBuyerGroupUpdateOperator(
        task_id="change",
        buyer_group_ids=CREATED,
        attributes={"attempt_total_limit": ""},
        add_user_buyer_ids="{{ params.buyer }}",
        state_path="FOLDER/state",
    )
    read = TrackDriveBuyerGroupGetOperator(task_id="read", buyer_group_id=CREATED)
    listed = TrackDriveBuyerGroupListOperator(
        task_id="list",
        columns="name,buyer_ids",
        created_at_to="{{ macros.ds_add(ds, 1) }}",
        destination="FOLDER/groups-{{ ds_nodash }}.csv",
        format="csv",
    )
    delete = TrackDriveBuyerGroupDeleteOperator(task_id="delete", buyer_group_id=CREATED, confirm=True)
    create >> change >> read >> listed >> delete
"""


@pytest.fixture
def trackdrive(account):
    """Provide an empty account of both platforms."""
    return TrackDriveAccount(account)


def connections(trackdrive):
    """Return the connections to both platforms."""
    return {"retreaver_default": trackdrive.account.connection(), "trackdrive_default": trackdrive.connection()}


def test_the_operators_in_airflow(airflow_lab, trackdrive, tmp_path):
    """A group is created, changed, read, listed to a file and deleted; no key is in the output."""
    buyer = trackdrive.buyer("loan-22-en")
    source = DAG.replace("FOLDER", f"file://{tmp_path}")
    result = airflow_lab.run_dag(source, connections=connections(trackdrive), retries=False)
    assert result.exit_code == 0, result.output
    assert result.states == dict.fromkeys(("create", "change", "read", "list", "delete"), "success")
    assert [row["field"] for row in result.xcoms["change"]["return_value"]["changed"]] == [
        "attempt_total_limit",
        f"buyer {buyer}",
    ]
    read = result.xcoms["read"]["return_value"]
    assert (read["name"], read["attempt_total_limit"], read["buyer_ids"]) == ("Group of loan-22-en", None, [buyer])
    (file,) = tmp_path.glob("groups-*.csv")
    assert file.read_text().splitlines() == ["id,name,buyer_ids,other", f"1,Group of loan-22-en,[{buyer}],"]
    created, deleted = (result.xcoms[task]["return_value"] for task in ("create", "delete"))
    assert [row["field"] for row in (*created["changed"], *deleted["changed"])] == [
        "name", "attempt_total_limit", "deleted",
    ]  # fmt: skip
    assert (deleted["action"], deleted["gone"], deleted["already_gone"]) == ("deleted", True, False)
    assert TRACKDRIVE_PRIVATE_KEY not in result.output
    assert TOKEN not in result.output


def test_the_nightly_example(airflow_lab, trackdrive):
    """Full hard caps and maxed out groups are reset, the others are left alone."""
    full, other = trackdrive.account.target("Acme", cap=10, filled=10), trackdrive.account.target(cap=10, filled=3)
    maxed, below = trackdrive.group(used=40, attempt_total_limit=40), trackdrive.group(used=3, attempt_total_limit=40)
    path = EXAMPLE_DAGS / "retreaver_nightly_resets_both_platforms.py"
    result = airflow_lab.run_dag(path, connections=connections(trackdrive), retries=False)
    assert result.exit_code == 0, result.output
    assert set(result.states.values()) == {"success"}
    assert (trackdrive.account.filled(full), trackdrive.account.filled(other)) == (0, 3)
    assert (trackdrive.read(maxed)["attempt_total_used"], trackdrive.read(below)["attempt_total_used"]) == (0, 3)
    assert result.xcoms["report"]["return_value"] == (
        "Reset: 1 hard caps at Retreaver, total caps of 1 buyer groups at TrackDrive."
    )
