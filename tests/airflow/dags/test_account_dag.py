"""The example DAG of an account as code; `make test-account-ui` clicks through it where there are approvals."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from tests.airflow.support.samples import executed, loaded
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

EXAMPLE = PROJECT / "example_dags" / "retreaver_account.py"
AIRFLOW_2 = version("apache-airflow").startswith("2.")


@pytest.fixture
def example(tmp_path):
    """Return a copy of the example DAG with its files."""
    shutil.copytree(EXAMPLE.with_name("account"), tmp_path / "account")
    text = EXAMPLE.read_text(encoding="utf-8").replace("file:///opt/airflow", f"file://{tmp_path}")
    path = tmp_path / EXAMPLE.name
    path.write_text(text, encoding="utf-8")
    return path


def targets(account):
    """Return the targets that the files name."""
    return {row["tid"]: row for row in account.list_targets(1) if row["tid"] in ("buyer-010", "buyer-011")}


def daily(row):
    """Return the daily cap of a target."""
    return next(cap["cap"] for cap in row["caps"] if cap["type"] == "Daily")


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no approvals")
def test_the_approved_plan_is_applied(account, example, monkeypatch):
    """The approver is in the result, and what was applied is kept for drift."""
    account.reset("demo")
    monkeypatch.chdir(example.parent)
    (dag,) = loaded(example.read_text(encoding="utf-8"), str(example))
    dag.fileloc = str(example)
    results = executed(dag, var=SimpleNamespace(value={}))
    assert results["apply"]["approved_by"] == "Nancy"
    assert results["apply"]["counts"]["done"] == 2
    assert daily(targets(account)["buyer-010"]) == 60
    assert list(example.parent.rglob("applied.json"))


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 asks a person")
@pytest.mark.parametrize("most", [2, 1])
def test_without_approvals_few_changes_are_applied(airflow_lab, account, example, most):
    """Two objects may change; where fewer may, nothing is sent."""
    account.reset("demo")
    text = example.read_text(encoding="utf-8")
    assert "PLUS else 2" in text
    example.write_text(text.replace("PLUS else 2", f"PLUS else {most}"), encoding="utf-8")
    home = airflow_lab.new_home()
    shutil.copytree(example.with_name("account"), home / "dags" / "account")
    found = airflow_lab.run_dag(
        example, home=home, retries=False, connections={"retreaver_default": account.connection()}
    )
    assert found.states == {"plan": "success", "apply": "success" if most == 2 else "failed"}, found.output
    assert (daily(targets(account)["buyer-010"]) == 60) is (most == 2)
    if most == 2:
        assert found.xcoms["apply"]["return_value"]["counts"]["done"] == 2
        assert found.xcoms["apply"]["return_value"]["approved_by"] is None
    else:
        assert "changes 2 of 2 objects" in found.output
