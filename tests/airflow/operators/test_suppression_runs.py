"""Suppression syncs from run to run: the saved state, retries, and numbers of others."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    PartialFailure,
    Unavailable,
)
from tests.airflow.support.account import TaskInstance
from tests.airflow.support.suppression import (
    attempt_context,
    nonzero_counts,
    phone_numbers,
    suppress,
    suppressed,
    sync,
)

pytestmark = pytest.mark.airflow


def read(path) -> str:
    """Return the content of a file of a result."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    raw = ObjectStoragePath(path).read_bytes()
    return (gzip.decompress(raw) if path.endswith(".gz") else raw).decode()


@pytest.fixture(params=["current", "legacy"])
def edition(request, account, monkeypatch):
    """Set up a connection with each edition of the routes and two concurrent requests."""
    extra = {"max_wait": 0, "api_routes": request.param, "max_concurrency": 2}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    return request.param


def test_a_second_run_sends_only_differences(account, edition, tmp_path):
    """This holds for both editions of the routes."""
    state = {"state_path": f"file://{tmp_path}"}
    first = sync(attempt_context("first"), numbers=phone_numbers(50), **state)
    assert nonzero_counts(first) == {"added": 50}
    before = len(account.sent("POST", "DELETE"))
    assert nonzero_counts(sync(attempt_context("second"), numbers=phone_numbers(50), **state)) == {"unchanged": 50}
    assert len(account.sent("POST", "DELETE")) == before
    third = sync(attempt_context("third"), numbers=phone_numbers(50, 3), **state)
    assert nonzero_counts(third) == {"added": 3, "removed": 3, "unchanged": 47}
    assert len(account.sent("POST", "DELETE")) == before + 6
    assert suppressed(account) == dict.fromkeys(phone_numbers(50, 3), (False, None))
    assert read(third["plan"]).splitlines()[:2] == ["action,number", f"add,{phone_numbers(1, 50)[0]}"]
    assert read(third["failures"]) == "action,number,reason\n"


@pytest.mark.parametrize("mode", ["add", "remove"])
def test_the_other_modes(account, edition, tmp_path, mode):
    """`add` never removes, `remove` never adds."""
    state = {"state_path": f"file://{tmp_path}", "max_removals": 100}
    sync(attempt_context("first"), numbers=phone_numbers(20), **state)
    result = sync(attempt_context("second"), mode=mode, numbers=phone_numbers(20, 10), **state)
    if mode == "add":
        assert nonzero_counts(result) == {"added": 10, "unchanged": 10}
        assert set(suppressed(account)) == set(phone_numbers(30))
    else:
        assert set(suppressed(account)) == set(phone_numbers(10))
        assert result["removed"] == (20 if edition == "legacy" else 10)


def test_numbers_of_others_are_not_changed(account, edition, tmp_path):
    """With `only_ours` (and always without a listing) numbers of others are neither removed nor changed."""
    suppress(account, phone_numbers(10, 100), can_resubscribe=True)
    state = {"state_path": f"file://{tmp_path}", "only_ours": True}
    sync(
        attempt_context("first"),
        numbers=[*phone_numbers(30), *phone_numbers(2, 100)] if edition == "current" else phone_numbers(30),
        **state,
    )
    result = sync(attempt_context("second"), numbers=phone_numbers(29), **state)
    assert nonzero_counts(result) == {"removed": 1, "unchanged": 29}
    left = suppressed(account)
    assert {number: left[number] for number in phone_numbers(10, 100)} == dict.fromkeys(
        phone_numbers(10, 100), (True, None)
    )
    assert set(left) == {*phone_numbers(29), *phone_numbers(10, 100)}


def test_without_only_ours_the_list_equals_the_source(account):
    """A mirror also removes numbers that others have added, within `max_removals`."""
    suppress(account, phone_numbers(10, 100))
    with pytest.raises(ChangeRefused, match=r"10 of 10 suppressed numbers would be removed.*3 would be added"):
        sync(numbers=phone_numbers(3))
    assert account.sent("POST", "DELETE") == []
    assert nonzero_counts(sync(numbers=phone_numbers(3), max_removals=10)) == {"added": 3, "removed": 10}


def test_a_dry_run_writes_what_it_would_do(account, edition, tmp_path):
    """Additions and removals are written to a file; nothing is sent, and the record stays as it is."""
    state = {"state_path": f"file://{tmp_path}"}
    sync(attempt_context("first"), numbers=phone_numbers(20), **state)
    sent, record = account.sent("POST", "DELETE"), (tmp_path / "company-1.csv.gz").read_bytes()
    result = sync(attempt_context("second"), numbers=phone_numbers(2, 19), dry_run=True, **state)
    assert nonzero_counts(result) == {"would_add": 1, "would_remove": 19, "unchanged": 1}
    assert result["dry_run"] is True
    plan = read(result["plan"]).splitlines()
    assert plan[1] == f"add,{phone_numbers(1, 20)[0]}"
    assert plan[2:] == [f"remove,{number}" for number in phone_numbers(19)]
    assert account.sent("POST", "DELETE") == sent
    assert (tmp_path / "company-1.csv.gz").read_bytes() == record
    assert nonzero_counts(sync(attempt_context("third"), numbers=phone_numbers(20), **state)) == {"unchanged": 20}


def test_a_dry_run_needs_no_folder(account):
    """Without `state_path` it only counts."""
    result = sync(numbers=phone_numbers(3), dry_run="true")
    assert nonzero_counts(result) == {"would_add": 3}
    assert "plan" not in result
    assert account.sent("POST") == []


def test_a_retry_continues_from_the_checkpoint(account, edition, tmp_path):
    """An attempt stops when the account is refused; the next one sends the rest of the plan."""
    parameters = {"numbers": phone_numbers(40), "state_path": f"file://{tmp_path}"}
    refused = phone_numbers(40)[25].replace("+", "%2B")
    account.fault(refused, method="POST", status=401)
    context = attempt_context()
    with pytest.raises(AuthenticationError):
        sync(context, **parameters)
    assert context["ti"].pushed["return_value"]["added"] >= 24
    sent = Counter(account.sent("POST"))
    result = sync(attempt_context(), **parameters)
    assert nonzero_counts(result) == {"added": 40}
    assert len(suppressed(account)) == 40
    again = Counter(account.sent("POST")) - sent
    assert sum(again.values()) <= 40 - 25 + 1
    assert set(again) & set(sent) <= {one for one in sent if refused in one}


def test_the_next_run_includes_an_unfinished_plan(account, edition, tmp_path):
    """It knows what the unfinished run has sent, and sends numbers with an unknown outcome again."""
    state = {"state_path": f"file://{tmp_path}"}
    account.fault("%2B1", method="POST", cut=True, times=None, then="done")
    account.fault(r"\+1", method="GET", status=500, times=None)
    account.fault(r"%2B1", method="GET", status=500, times=None)
    with pytest.raises((PartialFailure, Unavailable)):
        sync(attempt_context("first"), numbers=phone_numbers(4), **state)
    account.clear_faults()
    assert len(suppressed(account)) == 4
    head = json.loads((tmp_path / "company-1.json").read_text())
    assert "first" in head["open"]["place"]
    result = sync(attempt_context("second"), numbers=phone_numbers(3), max_removals=4, **state)
    assert set(suppressed(account)) == set(phone_numbers(3))
    assert result["removed"] == 1
    assert json.loads((tmp_path / "company-1.json").read_text())["open"] == {}
    assert nonzero_counts(sync(attempt_context("third"), numbers=phone_numbers(3), **state)) == {"unchanged": 3}


def test_a_changed_source_needs_a_new_plan(account, tmp_path):
    """When the source has changed between two attempts, the second compares again."""
    state = {"state_path": f"file://{tmp_path}"}
    account.fault(phone_numbers(40)[10].replace("+", "%2B"), method="POST", status=401)
    with pytest.raises(AuthenticationError):
        sync(attempt_context(), numbers=phone_numbers(40), **state)
    result = sync(attempt_context(), numbers=phone_numbers(41, 1), max_removals="50%", **state)
    assert result["removed"] == 1
    assert set(suppressed(account)) == set(phone_numbers(41, 1))


def test_a_cleared_run_compares_again(account, edition, tmp_path):
    """A finished run that is cleared does not continue its old plan."""
    state = {"state_path": f"file://{tmp_path}"}
    sync(attempt_context(), numbers=phone_numbers(20), **state)
    account._handle("DELETE", f"/suppressed_numbers/{phone_numbers(1)[0]}.json")
    result = sync(attempt_context(), numbers=phone_numbers(20), **state)
    assert nonzero_counts(result) == ({"added": 1, "unchanged": 19} if edition == "current" else {"unchanged": 20})


def test_without_a_folder_a_retry_compares_again(account):
    """With the current routes no saved state is needed."""
    account.fault(phone_numbers(40)[35].replace("+", "%2B"), method="POST", status=401)
    with pytest.raises(AuthenticationError):
        sync(attempt_context(), numbers=phone_numbers(40))
    done = len(suppressed(account))
    assert nonzero_counts(sync(attempt_context(), numbers=phone_numbers(40))) == {
        "added": 40 - done,
        "unchanged": done,
    }


def test_refused_numbers_are_reported_and_the_task_succeeds(account, edition, tmp_path):
    """Numbers that are refused with 422 do not fail the task; they are in a file, with Retreaver's reason."""
    for number in phone_numbers(2):
        body = {"errors": {"number": [f"{number} is a hotline"]}}
        account.fault(number.replace("+", "%2B"), method="POST", status=422, body=body, times=None)
    result = sync(attempt_context(), numbers=phone_numbers(20), state_path=f"file://{tmp_path}")
    assert nonzero_counts(result) == {"added": 18, "failed": 2}
    lines = read(result["failures"]).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(f"add,{phone_numbers(1)[0]},")
    assert "hotline" in lines[1]
    with pytest.raises(PartialFailure, match=r"max_failures \(1\)") as failure:
        sync(attempt_context("second"), numbers=phone_numbers(20), max_failures=1, state_path=f"file://{tmp_path}")
    assert not any(number[2:] in str(failure.value) for number in phone_numbers(20))


def test_a_campaign_has_a_separate_record(account, tmp_path):
    """A sync for a campaign has a separate record, and does not change numbers of the company."""
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "roof", "name": "Roofs"}})
    suppress(account, phone_numbers(3))
    parameters = {"campaign_id": "roof", "state_path": f"file://{tmp_path}", "only_ours": True}
    result = sync(attempt_context("first"), numbers=phone_numbers(5), **parameters)
    assert nonzero_counts(result) == {"added": 2, "unchanged": 3}
    result = sync(attempt_context("second"), numbers=phone_numbers(4), max_removals=1, **parameters)
    assert nonzero_counts(result) == {"removed": 1, "unchanged": 4}
    left = suppressed(account)
    assert left == {**dict.fromkeys(phone_numbers(3), (False, None)), phone_numbers(4)[3]: (False, "roof")}
    assert (tmp_path / "company-1-campaign-roof.csv.gz").exists()


def test_conflicts_beyond_max_failures_are_refused(account):
    """With more conflicts than `max_failures` nothing is sent."""
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "roof", "name": "Roofs"}})
    suppress(account, phone_numbers(3), campaign_id="roof")
    with pytest.raises(ChangeRefused, match="3 numbers are suppressed for another campaign"):
        sync(numbers=phone_numbers(10), max_failures=2)
    assert account.sent("POST") == []
    assert nonzero_counts(sync(numbers=phone_numbers(10))) == {"added": 7, "failed": 3}


def test_another_tasks_record_is_refused(account, tmp_path):
    """Two syncs with one record would remove each other's numbers."""
    sync(attempt_context(task="sync"), numbers=phone_numbers(3), state_path=f"file://{tmp_path}")
    with pytest.raises(ChangeRefused, match=r"record of task sync of nightly.*its own state_path"):
        sync(attempt_context(task="other"), numbers=phone_numbers(5, 50), state_path=f"file://{tmp_path}")
    assert set(suppressed(account)) == set(phone_numbers(3))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("company-1.json", "{", "cannot be read"),
        ("company-1.csv.gz", gzip.compress(b"+19192000000,sure\n+1919", mtime=0), "contains something other"),
        ("company-1.csv.gz", gzip.compress(b"+19192000000,sure\n" * 9, mtime=0)[:-6], "missing or damaged"),
        ("company-1.csv.gz", b"+19192000000,sure\n", "missing or damaged"),
    ],
)
def test_a_damaged_record_is_refused(account, tmp_path, file, content, message):
    """A record that cannot be read is not taken for an empty one."""
    sync(attempt_context("first"), numbers=phone_numbers(3), state_path=f"file://{tmp_path}")
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = account.sent("POST", "DELETE")
    with pytest.raises(InvalidArgument, match=message):
        sync(attempt_context("second"), numbers=phone_numbers(4), state_path=f"file://{tmp_path}")
    assert account.sent("POST", "DELETE") == before


@pytest.mark.parametrize(
    "place",
    ["../outside", "/etc", "nightly/../../outside", "s3://elsewhere/x", "nightly//x", "", ".", "a\\b", 3, ["x"]],
)
def test_an_open_plan_stays_below_its_folder(account, tmp_path, place):
    """A path that is read back is none that leads elsewhere: nothing is read there and nothing is sent."""
    state = {"state_path": f"file://{tmp_path}/state"}
    sync(attempt_context("first"), numbers=phone_numbers(3), **state)
    outside = tmp_path / "outside"
    (tmp_path / "state" / "nightly" / "first" / "sync" / "suppression.-1").rename(outside)
    head = tmp_path / "state" / "company-1.json"
    head.write_text(json.dumps({**json.loads(head.read_text()), "open": {"place": place}}))
    before = account.sent("POST", "DELETE")
    with pytest.raises(InvalidArgument, match=r"company-1.json \(state_path\) cannot be read"):
        sync(attempt_context("second"), numbers=phone_numbers(4), **state)
    assert account.sent("POST", "DELETE") == before
    assert sorted(path.name for path in outside.iterdir()) == [
        "checkpoint.json", "failures.csv", "plan.csv.gz", "rejects.csv"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"position": {}, "plan": {}},
        {"position": {"done": "0", "announced": 0}},
        {"position": {"done": 0, "announced": 0, "more": 1}},
        {"position": {"done": 7, "announced": 3}},
        {"position": {"done": -1, "announced": 3}},
        {"position": {"done": 0, "announced": 10**9}},
        {"failures": {"99": [False, "lost"]}},
        {"failures": {"x": [False, "lost"]}},
        {"failures": {"1": "lost"}},
        {"failures": {"1": 5}},
        {"plan": {"fingerprint": "x", "unchanged": "many"}},
        {"plan": {"fingerprint": "x", "unchanged": None}},
    ],
)
def test_a_damaged_checkpoint_is_refused(account, tmp_path, change):
    """A progress that the plan cannot have is told by the file's name, and nothing is sent."""
    account.fault(phone_numbers(9)[5].replace("+", "%2B"), method="POST", status=401)
    state = {"state_path": f"file://{tmp_path}"}
    with pytest.raises(AuthenticationError):
        sync(attempt_context(), numbers=phone_numbers(9), **state)
    (file,) = tmp_path.rglob("checkpoint.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    before = account.sent("POST", "DELETE")
    with pytest.raises(InvalidArgument, match=r"checkpoint.json cannot be read; check Retreaver's list"):
        sync(attempt_context("second"), numbers=phone_numbers(9), **state)
    assert account.sent("POST", "DELETE") == before


@pytest.mark.parametrize("lost", ["checkpoint.json", "plan.csv.gz"])
def test_a_lost_checkpoint_is_refused(account, tmp_path, lost):
    """An open plan whose files are missing is an error."""
    account.fault(phone_numbers(9)[5].replace("+", "%2B"), method="POST", status=401)
    with pytest.raises(AuthenticationError):
        sync(attempt_context(), numbers=phone_numbers(9), state_path=f"file://{tmp_path}")
    (file,) = tmp_path.rglob(lost)
    file.unlink()
    with pytest.raises(InvalidArgument, match=f"{lost} is missing"):
        sync(attempt_context(), numbers=phone_numbers(9), state_path=f"file://{tmp_path}")


def test_a_task_without_an_instance(account, tmp_path):
    """A plain `execute({})` saves the record and never resumes."""
    state = {"state_path": f"file://{tmp_path}"}
    assert nonzero_counts(sync({}, numbers=phone_numbers(5), **state)) == {"added": 5}
    assert nonzero_counts(sync({}, numbers=phone_numbers(6), **state)) == {"added": 1, "unchanged": 5}
    assert (tmp_path / "manual" / "suppression" / "plan.csv.gz").exists()


def test_mapped_tasks_have_separate_files(account, tmp_path):
    """The files of a mapped task are distinguished by its index."""
    context = {"ti": TaskInstance(task_id="sync", map_index=3)}
    result = sync(context, numbers=phone_numbers(2), state_path=f"file://{tmp_path}")
    assert "suppression.3/" in result["plan"]


def test_no_secret_and_no_number_in_the_result(account, tmp_path):
    """The result contains only counts and paths."""
    result = sync(
        attempt_context(),
        numbers=[*phone_numbers(3), "+1919200000000000"],
        max_rejects=None,
        state_path=f"file://{tmp_path}",
    )
    assert set(result) == {
        "added", "changed", "removed", "unchanged", "kept", "rejected", "unreadable", "failed", "duplicates",
        "changed_by_others", "plan", "rejects", "failures",
    }  # fmt: skip
    assert "919200" not in json.dumps(result)
