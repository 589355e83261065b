"""The fixture that runs DAG files reports states, XComs and output correctly."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.airflow

SOURCE = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator


class Read(BaseOperator):
    template_fields = ("what",)

    def __init__(self, *, what, **kwargs):
        super().__init__(**kwargs)
        self.what = what

    def execute(self, context):
        if self.what == "fail":
            raise ValueError("requested failure")
        return {"host": BaseHook.get_connection("elsewhere").host, "what": self.what}


with DAG("reading", schedule=None, start_date=datetime(2026, 1, 1)):
    Read(task_id="one", what="{{ ds }}") >> Read.partial(task_id="many").expand(what=["a", "fail"])
"""


def test_reports_states_xcoms_and_exit_code(airflow_lab):
    """States, XComs, connection, date and exit code are those of the run."""
    result = airflow_lab.run_dag(
        SOURCE,
        connections={"elsewhere": {"conn_type": "http", "host": "there"}},
        logical_date=datetime(2026, 3, 4, tzinfo=UTC),
    )
    assert result.states == {"one": "success", "many[0]": "success", "many[1]": "failed"}, result.output
    assert result.xcoms["one"]["return_value"] == {"host": "there", "what": "2026-03-04"}
    assert result.xcoms["many[0]"]["return_value"] == {"host": "there", "what": "a"}
    assert result.exit_code == 1
    assert "requested failure" in result.output


def test_runs_do_not_see_each_other(airflow_lab):
    """A second run starts with an empty database; a run in the home of an earlier one continues with its database."""
    conns = {"elsewhere": "http://other"}
    source = SOURCE.replace(' >> Read.partial(task_id="many").expand(what=["a", "fail"])', "")
    result = airflow_lab.run_dag(source, connections=conns, logical_date=datetime(2026, 3, 5, tzinfo=UTC))
    assert result.exit_code == 0, result.output
    assert result.states == {"one": "success"}
    assert result.xcoms["one"]["return_value"] == {"host": "other", "what": "2026-03-05"}
