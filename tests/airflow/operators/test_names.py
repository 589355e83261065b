"""Objects that are chosen by name: every operator that takes IDs, in every form, at the requests of one list."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, PartialFailure, Unavailable
from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.payout_tables import RetreaverPayoutTableOperator
from airflow_provider_retreaver.operators.resources import RetreaverGetOperator, RetreaverUpdateOperator
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from airflow_provider_retreaver.transfers.calls import (
    RetreaverCallsToObjectStorageOperator,
    RetreaverCallsToSqlOperator,
)
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator
from tests.airflow.support.account import StateStore, TaskInstance, context_of, reset_caps
from tests.airflow.support.suppression import suppressed

pytestmark = pytest.mark.airflow

INC = "O'Brien & Sons, Inc."
TARGETS, GROUPS = "GET /targets.json", "GET /target_groups.json"
DAY = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-06T00:00:00+00:00"}
FORMS = {"native": lambda value: value, "rendered": str, "JSON": json.dumps, "tuple": tuple}

# Operator, parameter and names, what else it needs, the same by ID, and the lists that the names are looked up in.
CASES = {
    "reset": (RetreaverResetCapOperator, "target_names", [INC, "Bolt"], {}, {"target_ids": [1, 2]}, [TARGETS]),
    "reset groups": (
        RetreaverResetCapOperator,
        "target_group_names",
        ["Roofers"],
        {},
        {"target_group_ids": 1},
        [GROUPS],
    ),
    "reset both": (
        RetreaverResetCapOperator,
        "target_names",
        ["Bolt"],
        {"target_ids": 1, "only_filled": True},
        {"target_ids": [2, 1], "only_filled": True},
        [TARGETS],
    ),
    "set caps": (
        RetreaverSetCapsOperator,
        "target_names",
        [INC],
        {"hard": 20},
        {"target_ids": 1, "hard": 20},
        [TARGETS],
    ),
    "set caps of groups": (
        RetreaverSetCapsOperator,
        "target_group_names",
        ["Roofers"],
        {"hard": "+5"},
        {"target_group_ids": 1, "hard": "+5"},
        [GROUPS],
    ),
    "set caps by rows": (
        RetreaverSetCapsOperator,
        "rows",
        [
            {"target_name": INC, "hard": 20},
            {"target_group_name": "Roofers", "hard": 30},
            {"target_id": 2, "daily": 9},
        ],
        {},
        {
            "rows": [
                {"target_id": 1, "hard": 20},
                {"target_id": 2, "daily": 9},
                {"target_group_id": 1, "hard": 30},
            ]
        },
        [TARGETS, GROUPS],
    ),
    "pause": (
        RetreaverSetPausedOperator,
        "target_names",
        [INC, "Bolt"],
        {"paused": True},
        {"paused": True, "tids": ["b1", "b2"]},
        [TARGETS],
    ),
    "hours": (
        RetreaverUpdateBusinessHoursOperator,
        "target_names",
        ["Bolt"],
        {"hours": "closed"},
        {"target_ids": 2, "hours": "closed"},
        [TARGETS],
    ),
    "tags": (
        RetreaverUpdateTagsOperator,
        "target_group_names",
        ["Roofers"],
        {"add": "a:1"},
        {"target_group_ids": 1, "add": "a:1"},
        [GROUPS],
    ),
    "members": (
        RetreaverUpdateTargetGroupOperator,
        "remove_names",
        [INC],
        {"target_group_name": "Roofers", "add": [3], "add_names": "Zeus"},
        {"target_group_id": 1, "add": 3, "remove": 1},
        [GROUPS, TARGETS],
    ),
    "all members": (
        RetreaverUpdateTargetGroupOperator,
        "replace_names",
        [INC],
        {"target_group_id": 1, "replace": 3},
        {"target_group_id": 1, "replace": [3, 1]},
        [TARGETS],
    ),
}


@pytest.fixture
def buyers(account):
    """Add three targets and a group of two."""
    account.target(INC, tid="b1", filled=10)
    account.target("Bolt", tid="b2", filled=10)
    account.target("Zeus", tid="b3")
    account.group([1, 2], cap=20, filled=5)
    return account


def dry_run(operator, **parameters):
    """Return the result of an operator's dry run as JSON."""
    return json.loads(json.dumps(operator(task_id="task", dry_run=True, **parameters).execute(context_of())))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_names_mean_the_objects_that_have_them(buyers, case, form):
    """A dry run by names shows IDs and names, equals that by IDs, and reads each list of names once."""
    operator, parameter, names, more, by_id, lists = CASES[case]
    expected = dry_run(operator, **by_id)
    before = len(buyers.sent())
    assert dry_run(operator, **{parameter: FORMS[form](names)}, **more) == expected
    planned = [row for name, rows in expected.items() if name.startswith("would_") for row in rows]
    assert all(row["name"] and (row.get("id") or row.get("target_group_id")) for row in planned)
    assert planned
    sent = buyers.sent()[before:]
    assert [request for request in sent if request in (TARGETS, GROUPS)] == lists
    if lists == [TARGETS] and "target_group_id" not in more:
        assert sent == lists, "rows of the list are not read again"


@pytest.mark.parametrize("case", CASES)
def test_names_that_cannot_be_used(buyers, case):
    """A name that is missing or not unique fails the task at once, names the parameter, and changes nothing."""
    operator, parameter, names, more, _, lists = CASES[case]
    buyers.target("Bolt ")
    buyers._handle("POST", "/target_groups.json", {"target_group": {"name": "Roofers 2", "target_ids": []}})
    buyers._handle("POST", "/target_groups.json", {"target_group": {"name": "Roofers 2", "target_ids": []}})
    wrong = {"Roofers": ("Rofers", "Roofers 2")} if lists == [GROUPS] else {}
    missing, several = wrong.get(names[0], ("bolt", "Bolt")) if parameter != "rows" else ("bolt", "Bolt")
    for name, kind, hint in (
        (missing, NotFound, "did you mean"),
        (several, InvalidArgument, "give the ID of the one"),
    ):
        given = [{"target_name": name, "hard": 1}] if parameter == "rows" else [name]
        task = operator(task_id="task", **{parameter: given}, **more)
        with pytest.raises(kind, match=hint) as refused:
            task.execute(context_of())
        assert isinstance(refused.value, AirflowFailException)
        assert ("target_names" if parameter == "rows" else parameter) in str(refused.value)
        assert repr(name) in str(refused.value)
    assert buyers.sent("POST", "PUT") == []


def test_names_that_came_out_as_nothing(buyers):
    """An empty list of names selects nothing, and None alone is refused, as for IDs; blanks are refused."""
    nothing = {"reset": [], "skipped": [], "failed": []}
    assert reset_caps(target_names=[]) == reset_caps(target_group_names="[]") == nothing
    for value in (None, "None"):
        with pytest.raises(InvalidArgument, match="target_names came out as None"):
            reset_caps(target_names=value, only_filled=True)
    for value in ([" "], [True], [1.5], {"a": 1}, "[Acme] Roofing"):
        with pytest.raises(InvalidArgument, match="target_names"):
            reset_caps(target_names=value)
    group = {"task_id": "members", "add": [1]}
    for given, message in (
        ({"target_group_id": 1, "target_group_name": "Roofers"}, "not both"),
        ({"target_group_name": " "}, "target_group_name is blank"),
        ({}, "target_group_id must be one ID"),
        ({"target_group_id": 1, "replace_names": "Zeus"}, "replace sets all members"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            RetreaverUpdateTargetGroupOperator(**group, **given).execute(context_of())
    assert buyers.sent() == []
    overlap = RetreaverUpdateTargetGroupOperator(**group, target_group_id=1, remove_names=[INC])
    with pytest.raises(InvalidArgument, match="Target 1 is in add and in remove"):
        overlap.execute(context_of())
    twice = [{"target_name": INC, "hard": 1}, {"tid": "b1", "hard": 2}]
    with pytest.raises(PartialFailure, match="several times"):
        RetreaverSetCapsOperator(task_id="caps", rows=twice).execute(context_of())
    assert buyers.sent("POST", "PUT") == []


@pytest.mark.parametrize("kept", ["store", "file", "nothing"])
def test_a_retry_stays_with_what_was_found(buyers, tmp_path, kept):
    """When the name goes to another target between two attempts, the retry still means the first one where it can."""
    buyers.target("Acme", filled=10)
    buyers.fault("/targets/1/reset_cap", method="POST", status=422)
    parts = {"task_state_store": StateStore()} if kept == "store" else {}
    path = {"state_path": f"file://{tmp_path}"} if kept == "file" else {}

    def attempt():
        return reset_caps(context_of(**parts), target_names=[INC, "Acme"], **path)

    with pytest.raises(PartialFailure, match="1 of 2"):
        attempt()
    buyers._handle("PUT", "/targets/1.json", {"target": {"name": "Old"}})
    buyers._handle("PUT", "/targets/2.json", {"target": {"name": INC}})
    reset = {row["id"]: row["name"] for row in attempt()["reset"]}
    assert reset == ({2: INC} if kept == "nothing" else {4: "Acme", 1: "Old"})
    assert buyers.sent().count(TARGETS) == (2 if kept == "nothing" else 1)


def named_campaigns(account):
    """Add two campaigns, an affiliate, a target with a customer's ID, and calls of both campaigns."""
    for cid, name in (("c1", "Summer"), ("c2", "Winter, late")):
        account._handle("POST", "/campaigns.json", {"campaign": {"cid": cid, "name": name}})
    account._handle("POST", "/api/v1/affiliates.json", {"affiliate": {"afid": "a1", "company_name": "Leads"}})
    account.target("Acme", tid="t1")
    spread = {"created_at_start": f"{DAY['start']}", "created_at_end": "2026-01-05T12:00:00+00:00"}
    account.calls(3, cid="c1", **spread)
    account.calls(2, cid="c2", afid="a1", tid="t1", **spread)
    account._control("POST", "exports", {"seconds": 0})
    for id_, count in ((1, 7), (2, 4)):
        account._control("POST", "rtb_inbounds", {"count": count, "fields": {"campaign_id": id_, **spread}})


def rename(account):
    """Give the name of the first campaign to the second."""
    account._handle("PUT", "/campaigns/1.json", {"campaign": {"name": "Old"}})
    account._handle("PUT", "/campaigns/2.json", {"campaign": {"name": "Summer"}})


def test_filters_of_exports(account, monkeypatch, tmp_path):
    """Names in filters are looked up once, and files are called as those of an export by ID."""
    named_campaigns(account)
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "database.db")}
    monkeypatch.setenv("AIRFLOW_CONN_DATABASE", json.dumps(connection))
    shared = {"task_id": "export", **DAY}

    def export(**filters):
        operator = RetreaverCallsToObjectStorageOperator(destination=f"file://{tmp_path}", filters=filters, **shared)
        return operator.execute(context_of())

    by_id = export(client_cid="c2", client_afid="a1", client_tid="t1")
    before = len(account.sent())
    by_name = export(campaign_name="Winter, late", affiliate_name="Leads", target_name=" Acme", sub_id=None)
    assert by_name == by_id
    assert by_name["calls"] == 2
    lists = ["GET /api/v1/affiliates.json", "GET /campaigns.json", TARGETS]
    assert [request for request in account.sent()[before:] if "calls" not in request] == lists
    filters = "{'campaign_name': 'Summer'}"
    load = RetreaverCallsToSqlOperator(
        sql_conn_id="database", table="calls", create_table=True, filters=filters, **shared
    )
    assert load.execute(context_of())["rows"] == 3
    recordings = RetreaverRecordingsToObjectStorageOperator(
        destination=f"file://{tmp_path}/recordings", filters=filters, **shared
    )
    assert recordings.execute(context_of())["calls"] == 3
    before = len(account.sent())
    for wrong, kind, message in (
        (
            {"campaign_name": "Winter"},
            NotFound,
            "filters: campaign_name: there is no .*did you mean 'Winter, late'",
        ),
        ({"campaign_name": "Summer", "client_cid": "c1"}, InvalidArgument, "give one of them"),
        ({"target_name": ""}, InvalidArgument, "filters: target_name"),
        ({"campaign_nam": "Summer"}, InvalidArgument, "did you mean 'campaign_name'"),
    ):
        with pytest.raises(kind, match=message):
            export(**wrong)
    assert account.sent()[before:] == ["GET /campaigns.json"]


def test_the_rtb_log_by_name(account, tmp_path):
    """Names stand for IDs, beside those that are given, and a later attempt goes on with the same ones."""
    named_campaigns(account)

    def export(context, **filters):
        operator = RetreaverRtbInboundsToObjectStorageOperator(
            task_id="export", destination=f"file://{tmp_path}", filters=filters, poll_interval=0.05, **DAY
        )
        return operator.execute(context)

    assert export(context_of(), campaign_id=1, campaign_name=["Winter, late"])["rows"] == 11
    store = context_of(task_state_store=StateStore())
    assert export(store, campaign_name="Summer")["rows"] == 7
    rename(account)
    assert export(store, campaign_name="Summer")["rows"] == 7
    assert export(context_of(ti=TaskInstance(run_id="next")), campaign_name="Summer")["rows"] == 4
    before = len(account.sent())
    for wrong, message in (({"campaign_name": []}, "campaign_name is empty"), ({"campaign": 1}, "did you mean")):
        with pytest.raises(InvalidArgument, match=message):
            export(context_of(), **wrong)
    assert len(account.sent()) == before


def test_lists_of_numbers_by_name(account, monkeypatch, tmp_path):
    """A caller list and a suppression sync go by the ID, also in a retry after another campaign got the name."""
    named_campaigns(account)
    keys = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=keys)))
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET})
    context = context_of(task_state_store=StateStore())

    def sync(operator, context=context, **parameters):
        given = {"mode": "add", "numbers": ["+19195550123"], **parameters}
        return operator(task_id="sync", **given).execute(context)

    lists = {"operator": RetreaverCallerListSyncOperator, "list_name": "suppressed"}
    assert sync(**lists, campaign_name="Summer")["created"] is True
    assert sync(**lists, context=context_of(), target_name="Acme", dry_run=True)["would_create"] is True
    rename(account)
    assert sync(**lists, campaign_name="Summer")["created"] is False
    assert sync(**lists, context=context_of(), campaign_name="Summer")["created"] is True
    state = {"operator": RetreaverSuppressionSyncOperator, "can_resubscribe": False, "campaign_name": "Summer"}
    assert sync(**state, context=context_of(), state_path=f"file://{tmp_path}")["added"] == 1
    assert suppressed(account) == {"+19195550123": (False, "c2")}
    for given, message in (
        ({**lists, "campaign_name": "None"}, "campaign_name is blank, or came out as None"),
        ({**lists, "campaign_name": "Summer", "target_id": 1}, "exactly one of the two"),
        ({**state, "campaign_name": " "}, "campaign_name is blank"),
        ({**state, "campaign_id": "c1"}, "not both"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            sync(**given)


def test_a_payout_table_by_name(account):
    """The result has ID and name of the campaign; a retry stays with it, and a restore is held against it."""
    named_campaigns(account)
    context = context_of(task_state_store=StateStore())
    rules = "rule_id,age,payout_pct\n1,>=30,65\n"

    def change(context, **parameters):
        operator = RetreaverPayoutTableOperator(task_id="rates", confirm=True, check_ids=False, **parameters)
        return operator.execute(context)

    wanted = {"csv": rules, "activate": True, "campaign_name": "Summer"}
    account.fault("payout_bid", method="PUT", status=500)
    with pytest.raises(Unavailable):
        change(context, **wanted)
    rename(account)
    result = change(context, **wanted)
    assert {(row["kind"], row["id"], row.get("name")) for row in result["changed"]} >= {("campaign", 1, "Summer")}
    with pytest.raises(InvalidArgument, match="restore is a result of campaign 1, and not of 2"):
        change(context_of(), restore=result, campaign_name="Summer")
    with pytest.raises(InvalidArgument, match="must be the result of"):
        change(context_of(), restore={"a": 1}, campaign_name="Nobody")
    with pytest.raises(NotFound, match="campaign_name: there is no campaign with the name 'Nobody'"):
        change(context_of(), **{**wanted, "campaign_name": "Nobody"})
    with pytest.raises(InvalidArgument, match="not both"):
        change(context_of(), campaign_id=1, **wanted)
    assert change(context_of(), restore=result, campaign_name="Old")["table"]["active"] is None


def test_the_generic_operators(account):
    """Objects of the four resources are read and changed by name, and `missing_ok` takes a missing name for none."""
    named_campaigns(account)
    account.group([])

    def get(resource, name, **parameters):
        operator = RetreaverGetOperator(task_id="get", resource=resource, object_name=name, **parameters)
        return operator.execute(context_of())

    def update(context, **parameters):
        operator = RetreaverUpdateOperator(task_id="update", resource="campaigns", **parameters)
        return operator.execute(context)

    found = [get(*one) for one in (("targets", "Acme"), ("target_groups", "Roofers"), ("campaigns", "Winter, late"))]
    assert [row["id"] for row in found] == [1, 1, 2]
    assert get("affiliates", "Leads")["afid"] == "a1"
    assert get("targets", "acme", missing_ok=True) is None
    context = context_of(task_state_store=StateStore())
    change = {"attributes": {"dedupe_seconds": 60}, "object_name": "Summer"}
    assert update(context, **change, dry_run=True)["customer_id"] == "c1"
    assert update(context, **change)["action"] == "updated"
    rename(account)
    assert update(context, **change)["customer_id"] == "c1"
    assert update(context_of(), **change)["customer_id"] == "c2"
    before = len(account.sent())
    for resource, name, more in (
        ("numbers", "x", {}), ("targets", " ", {}), ("targets", "None", {}), ("targets", "x", {"resource_id": 1}),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match="object_name"):
            get(resource, name, **more)
    assert len(account.sent()) == before
