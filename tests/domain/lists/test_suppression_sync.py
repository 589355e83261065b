"""Sending a plan: in order, with temporary failures, and nothing twice after an attempt was killed."""

from __future__ import annotations

import json
import logging
from collections import Counter

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    Gone,
    PartialFailure,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.suppression_plan import Ours, Plan, SuppressionRequest
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint, fold
from tests.domain.support.blocked import FIRST, Blocked, some

MIRROR = SuppressionRequest("mirror", can_resubscribe=False)
EDITIONS = pytest.mark.parametrize("edition", ["current", "legacy"])


class Killed(BaseException):
    """Ends an attempt like a kill: no code of the sync runs afterwards."""


def carry_out(retreaver, plan, wanted=MIRROR, **how):
    """Send a plan and return its sync."""
    sync = retreaver.sync(plan, wanted, **how)
    retreaver.client.run(sync.procedure())
    return sync


@EDITIONS
def test_additions_come_first_and_removals_last(edition):
    """Everything is sent once; no number is unblocked before the last one is blocked."""
    retreaver = Blocked(edition)
    retreaver.suppress(some(40))
    plan = Plan(add=some(50, 100), remove=some(40))
    sync = carry_out(retreaver, plan)
    assert sync.counts() == {"added": 50, "changed": 0, "removed": 40, "failed": 0}
    assert set(retreaver.suppressed()) == set(some(50, 100))
    sent = retreaver.sends()
    assert len(sent) == len(set(sent)) == 90
    assert [method for method, _ in sent] == ["POST"] * 50 + ["DELETE"] * 40


@EDITIONS
def test_no_batch_has_steps_of_two_actions(edition):
    """Requests of a batch are sent at once and have no order, so a removal never shares one with an addition."""
    retreaver = Blocked(edition)
    retreaver.suppress(some(5))
    batches = []
    carry_out(
        retreaver,
        Plan(add=some(50, 100), remove=some(5)),
        note=lambda checkpoint: batches.append((checkpoint.done, checkpoint.announced)),
    )
    assert max(end for _, end in batches) == 55
    assert [batch for batch in batches if batch[0] < 50 < batch[1]] == []


def test_can_resubscribe_is_changed():
    """The other `can_resubscribe` is changed; a number that others have removed is suppressed again."""
    retreaver = Blocked()
    retreaver.suppress(some(5), can_resubscribe=True)
    plan = retreaver.plan(MIRROR, some(5))
    retreaver.ask("DELETE", f"/suppressed_numbers/+{FIRST}.json")
    sync = carry_out(retreaver, plan)
    assert sync.counts()["changed"] == 5
    assert retreaver.suppressed() == dict.fromkeys(some(5), (False, None))


def test_numbers_are_suppressed_for_a_campaign():
    """A number is suppressed and then given its campaign; a later sync changes nothing."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    wanted = SuppressionRequest("mirror", can_resubscribe=True, campaign="roof")
    carry_out(retreaver, retreaver.plan(wanted, some(5)), wanted)
    assert retreaver.suppressed() == dict.fromkeys(some(5), (True, "roof"))
    assert Counter(method for method, _ in retreaver.sends()) == {"POST": 5, "PUT": 5}
    assert len(retreaver.plan(wanted, some(5))) == 0
    carry_out(retreaver, retreaver.plan(wanted, some(4)), wanted)
    assert set(retreaver.suppressed()) == set(some(4))


@pytest.mark.parametrize("how", [{"cut": True}, {"status": 500}, {"status": 502}, {"status": 200, "body": "<html>"}])
@pytest.mark.parametrize("then", ["done", "nothing"])
def test_a_number_is_read_after_a_lost_response(how, then):
    """A POST whose response was lost is sent again only when the number is not suppressed."""
    retreaver = Blocked()
    retreaver.fault(rf"%2B{FIRST + 3}\.json", method="POST", then=then, **how)
    sync = carry_out(retreaver, Plan(add=some(10)))
    assert sync.counts() == {"added": 10, "changed": 0, "removed": 0, "failed": 0}
    sends = Counter(retreaver.sends())
    assert sends["GET", FIRST + 3] == 1
    assert sends["POST", FIRST + 3] == (1 if then == "done" else 2)
    assert sum(sends.values()) == (11 if then == "done" else 12)


@pytest.mark.parametrize("then", ["done", "nothing"])
def test_the_legacy_routes_suppress_again(then):
    """Where a number cannot be read, suppressing it again is the only way, and has no effect."""
    retreaver = Blocked("legacy")
    retreaver.fault(rf"%2B{FIRST + 3}/", method="POST", then=then, cut=True)
    assert carry_out(retreaver, Plan(add=some(10))).counts()["added"] == 10
    assert Counter(retreaver.sends("POST"))["POST", FIRST + 3] == 2


@EDITIONS
def test_a_number_without_any_response_fails(edition):
    """After three lost responses it is reported, the others are sent, and a retry sends only this number."""
    retreaver = Blocked(edition)
    retreaver.fault(rf"%2B{FIRST + 3}\b", method="POST", cut=True, times=None)
    plan = Plan(add=some(10))
    sync = retreaver.sync(plan, MIRROR)
    with pytest.raises(PartialFailure, match=r"1 of 10 .*/%2B1…03.*a retry sends only these") as failure:
        retreaver.client.run(sync.procedure())
    assert str(FIRST + 3) not in str(failure.value)
    assert sync.counts() == {"added": 9, "changed": 0, "removed": 0, "failed": 1}
    assert Counter(retreaver.sends("POST"))["POST", FIRST + 3] == 3
    retreaver.ask("DELETE", "/__sandbox__/faults")
    retreaver.sent.clear()
    again = carry_out(retreaver, plan, checkpoint=sync.checkpoint)
    assert again.counts() == {"added": 10, "changed": 0, "removed": 0, "failed": 0}
    assert [number for _, number in retreaver.sends("POST")] == [FIRST + 3]


@EDITIONS
def test_a_refused_number_is_reported_and_the_others_are_sent(edition):
    """A number that is refused with 422 fails with Retreaver's reason and is not sent again."""
    retreaver = Blocked(edition)
    retreaver.fault(rf"%2B{FIRST + 3}\b", method="POST", status=422, body={"errors": {"number": ["is a hotline"]}})
    sync = carry_out(retreaver, Plan(add=some(60)))
    assert sync.counts()["failed"] == 1
    ((action, number, reason),) = sync.failures()
    assert (action, number) == ("add", FIRST + 3)
    assert "number is a hotline" in reason
    assert len(retreaver.suppressed()) == 59
    again = carry_out(retreaver, Plan(add=some(60)), checkpoint=sync.checkpoint)
    assert again.counts()["failed"] == 1
    assert len(retreaver.sends()) == 60


def test_too_many_failures_stop_the_sync():
    """Above `max_failures` nothing more is sent; a retry with a higher limit continues from there."""
    retreaver = Blocked()
    retreaver.fault("suppressed_numbers/", method="POST", status=422, times=6)
    notes = []
    plan = Plan(add=some(200))
    sync = retreaver.sync(plan, MIRROR, max_failures=5, note=lambda one: notes.append(json.dumps(one.dump())))
    with pytest.raises(PartialFailure, match=r"6 suppressed numbers failed.*max_failures \(5\).*168 were not sent"):
        retreaver.client.run(sync.procedure())
    assert len(retreaver.sends()) == 32
    checkpoint = Checkpoint.load(json.loads(notes[-1]))
    with pytest.raises(PartialFailure, match="max_failures"):
        carry_out(retreaver, plan, checkpoint=checkpoint, max_failures=5)
    assert len(retreaver.sends()) == 32
    assert carry_out(retreaver, plan, checkpoint=checkpoint, max_failures=6).counts()["added"] == 194
    assert len(retreaver.sends()) == 200


@pytest.mark.parametrize(
    ("fault", "error", "edition"),
    [
        ({"status": 401}, AuthenticationError, "current"),
        ({"status": 503}, Unavailable, "current"),
        ({"status": 410}, Gone, "legacy"),
    ],
)
def test_an_error_of_the_account_stops_the_sync(fault, error, edition):
    """It stops when the account is refused, the routes do not exist or the server is down; a retry sends the rest."""
    retreaver = Blocked(edition, max_attempts=2)
    retreaver.fault("/%2B", method="POST", times=None, **fault)
    notes = []
    sync = retreaver.sync(Plan(add=some(100)), MIRROR, note=lambda one: notes.append(json.dumps(one.dump())))
    with pytest.raises(error):
        retreaver.client.run(sync.procedure())
    assert len({number for _, number in retreaver.sends()}) == (4 if edition == "legacy" else 32)
    retreaver.ask("DELETE", "/__sandbox__/faults")
    again = carry_out(retreaver, Plan(add=some(100)), checkpoint=Checkpoint.load(json.loads(notes[-1])))
    assert again.counts() == {"added": 100, "changed": 0, "removed": 0, "failed": 0}
    assert set(retreaver.suppressed()) == set(some(100))


def test_temporary_errors_are_retried():
    """Many responses of 429 and 503 only make the sync take longer."""
    retreaver = Blocked(max_attempts=80, max_wait=3600)
    retreaver.fault("/%2B", method="POST", status=429, times=25, headers={"Retry-After": "2"})
    retreaver.fault("/%2B", method="POST", status=503, times=25)
    sync = carry_out(retreaver, Plan(add=some(100)))
    assert sync.counts()["added"] == 100
    assert retreaver.slept
    assert set(retreaver.suppressed()) == set(some(100))


@EDITIONS
@pytest.mark.parametrize("kill_at", [1, 2, 31, 33, 60, 61, 75, 90])
def test_after_a_kill_only_open_requests_are_repeated(edition, kill_at):
    """Killed at any request, an attempt from the last checkpoint completes the list."""
    retreaver = Blocked(edition)
    retreaver.suppress(some(40))
    plan = Plan(add=some(60, 100), remove=some(40))
    notes: list[str] = []

    def note(checkpoint: Checkpoint) -> None:
        notes.append(json.dumps(checkpoint.dump()))

    def watch(line):
        if len(retreaver.sends()) >= kill_at:
            raise Killed

    carried = retreaver.send

    def carry(request, wire):
        watch(request)
        return carried(request, wire)

    retreaver.client._transport = type(
        "Carrier", (), {"send": staticmethod(carry), "interrupt": lambda *_: None, "close": lambda self: None}
    )()
    with pytest.raises(Killed):
        retreaver.client.run(retreaver.sync(plan, MIRROR, note=note).procedure())
    retreaver.client._transport = retreaver
    before = set(retreaver.suppressed())
    sync = carry_out(retreaver, plan, checkpoint=Checkpoint.load(json.loads(notes[-1])), note=note)
    assert sync.counts() == {"added": 60, "changed": 0, "removed": 40, "failed": 0}
    assert set(retreaver.suppressed()) == set(some(60, 100)) != before
    twice = [step for step, times in Counter(retreaver.sends("POST", "DELETE")).items() if times > 1]
    assert len(twice) <= (4 if edition == "legacy" else 0)


def test_a_change_of_others_is_kept():
    """On resuming, a number that was suppressed for another scope in the meantime is reported and not changed."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    retreaver.suppress(some(2), cid="roof")
    plan = Plan(add=some(1), remove=some(1, 1))
    sync = carry_out(retreaver, plan, checkpoint=Checkpoint(done=0, announced=2))
    assert sync.counts() == {"added": 0, "changed": 0, "removed": 0, "failed": 2}
    assert all("suppressed for campaign 1 in" in reason for _, _, reason in sync.failures())
    assert retreaver.sends("POST", "PUT", "DELETE") == []
    campaign = SuppressionRequest("mirror", can_resubscribe=False, campaign="roof")
    retreaver.suppress(some(1, 5))
    sync = carry_out(retreaver, Plan(remove=some(1, 5)), campaign, checkpoint=Checkpoint(done=0, announced=1))
    assert [reason for _, _, reason in sync.failures()] == [
        "It was suppressed for the whole company in the meantime."
    ]


def test_conflicts_are_reported_and_not_sent():
    """A number that is suppressed for a campaign cannot be suppressed for the company as well."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    retreaver.suppress(some(2), cid="roof")
    sync = carry_out(retreaver, retreaver.plan(MIRROR, some(3)))
    assert sync.counts() == {"added": 1, "changed": 0, "removed": 0, "failed": 2}
    assert {number for _, number, _ in sync.failures()} == set(some(2))
    assert retreaver.sends() == [("POST", FIRST + 2)]


def test_numbers_are_masked_in_the_log(caplog):
    """Progress is logged about every ten seconds, without whole numbers, also in failures."""
    retreaver = Blocked()
    retreaver.fault(rf"%2B{FIRST + 3}\.json", method="POST", status=422, body={"errors": {"number": ["no"]}})
    retreaver.fault(rf"%2B{FIRST + 9}\.json", method="POST", status=503)
    times = iter(range(0, 10_000, 6))
    with caplog.at_level(logging.DEBUG):
        sync = carry_out(retreaver, Plan(add=some(200)), clock=lambda: float(next(times)))
    lines = [record.getMessage() for record in caplog.records if "a second" in record.getMessage()]
    assert len(lines) == 3
    assert "64 of 200 (32%)" in lines[0]
    assert "left, 1 failed; the last was +1…63" in lines[0]
    assert sync.counts()["failed"] == 1
    assert "919200" not in caplog.text
    assert "503" in caplog.text


def test_the_record_follows_from_plan_and_checkpoint():
    """Finished steps are added or removed, others that may have been sent are unsure; twice has no effect."""
    plan = Plan(add=some(4), remove=some(4, 10))
    ours = Ours(some(8, 10), some(2))
    checkpoint = Checkpoint.load(
        {"position": {"done": 5, "announced": 6}, "failures": {"1": [True, "no"], "2": [False, "lost"]}}
    )
    found = fold(ours, plan, checkpoint)
    assert found.sure == NumberSet.of([FIRST, FIRST + 3, *some(7, 11)])
    assert found.unsure == NumberSet.of([FIRST + 1, FIRST + 2, FIRST + 11])
    assert fold(found, plan, checkpoint) == found
    assert fold(Ours(), plan, Checkpoint(done=8, announced=8)) == Ours(some(4))


def test_a_number_that_cannot_be_read_is_a_failure():
    """A number that cannot be read on resuming is sent by the next attempt."""
    retreaver = Blocked(max_attempts=1)
    retreaver.fault(rf"%2B{FIRST}\.json", method="GET", status=500)
    sync = retreaver.sync(Plan(add=some(5)), MIRROR, checkpoint=Checkpoint(done=0, announced=5))
    with pytest.raises(RetreaverError, match="1 of 5"):
        retreaver.client.run(sync.procedure())
    assert carry_out(retreaver, Plan(add=some(5)), checkpoint=sync.checkpoint).counts()["added"] == 5
