"""The nightly suppression sync in a real Airflow: the example DAG, its guards, its retries."""

from __future__ import annotations

import json
import re

import pytest

from tests.airflow.support.suppression import create_warehouse, phone_numbers, suppress, suppressed
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

EXAMPLE = PROJECT / "example_dags" / "retreaver_nightly_suppression_sync.py"
TASK = "mirror_do_not_call"


@pytest.fixture
def night(airflow_lab, account, tmp_path):
    """Return a function that runs the example once, with the given numbers in the warehouse."""

    def run(numbers, **conf):
        connections = {
            "retreaver_default": account.connection(extra={"max_wait": 5}),
            "warehouse": create_warehouse(tmp_path, numbers),
        }
        conf = {"state_path": f"file://{tmp_path}/state", **conf}
        return airflow_lab.run_dag(
            EXAMPLE, connections=connections, conf=conf, env={"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
        )

    return run


def everything(found):
    """Return the output and the logs of a run."""
    return found.output + "".join(path.read_text() for path in found.logs_dir.rglob("*.log"))


def test_the_list_follows_the_warehouse(night, account):
    """Numbers of others stay, and all while a value cannot be read; a much smaller table is refused until allowed."""
    suppress(account, phone_numbers(1, 500))
    first = night(phone_numbers(100))
    assert first.exit_code == 0, first.output
    assert first.states == {TASK: "success", "report": "success"}
    assert first.xcoms[TASK]["return_value"]["added"] == 100
    second = night([*phone_numbers(98, 2), "junk", *phone_numbers(4, 100)])
    result = second.xcoms[TASK]["return_value"]
    assert (result["added"], result["removed"], result["unchanged"], result["rejected"]) == (4, 0, 98, 1)
    assert (result["kept"], result["unreadable"]) == (2, 1)
    assert "2 suppressed numbers are not in the source and are kept" in everything(second)
    assert "Not on the list, so the caller can still call: line 99 (…)" in everything(second)
    third = night([*phone_numbers(98, 2), *phone_numbers(4, 100)])
    assert "added 0, changed 0, removed 2" in third.xcoms["report"]["return_value"]
    assert suppressed(account) == dict.fromkeys([*phone_numbers(102, 2), *phone_numbers(1, 500)], (False, None))
    sent = len(account.sent("DELETE", "POST"))
    refused = night(phone_numbers(60, 2))
    assert refused.exit_code != 0
    assert refused.states[TASK] == "failed"
    message = everything(refused)
    assert "42 of 102 suppressed numbers would be removed, and max_removals allows 0.05 of 102" in message
    assert "60 numbers, 102 are known to be on the list; 0 would be added, 42 removed, 60 are unchanged" in message
    assert "UP_FOR_RETRY" not in refused.output
    assert "was not synchronized" in refused.xcoms["report"]["return_value"]
    assert len(account.sent("DELETE", "POST")) == sent
    meant = night(phone_numbers(60, 2), max_removals="50%")
    assert meant.xcoms[TASK]["return_value"]["removed"] == 42
    assert set(suppressed(account)) == {*phone_numbers(60, 2), *phone_numbers(1, 500)}
    for found in (first, second, third, refused, meant):
        assert not re.search(r"91920000\d\d", everything(found))


SOURCE = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator


@task
def found():
    return NUMBERS


with DAG("lists", schedule=None, start_date=datetime(2026, 1, 1), params={"folder": "", "yes": "false", "target": 0}):
    RetreaverSuppressionSyncOperator(
        task_id="from_xcom", mode="add", numbers=found(), can_resubscribe="{{ params.yes }}",
        state_path="file://{{ params.folder }}/add", retries=1, retry_delay=timedelta(0),
    )
    RetreaverSuppressionSyncOperator.partial(
        task_id="mapped", mode="remove", can_resubscribe=False, max_removals=None,
    ).expand(numbers=["+19193000000", "+19193000001, +19193000002"])
    RetreaverCallerListSyncOperator(
        task_id="caller_list", mode="mirror", list_name="suppressed", target_id="{{ params.target }}",
        numbers=found(),
    )
"""


def test_parameters_of_all_kinds(airflow_lab, account, tmp_path):
    """Results, templates and mapping; a retry sends what failed; a caller list is filled by one upload."""
    from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET

    target = account.target()
    account._control("POST", "upload_delay", {"seconds": 0})
    account.fault(phone_numbers(40)[20].replace("+", "%2B"), method="POST", status=500, times=1)
    account.fault(phone_numbers(40)[20].replace("+", "%2B"), method="GET", status=500, times=1)
    extra = {"max_wait": 0, "caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    result = airflow_lab.run_dag(
        SOURCE.replace("NUMBERS", repr(phone_numbers(40))),
        connections={"retreaver_default": account.connection(extra=extra)},
        conf={"folder": str(tmp_path), "target": target},
    )
    assert result.exit_code == 0, result.output
    assert result.xcoms["from_xcom"]["return_value"]["added"] == 40
    assert set(suppressed(account)) == set(phone_numbers(40))
    assert result.xcoms["mapped[1]"]["return_value"]["unchanged"] == 2
    posts = [one for one in account.sent("POST") if "/suppressed_numbers/" in one]
    assert len(posts) == 41
    listed = result.xcoms["caller_list"]["return_value"]
    assert (listed["added"], listed["created"], listed["verified"]) == (40, True, "total and sample")
    assert "csv" not in json.dumps(listed)
    assert "caller_list_uploads/" not in result.output
    assert not any(secret in result.output for secret in (POSTBACK_KEY, POSTBACK_SECRET))
