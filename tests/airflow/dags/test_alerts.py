"""The callbacks of docs/alerts.md get the package's error with its fields, in a real run and through a notifier."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import RetreaverError
from tests.airflow.support.account import KEY
from tests.airflow.support.samples import SampleInstance, loaded, samples
from tests.airflow.support.slack import provide

pytestmark = pytest.mark.airflow
FUNCTION, SLACK = (sample for sample in samples() if sample.place.startswith("alerts.md"))


def alert_of(airflow_lab, account):
    """Run the page's DAG in Airflow, and return the only line that its callback printed."""
    connections = {"retreaver_default": account.connection(extra={"max_wait": 0})}
    run = airflow_lab.run_dag(FUNCTION.code, connections=connections, retries=False)
    assert run.states == {"reset_full_caps": "failed"}
    assert KEY not in run.output
    (line,) = [line for line in run.output.splitlines() if "ALERT nightly" in line]
    return line


def test_a_callback_gets_the_answer_of_retreaver(airflow_lab, account):
    """Status, request and class of a refusal reach the callback of a real run."""
    account.fault("/targets.json", method="GET", status=403, times=10)
    line = alert_of(airflow_lab, account)
    assert "class FinalPermissionDenied, request GET /targets.json, final True" in line
    assert "status 403" in line


def test_a_callback_gets_what_was_not_changed(airflow_lab, account):
    """Each object that failed reaches the callback of a real run."""
    first, second = account.targets(2)
    account.fault(f"/targets/{second}/reset_cap.json", method="POST", status=422, times=10)
    line = alert_of(airflow_lab, account)
    assert f"'id': {second}, " in line
    assert f"'id': {first}, " not in line


def test_a_message_to_slack_has_the_fields(account, monkeypatch):
    """A notifier's template renders the fields of the error, and is short where an error has none or is a text."""
    sent = provide(monkeypatch)
    (second,) = account.targets(1)

    def notify(error=None):
        """Load the DAG as a worker does, execute its task unless an error is given, and call its callback."""
        (dag,) = loaded(SLACK.code, SLACK.place)
        (task,) = dag.tasks
        instance = SampleInstance(dag_id=dag.dag_id, task_id=task.task_id)
        instance.log_url = "http://localhost:8080/log"
        context = {"ti": instance, "dag": dag, "task": task}
        if error is None:
            with pytest.raises(RetreaverError) as raised:
                task.execute(context)
            error = raised.value
        callback = task.on_failure_callback
        (callback[0] if isinstance(callback, list) else callback)({**context, "exception": error})

    account.fault("/targets.json", method="GET", status=403, times=10)
    notify()
    assert "Retreaver answered 403 to GET /targets.json\n<http://localhost:8080/log|log>" in sent[-1]

    account.clear_faults()
    account.fault(f"/targets/{second}/reset_cap.json", method="POST", status=422, times=10)
    notify()
    assert "answered 422" in sent[-1]
    assert "Retreaver answered" not in sent[-1]

    notify("killed by the scheduler")
    assert sent[-1].splitlines()[1:] == ["killed by the scheduler", "<http://localhost:8080/log|log>"]
