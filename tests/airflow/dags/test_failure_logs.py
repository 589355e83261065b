"""The log of a failed task ends with one sentence, and has no lines of this package above it."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.airflow

SOURCE = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.resources import RetreaverGetOperator
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor


class Plain(BaseOperator):
    def execute(self, context):
        raise AirflowFailException("This is Airflow's own failure.")


with DAG("failing", schedule=None, start_date=datetime(2026, 1, 1)):
    Plain(task_id="plain")
    RetreaverResetCapOperator(task_id="key", target_ids=1, retreaver_conn_id="refused")
    RetreaverResetCapOperator(task_id="connection", target_ids=2, retreaver_conn_id="nowhere")
    RetreaverResetCapOperator(task_id="parameter", target_ids="abc")
    RetreaverGetOperator(task_id="missing", resource="targets", resource_id=993)
    RetreaverResetCapOperator(task_id="missing_of_many", target_ids=994)
    RetreaverCapFilledSensor(task_id="sensor_missing", target_id=995)
    RetreaverCapFilledSensor(task_id="sensor_deferrable", target_id=996, deferrable=True)
    RetreaverCapFilledSensor(task_id="sensor_parameter", target_id=997, at_least=7)
"""

# Which words the one sentence of each task begins with.
SENTENCES = {
    "plain": "This is Airflow's own",
    "key": "GET /targets/1.json was answered 401",
    "connection": "The conn_id `nowhere` isn't defined",
    "parameter": "target_ids holds 'abc'",
    "missing": "GET /targets/993.json was answered 404",
    "missing_of_many": "1 of 1 were not reset: target 994",
    "sensor_missing": "GET /targets/995.json was answered 404",
    "sensor_deferrable": "GET /targets/996.json was answered 404",
    "sensor_parameter": "at_least must be",
}
OURS = re.compile(r'File ".*airflow_provider_retreaver/')
FRAME = re.compile(r'  File "')


def tracebacks(output: str, sentence: str) -> list[list[str]]:
    """Return the tracebacks that end with a sentence, each as the lines above it."""
    found, lines = [], None
    for line in output.splitlines():
        if line.startswith("Traceback (most recent call last)") and lines is None:
            lines = []
        elif lines is not None and re.match(r"[\w.]+: ", line) and sentence in line:
            found.append(lines)
            lines = None
        elif lines is not None and re.match(r"\[?\d{4}-", line):
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


def test_a_failed_task_says_one_sentence(airflow_lab, account):
    """Above the sentence there are only Airflow's own lines, and no counts of what was not done."""
    refused = account.connection(password="0123456789abcdef")
    result = airflow_lab.run_dag(SOURCE, connections={"retreaver_default": account.connection(), "refused": refused})
    assert result.states == dict.fromkeys(SENTENCES, "failed"), result.output
    lines = {task: tracebacks(result.output, sentence) for task, sentence in SENTENCES.items()}
    print({task: [len(part) for part in parts] for task, parts in lines.items()})
    assert [task for task, parts in lines.items() if not parts] == []
    # Airflow prints the last frame, which is the task's own, too.
    most = [len(part) - 2 for part in lines.pop("plain")]
    for task, parts in lines.items():
        assert [line for part in parts for line in part if OURS.search(line)] == [], (task, result.output)
        assert [line for part in parts for line in part if "exception" in line] == [], task
        assert all(len(part) <= limit for part, limit in zip(parts, most, strict=True)), task
        assert result.output.count(SENTENCES[task]) == len(most), task
    assert "reset 0" not in result.output
