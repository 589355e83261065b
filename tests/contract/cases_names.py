"""Objects that are chosen by name: what is found, what is refused, and how many requests it takes."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, ProtocolError
from airflow_provider_retreaver.domain.objects.key import ObjectKey, group_key, target_key
from airflow_provider_retreaver.domain.objects.names import (
    AFFILIATE,
    CAMPAIGN,
    TARGET,
    TARGET_GROUP,
    FoundNames,
    find_customer_id,
    find_ids,
    find_named,
)
from airflow_provider_retreaver.domain.objects.reading import find_groups, find_targets
from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection
from airflow_provider_retreaver.domain.watching.condition import Condition, QueryState, build_condition
from tests.contract.harness import CaseClient

LIST = ["GET /targets.json"]


def _rows(client: CaseClient, found: Any) -> Any:
    """Keep results comparable: keys and names instead of whole rows."""
    client.results[-1] = [sorted(map(str, found.rows)), sorted(map(str, found.errors))]
    return found


def _campaign(client: CaseClient, **attributes: Any) -> None:
    client.account.handle("POST", "/campaigns.json", {"campaign": attributes})


def _affiliate(client: CaseClient, **attributes: Any) -> None:
    client.account.handle("POST", "/api/v1/affiliates.json", {"affiliate": attributes})


def everything_that_is_chosen_comes_from_one_list(client: CaseClient) -> None:
    """IDs, tids, a tag and names of targets, and the members of a group by name, cost the pages of the two lists."""
    ids = [client.target(name=f"Buyer {n}", tid=f"t{n}") for n in range(1, 29)]
    tagged = client.target(name="O'Brien & Sons, Inc.", tag_list="<<<tier:gold>>>")
    client.group([ids[4], ids[5]])
    known: FoundNames = {}
    selection = TargetSelection(
        ids=[ids[0]],
        tids=["t2", "nobody"],
        tag=Tag("tier", "gold"),
        names=["Buyer 28", " O'Brien & Sons, Inc."],
        group_names=["Roofers"],
    )
    found = _rows(client, client.run(find_targets(selection, ("caps",), names=known)))
    chosen = {ids[0], ids[1], ids[4], ids[5], ids[27], tagged}
    assert set(found.rows) == {target_key(id_) for id_ in chosen}
    assert list(found.errors) == [ObjectKey("target", customer_id="nobody")]
    assert client.sent() == ["GET /target_groups.json", *LIST * 2, "GET /targets/tid/nobody.json"]
    assert known == {"target": {"Buyer 28": ids[27], " O'Brien & Sons, Inc.": tagged}, "target group": {"Roofers": 1}}


def what_a_run_has_found_is_not_looked_up_again(client: CaseClient) -> None:
    """After a target was renamed, and another got its name, the run still has the first one; a new run the other."""
    client.concurrent = True
    ours, other = client.target(name="Acme"), client.target(name="Bolt")
    group = client.group([other])
    known: FoundNames = {}
    selection = TargetSelection(names=["Acme"])
    client.run(find_ids(TARGET, ["Acme"], "target_names", known))
    client.account.handle("PUT", f"/targets/{ours}.json", {"target": {"name": "Old"}})
    client.account.handle("PUT", f"/targets/{other}.json", {"target": {"name": "Acme"}})
    again = _rows(client, client.run(find_targets(selection, ("caps",), names=known)))
    assert list(again.rows) == [target_key(ours)]
    assert client.sent() == [*LIST, f"GET /targets/{ours}.json"]
    assert list(_rows(client, client.run(find_targets(selection, ("caps",)))).rows) == [target_key(other)]
    groups = _rows(client, client.run(find_groups([group, 9], ["Roofers"])))
    assert (list(groups.rows), list(groups.errors)) == ([group_key(group)], [group_key(9)])


def names_that_are_not_there_or_not_unique(client: CaseClient) -> None:
    """One error has all of them, with candidates: near names, other capital letters, the ID of each of several."""
    first, second = client.target(name="Acme", tid="A1"), client.target(name="Acme ", tid=None)
    client.target(name="Acme Roofing")
    client.target(name="BOLT")
    missing = client.fails(NotFound, find_named(TARGET, ["Acme Rofing", "Bolt", "Zebra"], "target_names"))
    assert str(missing) == (
        "target_names: there is no target with the name 'Acme Rofing'; did you mean 'Acme Roofing' (target 3)?; "
        "there is no target with the name 'Bolt'; did you mean 'BOLT' (target 4)?; "
        "there is no target with the name 'Zebra'."
    )
    several = client.fails(InvalidArgument, find_named(TARGET, ["Acme"], "add_names"))
    assert str(several) == (
        f"add_names: 'Acme' is the name of target {first} (tid A1) and target {second}; "
        f"give the ID of the one that is meant."
    )
    many = client.fails(NotFound, find_ids(TARGET_GROUP, [f"g{n}" for n in range(9)], "target_group_names", {}))
    assert str(many).endswith("with the name 'g4'; and 4 more.")
    client.target(name="k3y+with/odd=signs&more")
    quoted = client.fails(NotFound, find_named(TARGET, ["k3y+with/odd=signs&mor"], "target_names"))
    assert "signs&more" not in str(quoted)
    before = len(client.sent())
    assert client.run(find_named(TARGET, [], "target_names")) == {}
    assert len(client.sent()) == before


def names_of_campaigns_and_affiliates(client: CaseClient) -> None:
    """Affiliates are known by their company's name and by their own; calls are chosen by the customer's IDs."""
    _campaign(client, cid="c1", name="Caf\u00e9")
    _affiliate(client, afid="9", first_name="Ann", last_name="Lee", company_name="Leads")
    _affiliate(client, afid="8", company_name="Ann Lee")
    _affiliate(client, afid="7", first_name="Leads", company_name="Leads Ltd")
    known: FoundNames = {}
    # As two characters, which looks the same.
    assert client.run(find_customer_id(CAMPAIGN, "Cafe\u0301", "campaign_name", known)) == "c1"
    assert client.run(find_customer_id(CAMPAIGN, "Cafe\u0301", "campaign_name", known)) == "c1"
    assert client.sent() == ["GET /campaigns.json"]
    assert client.run(find_ids(AFFILIATE, ["Leads Ltd"], "affiliate_names", known)) == [3]
    several = client.fails(InvalidArgument, find_customer_id(AFFILIATE, "Ann Lee", "affiliate_name", known))
    assert "affiliate 1 (afid 9) and affiliate 2 (afid 8)" in str(several)
    client.target(name="Acme")
    nameless = client.fails(InvalidArgument, find_customer_id(TARGET, "Acme", "filters: target_name", known))
    assert str(nameless).startswith("filters: target_name: target 1 has no tid, by which Retreaver chooses here")


def lists_that_leave_something_out(client: CaseClient) -> None:
    """Of a list without caps only the chosen targets are read; one without IDs is an error where IDs are needed."""
    id_ = client.target(name="Acme")
    bare = [{"target": {"id": id_, "name": "Acme"}}, {"target": {"id": 77, "name": None}}]
    client.fault("/targets.json", method="GET", status=200, body=bare)
    found = _rows(client, client.run(find_targets(TargetSelection(names=["Acme"]), ("caps",))))
    assert "caps" in found.rows[target_key(id_)]
    assert client.sent() == [*LIST, f"GET /targets/{id_}.json"]
    client.fault("/campaigns.json", method="GET", status=200, body=[{"campaign": {"cid": "c1", "name": "Summer"}}])
    client.fails(ProtocolError, find_ids(CAMPAIGN, ["Summer"], "campaign_name", {}))


def _polls(client: CaseClient, kind: str, state: QueryState, **parameters: Any) -> Condition[Any]:
    """Poll twice, and return the condition with which a deferred sensor waits."""
    condition = build_condition(kind, parameters)
    for _ in range(2):
        client.run(condition.query.run(state))
        client.results[-1] = str(condition.evaluate(client.results[-1]))
    return condition.with_found(state)


def sensors_look_names_up_once(client: CaseClient) -> None:
    """Read the lists in the first poll; later polls and a deferred sensor go by ID."""
    client.concurrent = True
    target = client.target(name="Acme", filled=10)
    client.target(name="Bolt", filled=10)
    client.group([target])
    shared = {"target_id": None, "tid": None, "target_group_id": None, "match": "any"}
    state: QueryState = {}
    full = {"cap": "hard", "at_least": 1, "remaining": None}
    waiting = _polls(
        client, "cap_filled", state, **shared, **full, target_names="Acme", target_group_names=["Roofers"]
    )
    assert state == {"names": {"target": {"Acme": target}, "target group": {"Roofers": 1}}}
    assert sorted(client.sent()) == sorted(
        ["GET /target_groups.json", *LIST, "GET /target_groups/1.json", f"GET /targets/{target}.json"]
    )
    assert {name: value for name, value in waiting.options().items() if value and "t" in name} == {
        "target_id": [target], "target_group_id": [1], "at_least": 1.0, "match": "any",
    }  # fmt: skip
    idle = _polls(client, "target_idle", {}, **shared, at_most=0, target_group_names="Roofers")
    assert idle.options()["target_group_id"] == [1]
    client.fails(
        NotFound, build_condition("target_idle", {**shared, "at_most": 0, "target_names": "Acm"}).query.run({})
    )


def filters_of_calls_by_name(client: CaseClient) -> None:
    """Count calls by the ID of the campaign with that name, which is looked up once."""
    _campaign(client, cid="c1", name="Summer")
    _campaign(client, cid="c2", name="Winter")
    client.calls(3, cid="c1")
    client.calls(2, cid="c2")
    filters = {"campaign_name": "Winter", "sub_id": None}
    day = {"start": "2026-01-09T00:00:00Z", "end": "2026-01-10T00:00:00Z", "window": None, "at_least": 2}
    window = {**day, "at_most": None}
    state: QueryState = {}
    condition = _polls(client, "call_volume", state, **window, filters=filters)
    assert condition.options()["filters"] == {"client_cid": "c2"}
    assert "2 calls" in client.results[-1]
    assert client.sent().count("GET /campaigns.json") == 1
    asked = [dict(entry["query"]) for entry in client.entries() if "calls" in entry["path"]]
    assert {query["client_cid"] for query in asked} == {"c2"}
    client.fails(NotFound, build_condition("call_volume", {**window, "filters": {"target_name": "X"}}).query.run({}))
