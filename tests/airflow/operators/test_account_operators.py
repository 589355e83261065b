"""Planning and applying an account in tasks: the plan of the approved hash, once, or nothing."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, PartialFailure
from airflow_provider_retreaver.operators.account import RetreaverAccountApplyOperator, RetreaverAccountPlanOperator
from tests.airflow.support.account import context_of

FILES = """
targets:
  a: {number: "+12125550101", caps: {hard: 5}}
  b: {number: "+12125550102", name: Bee}
"""


@pytest.fixture
def context():
    """Return the context of an attempt."""
    return context_of()


@pytest.fixture
def files(account, tmp_path):
    """Return the folder of the files; the account is empty."""
    account.reset()
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "targets.yaml").write_text(FILES)
    return folder


def planned(files, context, **how):
    """Return what the plan operator returns."""
    plan = RetreaverAccountPlanOperator(
        task_id="plan", paths=str(files), plan_path=f"file://{files.parent}/plans/plan.json", **how
    )
    return plan.execute(context)


def applying(plan, **how):
    """Return the apply operator."""
    how = {"plan_path": plan["plan_path"], "sha256": plan["sha256"], **how}
    return RetreaverAccountApplyOperator(task_id="apply", **how)


def test_what_was_approved_is_applied(account, files, context):
    """The plan's Markdown is for people, its hash for the apply, and the approver is in the result."""
    plan = planned(files, context)
    assert plan["counts"] == {"create": 2, "update": 0, "delete": 0}
    assert plan["sha256"] in plan["markdown"]
    result = applying(plan, approved_by="Nancy").execute(context)
    assert (result["approved_by"], result["counts"]["done"]) == ("Nancy", 2)
    with pytest.raises(AirflowSkipException):
        planned(files, context)
    assert planned(files, context, skip_empty=False)["counts"]["create"] == 0


def test_another_plan_than_the_approved_one_is_refused(account, files, context):
    """A hash that does not fit, a plan that is not there, and a plan that somebody changed."""
    plan = planned(files, context)
    with pytest.raises(InvalidArgument, match="was approved"):
        applying(plan, sha256="0" * 64).execute(context)
    with pytest.raises(InvalidArgument, match="no plan at"):
        applying(plan, plan_path=f"file://{files.parent}/plans/other.json").execute(context)
    file = files.parent / "plans" / "plan.json"
    file.write_text(file.read_text().replace('"Bee"', '"Boo"'))
    with pytest.raises(AirflowFailException, match="hash does not fit"):
        applying(plan).execute(context)
    assert account.list_targets(1) == []


def test_a_stale_plan_is_shown_as_such(account, files, context):
    """Approved after somebody has changed the account or the files: with `paths` nothing is sent."""
    plan = planned(files, context)
    (files / "targets.yaml").write_text(FILES.replace("hard: 5", "hard: 6"))
    with pytest.raises(ChangeRefused, match="is stale"):
        applying(plan, paths=str(files)).execute(context)
    assert account.list_targets(1) == []
    (files / "targets.yaml").write_text(FILES)
    assert applying(plan, paths=[str(files)]).execute(context)["counts"]["done"] == 2


def test_a_dry_run_sends_nothing(account, files, context):
    """Plan, hash, company and guards are checked."""
    plan = planned(files, context)
    result = applying(plan, dry_run=True, only="targets", targets=["targets/a"]).execute(context)
    assert (result["would_change"], result["dry_run"]) == (["targets/a"], True)
    assert account.list_targets(1) == []


def test_what_others_changed_fails_the_task_after_the_rest(account, files, context):
    """The result is pushed before, and no retry is made for what was refused."""
    applying(planned(files, context)).execute(context)
    (files / "targets.yaml").write_text(FILES.replace("hard: 5", "hard: 6").replace("Bee", "Boo"))
    plan = planned(files, context)
    (row,) = [row for row in account.list_targets(1) if row["tid"] == "a"]
    account.change_target(row["id"], hard_cap_attributes={"cap": 9})
    with pytest.raises(PartialFailure, match=r"1 of 2 objects .* targets/a: Others changed it") as failure:
        applying(plan).execute(context)
    assert isinstance(failure.value, AirflowFailException)
    assert context["ti"].pushed["return_value"]["counts"] == {"done": 1, "refused": 1, "failed": 0, "skipped": 0}


def test_a_retry_continues_where_an_attempt_ended(account, files, context, tmp_path):
    """What was done is kept under `state_path`, and is not compared again."""
    account.fault("/targets.json", method="POST", status=500)
    plan = planned(files, context)
    state = {"state_path": f"file://{tmp_path}/state", "paths": str(files)}
    try:
        applying(plan, **state).execute(context)
    except PartialFailure:
        assert applying(plan, **state).execute(context)["counts"]["done"] == 2
    assert len(account.list_targets(1)) == 2


def test_guards_are_parameters(account, files, context):
    """`max_changes` counts from ten objects on; a wrong one is named."""
    many = "".join(f'\n  t{n}: {{number: "+1212555010{n}"}}' for n in range(10))
    (files / "targets.yaml").write_text(f"targets:{many}\n")
    plan = planned(files, context)
    with pytest.raises(ChangeRefused, match="10 of 10 objects"):
        applying(plan).execute(context)
    with pytest.raises(InvalidArgument, match="max_changes"):
        applying(plan, max_changes="many").execute(context)
    assert applying(plan, max_changes=None).execute(context)["counts"]["done"] == 10
