"""Conditions of sensors except the number of calls: statuses, caps, idle targets, pools; and what all share."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ConnectionFailed,
    InvalidArgument,
    ListingIncomplete,
    NotFound,
    ProtocolError,
    RateLimited,
    Unavailable,
)
from airflow_provider_retreaver.domain.routing.caps import Cap
from airflow_provider_retreaver.domain.watching.condition import KINDS, build_condition, parameter_names
from airflow_provider_retreaver.domain.watching.failure_budget import FailureBudget
from airflow_provider_retreaver.domain.watching.newest_call import new_calls_window
from airflow_provider_retreaver.domain.watching.poll_interval import PollInterval
from airflow_provider_retreaver.domain.watching.target_counts import ObjectCounts
from tests.domain.support.retreaver import SimulatedRetreaver

CONTROL = "/__sandbox__"
DEFAULTS = {
    "account_drift": {},
    "call_status": {},
    "cap_filled": {"cap": "hard", "match": "any"},
    "target_idle": {"at_most": 0, "match": "all"},
    "number_pool": {"below": 0.1, "match": "any"},
    "call_volume": {},
}


@pytest.fixture
def retreaver():
    """Provide an empty account."""
    return SimulatedRetreaver()


def condition(kind, **options):
    """Return a condition with its sensor's defaults."""
    return build_condition(kind, {**dict.fromkeys(parameter_names(kind)), **DEFAULTS[kind], **options})


def poll(retreaver, kind, **options):
    """Run the query of a condition once and return its evaluation."""
    expected = condition(kind, **options)
    return expected.evaluate(retreaver.client.run(expected.query.run({})))


def fill(retreaver, id_, filled, kind="hard", owner="targets"):
    """Set the number of calls that a cap has counted."""
    retreaver.ask("POST", f"{CONTROL}/{owner}/{id_}/fill", {"type": kind, "filled": filled})


@pytest.mark.parametrize("kind", ["hard", "hourly", "daily", "monthly"])
def test_shares_of_caps(retreaver, kind):
    """The condition is met at the share of each of the four caps, and not one call earlier."""
    id_ = retreaver.target(**{"hard_cap_attributes": {"cap": None}, f"{kind}_cap_attributes": {"cap": 10}})
    fill(retreaver, id_, 8, kind)
    assert not poll(retreaver, "cap_filled", target_id=id_, cap=kind, at_least=0.9).met
    fill(retreaver, id_, 9, kind)
    evaluation = poll(retreaver, "cap_filled", target_id=id_, cap=kind, at_least="0.9")
    assert evaluation.met
    row = {"kind": "target", "id": id_, "tid": None, "name": "Acme", "cap": kind, "filled": 9, "limit": 10}
    assert evaluation.value == [row]
    assert not poll(retreaver, "cap_filled", target_id=id_, cap=kind).met, "without a share the cap must be full"
    others = {"hard", "hourly", "daily", "monthly"} - {kind}
    assert not any(poll(retreaver, "cap_filled", target_id=id_, cap=other, at_least=0).met for other in others)


@given(cap=st.integers(0, 10_000), percent=st.integers(0, 100))
def test_shares_are_exact(cap, percent):
    """The share is reached at the first whole number that is not less, despite the rounding of floats."""
    filled = -(-cap * percent // 100)
    expected = condition("cap_filled", target_id=1, at_least=percent / 100)

    def met(count):
        counts = ObjectCounts("target", 1, None, None, {"hard": Cap(count, cap)})
        return expected.evaluate([counts]).met

    assert met(filled)
    assert filled == 0 or not met(filled - 1)


def test_remaining_calls(retreaver):
    """`remaining` is the number of calls that are left."""
    id_ = retreaver.target(hard_cap_attributes={"cap": 100})
    fill(retreaver, id_, 94)
    assert not poll(retreaver, "cap_filled", target_id=id_, remaining=5).met
    fill(retreaver, id_, 95)
    assert poll(retreaver, "cap_filled", target_id=id_, remaining=5).met


def test_any_and_all_of_several(retreaver):
    """Targets by either ID and groups are checked together; those that match are returned."""
    ids = [retreaver.target(tid=f"T{n}") for n in range(3)]
    group = retreaver.group(ids, hard_cap_attributes={"cap": 10})
    fill(retreaver, ids[1], 100)
    several = {"target_id": f"{ids[0]}, {ids[1]}", "tid": "T2", "target_group_id": group}
    evaluation = poll(retreaver, "cap_filled", **several)
    assert evaluation.met
    assert [row["id"] for row in evaluation.value] == [ids[1]]
    assert list(evaluation.matches) == [f"target {ids[1]}"]
    assert not poll(retreaver, "cap_filled", **several, match="all").met
    fill(retreaver, ids[0], 100)
    fill(retreaver, ids[2], 100)
    fill(retreaver, group, 10, owner="target_groups")
    evaluation = poll(retreaver, "cap_filled", **several, match="all")
    assert evaluation.met
    assert [(row["kind"], row["id"]) for row in evaluation.value] == [*(("target", i) for i in ids), ("group", group)]


def test_many_targets_cost_a_listing(retreaver):
    """Many targets are read by listing them, not by a request each."""
    ids = [retreaver.target() for _ in range(60)]
    evaluation = poll(retreaver, "target_idle", target_id=ids)
    assert (evaluation.met, len(evaluation.value), len(retreaver.sent)) == (True, 60, 3)


def test_concurrency_caps(retreaver):
    """The concurrency cap is compared with the calls in progress, for targets only."""
    id_ = retreaver.target(concurrency_cap=4)
    retreaver.ask("POST", f"{CONTROL}/calls_in_progress", {"target_id": id_, "calls_in_progress": 3})
    assert not poll(retreaver, "cap_filled", target_id=id_, cap="concurrency").met
    assert poll(retreaver, "cap_filled", target_id=id_, cap="concurrency", at_least=0.75).met
    with pytest.raises(InvalidArgument, match="target_group_id"):
        condition("cap_filled", target_group_id=1, cap="concurrency")


def test_idle_targets(retreaver):
    """Targets are idle without calls in progress; for a group its members are checked."""
    ids = [retreaver.target(tid=f"T{n}") for n in range(3)]
    group, empty = retreaver.group(ids[:2]), retreaver.group([])
    retreaver.ask("POST", f"{CONTROL}/calls_in_progress", {"target_id": ids[1], "calls_in_progress": 2})
    assert poll(retreaver, "target_idle", target_id=ids[0]).met
    assert not poll(retreaver, "target_idle", target_group_id=group).met
    assert poll(retreaver, "target_idle", target_group_id=group, match="any").met
    assert poll(retreaver, "target_idle", target_group_id=group, at_most=2).met
    assert poll(retreaver, "target_idle", target_group_id=empty).met
    retreaver.ask("POST", f"{CONTROL}/calls_in_progress", {"target_id": ids[1], "calls_in_progress": 0})
    evaluation = poll(retreaver, "target_idle", target_group_id=group, tid="T2")
    assert evaluation.met
    assert {row["id"]: row["calls_in_progress"] for row in evaluation.value} == dict.fromkeys(ids, 0)


def test_headroom_of_pools(retreaver):
    """A pool matches below its share of headroom; campaign and affiliate select pools."""
    retreaver.ask("POST", "/campaigns.json", {"campaign": {"cid": "C1", "name": "Roofs"}})
    body = {"number_pool": {"cid": "C1", "max_pool_size": 20, "type": "Local", "country": "US"}}
    id_ = retreaver.ask("POST", "/number_pools.json", body)["number_pool"]["id"]
    retreaver.ask("POST", f"{CONTROL}/number_pools/{id_}/provision", {"numbers": 18})
    assert not poll(retreaver, "number_pool", number_pool_id=id_).met, "0.1 is not below 0.1"
    retreaver.ask("POST", f"{CONTROL}/number_pools/{id_}/provision", {"numbers": 19})
    evaluation = poll(retreaver, "number_pool", number_pool_id=id_)
    assert evaluation.value == [{"id": id_, "cid": "C1", "numbers_count": 19, "max_pool_size": 20, "headroom": 0.05}]
    assert poll(retreaver, "number_pool").met
    assert poll(retreaver, "number_pool", cid="C1").met
    with pytest.raises(NotFound, match="no number pool with afid 'nobody'"):
        poll(retreaver, "number_pool", afid="nobody")


def test_statuses(retreaver):
    """A call's status is compared with one or several, ignoring case."""
    (uuid,) = retreaver.ask("POST", f"{CONTROL}/calls", {"fields": {"status": "in-progress"}})["uuids"]
    assert not poll(retreaver, "call_status", uuid=uuid, status="completed").met
    evaluation = poll(retreaver, "call_status", uuid=uuid, status=["Completed", "In-Progress"])
    assert evaluation.met
    assert evaluation.value["status"] == "in-progress"


@pytest.mark.parametrize(
    ("kind", "options", "path"),
    [
        ("call_status", {"uuid": "00000000-0000-0000-0000-000000000000", "status": "x"}, "00000000-"),
        ("cap_filled", {"target_id": 77}, "/targets/77.json"),
        ("cap_filled", {"tid": "gone"}, "/targets/tid/gone.json"),
        ("cap_filled", {"target_group_id": 77}, "/target_groups/77.json"),
        ("target_idle", {"target_id": [77]}, "/targets/77.json"),
        ("number_pool", {"number_pool_id": 77}, "/number_pools/77.json"),
    ],
)
def test_missing_objects_are_named(retreaver, kind, options, path):
    """An object that does not exist is an error that names it."""
    retreaver.target()
    with pytest.raises(NotFound, match=path):
        poll(retreaver, kind, **options)


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("call_status", {"uuid": "", "status": "x"}, "uuid"),
        ("call_status", {"uuid": "a/b", "status": "x"}, "uuid"),
        ("call_status", {"uuid": "u", "status": ""}, "status"),
        ("cap_filled", {}, "target_id"),
        ("cap_filled", {"target_id": []}, "target_id"),
        ("cap_filled", {"target_id": "x"}, "target_id"),
        ("cap_filled", {"target_id": 1, "cap": "yearly"}, "cap"),
        ("cap_filled", {"target_id": 1, "at_least": 90}, r"0\.9"),
        ("cap_filled", {"target_id": 1, "at_least": 0.9, "remaining": 3}, "remaining"),
        ("cap_filled", {"target_id": 1, "match": "some"}, "match"),
        ("target_idle", {"target_id": 1, "at_most": -1}, "at_most"),
        ("number_pool", {"below": None}, "below"),
        ("number_pool", {"below": 1.5}, "below"),
        ("number_pool", {"number_pool_id": 1, "cid": "C1"}, "number_pool_id"),
    ],
)
def test_invalid_parameters_are_named(kind, options, name):
    """An invalid parameter is refused by name."""
    with pytest.raises(InvalidArgument, match=name):
        condition(kind, **options)


EXAMPLES = {
    "account_drift": {
        "applied_path": "file:///applied.json",
        "paths": "a.yaml,b",
        "environment": "prod",
        "variables": {"x": 1},
    },
    "call_volume": {"window": "90m", "at_least": 3, "at_most": 9, "filters": {"status": "a,b", "client_tid": "T"}},
    "call_status": {"uuid": "u-1", "status": ["a", "b"]},
    "cap_filled": {"target_id": "1,2", "tid": ["x"], "target_group_id": 3, "cap": "daily", "at_least": "0.5"},
    "target_idle": {"target_id": 1, "tid": "x", "at_most": 2, "match": "any"},
    "number_pool": {"number_pool_id": [4, 5], "below": "0.25", "match": "all"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_are_rebuilt_from_json(kind):
    """The condition rebuilt from its options as JSON is equal, and so is its query, which can be a key of a dict."""
    first = condition(kind, **EXAMPLES[kind])
    again = build_condition(kind, json.loads(json.dumps(first.options())))
    assert again == first
    assert {first.query: 1} == {again.query: 1}
    assert first.kind == kind


def test_limits_are_not_part_of_the_query():
    """Sensors that differ only in their limits have equal queries."""
    half = condition("cap_filled", target_id=1, at_least=0.5)
    assert half.query == condition("cap_filled", target_id="1", cap="daily").query
    assert half.query == condition("target_idle", target_id=1).query
    one = condition("call_volume", window="1h", at_least=1).query
    assert one == condition("call_volume", window=3600, at_most=1).query
    assert one != condition("call_volume", window="2h", at_most=1).query


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("error", [
    Unavailable("x", status=503), RateLimited("x", status=429), ConnectionFailed("x"), ProtocolError("x", status=200),
    ListingIncomplete("x"),
])  # fmt: skip
def test_temporary_failures_are_tolerated(error):
    """Temporary failures are tolerated until the budget is spent, and a success renews it."""
    budget = FailureBudget(timedelta(minutes=30))
    for minutes in (0, 10, 29):
        budget.record_failure(error, NOON + timedelta(minutes=minutes))
    budget.record_success()
    budget.record_failure(error, NOON + timedelta(minutes=31))
    budget.record_failure(error, NOON + timedelta(minutes=60))
    with pytest.raises(type(error), match="failed for 30 min"):
        budget.record_failure(error, NOON + timedelta(minutes=61))
    assert str(error) == "x", "other sensors share the error"


@pytest.mark.parametrize("error", [
    AuthenticationError("x", status=401), NotFound("x", status=404), ProtocolError("x"), InvalidArgument("x"),
    ConnectionFailed("x", final=True),
])  # fmt: skip
def test_other_failures_end_the_wait_at_once(error):
    """A refused key, a missing object, a response without a documented field and a bad certificate end the wait."""
    with pytest.raises(type(error)):
        FailureBudget(None).record_failure(error, NOON)


def test_silent_fail_never_tolerates_a_refused_key():
    """`silent_fail` tolerates failures that are not temporary, except a refused key or an invalid parameter."""
    budget = FailureBudget(timedelta(0), tolerate_all=True)
    budget.record_failure(NotFound("x", status=404), NOON)
    for error in (AuthenticationError("x", status=401), InvalidArgument("x")):
        with pytest.raises(type(error)):
            budget.record_failure(error, NOON)


def test_poll_intervals():
    """Waits are the interval plus or minus a tenth, or double with every poll up to the longest."""
    numbers = iter((0.0, 0.5, 1.0))
    waits = PollInterval(60, random_number=lambda: next(numbers))
    assert [waits.next_wait() for _ in range(3)] == pytest.approx([54, 60, 66])
    doubling = PollInterval(1, exponential_backoff=True, max_wait=10, random_number=lambda: 0.5)
    assert [doubling.next_wait() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    endless = PollInterval(60, exponential_backoff=True, polls=10_000)
    assert endless.next_wait() > 0


def test_windows_of_new_calls_overlap():
    """Windows of new calls reach back before the end of the last one, and no update is announced twice."""
    overlap = timedelta(seconds=60)
    first = "2026-11-01T12:00:00.500-05:00"
    assert new_calls_window(first, None, overlap) == {
        "updated_at_start": None,
        "updated_at_end": "2026-11-01T12:00:01.500000-05:00",
    }
    assert new_calls_window("2026-11-01T17:00:00.500Z", first, overlap) is None
    assert new_calls_window("2026-11-01T17:05:00Z", first, overlap) == {
        "updated_at_start": "2026-11-01T11:59:00.500000-05:00",
        "updated_at_end": "2026-11-01T17:05:01+00:00",
    }
    assert new_calls_window(None, first, overlap) is None
