"""The state that a run of `RetreaverResetCapOperator` keeps between its attempts."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, PartialFailure, RetreaverError
from tests.airflow.support.account import StateStore, TaskInstance, context_of, reset_caps
from tests.airflow.support.killed_attempts import kill_while_asking

pytestmark = pytest.mark.airflow


@pytest.fixture(params=["store", "file"])
def memory(request, tmp_path):
    """Give both memories in turn: the context and the parameters of every attempt of one run."""
    if request.param == "store":
        return {"task_state_store": StateStore()}, {}
    return {}, {"state_path": f"file://{tmp_path}/state"}


def kept_in(folder):
    """Return the files that runs keep in a folder, without the lease."""
    return [path for path in folder.rglob("*.json") if not path.parent.name.endswith(".lease")]


def test_a_retry_touches_only_what_is_to_do(account, memory, caplog):
    """After one of three failed, the retry resets that one alone, keeps the others' new calls, and reports all."""
    parts, parameters = memory
    ids = account.targets(3)
    account.fault(f"/targets/{ids[1]}/reset_cap", status=422)
    with pytest.raises(PartialFailure, match=f"1 of 3 were not reset: target {ids[1]}"):
        reset_caps(context_of(**parts), target_ids=ids, **parameters)
    account.fill(ids[0], 2)
    account.fill(ids[2], 10)
    with caplog.at_level("INFO"):
        result = reset_caps(context_of(**parts), target_ids=ids, **parameters)
    rows = sorted((row["id"], row["filled_before"], row["filled_after"]) for row in result["reset"])
    assert rows == [(id_, 10, 0) for id_ in ids]
    assert sum(line.startswith("Unchanged, an earlier attempt reset target") for line in caplog.messages) == 2
    assert result["failed"] == []
    assert [account.filled(id_) for id_ in ids] == [2, 0, 10]
    assert len(account.sent("POST")) == 4


def test_a_cleared_run_repeats_nothing(account, memory):
    """A run that is cleared after its success reports what it did and sends no reset, whatever came since."""
    parts, parameters = memory
    ids = account.targets(2)
    group = account.group([ids[1]], cap=50, filled=20)
    named = {"target_ids": ids[0], "target_group_ids": group}
    first = reset_caps(context_of(**parts), **named, **parameters)
    for id_ in ids:
        account.fill(id_, 10)
    again = reset_caps(context_of(**parts), **named, **parameters)
    assert again["reset"] == first["reset"]
    assert len(account.sent("POST")) == 2
    assert [account.filled(id_) for id_ in ids] == [10, 10]


def test_only_filled_keeps_state_too(account, memory):
    """A target that was full, was reset, and is full again is not reset twice by one run."""
    parts, parameters = memory
    ids = account.targets(2)
    account.fault(f"/targets/{ids[1]}/reset_cap", status=422)
    with pytest.raises(PartialFailure):
        reset_caps(context_of(**parts), only_filled=True, **parameters)
    account.fill(ids[0], 10)
    result = reset_caps(context_of(**parts), only_filled=True, **parameters)
    assert sorted(row["id"] for row in result["reset"]) == ids
    assert [account.filled(id_) for id_ in ids] == [10, 0]


def test_another_run_starts_anew(account, tmp_path):
    """Runs, tasks and map indexes keep their memories apart, in files whose names tell them apart."""
    id_ = account.target(filled=10)
    folder = f"file://{tmp_path}/state"
    instances = [
        TaskInstance(),
        TaskInstance(run_id="manual__2026-11-21T00:00:00+00:00"),
        TaskInstance(task_id="group.reset"),
        TaskInstance(map_index=0),
        TaskInstance(map_index=1),
        TaskInstance(dag_id="other/dag"),
    ]
    for instance in instances:
        account.fill(id_, 10)
        result = reset_caps({"ti": instance}, target_ids=id_, state_path=folder)
        assert [row["filled_after"] for row in result["reset"]] == [0]
    files = kept_in(tmp_path)
    assert len(files) == len(instances) == len(account.sent("POST"))
    assert all(json.loads(path.read_text())["done"] == {f"target {id_}": [10, 0]} for path in files)


def test_a_plain_path_and_a_template_are_folders_too(account, tmp_path):
    """A path without a scheme works; without a task instance nothing is written."""
    id_ = account.target(filled=10)
    reset_caps({}, target_ids=id_, state_path=str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    reset_caps(context_of(), target_ids=id_, state_path=str(tmp_path / "some"))
    assert len(kept_in(tmp_path / "some")) == 1


def test_a_memory_that_cannot_be_read_is_not_taken_for_an_empty_one(account, tmp_path):
    """A damaged file ends the task at once with the file's name: guessing could reset twice."""
    id_ = account.target(filled=10)
    reset_caps(context_of(), target_ids=id_, state_path=str(tmp_path))
    (file,) = kept_in(tmp_path)
    for text in ('{"plan":{"targ', "[]", "", '{"plan": 3}'):
        file.write_text(text)
        with pytest.raises(InvalidArgument, match="state_path") as caught:
            reset_caps(context_of(), target_ids=id_, state_path=str(tmp_path))
        assert file.name in str(caught.value)
        assert isinstance(caught.value, AirflowFailException)
    assert len(account.sent("POST")) == 1


def test_a_folder_that_cannot_be_written_stops_before_the_first_reset(account, tmp_path):
    """When the plan cannot be written down, nothing is reset."""
    id_ = account.target(filled=10)
    (tmp_path / "file").write_text("")
    with pytest.raises((OSError, RetreaverError)):
        reset_caps(context_of(), target_ids=id_, state_path=f"file://{tmp_path}/file/below")
    with pytest.raises((ValueError, RetreaverError)):
        reset_caps(context_of(), target_ids=id_, state_path="nowhere://folder")
    assert account.sent("POST") == []


def test_the_plan_is_written_down_before_the_first_reset(account):
    """What the store holds when a reset is answered names what was planned; progress is noted for every batch."""
    ids = account.targets(45)
    store = StateStore()
    account.fault("reset_cap", status=401, times=None)
    with pytest.raises(RetreaverError):
        reset_caps(context_of(task_state_store=store), target_ids=ids)
    text = store.values["retreaver_reset_caps"]
    assert json.loads(json.loads(text)) == {"plan": {f"target {id_}": 10 for id_ in ids}, "done": {}}
    account.clear_faults()
    writes = store.writes
    reset_caps(context_of(task_state_store=store), target_ids=ids)
    # Four of the run's record, two of who is at work.
    assert store.writes - writes == 6


def test_a_dry_run_leaves_no_memory(account, tmp_path):
    """Looking does not make a later attempt believe that something was done or planned."""
    id_ = account.target(filled=10)
    store = StateStore()
    reset_caps(context_of(task_state_store=store), target_ids=id_, dry_run=True)
    reset_caps(context_of(), target_ids=id_, dry_run=True, state_path=str(tmp_path))
    assert store.values == {}
    assert list(tmp_path.iterdir()) == []


ATTEMPT = """
import json, sys
from tests.airflow.support.account import context_of, reset_caps
reset_caps(context_of(), **json.loads(sys.argv[1]))
"""


def test_killed_in_the_middle_again_and_again(account, tmp_path):
    """Killed with SIGKILL before and after the sandbox acted: each target is reset once, the result is whole."""
    ids = account.targets(30)
    group = account.group(ids[28:], cap=100, filled=20)
    parameters = {"target_ids": ids[:28], "target_group_ids": group, "state_path": f"file://{tmp_path}"}
    kept: set[int] = set()
    for target, fault in ((ids[2], {}), (ids[15], {"cut": True}), (ids[25], {})):
        account.clear_faults()
        account.fault(f"/targets/{target}/reset_cap", delay=3, **fault)
        # The other workers wait as well, so that no target behind this one is reached while the attempt is ended.
        for other in ids[22:25] if target == ids[25] else ():
            account.fault(f"/targets/{other}/reset_cap", delay=3)
        account.fault("reset_cap", delay=0.15, times=None)
        kill_while_asking(account, ATTEMPT, parameters, f"POST /targets/{target}/reset_cap.json")
        (file,) = kept_in(tmp_path)
        assert len(json.loads(file.read_text())["plan"]) == 31
        for id_ in ids:
            if account.filled(id_) == 0:
                account.fill(id_, 4)
                kept.add(id_)
    account.clear_faults()
    assert {ids[2], ids[25]} < kept
    assert ids[27] not in kept
    result = reset_caps(context_of(), **parameters)
    assert sorted(row["id"] for row in result["reset"] if "id" in row) == ids
    assert all(row["filled_before"] in {10, 20} for row in result["reset"])
    assert result["failed"] == result["skipped"] == []
    assert {id_ for id_ in ids if account.filled(id_) == 4} == kept
    posts = account.sent("POST")
    assert {one: posts.count(one) for one in posts if posts.count(one) > 1} == {
        f"POST /targets/{ids[15]}/reset_cap.json": 2
    }


@pytest.mark.parametrize(
    ("parameters", "warned"),
    [
        ({"retries": 2}, True),
        ({"retries": 0}, False),
        ({"retries": 2, "dry_run": True}, False),
        ({"retries": 2, "only_filled": True}, False),
        ({"retries": 2, "state_path": "file://FOLDER"}, False),
    ],
    ids=["retries", "no retries", "dry run", "only filled", "state path"],
)
def test_an_attempt_without_memory_warns(account, tmp_path, caplog, capfd, parameters, warned):
    """Where a retry could lose calls because no state is kept, the log warns and names the parameters that help."""
    if "state_path" in parameters:
        parameters = {**parameters, "state_path": f"file://{tmp_path}"}
    reset_caps(context_of(), target_ids=account.target(filled=10), **parameters)
    message = caplog.text + "".join(capfd.readouterr())
    assert ("set state_path, or use only_filled" in message) is warned
