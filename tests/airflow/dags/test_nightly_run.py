"""The nightly example as a whole: the state of its run matches the reset."""

from __future__ import annotations

import pytest

from tests.airflow.support.account import Account
from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow

DAG_FILE = EXAMPLE_DAGS / "retreaver_nightly_cap_reset.py"


@pytest.mark.parametrize(("key", "state"), [("right", "success"), ("wrong", "failed")])
def test_the_report_does_not_hide_what_became_of_the_reset(airflow_lab, running_sandbox, key, state):
    """The report runs either way, and the run fails when the reset has failed."""
    account = Account(running_sandbox)
    account.reset()
    account.target("Acme Roofing", filled=10)
    connection = dict(account.connection())
    if key == "wrong":
        connection["password"] = "no-such-key"
    result = airflow_lab.run_dag(DAG_FILE, connections={"retreaver_default": connection}, retries=False)
    assert result.states == {"reset_full_caps": state, "report": "success"}
    assert f"run of retreaver_nightly_cap_reset: {state}" in result.output
    message = result.xcoms["report"]["return_value"]
    assert message.startswith("Reset 1 hard caps (Acme Roofing)" if state == "success" else "No caps were reset")
