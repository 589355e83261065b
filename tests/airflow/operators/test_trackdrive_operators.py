"""The operators of TrackDrive's buyer groups: what they read, write, refuse and return."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import requests_mock
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    PartialFailure,
)
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY
from tests.airflow.support.account import StateStore, TaskInstance, context_of
from tests.airflow.support.killed_attempts import kill_while_asking
from tests.airflow.support.trackdrive import GROUPS, TOKEN, TrackDriveAccount, execute

pytestmark = pytest.mark.airflow


@pytest.fixture
def trackdrive(account, monkeypatch):
    """Provide an empty TrackDrive account; its connection does not wait between attempts."""
    found = TrackDriveAccount(account)
    connection = found.connection(extra={"max_wait": 0})
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(connection))
    return found


# -- list and get


def test_a_short_list_is_returned(trackdrive):
    """Rows have the requested columns and `id`, the oldest first."""
    ids = [trackdrive.group(f"Group {index}") for index in range(3)]
    rows = execute("List", columns="name", limit="10", per_page=2)
    assert rows == [{"id": id_, "name": f"Group {index}"} for index, id_ in enumerate(ids)]
    assert execute("List", columns=["id"], fulltext="Group 1", root="false", limit=5) == [{"id": ids[1]}]
    with pytest.raises(InvalidArgument, match="has more than 2 rows"):
        execute("List", limit=2)
    assert len(execute("List", limit=2, truncate=True)) == 2


def test_files_have_the_rows(trackdrive, tmp_path):
    """JSON lines, CSV and Parquet hold the same rows, with the columns that were asked for."""
    from pyarrow import parquet

    buyer = trackdrive.buyer("a")
    trackdrive.group(buyer_ids=[buyer], attempt_total_limit=40, paused=True)
    trackdrive.group("=1+1")
    for form in ("jsonl", "csv", "parquet"):
        result = execute(
            "List",
            columns="name,paused,buyer_ids,attempt_total_limit",
            destination=f"file://{tmp_path}/groups.{form}",
            format=form,
            csv_escape_formulas=form == "csv",
        )
        assert (result["resource"], result["rows"]) == ("buyer_groups", 2)
    lines = [json.loads(line) for line in (tmp_path / "groups.jsonl").read_text().splitlines()]
    cells = list(csv.DictReader(io.StringIO((tmp_path / "groups.csv").read_text())))
    table = parquet.read_table(tmp_path / "groups.parquet").to_pylist()
    assert lines[0] == {
        "id": 1, "name": "Roofers", "paused": True, "buyer_ids": [buyer], "attempt_total_limit": 40,
    }  # fmt: skip
    assert cells[0] == {
        "id": "1", "name": "Roofers", "paused": "true", "buyer_ids": f"[{buyer}]", "attempt_total_limit": "40.0",
        "other": "",
    }  # fmt: skip
    assert cells[1]["name"] == "'=1+1"
    assert (table[0]["id"], table[0]["attempt_total_limit"], table[1]["attempt_total_limit"]) == (1, 40.0, None)


def test_rows_of_every_column_are_written(trackdrive, tmp_path):
    """Without columns a file has all documented ones, whatever their order in the rows."""
    trackdrive.group()
    execute("List", destination=f"file://{tmp_path}/all.csv", format="csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text()))
    assert (row["id"], row["attempt_total_used"], row["other"]) == ("1", "0.0", "")
    assert len(row) == 67


@pytest.mark.parametrize("body", [{"buyer_groups": [{"id": "7"}]}, [{"id": "7"}]])
def test_lists_without_metadata(trackdrive, body):
    """A list may come with its root or without, and an ID as a text."""
    with requests_mock.Mocker() as mock:
        mock.get(GROUPS, json=body)
        assert execute("List", limit=5) == [{"id": "7"}]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": "nmae"}, "did you mean 'name'"),
        ({"order": "attempt_total_used"}, "did you mean 'call_limits.attempt_total_used'"),
        ({"order_dir": "up"}, "order_dir must be one of"),
        ({"created_at_from": "2016-01-01 12:25:15"}, "created_at_from must be RFC 3339 with an offset"),
        ({"root": "perhaps"}, "root must be true or false"),
        ({"per_page": 0}, "per_page must be a whole number"),
        ({"limit": None}, "Set either limit"),
        ({"limit": 5000}, "limit is 5000"),
        ({"format": "xml"}, "format must be one of"),
    ],
)
def test_lists_that_are_refused(trackdrive, parameters, message):
    """A wrong parameter is refused by name; nothing is sent, and the task is not retried."""
    with pytest.raises(InvalidArgument, match=message) as raised:
        execute("List", **{"limit": 10, **parameters})
    assert isinstance(raised.value, AirflowFailException)
    assert trackdrive.account.sent() == []


def test_one_group(trackdrive):
    """A group is read by its ID, as a number or a text; a missing one fails or is None by choice."""
    id_ = trackdrive.group()
    assert execute("Get", buyer_group_id=str(id_))["name"] == "Roofers"
    assert execute("Get", buyer_group_id=99, missing_ok="true") is None
    with pytest.raises(NotFound):
        execute("Get", buyer_group_id=99)
    for wrong in ("roofers", "", [1, 2], None):
        with pytest.raises(InvalidArgument, match="buyer_group_id"):
            execute("Get", buyer_group_id=wrong)


def test_wrong_keys(trackdrive, monkeypatch, caplog):
    """A 401 is final, and neither the keys nor the Basic header are in the error or the log."""
    trackdrive.group()
    monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(trackdrive.connection(password="wrong-private")))
    with pytest.raises(AuthenticationError) as raised:
        execute("List", limit=5)
    assert isinstance(raised.value, AirflowFailException)
    for secret in ("wrong-private", TRACKDRIVE_PRIVATE_KEY, TOKEN):
        assert secret not in f"{raised.value} {caplog.text}"


# -- create and delete


def test_a_group_is_created_once(trackdrive):
    """The result has the routing operators' rows; another attempt of the run creates nothing."""
    context = context_of(task_state_store=StateStore())
    attributes = {"name": "Solar", "paused": "yes", "tier": -1, "revenue_daily_limit": "", "attempt_daily_limit": 5}
    for _ in range(2):
        result = execute("Create", context, attributes=attributes)
        assert (result["action"], result["id"], result["object"]["name"]) == ("created", 1, "Solar")
        assert [(row["field"], row["before"], row["after"]) for row in result["changed"]] == [
            ("name", None, "Solar"), ("paused", None, True), ("tier", None, -1), ("attempt_daily_limit", None, 5),
        ]  # fmt: skip
        assert {(row["kind"], row["id"], row["name"]) for row in result["changed"]} == {("buyer group", 1, "Solar")}
        assert (result["unchanged"], result["failed"]) == ([], [])
    assert [row["name"] for row in execute("List", limit=5)] == ["Solar"]
    dry = execute("Create", attributes={"name": "Other"}, dry_run=True)
    assert (dry["action"], len(trackdrive.account.sent("POST"))) == ("would_create", 1)
    assert [row["after"] for row in dry["would_change"]] == ["Other"]


def test_a_limit_that_a_new_group_has_not(trackdrive):
    """What is read back otherwise fails the task for good, with the group in its result; no retry creates another."""
    made = {"id": 1, "name": "Solar", "attempt_daily_limit": None}
    trackdrive.account.fault(f"{GROUPS}$", method="GET", status=200, body=[])
    trackdrive.account.fault(f"{GROUPS}$", method="GET", status=200, body=[])
    trackdrive.account.fault(f"{GROUPS}$", method="GET", status=200, body=[made])
    context = context_of(task_state_store=StateStore())
    for _ in range(2):
        with pytest.raises(PartialFailure, match="as requested: attempt_daily_limit is none") as raised:
            execute("Create", context, attributes={"name": "Solar", "attempt_daily_limit": 5})
        assert isinstance(raised.value, AirflowFailException)
        assert (raised.value.result["id"], raised.value.result["not_taken"]) == (1, ["attempt_daily_limit"])
    assert len(trackdrive.account.sent("POST")) == 1


@pytest.mark.parametrize("done", [True, False])
def test_a_create_whose_answer_is_lost(trackdrive, done):
    """A group that is new and as requested is the one that was created; otherwise the outcome is unknown."""
    buyer = trackdrive.buyer("a")
    trackdrive.group("Solar", buyer_ids=[buyer])
    trackdrive.account.fault(GROUPS, method="POST", status=500, then="done" if done else "nothing")
    attributes = {"name": "Solar", "buyer_ids": [buyer], "attempt_total_limit": 2.5}
    if done:
        assert execute("Create", attributes=attributes)["id"] == 2
    else:
        with pytest.raises(OutcomeUnknown):
            execute("Create", attributes=attributes)
    assert len(trackdrive.account.sent("POST")) == 1


def test_addresses_are_counted_only(trackdrive, tmp_path, caplog):
    """E-mail addresses are in no result and no state; without a state that lasts, invitations need `retries=0`."""
    attributes = {"name": "Solar", "team_users_emails": ["a@b.c", "d@e.f"]}
    echo = {"id": 7, "name": "Solar", "team_users_emails": ["a@b.c", "d@e.f"]}
    trackdrive.account.fault(GROUPS, method="POST", status=201, body=echo, then="done")
    store, folder = StateStore(), tmp_path / "state"
    for context, more in (
        (context_of(task_state_store=store), {}),
        (context_of(), {"state_path": f"file://{folder}"}),
    ):
        for _ in range(2):
            result = execute("Create", context, attributes=attributes, **more)
            assert [row["after"] for row in result["changed"]] == ["Solar", "2 addresses"]
            assert "a@b.c" not in str(result)
    kept = [path.read_text() for path in folder.rglob("*.json")]
    for texts in (store.values.values(), kept):
        assert sum("2 addresses" in text for text in texts) == 1
    assert "a@b.c" not in f"{store.values} {kept} {caplog.text}"
    assert len(trackdrive.account.sent("POST")) == 2
    dry = execute("Create", attributes=attributes, dry_run=True)
    assert [row["after"] for row in dry["would_change"]] == ["Solar", "2 addresses"]
    for verb, parameters in (
        ("Create", {"attributes": attributes}),
        ("Update", {"attributes": {"generate_team": True}, "buyer_group_ids": 1}),
    ):
        with pytest.raises(InvalidArgument, match="set state_path, or retries=0"):
            execute(verb, retries=1, **parameters)


def test_a_group_is_deleted(trackdrive):
    """Deleting needs a confirmation; a group that is gone is success or not, by choice."""
    id_ = trackdrive.group()
    with pytest.raises(InvalidArgument, match="Set confirm=True if that is meant"):
        execute("Delete", buyer_group_id=id_)
    assert execute("Delete", buyer_group_id=id_, dry_run=True)["action"] == "would_delete"
    assert trackdrive.account.sent("DELETE") == []
    result = execute("Delete", buyer_group_id=id_, confirm="true")
    assert (result["action"], result["gone"], result["already_gone"]) == ("deleted", True, False)
    assert [(row["id"], row["name"], row["field"]) for row in result["changed"]] == [(id_, "Roofers", "deleted")]
    assert trackdrive.account.sent() == [f"{method} {GROUPS}/{id_}" for method in ("GET", "GET", "DELETE", "GET")]
    result = execute("Delete", buyer_group_id=id_, confirm=True)
    assert (result["action"], result["already_gone"]) == ("missing", True)
    assert result["unchanged"] == [{"kind": "buyer group", "id": id_}]
    with pytest.raises(NotFound):
        execute("Delete", buyer_group_id=id_, confirm=True, missing_ok=False)


def test_a_delete_that_does_nothing(trackdrive):
    """A group that is there after its delete fails the task, which is tried again, and the result is pushed."""
    id_ = trackdrive.group()
    trackdrive.account.fault(f"{GROUPS}/{id_}", method="DELETE", status=200, body={"buyer_group": {"id": id_}})
    instance = TaskInstance()
    with pytest.raises(PartialFailure, match=r"buyer group 1: .*returns it still.*a retry changes") as raised:
        execute("Delete", {"ti": instance}, buyer_group_id=id_, confirm=True, missing_ok=False)
    assert not isinstance(raised.value, AirflowFailException)
    assert [row["id"] for row in raised.value.result["failed"]] == [id_]


# -- update


def test_groups_are_changed(trackdrive):
    """Rendered parameters are read; only what differs is sent, and the result has the routing operators' shape."""
    buyer, id_ = trackdrive.buyer("loan-22-en"), trackdrive.group(attempt_daily_limit=5)
    result = execute(
        "Update",
        buyer_group_ids=f"['{id_}']",
        attributes="{'paused': True, 'attempt_daily_limit': ''}",
        add_user_buyer_ids="loan-22-en",
        max_changes=1,
    )
    assert [(row["kind"], row["field"], row["before"], row["after"]) for row in result["changed"]] == [
        ("buyer group", "paused", False, True),
        ("buyer group", "attempt_daily_limit", 5, None),
        ("buyer group", f"buyer {buyer}", False, True),
    ]
    now = trackdrive.read(id_)
    assert (now["paused"], now["attempt_daily_limit"], now["buyer_ids"]) == (True, None, [buyer])
    assert execute("Update", buyer_group_ids=id_, replace="[]")["changed"][0]["after"] == []
    assert execute("Update", buyer_group_ids=[], add=[buyer]) == {"changed": [], "unchanged": [], "failed": []}


def test_total_caps_are_reset(trackdrive):
    """Counts are reset and reported as fields; a stale run is skipped, and a dry run sends nothing."""
    full, empty = trackdrive.group(used=40), trackdrive.group()
    late = context_of(data_interval_end=datetime.now(UTC) - timedelta(hours=13))
    parameters = {"buyer_group_ids": [full, empty], "reset_total_caps": True}
    with pytest.raises(AirflowSkipException, match="more than max_staleness"):
        execute("Update", late, **parameters)
    assert len(execute("Update", late, **parameters, dry_run=True)["would_change"]) == 1
    assert trackdrive.account.sent("PUT") == []
    store = StateStore()
    for _ in range(2):
        result = execute("Update", {**late, "task_state_store": store}, **parameters, force=True)
        assert [(row["field"], row["before"], row["after"]) for row in result["changed"]] == [
            ("attempt_total_used", 40, 0)
        ]
    assert trackdrive.account.sent("PUT") == [f"PUT {GROUPS}/{full}"]


def test_invitations_are_sent_once(trackdrive):
    """The next attempt of a run sends nothing, whether the first one succeeded or its answer was lost."""
    one, two = trackdrive.group(), trackdrive.group()
    trackdrive.account.fault(f"{GROUPS}/{two}", method="PUT", status=500, then="done")
    context = context_of(task_state_store=StateStore())
    parameters = {"buyer_group_ids": [one, two], "attributes": {"team_users_emails": "a@b.c"}}
    for _ in range(2):
        with pytest.raises(PartialFailure, match="nvitations") as raised:
            execute("Update", context, **parameters)
        assert isinstance(raised.value, AirflowFailException)
        assert [row["id"] for row in raised.value.result["changed"]] == [one]
    assert len(trackdrive.account.sent("PUT")) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "There is nothing to change"),
        ({"buyer_group_ids": "None", "add": 1}, "buyer_group_ids is None"),
        ({"buyer_group_ids": ["roofers"], "add": 1}, "not one of TrackDrive's own IDs"),
        ({"add": 1, "replace": [2]}, "replace sets all buyers"),
        ({"replace": " "}, "replace is blank text"),
        ({"add": [1, 1], "remove": ["1"]}, "The buyer 1 is to be added and removed"),
        ({"add": [1, ""]}, "add holds '', which is not an ID"),
        ({"add_user_buyer_ids": [None]}, "add_user_buyer_ids holds None"),
        ({"attributes": {"pausd": True}}, "did you mean 'paused'"),
        ({"attributes": {"paused": True}, "reset_total_caps": True}, "in a task without attributes"),
        ({"attributes": {"reset_total_caps": True}}, "reset_total_caps has a parameter of its own"),
        ({"attributes": {"generate_team": True, "paused": True}}, "give generate_team in a task without paused"),
        ({"attributes": {"generate_team": True}, "add": 1}, "give it in a task without add"),
        ({"add": 1, "max_changes": "many"}, "max_changes must be a number of changes"),
    ],
)
def test_changes_that_are_refused(trackdrive, parameters, message):
    """What is wrong or contradicts itself is refused by name; nothing is sent, and the task is not retried."""
    with pytest.raises(InvalidArgument, match=message) as raised:
        execute("Update", **{"buyer_group_ids": 1, **parameters})
    assert isinstance(raised.value, AirflowFailException)
    assert trackdrive.account.sent() == []


def test_guards_are_final(trackdrive):
    """More changes than `max_changes` are refused before anything is sent."""
    ids = [trackdrive.group(used=1), trackdrive.group(used=1)]
    for parameters in ({"attributes": {"paused": True}}, {"reset_total_caps": True}):
        with pytest.raises(ChangeRefused, match="2 of 2 buyer groups would be changed") as raised:
            execute("Update", buyer_group_ids=ids, max_changes="50%", **parameters)
        assert isinstance(raised.value, AirflowFailException)
    assert trackdrive.account.sent("PUT") == []


def test_unknown_buyers_fail(trackdrive):
    """An ID that TrackDrive does not know fails its group, and a `user_buyer_id` that it does not know the task."""
    id_ = trackdrive.group()
    with pytest.raises(PartialFailure, match=r"buyer group 1: .*foreign key"):
        execute("Update", buyer_group_ids=id_, add=[999])
    with pytest.raises(InvalidArgument, match="No buyer has the user_buyer_id 'x'"):
        execute("Update", buyer_group_ids=id_, remove_user_buyer_ids="x")


# -- killed

ATTEMPT = """
import json, sys
from tests.airflow.support.account import TaskInstance
from tests.airflow.support.trackdrive import execute
for task, (verb, parameters) in json.loads(sys.argv[1]).items():
    execute(verb, {"ti": TaskInstance(task_id=task)}, **parameters)
"""


def test_killed_at_each_kind_of_write(trackdrive, tmp_path):
    """Killed with SIGKILL while each kind of write waits for its answer, done or not: each is done once.

    Every attempt runs all tasks from the first one on, each with the state of its run.
    """
    account, state = trackdrive.account, {"state_path": f"file://{tmp_path}/state"}
    one, two = trackdrive.buyer("a"), trackdrive.buyer("b")
    full = [trackdrive.group(used=40) for _ in range(3)]
    other = [trackdrive.group(buyer_ids=[two], revenue_total_limit=5) for _ in range(2)]
    gone = trackdrive.group()
    change = {"attributes": {"paused": True, "revenue_total_limit": ""}, "add_user_buyer_ids": "a", "remove": two}
    tasks = {
        "first": (
            "Create",
            {"attributes": {"name": "Solar", "tier": 1, "team_users_emails": "a@example.com"}, **state},
        ),
        "second": ("Create", {"attributes": {"name": "Solar", "tier": 2}, **state}),
        "reset": ("Update", {"buyer_group_ids": full, "reset_total_caps": True, **state}),
        "change": ("Update", {"buyer_group_ids": other, **change, **state}),
        "delete": ("Delete", {"buyer_group_id": gone, "confirm": True, "missing_ok": False, **state}),
    }
    done, not_done = {"delay": 3}, {"delay": 3, "cut": True}
    kills = [
        ("POST", [("", done)]),
        ("POST", [("", not_done)]),
        ("PUT", [(f"/{full[0]}", done), (f"/{full[1]}", not_done)]),
        ("PUT", [(f"/{other[0]}", done), (f"/{other[1]}", not_done)]),
        ("DELETE", [(f"/{gone}", done)]),
    ]
    kept: set[int] = set()
    for method, faults in kills:
        for path, fault in faults:
            account.fault(f"{GROUPS}{path}$", method=method, **fault)
        kill_while_asking(account, ATTEMPT, tasks, f"{method} {GROUPS}{faults[0][0]}")
        account.clear_faults()
        for id_ in full:
            if trackdrive.read(id_)["attempt_total_used"] == 0:
                trackdrive.fill(id_, 4)
                kept.add(id_)
    assert full[0] in kept
    results = {
        task: execute(verb, {"ti": TaskInstance(task_id=task)}, **parameters)
        for task, (verb, parameters) in tasks.items()
    }
    new = [row for row in execute("List", limit=20) if row["name"] == "Solar"]
    assert [results[task]["id"] for task in ("first", "second")] == [row["id"] for row in new]
    assert [row["tier"] for row in new] == [1, 2]
    assert len(account.sent("POST")) == 3
    assert len(trackdrive.invitations()) == 1
    assert {row["id"] for row in results["reset"]["changed"]} == set(full)
    assert all(row["before"] == 40 for row in results["reset"]["changed"])
    assert {trackdrive.read(id_)["attempt_total_used"] for id_ in kept} == {4}
    assert {(row["id"], row["field"]) for row in results["change"]["changed"]} == {
        (id_, name) for id_ in other for name in ("paused", "revenue_total_limit", f"buyer {one}", f"buyer {two}")
    }
    for id_ in other:
        now = trackdrive.read(id_)
        assert (now["paused"], now["revenue_total_limit"], now["buyer_ids"]) == (True, None, [one])
    puts = account.sent("PUT")
    counts = [puts.count(f"PUT {GROUPS}/{id_}") for id_ in (*full, *other)]
    # Those that were not done had been sent beside the first one, or not yet, when the attempt was killed.
    assert [counts[0], counts[2], counts[3]] == [1, 1, 1]
    assert {counts[1], counts[4]} <= {1, 2}
    assert [results["delete"][name] for name in ("action", "gone", "already_gone")] == ["deleted", True, True]
    assert len(account.sent("DELETE")) == 1
    kept_texts = [path.read_text() for path in (tmp_path / "state").rglob("*.json")]
    assert sum('"done":{"' in text for text in kept_texts) == 4
    assert "example.com" not in "".join(kept_texts)
