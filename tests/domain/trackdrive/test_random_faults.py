"""Resets, changes, invitations and creates under random faults and kills: exact against a ledger of what was done."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.domain.changes.change import ChangeObjects
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.trackdrive.group_change import BuyerGroupChange, MemberChange
from airflow_provider_retreaver.domain.trackdrive.team import SetTeam
from airflow_provider_retreaver.domain.trackdrive.total_cap_reset import ResetTotalCaps
from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS
from tests.domain.support.trackdrive import PATH, SimulatedTrackDrive

KILLED, KILLED_AFTER = "killed", "killed after it"
# What may become of one request: a fault of the sandbox, or the end of the process before or after it.
FAULTS = (
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 503},
    {"status": 500},
    {"status": 500, "then": "done"},
    {"status": 502, "then": "done"},
    {"cut": True},
    {"cut": True, "then": "done"},
    KILLED,
    KILLED_AFTER,
)
# Attempts with faults; the one after them has none.
ATTEMPTS = 12
SEEDS = pytest.mark.parametrize("seed", range(40))


class Killed(BaseException):
    """The process is gone."""


class FaultyTrackDrive(SimulatedTrackDrive):
    """An account that has bad luck, and keeps a ledger of the writes that took effect.

    :param seed: of its luck.
    """

    def __init__(self, seed):
        self.luck = Random(seed)  # noqa: S311 - the same seed, the same faults
        # So that some runs come to their end and others hardly begin.
        self.rate = self.luck.choice((0.05, 0.15, 0.3))
        self.ledger, self.between = [], lambda: None
        super().__init__()

    def settings(self):
        """Return the connection's settings, with one more attempt only."""
        found = super().settings()
        return type(found).parse(
            "test",
            login=found.public_key.reveal(),
            password=found.private_key.reveal(),
            host="http://127.0.0.1:1",
            extra={"max_concurrency": 1, "max_attempts": 2, "max_wait": 60},
        )

    def send(self, request, wire):
        """Carry a request of the client, or not; others are at work before it."""
        self.between()
        fate = self.luck.choice(FAULTS) if self.luck.random() < self.rate else None
        if fate == KILLED:
            raise Killed
        fault = fate if isinstance(fate, dict) else None
        if fault is not None:
            self.fault("", **fault)
        takes_effect = fault is None or fault.get("then") == "done"
        answer = None
        try:
            answer = super().send(request, wire)
        finally:
            refused = answer is not None and fault is None and answer.status >= 400
            if request.method != "GET" and takes_effect and not refused:
                self.ledger.append((request.method, request.path, request.body))
        if fate == KILLED_AFTER:
            raise Killed
        return answer

    def finish(self, make):
        """Make attempts of one run until one succeeds, each with what the one before it has saved.

        :param make: makes a run of a record and a function that saves it.
        """
        saved = json.dumps(Record().dump())

        def save(record):
            nonlocal saved
            saved = json.dumps(record.dump())

        for attempt in range(ATTEMPTS + 1):
            if attempt == ATTEMPTS:
                self.rate = 0
            with suppress(Killed, RetreaverError):
                result = self.client.run(make(Record.load(json.loads(saved)), save).procedure())
                if not result.get("failed"):
                    return result
        pytest.fail(f"not even without faults: {result}")

    def written(self, name):
        """Return how often an attribute has taken effect, by group."""
        return Counter(path.rpartition("/")[2] for _, path, body in self.ledger if body and name in body)


@SEEDS
def test_total_caps_are_reset_once(seed):
    """Each group is reset once in a run, whatever is lost, and every call that came in since is counted."""
    trackdrive = FaultyTrackDrive(seed)
    ids = [trackdrive.add_group() for _ in range(4)]
    for id_ in ids[:3]:
        trackdrive.fill(id_, 100)
    counts, arrivals = dict(zip(ids, (100, 100, 100, 0), strict=True)), itertools.count()

    def call_comes_in():
        index = trackdrive.luck.randrange(12)
        for id_ in ids[:3]:
            if trackdrive.written("reset_total_caps")[str(id_)] and counts[id_] >= 100:
                counts[id_] = 0
        if index < 3 and next(arrivals) < 90:  # fewer than were counted before, which only a reset explains
            counts[ids[index]] += 1
            trackdrive.fill(ids[index], counts[ids[index]])

    trackdrive.between = call_comes_in
    result = trackdrive.finish(lambda record, save: ResetTotalCaps(ids, record=record, save=save))
    trackdrive.between()
    assert trackdrive.written("reset_total_caps") == dict.fromkeys(map(str, ids[:3]), 1)
    assert {row["id"] for row in result["changed"]} == set(ids[:3])
    assert all(row["before"] >= 100 for row in result["changed"])
    assert {id_: trackdrive.group_now(id_)["attempt_total_used"] for id_ in ids} == counts
    assert max(counts.values()) < 100


@SEEDS
def test_groups_are_changed(seed):
    """Groups are as they should be in the end; no buyer is appended twice, and what others add meanwhile stays."""
    trackdrive = FaultyTrackDrive(seed)
    one, two, three, theirs = trackdrive.buyers("a", "b", "c", "d")
    ids = [trackdrive.add_group(buyer_ids=[two], revenue_total_limit=5), trackdrive.add_group(buyer_ids=[one, two])]
    requests, moment = itertools.count(), trackdrive.luck.randrange(20)

    def others_add():
        if next(requests) == moment:
            trackdrive.set_group(ids[0], add_buyer_ids=[theirs])

    trackdrive.between = others_add
    members = MemberChange(add=[one], remove=[two], add_own=["c"])
    spec = BuyerGroupChange(ids, {"paused": True, "revenue_total_limit": None}, members).spec
    result = trackdrive.finish(lambda record, save: ChangeObjects(spec(), record=record, save=save))
    for id_ in ids:
        now = trackdrive.group_now(id_)
        assert (now["paused"], now["revenue_total_limit"]) == (True, None)
        assert set(now["buyer_ids"]) - {theirs} == {one, three}
    assert (theirs in trackdrive.group_now(ids[0])["buyer_ids"]) is (next(requests) > moment)
    assert max(trackdrive.written("add_buyer_ids").values()) == 1
    assert trackdrive.written("add_user_buyer_ids") == dict.fromkeys(map(str, ids), 1)
    assert {(row["id"], row["field"]) for row in result["changed"]} == {
        (ids[0], "paused"), (ids[0], "revenue_total_limit"), (ids[0], f"buyer {one}"), (ids[0], f"buyer {two}"),
        (ids[0], f"buyer {three}"),
        (ids[1], "paused"), (ids[1], f"buyer {two}"), (ids[1], f"buyer {three}"),
    }  # fmt: skip


@SEEDS
def test_buyers_are_replaced(seed):
    """The whole list is sent until it is read back, and then no more."""
    trackdrive = FaultyTrackDrive(seed)
    one, two = trackdrive.buyers("a", "b")
    ids = [trackdrive.add_group(buyer_ids=[one]), trackdrive.add_group(buyer_ids=[two])]
    spec = BuyerGroupChange(ids, buyers=[two]).spec
    result = trackdrive.finish(lambda record, save: ChangeObjects(spec(), record=record, save=save))
    assert [trackdrive.group_now(id_)["buyer_ids"] for id_ in ids] == [[two], [two]]
    assert [(row["id"], row["before"], row["after"]) for row in result["changed"]] == [(ids[0], [one], [two])]
    assert str(ids[1]) not in trackdrive.written("buyer_ids")


@SEEDS
def test_a_group_is_created_once(seed):
    """One group is created in a run, whatever is lost, and its team is invited once."""
    trackdrive = FaultyTrackDrive(seed)
    older = [trackdrive.add_group("Solar") for _ in range(2)]
    attributes = {"name": "Solar", "tier": 2, "team_users_emails": ["a@example.com"]}
    result = trackdrive.finish(lambda record, save: Creation(BUYER_GROUPS, attributes, record=record, save=save))
    assert [path for _, path, _ in trackdrive.ledger] == [PATH]
    assert result["id"] == max(older) + 1
    assert trackdrive.group_now(result["id"])["tier"] == 2
    assert trackdrive.invitations() == ["a@example.com"]


@SEEDS
def test_nobody_is_invited_twice(seed):
    """Each group is sent its invitations at most once; where that is not certain, the run fails and says so."""
    trackdrive, record = FaultyTrackDrive(seed), Record()
    ids = [trackdrive.add_group() for _ in range(3)]

    def save(saved):
        nonlocal record
        record = Record.load(json.loads(json.dumps(saved.dump())))

    for attempt in range(ATTEMPTS + 1):
        if attempt == ATTEMPTS:
            trackdrive.rate = 0
        run = SetTeam(ids, {"team_users_emails": ["a@example.com"]}, record=record, save=save)
        with suppress(Killed, RetreaverError):
            trackdrive.client.run(run.procedure())
    result, invited = run.result(), trackdrive.written("team_users_emails")
    assert len(trackdrive.invitations()) == sum(invited.values())
    assert not any(times > 1 for times in invited.values())
    assert {row["id"] for row in result["changed"]} <= {int(id_) for id_ in invited}
    assert {row["id"] for row in (*result["changed"], *result["failed"])} == set(ids)
    assert all("nvitations" in row["error"] for row in result["failed"])
