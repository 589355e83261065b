"""Resetting caps: every target once, whatever gets lost on the way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    InvalidArgument,
    PermissionDenied,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Outcome, Together
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection
from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps
from airflow_provider_retreaver.sandbox import Sandbox
from tests.contract.harness import AccountAccess, CaseClient, options


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Give an account in memory."""
    made = Sandbox(options())
    yield made
    made.close()


@pytest.fixture
def account(sandbox) -> Iterator[CaseClient]:
    """Give a client of the emptied account."""
    AccountAccess(sandbox).control("POST", "reset", {"load": "empty"})
    made = CaseClient(sandbox, None, asynchronous=False)
    # One request at a time, so that a fault meets the request that it is meant for.
    made.connect(extra={"max_concurrency": 1})
    yield made
    made.close()


def reset(account, chosen, record=None, **more):
    """Run once, and return the result as XCom would keep it."""
    return json.loads(json.dumps(account.run(ResetCaps(chosen, record=record, **more).procedure())))


def done(result, kind="reset", of="id"):
    """Return the IDs of a part of a result."""
    return [row[of] for row in result[kind]]


def effective(account):
    """Return which resets were carried out, as the sandbox received them."""
    return [entry["path"] for entry in account.entries() if entry["method"] == "POST"]


def test_targets_by_their_ids(account):
    """Read, read again right before, reset, read back; the row has the counts."""
    id_ = account.target(filled=7, tid="A7")
    assert reset(account, TargetSelection(ids=[id_])) == {
        "reset": [{"id": id_, "tid": "A7", "name": "Acme", "filled_before": 7, "filled_after": 0, "cap": 10}],
        "skipped": [],
        "failed": [],
    }
    path = f"/targets/{id_}.json"
    assert account.sent() == [f"GET {path}", f"GET {path}", f"POST /targets/{id_}/reset_cap.json", f"GET {path}"]


def test_one_target_named_twice_is_reset_once(account):
    """By its ID and by the customer's, and as a member of two groups."""
    id_ = account.target(filled=7, tid="A7")
    other = account.target(filled=3)
    groups = [account.group([id_]), account.group([id_, other]), account.group([id_], cap=9, filled=3)]
    result = reset(account, TargetSelection(ids=[id_], tids=["A7"], groups=groups[:2]))
    assert done(result) == [id_, other]
    assert effective(account) == [f"/target_groups/{groups[0]}/reset_cap.json", f"/targets/{other}/reset_cap.json"]
    # A group's own count can be reset by its route only.
    account.fill(id_, 2)
    assert None in [row.get("id") for row in reset(account, TargetSelection(groups=groups))["reset"]]
    assert account.filled(groups[2], "target_group") == 0


def test_what_needs_no_reset_is_skipped_with_a_reason(account):
    """No hard cap, nothing counted, not full."""
    bare, fresh, half = account.target(cap=None), account.target(), account.target(filled=5)
    result = reset(account, TargetSelection(ids=[bare, fresh, half], only_filled=True))
    reasons = {row["id"]: row["reason"] for row in result["skipped"]}
    assert reasons == {
        bare: "it has no hard cap",
        fresh: "its hard cap has counted nothing",
        half: "its hard cap is not full (5 of 10)",
    }
    assert effective(account) == []


def test_everything_is_refused_before_any_request(account):
    """Unless only full ones are selected."""
    with pytest.raises(InvalidArgument, match="only_filled"):
        ResetCaps(TargetSelection())
    assert account.sent() == []
    assert reset(account, TargetSelection(only_filled=True)) == {"reset": [], "skipped": [], "failed": []}


def test_an_empty_selection_resets_nothing(account):
    """An empty list is no request for everything."""
    account.target(filled=10)
    assert reset(account, TargetSelection(ids=[])) == {"reset": [], "skipped": [], "failed": []}
    assert account.sent() == []


def test_all_full_ones_of_several_pages(account):
    """The others are not even mentioned."""
    full = [account.target(filled=10 if number % 2 else 9) for number in range(60)][1::2]
    result = reset(account, TargetSelection(only_filled=True))
    assert done(result) == full
    assert result["skipped"] == []


def test_by_tag(account):
    """Targets that carry the tag with the operator of equality."""
    tagged = account.target(filled=3, tag_list="<<<tier:gold>>>,<<<city:Rome>>>")
    account.target(filled=3, tag_list="<<<tier:silver>>>")
    assert done(reset(account, TargetSelection(tag=Tag("tier", "gold")))) == [tagged]


def test_a_group_is_reset_by_its_own_route(account):
    """One request; the targets that it covers are not reset again, though they are named too."""
    members = account.targets(3, filled=4)
    group = account.group(members, cap=50, filled=12)
    result = reset(account, TargetSelection(groups=[group], ids=[members[0]]))
    assert effective(account) == [f"/target_groups/{group}/reset_cap.json"]
    assert [row.get("id") for row in result["reset"]].count(members[0]) == 1
    assert {row.get("id") for row in result["reset"]} == {*members, None}
    assert all(row["target_group_id"] == group for row in result["reset"])


def test_full_members_of_a_group_that_is_not_full(account):
    """With `only_filled` they are reset one by one, since the group's route would reset the others."""
    full, half = account.target(filled=10), account.target(filled=4)
    group = account.group([full, half], cap=50, filled=14)
    assert done(reset(account, TargetSelection(groups=[group], only_filled=True))) == [full]
    assert account.filled(half) == 4


def test_a_full_group(account):
    """Its route is used, and the result has the members' counts."""
    member = account.target(filled=4)
    group = account.group([member], cap=4, filled=4)
    result = reset(account, TargetSelection(groups=[group], only_filled=True))
    assert effective(account) == [f"/target_groups/{group}/reset_cap.json"]
    assert {row.get("id") for row in result["reset"]} == {member, None}


def test_a_group_with_nothing_to_do_is_skipped(account):
    """No member has counted anything."""
    group = account.group(account.targets(2), cap=5)
    result = reset(account, TargetSelection(groups=[group]))
    assert "has counted anything" in result["skipped"][-1]["reason"]
    assert effective(account) == []


def test_a_dry_run_sends_no_post(account):
    """It reports what it would reset, for targets and groups."""
    one, member = account.target(filled=7), account.target(filled=2)
    group = account.group([member], cap=5, filled=2)
    notes = []
    result = reset(account, TargetSelection(ids=[one], groups=[group]), dry_run=True, save=notes.append)
    assert {row.get("id") for row in result["would_reset"]} == {one, member, None}
    assert result["dry_run"] is True
    assert {entry["method"] for entry in account.entries()} == {"GET"}
    assert notes == []
    assert account.filled(one) == 7


def test_one_missing_of_many(account):
    """It is named, and the others are done; the same for tids and groups."""
    ids = account.targets(3, filled=5)
    result = reset(account, TargetSelection(ids=[ids[0], 999, *ids[1:]], tids=["nobody"], groups=[77]))
    assert done(result) == ids
    errors = {(row.get("id"), row.get("tid"), row.get("target_group_id")): row["error"] for row in result["failed"]}
    assert set(errors) == {(999, None, None), (None, "nobody", None), (None, None, 77)}
    assert "GET /targets/999.json was answered 404" in errors[999, None, None]


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 502}, {"cut": True}])
@pytest.mark.parametrize("then", ["done", "nothing"])
def test_a_lost_response_is_verified(account, fault, then):
    """Done: not repeated, and calls counted since survive. Not done: sent again."""
    first, second = account.targets(2, filled=8)
    account.fault(method="POST", then=then, **fault)
    result = reset(account, TargetSelection(ids=[first, second]))
    assert sorted(done(result)) == [first, second]
    posts = effective(account)
    assert posts.count(f"/targets/{first}/reset_cap.json") == (1 if then == "done" else 2)
    assert posts.count(f"/targets/{second}/reset_cap.json") == 1


def test_answers_lost_again_and_again_end(account):
    """After three tries the target has failed, with its count."""
    id_ = account.target(filled=8)
    account.fault(method="POST", status=500, times=None)
    result = reset(account, TargetSelection(ids=[id_]))
    assert "lost 3 times; it counts 8 (8 before)" in result["failed"][0]["error"]
    assert len(effective(account)) == 3


def test_accepted_and_not_changed_fails(account):
    """Retreaver accepts the reset and keeps the count."""
    id_ = account.target(filled=8)
    account.fault(method="POST", status=200, body="{}")
    result = reset(account, TargetSelection(ids=[id_]))
    assert "accepted, but its hard cap still counts 8" in result["failed"][0]["error"]


def test_accepted_and_not_read_back(account):
    """It was done as far as is known: a retry leaves it alone and the calls since are kept."""
    id_ = account.target(filled=8)
    account.connect(extra={"max_concurrency": 1, "max_attempts": 1})
    record = Record()

    def note(kept):
        if kept.plan and not kept.done:
            account.fault(method="GET", path=f"targets/{id_}", times=1)
            account.fault(method="GET", path=f"targets/{id_}", status=500)

    result = reset(account, TargetSelection(ids=[id_]), record, save=note)
    assert "could not be read back" in result["failed"][0]["error"]
    account.fill(id_, 6)
    again = reset(account, TargetSelection(ids=[id_]), Record.load(json.loads(json.dumps(record.dump()))))
    assert (again["reset"][0]["filled_before"], again["reset"][0]["filled_after"]) == (8, None)
    assert account.filled(id_) == 6


def test_a_partly_done_group(account):
    """The answer is lost and some members were not reset: those alone are sent again."""
    first, second = account.targets(2, filled=5)
    group = account.group([first, second])
    account.fault(method="POST", path="target_groups", status=500, then="nothing")
    run = ResetCaps(TargetSelection(groups=[group]))
    procedure = run.procedure()

    step = next(procedure)
    while True:
        if isinstance(step, Together) and any(op.request.method == "POST" for op in step.operations):
            answer = account.client._step(step)
            if step.operations[0].request.path.startswith("/target_groups"):
                account.account.handle("POST", f"/targets/{first}/reset_cap.json")
                account.fill(first, 2)
        else:
            answer = account.client._step(step)
        try:
            step = procedure.send(answer)
        except StopIteration:
            break
    assert sorted(done(run.result())) == [first, second]
    assert effective(account)[-1] == f"/targets/{second}/reset_cap.json"
    assert account.filled(first) == 2


def test_a_target_that_is_deleted_during_the_run(account):
    """Its reset is answered 404: it has failed by its ID, and the others are done."""
    ids = account.targets(3, filled=5)
    account.fault(method="POST", path=f"targets/{ids[1]}/", status=404)
    result = reset(account, TargetSelection(ids=ids))
    assert done(result) == [ids[0], ids[2]]
    assert done(result, "failed") == [ids[1]]


def test_objects_whose_caps_cannot_be_understood(account):
    """A group and a target fail alone, before and after the reset."""
    odd, fine, later = account.targets(3, filled=5)
    group = account.group([fine])
    account.fault(method="GET", path="target_groups", status=200, body={"target_group": {"id": group, "caps": 3}})
    account.fault(method="GET", path=f"targets/{odd}", status=200, body={"target": {"id": odd}})

    def note(kept):
        if kept.plan and not kept.done:
            account.fault(method="GET", path=f"targets/{later}", times=1)
            account.fault(method="GET", path=f"targets/{later}", status=200, body={"target": {"id": later}})

    result = reset(account, TargetSelection(ids=[odd, fine, later], groups=[group]), save=note)
    assert done(result) == [fine]
    errors = {row.get("id"): row["error"] for row in result["failed"]}
    assert "came without 'caps'" in errors[odd]
    assert "came without 'caps'" in errors[None]
    assert errors[later].startswith("It was sent a reset, but could not be read back")


def test_many_named_targets_are_read_by_listing(account):
    """Two pages instead of thirty requests; what the list lacks is read by its ID."""
    ids = account.targets(30, cap=None)
    result = reset(account, TargetSelection(ids=[*ids, 999]))
    assert done(result, "skipped") == ids
    assert done(result, "failed") == [999]
    assert account.sent() == ["GET /targets.json", "GET /targets.json", "GET /targets/999.json"]


def test_a_refused_key_is_not_tried_on_every_object(account):
    """It concerns the account: the run ends, whatever was sent at once."""
    ids = account.targets(3, filled=5)
    account.fault(method="GET", path=f"targets/{ids[1]}", status=401)
    with pytest.raises(AuthenticationError):
        reset(account, TargetSelection(ids=ids))
    assert effective(account) == []


def test_a_refused_account_ends_it_with_what_was_done(account):
    """What was accepted before is in the record and in the result."""
    ids = account.targets(3, filled=5)
    account.fault(method="POST", path=f"targets/{ids[1]}", status=403)
    record = Record()
    run = ResetCaps(TargetSelection(ids=ids), record=record)
    with pytest.raises(PermissionDenied):
        account.run(run.procedure())
    assert done(run.result()) == [ids[0], ids[2]]
    assert set(record.done) == {f"target {ids[0]}", f"target {ids[2]}"}


@pytest.mark.parametrize("lost", [None, "done", "nothing"])
def test_killed_anywhere_and_started_again(account, lost):
    """Before and after every step and every note: each target is reset once, and calls in between survive.

    What is kept is what was written down before the kill; between an accepted reset and its note, a count below the
    planned one proves it.
    """
    for point in itertools.count():
        AccountAccess(account.account.sandbox).control("POST", "reset", {"load": "empty"})
        ids = account.targets(4, filled=9)
        chosen = TargetSelection(ids=ids)
        if lost is not None:
            account.fault(method="POST", path=f"targets/{ids[1]}/", status=500, then=lost)
        kept: list[str] = []
        killed = _run_until(account, chosen, kept, point)
        # Calls come in: on what was reset they count from 0, elsewhere they are forgotten with the rest.
        was_reset = [id_ for id_ in ids if account.filled(id_) == 0]
        for id_ in ids:
            account.calls(2, target_id=id_)
        record = Record.load(json.loads(kept[-1])) if kept else None
        result = reset(account, chosen, record)
        assert sorted(done(result)) == ids, point
        assert result["failed"] == []
        assert all(row["filled_before"] in (9, 11) for row in result["reset"])
        for id_ in ids:
            assert account.filled(id_) == (2 if id_ in was_reset else 0), (point, id_)
        carried_out = [e["path"] for e in account.entries() if e["method"] == "POST" and e["status"] < 300]
        assert len(carried_out) == len(set(carried_out))
        if not killed:
            assert point > 3
            break


def _run_until(account, chosen, kept, point):
    """Drive the procedure until its `point`-th chance to die; False when it came to its end."""
    chances = itertools.count()

    def maybe_die():
        if next(chances) == point:
            raise Killed

    def remember(record):
        maybe_die()
        kept.append(json.dumps(record.dump()))
        maybe_die()

    procedure = ResetCaps(chosen, save=remember).procedure()
    try:
        answer = None
        while True:
            step = procedure.send(answer)
            if isinstance(step, Together):
                # The kill may come between any two of the requests of one batch.
                answer = []
                for operation in step.operations:
                    maybe_die()
                    answer.append(_outcome(account, operation))
            else:
                maybe_die()
                answer = account.client.run(step)
    except Killed:
        return True
    except StopIteration:
        return False


def _outcome(account, operation):
    try:
        return Outcome(value=account.client.run(operation))
    except RetreaverError as error:
        return Outcome(error=error)


def test_a_large_account(account, capsys):
    """A thousand targets: a look before and after each reset and few requests more; a result that fits an XCom."""
    ids = [account.target(filled=10, tid=f"BUYER-{number:04}", name=f"Buyer {number}") for number in range(1_000)]
    before = len(account.entries())
    result = reset(account, TargetSelection(only_filled=True))
    requests, size = len(account.entries()) - before, len(json.dumps(result))
    with capsys.disabled():
        print(f"\n1,000 targets: {requests} requests, result {size:,} bytes as JSON")
    assert done(result) == ids
    assert requests <= 3 * 1_000 + 41
    assert size < 150_000


# -- beside others


def at_work(work):
    """Return a function for `save` that does the work of others once, between the first look and the reset."""
    todo = [work]

    def note(kept):
        if kept.plan and todo:
            todo.pop()()

    return note


def reset_by_others(account, id_, kind="targets", then=0):
    """Reset as another run does, and count calls since."""
    account.account.handle("POST", f"/{kind}/{id_}/reset_cap.json", None)
    if then:
        account.fill(id_, then)


@pytest.mark.parametrize("since", [0, 4])
def test_of_two_runs_at_once_the_second_clears_nothing(account, since, caplog):
    """A target that others reset after it was read is left alone, with the calls since, and the result says so."""
    caplog.set_level("INFO")
    ours, theirs = account.targets(2, filled=10)
    work = at_work(lambda: reset_by_others(account, theirs, then=since))
    result = reset(account, TargetSelection(ids=[ours, theirs]), save=work)
    assert (done(result), done(result, "skipped"), result["failed"]) == ([ours], [theirs], [])
    why = f"others reset it while this run was at work: it counted 10 when it was read, {since} now"
    assert result["skipped"][0]["reason"] == why
    assert why in caplog.text
    assert account.filled(theirs) == since
    assert effective(account).count(f"/targets/{theirs}/reset_cap.json") <= 1


def test_a_retry_leaves_alone_what_others_reset(account):
    """What others have reset is remembered: the next attempt of the run neither resets it nor calls it its own."""
    theirs = account.target(filled=10)
    record = Record()
    reset(account, TargetSelection(ids=[theirs]), record, save=at_work(lambda: reset_by_others(account, theirs)))
    account.fill(theirs, 6)
    again = reset(account, TargetSelection(ids=[theirs]), Record.load(json.loads(json.dumps(record.dump()))))
    assert (done(again), done(again, "skipped")) == ([], [theirs])
    assert "others reset it" in again["skipped"][0]["reason"]
    assert account.filled(theirs) == 6


def test_a_group_that_others_reset(account):
    """Others reset the group, or one of its members: the members that still count are reset alone."""
    first, second = account.targets(2, filled=5)
    group = account.group([first, second])
    work = at_work(lambda: reset_by_others(account, first, then=2))
    result = reset(account, TargetSelection(groups=[group]), save=work)
    assert (done(result), done(result, "skipped")) == ([second], [first])
    assert [account.filled(id_) for id_ in (first, second)] == [2, 0]
    account.fill(first, 5)
    work = at_work(lambda: reset_by_others(account, group, kind="target_groups"))
    result = reset(account, TargetSelection(groups=[group]), save=work)
    assert (done(result), result["failed"]) == ([], [])


def test_calls_that_were_counted_since_the_first_look(account):
    """The count before is that of the last look, and an answer that is lost then is judged by it."""
    id_ = account.target(filled=5)
    account.fault(method="POST", path="reset_cap", then="done", cut=True)
    result = reset(account, TargetSelection(ids=[id_]), save=at_work(lambda: account.fill(id_, 9)))
    assert (result["reset"][0]["filled_before"], result["reset"][0]["filled_after"]) == (9, 0)


def test_a_target_that_cannot_be_read_again_is_not_reset(account):
    """Without the look right before it, a reset could clear what was counted since another one: nothing is sent."""
    account.connect(extra={"max_concurrency": 1, "max_attempts": 1})
    odd, gone = account.targets(2, filled=5)

    def work():
        account.fault(method="GET", path=f"targets/{odd}", status=500)
        account.fault(method="GET", path=f"targets/{gone}", status=404)

    run = ResetCaps(TargetSelection(ids=[odd, gone]), save=at_work(work))
    result = account.run(run.procedure())
    errors = {row["id"]: row["error"] for row in result["failed"]}
    assert errors[odd].startswith("It could not be read again right before its reset, so nothing was sent to it")
    assert "404" in errors[gone]
    assert effective(account) == []
    assert not run.failed_for_good
