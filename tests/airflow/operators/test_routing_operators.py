"""The operators that change targets, groups and contacts: what they are given, what they send, what they return."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    PartialFailure,
    PermissionDenied,
)
from airflow_provider_retreaver.operators.base import DRY_RUN_FIELD
from airflow_provider_retreaver.operators.caps import RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverRestoreOperator,
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from tests.airflow.support.account import KEY, StateStore, TaskInstance, context_of

pytestmark = pytest.mark.airflow

SETS = (RetreaverSetCapsOperator, RetreaverSetPausedOperator, RetreaverUpdateBusinessHoursOperator)
ALL = (*SETS, RetreaverRestoreOperator, RetreaverUpdateTagsOperator, RetreaverUpdateTargetGroupOperator)


def perform(operator, context=None, **parameters):
    """Execute an operator as a worker would after rendering, and return its result as JSON."""
    made = operator(task_id="change", **parameters)
    return json.loads(json.dumps(made.execute(context_of() if context is None else context)))


def read(account, id_, kind="target"):
    """Return an object as it is."""
    return account._handle("GET", f"/{kind}s/{id_}.json")[kind]


def put(account, id_, kind="target", **attributes):
    """Change an object as another client would."""
    account._handle("PUT", f"/{kind}s/{id_}.json", {kind: attributes})


def cap(account, id_, name="Hard", kind="target"):
    """Return a cap."""
    return next(one["cap"] for one in read(account, id_, kind)["caps"] if one["type"] == name)


def ids_of(rows):
    """Return the distinct IDs of a result's rows."""
    return sorted({row["id"] for row in rows})


# -- whose, in every form


@pytest.mark.parametrize("given", [1, "1", [1], "[1]", "1,", ("1",), {1}])
def test_forms_of_ids(account, given):
    """IDs come as numbers, texts and lists."""
    account.targets(2)
    assert ids_of(perform(RetreaverSetPausedOperator, paused="true", target_ids=given)["changed"]) == [1]


def test_targets_by_tid_group_and_tag(account):
    """Targets are named by tid, by group (its members) and by tag, each once."""
    for number in range(1, 6):
        account.target(f"T{number}", tid=f"A{number}", tag_list=f"<<<city:{'NY' if number > 3 else 'LA'}>>>")
    group = account.group([2, 3])
    for parameters, meant in (
        ({"tids": "A1"}, [1]),
        ({"target_group_ids": group}, [2, 3]),
        ({"tag": "city:NY"}, [4, 5]),
        ({"target_ids": [1], "tids": ["A1", "A2"], "target_group_ids": [group]}, [1, 2, 3]),
    ):
        result = perform(RetreaverUpdateTagsOperator, add="seen:yes", dry_run=True, **parameters)
        assert ids_of(result["would_change"]) == meant


@pytest.mark.parametrize("empty", [[], "", "[]", ()])
def test_empty_lists(account, empty):
    """An empty list selects nothing, and never all."""
    account.targets(2)
    for operator, parameters in (
        (RetreaverSetPausedOperator, {"paused": True}),
        (RetreaverSetCapsOperator, {"hard": 1}),
        (RetreaverUpdateBusinessHoursOperator, {"hours": "closed"}),
        (RetreaverUpdateTagsOperator, {"add": "a:b"}),
    ):
        result = perform(operator, target_ids=empty, **parameters)
        assert result == {"changed": [], "unchanged": [], "failed": []}
    assert perform(RetreaverSetCapsOperator, rows=[])["changed"] == []
    assert account.sent() == []


BAD = {
    "pause: no selection": (RetreaverSetPausedOperator, {"paused": True}, "only_filled=True"),
    "pause: neither": (RetreaverSetPausedOperator, {"paused": "maybe", "target_ids": 1}, "paused must be true"),
    "pause: keep_open": (
        RetreaverSetPausedOperator, {"paused": True, "target_ids": 1, "keep_open": "some"}, "keep_open must be",
    ),
    "caps: no selection": (RetreaverSetCapsOperator, {"hard": 1}, "No targets or groups are selected"),
    "caps: no cap": (RetreaverSetCapsOperator, {"target_ids": 1}, "No cap is given"),
    "caps: no such cap": (RetreaverSetCapsOperator, {"target_ids": 1, "daily": "lots"}, "daily must be a number"),
    "caps: rows beside caps": (RetreaverSetCapsOperator, {"rows": [], "hard": 3}, "give it alone"),
    "caps: rows beside IDs": (RetreaverSetCapsOperator, {"rows": [], "tids": "A"}, "give it alone"),
    "caps: bad row": (RetreaverSetCapsOperator, {"rows": [{"target_id": 3, "hard": "x"}]}, "target 3.*hard"),
    "caps: bad limit": (
        RetreaverSetCapsOperator, {"target_ids": 1, "hard": 1, "max_changes": "lots"}, "max_changes must be",
    ),
    "caps: snapshot of groups": (
        RetreaverSetCapsOperator,
        {"target_group_ids": 1, "hard": 1, "snapshot_path": "file:///nowhere/x.json"},
        "not target groups",
    ),
    "hours: no selection": (RetreaverUpdateBusinessHoursOperator, {"hours": "24h"}, "No targets are selected"),
    "hours: 25:00": (
        RetreaverUpdateBusinessHoursOperator, {"hours": {"mon": "9:00-25:00"}, "target_ids": 1}, "'mon'.*25:00",
    ),
    "hours: 9:60": (RetreaverUpdateBusinessHoursOperator, {"hours": {"mon": "9:60-10:00"}, "target_ids": 1}, "9:60"),
    "hours: day": (RetreaverUpdateBusinessHoursOperator, {"hours": {"mo": "24h"}, "target_ids": 1}, "day 'mo'"),
    "hours: overlap": (
        RetreaverUpdateBusinessHoursOperator, {"hours": {"mon": "08-13,11-14"}, "target_ids": 1}, "overlaps: monday",
    ),
    "hours: zone": (
        RetreaverUpdateBusinessHoursOperator,
        {"hours": "24h", "target_ids": 1, "time_zone": "Mars"}, "time_zone 'Mars' is not a time zone",
    ),
    "hours: move without zone": (
        RetreaverUpdateBusinessHoursOperator,
        {"hours": "24h", "target_ids": 1, "change_time_zone": True}, "give the zone",
    ),
    "tags: nothing": (RetreaverUpdateTagsOperator, {"target_ids": 1}, "give add, remove or replace"),
    "tags: comma": (RetreaverUpdateTagsOperator, {"target_ids": 1, "add": {"a": "b,c"}}, "'a:b,c'"),
    "tags: targets and contacts": (
        RetreaverUpdateTagsOperator, {"target_ids": 1, "contact_ids": 1, "add": "a:b"}, "each in its own task",
    ),
    "tags: bad number": (RetreaverUpdateTagsOperator, {"contact_numbers": "seven", "add": "a:b"}, "contact_numbers"),
    "group: several": (RetreaverUpdateTargetGroupOperator, {"target_group_id": [1, 2], "add": 1}, "must be one ID"),
    "group: nothing": (RetreaverUpdateTargetGroupOperator, {"target_group_id": 1}, "give add, remove or replace"),
    "group: all three": (
        RetreaverUpdateTargetGroupOperator, {"target_group_id": 1, "add": 1, "replace": 2}, "give it alone",
    ),
    "restore: no snapshot": (
        RetreaverRestoreOperator, {"snapshot_path": "file:///nowhere/x.json"}, "no snapshot at file:///nowhere/x.json",
    ),
    "restore: no part": (
        RetreaverRestoreOperator, {"snapshot_path": "file:///nowhere/x.json", "parts": []}, "parts is empty",
    ),
    "restore: unknown part": (
        RetreaverRestoreOperator, {"snapshot_path": "file:///nowhere/x.json", "parts": ["hour"]}, "parts must be one",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("operator", "parameters", "why"), BAD.values(), ids=BAD.keys())
def test_bad_input(account, operator, parameters, why):
    """What cannot be is refused by name before the first request, and not retried."""
    account.target()
    with pytest.raises(InvalidArgument, match=why) as caught:
        perform(operator, **parameters)
    assert isinstance(caught.value, AirflowFailException)
    assert "\n" not in str(caught.value)
    assert account.sent() == []


def test_templates():
    """Everything that a DAG author would template is templated, and every template field is there."""
    required = {
        RetreaverSetPausedOperator: {"paused": True},
        RetreaverUpdateBusinessHoursOperator: {"hours": "24h"},
        RetreaverRestoreOperator: {"snapshot_path": "x"},
        RetreaverUpdateTargetGroupOperator: {"target_group_id": 1},
    }
    for operator in ALL:
        fields = set(operator.template_fields)
        assert {"retreaver_conn_id", DRY_RUN_FIELD, "max_changes", "state_path"} <= fields
        made = operator(task_id="t", **required.get(operator, {}))
        assert all(hasattr(made, name) for name in fields), operator


def test_dry_run_is_a_template_field_of_its_own_name():
    """The parameter is rendered as `dry_run`; Airflow 2.11 needs that name for its method, which still works."""
    operator = RetreaverSetPausedOperator(task_id="t", paused=True, target_ids=1, dry_run="{{ 1 == 1 }}")
    assert DRY_RUN_FIELD in operator.template_fields
    operator.render_template_fields({})
    if AIRFLOW_V_3_0_PLUS:
        assert operator.dry_run == "True"
    else:
        operator.dry_run()
        assert operator.dry_run_only == "True"
    assert operator.is_dry_run() is True


def test_dry_run_that_is_no_truth_value_is_refused():
    """A misspelled value is an error, and neither yes nor no."""
    operator = RetreaverSetPausedOperator(task_id="t", paused=True, target_ids=1, dry_run="perhaps")
    with pytest.raises(InvalidArgument, match="dry_run"):
        operator.is_dry_run()


# -- caps


def test_caps_of_rows(account):
    """A warehouse row each sets its own caps, by ID, by tid and of a group."""
    first, second = account.target(tid="A1"), account.target(tid="A2")
    group = account.group([first])
    rows = [
        {"target_id": first, "hard": "+10%", "daily": 20},
        {"tid": "A2", "hard": None},
        {"target_group_id": group, "monthly": 5},
    ]
    result = perform(RetreaverSetCapsOperator, rows=json.dumps(rows))
    assert [(row["kind"], row["id"], row["field"], row["after"]) for row in result["changed"]] == [
        ("target", first, "hard_cap", 11), ("target", first, "daily_cap", 20),
        ("target", second, "hard_cap", None), ("group", group, "monthly_cap", 5),
    ]  # fmt: skip
    with pytest.raises(PartialFailure, match="rows has it several times"):
        perform(RetreaverSetCapsOperator, rows=[{"target_id": second, "hard": 1}, {"tid": "A2", "hard": 2}])


def test_caps_of_groups_are_the_groups_own(account):
    """Naming a group sets its own caps, not its members'."""
    ids = account.targets(2)
    group = account.group(ids, cap=50)
    perform(RetreaverSetCapsOperator, hard="+10%", target_group_ids=group)
    assert (cap(account, group, kind="target_group"), cap(account, ids[0])) == (55, 10)


def test_a_relative_change_is_applied_once(account, caplog, capsys):
    """A retry after a failure, and a cleared run, do not apply a percent again; a new run does."""
    ids = account.targets(2)
    account.fault(f"/targets/{ids[1]}.json", method="PUT", status=422)
    store = StateStore()
    parameters = {"target_ids": ids, "hard": "+10%", "retries": 2}
    with pytest.raises(PartialFailure, match=f"1 of 2 were not changed as requested: target {ids[1]}"):
        perform(RetreaverSetCapsOperator, context_of(task_state_store=store), **parameters)
    for _ in range(2):
        result = perform(RetreaverSetCapsOperator, context_of(task_state_store=store), **parameters)
        assert [(row["before"], row["after"]) for row in result["changed"]] == [(10, 11), (10, 11)]
    assert [cap(account, id_) for id_ in ids] == [11, 11]
    with caplog.at_level(logging.WARNING):
        perform(RetreaverSetCapsOperator, **parameters)
    # Airflow 3 writes the task's log to stdout here, 2.11 to the logging that pytest catches.
    assert "would apply a relative change twice" in caplog.text + capsys.readouterr().out
    assert [cap(account, id_) for id_ in ids] == [12, 12]


# -- result, failures, dry runs


def test_partial_failure(account):
    """Some failing: the others are done, the result is pushed, and the error names those that failed."""
    ids = account.targets(3)
    account._handle("DELETE", f"/targets/{ids[1]}.json")
    instance = TaskInstance()
    with pytest.raises(
        PartialFailure, match=f"1 of 3 .*target {ids[1]}: GET /targets/{ids[1]}.json was answered 404"
    ):
        perform(RetreaverSetPausedOperator, {"ti": instance}, paused=True, target_ids=ids)
    pushed = instance.pushed["return_value"]
    assert ids_of(pushed["changed"]) == [ids[0], ids[2]]
    assert [read(account, id_)["paused"] for id_ in (ids[0], ids[2])] == [True, True]


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDenied)])
def test_refused_credentials(account, status, kind):
    """401 and 403 end the task at once and keep their type."""
    id_ = account.target()
    account.fault("/targets/", status=status, times=None)
    with pytest.raises(kind) as caught:
        perform(RetreaverSetPausedOperator, paused=True, target_ids=id_)
    assert isinstance(caught.value, AirflowFailException)
    assert len(account.sent()) == 1


def test_a_guard_is_final_and_says_what_to_do(account, caplog):
    """Above max_changes nothing is sent, the difference is in the log, and no retry is used up."""
    ids = account.targets(3)
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ChangeRefused, match=r"3 of 3 targets .* allows 0\.5 of 3") as caught,
    ):
        perform(RetreaverSetPausedOperator, paused=True, target_ids=ids, max_changes="50%")
    assert isinstance(caught.value, AirflowFailException)
    assert f"Not changed: target {ids[0]}" in caplog.text
    assert account.sent("PUT") == []


@pytest.mark.parametrize("value", [True, "True", "1"])
def test_dry_run(account, tmp_path, value, caplog):
    """A dry run returns and logs the difference, writes no snapshot, and sends nothing but GETs."""
    id_ = account.target()
    path = tmp_path / "x.json"
    with caplog.at_level(logging.INFO):
        result = perform(
            RetreaverUpdateBusinessHoursOperator,
            hours={"mon": "closed"}, target_ids=id_, dry_run=value, snapshot_path=f"file://{path}",
        )  # fmt: skip
    assert result["would_change"] == [
        {"kind": "target", "id": id_, "name": "Acme", "field": "monday", "before": "24h", "after": "closed"}
    ]
    assert f'Would change target {id_} ("Acme"): monday 24h -> closed' in caplog.text
    assert {line.partition(" ")[0] for line in account.sent()} == {"GET"}
    assert not path.exists()


def test_a_pasted_key_stays_hidden(account, caplog):
    """A key that was pasted into a name or a tag appears neither in the result nor in the log."""
    id_ = account.target(f"Pasted {KEY} here")
    with caplog.at_level(logging.DEBUG):
        result = perform(RetreaverUpdateTagsOperator, add="a:b", target_ids=id_)
        put(account, id_, tag_list=f"<<<note:{KEY}>>>")
        with pytest.raises(PartialFailure, match="holds a secret") as caught:
            perform(RetreaverUpdateTagsOperator, add="a:c", target_ids=id_)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_retreaver")]
    assert any(line.startswith(f"Changed target {id_}") for line in ours)
    assert read(account, id_)["tag_values"][0]["value"] == KEY
    assert "s3cr3t" not in json.dumps([result, ours, str(caught.value), caught.value.result])


# -- pause


def test_only_filled(account):
    """Only targets with a full cap of any kind are paused; those that are not stay out of the result."""
    hard, daily, neither = account.target(filled=10), account.target(), account.target(filled=9)
    put(account, daily, daily_cap_attributes={"cap": 3})
    account._control("POST", f"targets/{daily}/fill", {"type": "daily", "filled": 3})
    result = perform(RetreaverSetPausedOperator, paused=True, only_filled=True)
    assert ids_of(result["changed"]) == [hard, daily]
    assert read(account, neither)["paused"] is False


def test_keep_open_with_groups(account):
    """A pause that would leave too few in any group is refused whole; resuming is never refused."""
    ids = account.targets(4)
    account.group(ids[:2])
    account.group(ids[1:])
    for id_ in ids:
        account.fill(id_, 0)
    with pytest.raises(ChangeRefused, match="keep_open=1 does not allow this change: group 1"):
        perform(RetreaverSetPausedOperator, paused=True, target_ids=ids[:2], keep_open="1")
    assert account.sent("PUT") == []
    assert ids_of(perform(RetreaverSetPausedOperator, paused=True, target_ids=ids[1:3], keep_open=1)["changed"]) == [
        2,
        3,
    ]
    assert ids_of(perform(RetreaverSetPausedOperator, paused=False, target_ids=ids, keep_open=4)["changed"]) == [2, 3]


def test_a_pause_twice(account):
    """A second run of the same finds nothing to change, and sends nothing."""
    id_ = account.target()
    assert ids_of(perform(RetreaverSetPausedOperator, paused=True, target_ids=id_)["changed"]) == [id_]
    result = perform(RetreaverSetPausedOperator, paused=True, target_ids=id_)
    assert ids_of(result["unchanged"]) == [id_]
    assert len(account.sent("PUT")) == 1


# -- snapshots


def hours(account, id_):
    """Return the hours of a target's rows."""
    names = ("id", "day_of_week", "work_day", "time_open", "time_close", "invert")
    return [{name: row[name] for name in names} for row in read(account, id_)["business_hours"]]


@pytest.mark.parametrize(
    ("operator", "parameters"),
    [
        (RetreaverUpdateBusinessHoursOperator, {"hours": "22:00-06:00"}),
        (RetreaverSetPausedOperator, {"paused": True}),
        (RetreaverSetCapsOperator, {"hard": None, "concurrency": 1}),
    ],
)
def test_there_and_back(account, tmp_path, operator, parameters):
    """Every change with a snapshot is taken back exactly, once, and again without harm."""
    ids = account.targets(2)
    before = [(hours(account, id_), read(account, id_)["paused"], read(account, id_)["caps"]) for id_ in ids]
    path = f"file://{tmp_path}/deep/down/{{x}}.json".replace("{x}", "snapshot")
    perform(operator, target_ids=ids, snapshot_path=path, **parameters)
    assert ids_of(perform(RetreaverRestoreOperator, snapshot_path=path)["changed"]) == ids
    assert [(hours(account, id_), read(account, id_)["paused"], read(account, id_)["caps"]) for id_ in ids] == before
    assert ids_of(perform(RetreaverRestoreOperator, snapshot_path=path)["unchanged"]) == ids
    assert sorted(entry.name for entry in (tmp_path / "deep/down").iterdir()) == ["snapshot.json"]


def test_the_snapshot_is_written_before_the_change(account, tmp_path):
    """Killed by a refused key at the first change: the snapshot is already there, with the state before."""
    id_ = account.target()
    account.fault("/targets/", method="PUT", status=401)
    with pytest.raises(AuthenticationError):
        perform(RetreaverSetPausedOperator, paused=True, target_ids=id_, snapshot_path=f"file://{tmp_path}/x.json")
    found = json.loads((tmp_path / "x.json").read_text())
    assert (found["format"], found["version"], found["company_id"]) == ("retreaver-snapshot", 1, 1)
    assert found["run"] == {
        "dag_id": "nightly", "run_id": "scheduled__2026-11-20T05:00:00+00:00", "task_id": "reset", "map_index": -1,
    }  # fmt: skip
    assert found["targets"][str(id_)]["before"]["paused"] is False
    assert found["targets"][str(id_)]["after"]["paused"] is True


def test_another_runs_snapshot_is_not_overwritten(account, tmp_path):
    """Another run's snapshot stays unless overwriting is requested; the same run's retry adds to its own."""
    first, second = account.targets(2)
    path = f"file://{tmp_path}/x.json"
    perform(RetreaverSetPausedOperator, paused=True, target_ids=first, snapshot_path=path)
    perform(RetreaverSetPausedOperator, paused=True, target_ids=[first, second], snapshot_path=path)
    assert set(json.loads((tmp_path / "x.json").read_text())["targets"]) == {str(first), str(second)}
    other = {"ti": TaskInstance(run_id="manual__1")}
    sent = account.sent()
    for context in (other, {}):
        told = r"holds the snapshot of another run \(task reset of nightly.*triggered by hand, there is nothing to do"
        with pytest.raises(ChangeRefused, match=told):
            perform(RetreaverSetPausedOperator, context, paused=False, target_ids=first, snapshot_path=path)
    assert account.sent() == sent
    perform(
        RetreaverSetPausedOperator, other,
        paused=False, target_ids=first, snapshot_path=path, overwrite_snapshot="true",
    )  # fmt: skip
    assert set(json.loads((tmp_path / "x.json").read_text())["targets"]) == {str(first)}


@pytest.mark.parametrize("content", ["{", "[]", "", '{"format": "retreaver-snapshot", "version": 9}'])
def test_something_else_is_at_the_path(account, tmp_path, content):
    """A file that is no snapshot is neither restored nor overwritten."""
    id_ = account.target()
    (tmp_path / "x.json").write_text(content)
    path = f"file://{tmp_path}/x.json"
    with pytest.raises(InvalidArgument, match=r"x\.json is"):
        perform(RetreaverRestoreOperator, snapshot_path=path)
    with pytest.raises(InvalidArgument, match=r"x\.json is"):
        perform(RetreaverSetPausedOperator, paused=True, target_ids=id_, snapshot_path=path)
    assert account.sent() == []
    assert (tmp_path / "x.json").read_text() == content


def test_others_changed_the_target(account, tmp_path):
    """Restoring refuses what others changed, with the three-way difference, restores the rest, and can overwrite."""
    ids = account.targets(2)
    path = f"file://{tmp_path}/x.json"
    perform(RetreaverUpdateBusinessHoursOperator, hours="closed", target_ids=ids, snapshot_path=path)
    put(account, ids[0], hard_cap_attributes={"cap": 77})
    with pytest.raises(PartialFailure, match="hard_cap: 10 before, 10 by us, 77 now"):
        perform(RetreaverRestoreOperator, snapshot_path=path)
    assert [hours(account, id_)[0]["work_day"] for id_ in ids] == [False, True]
    perform(RetreaverRestoreOperator, snapshot_path=path, overwrite="true")
    assert (hours(account, ids[0])[0]["work_day"], cap(account, ids[0])) == (True, 10)


def test_a_snapshot_of_another_company(account, tmp_path):
    """A snapshot is not put into another company than the one it was taken of."""
    id_ = account.target()
    perform(RetreaverSetPausedOperator, paused=True, target_ids=id_, snapshot_path=f"file://{tmp_path}/x.json")
    found = json.loads((tmp_path / "x.json").read_text())
    (tmp_path / "x.json").write_text(json.dumps(found | {"company_id": 9}))
    with pytest.raises(InvalidArgument, match="is of company 9, and the connection is to company 1"):
        perform(RetreaverRestoreOperator, snapshot_path=f"file://{tmp_path}/x.json")
    assert read(account, id_)["paused"] is True


# -- tags and groups


def test_tags_of_contacts(account):
    """Contacts are changed by ID and by phone number."""
    body = {"contact": {"contact_numbers_attributes": [{"number": "+18668987878"}], "tag_list": "<<<a:1>>>"}}
    id_ = account._handle("POST", "/contacts.json", body)["contact"]["id"]
    result = perform(RetreaverUpdateTagsOperator, add={"vip": "yes"}, contact_numbers="+18668987878")
    assert [(row["kind"], row["id"], row["after"]) for row in result["changed"]] == [
        ("contact", id_, ["a:1", "vip:yes"])
    ]
    perform(RetreaverUpdateTagsOperator, replace=[], contact_ids=[id_])
    assert read(account, id_, "contact")["tag_values"] == []


def test_groups(account):
    """Members are added and removed through the helpers; the list is replaced when requested."""
    ids = account.targets(4)
    group = account.group(ids[:2])
    perform(RetreaverUpdateTargetGroupOperator, target_group_id=str(group), add="3,1", remove=[2])
    assert read(account, group, "target_group")["target_ids"] == [1, 3]
    perform(RetreaverUpdateTargetGroupOperator, target_group_id=group, replace=[4, 2])
    assert read(account, group, "target_group")["target_ids"] == [2, 4]
    with pytest.raises(ChangeRefused, match="1 of 2 memberships"):
        perform(RetreaverUpdateTargetGroupOperator, target_group_id=group, replace=[4], max_changes=0.25)
