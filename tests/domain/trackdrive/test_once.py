"""Resets of total caps and invitations: once to each group, whatever gets lost on the way."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    RunUnderWay,
)
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.trackdrive.team import SetTeam
from airflow_provider_retreaver.domain.trackdrive.total_cap_reset import ResetTotalCaps, was_reset
from tests.domain.support.trackdrive import PATH, SimulatedTrackDrive

ADDRESS = "a@b.c"
TEAM = {"team_users_emails": [ADDRESS], "generate_team": True}


@pytest.fixture
def trackdrive():
    """Give an empty account."""
    return SimulatedTrackDrive()


def filled(trackdrive, used=10, **caps):
    """Add a group whose total caps have counted something."""
    id_ = trackdrive.add_group(**caps)
    trackdrive.fill(id_, used)
    return id_


def reset(trackdrive, *ids, record=None, **how):
    """Run a reset and return its result."""
    return trackdrive.client.run(ResetTotalCaps(ids, record=record, **how).procedure())


def invite(trackdrive, *ids, attributes=TEAM, **how):
    """Run invitations and return their result."""
    return trackdrive.client.run(SetTeam(ids, attributes, **how).procedure())


def fields_of(result, name="changed"):
    """Return the fields of a result."""
    return [(row["id"], row["field"], row["before"], row["after"]) for row in result[name]]


class Killed(BaseException):
    """Stands in for SIGKILL."""


def kill():
    """End the process."""
    raise Killed


def test_total_counts_are_reset(trackdrive):
    """Groups that have counted something are reset; other counts of theirs go on."""
    full, empty = filled(trackdrive, 40), trackdrive.add_group("Solar")
    trackdrive.fill(full, 7, "connection_daily")
    trackdrive.fill(full, 99.5, "revenue_total")
    result = reset(trackdrive, full, empty)
    assert fields_of(result) == [(full, "attempt_total_used", 40, 0), (full, "revenue_total_used", 99.5, 0)]
    assert result["unchanged"] == [{"kind": "buyer group", "id": empty, "name": "Solar"}]
    assert trackdrive.puts() == [(full, {"reset_total_caps": True})]
    assert trackdrive.group_now(full)["connection_daily_used"] == 7


def test_guards_and_dry_runs(trackdrive):
    """A limit counts groups that would be reset, or invited to; nothing is sent."""
    ids = [filled(trackdrive), filled(trackdrive), trackdrive.add_group()]
    with pytest.raises(ChangeRefused, match="2 of 3 buyer groups would be changed"):
        reset(trackdrive, *ids, limit=ChangeLimit.parse(1))
    with pytest.raises(ChangeRefused, match="3 of 3 buyer groups"):
        invite(trackdrive, *ids, limit=ChangeLimit.parse("50%"))
    result = reset(trackdrive, *ids, dry_run=True, limit=ChangeLimit.parse(1))
    assert fields_of(result, "would_change")[0] == (ids[0], "attempt_total_used", 10, 0)
    assert "2 of 3" in result["refused"]
    assert trackdrive.puts() == []


@pytest.mark.parametrize("status", [500, 502])
def test_a_reset_that_happened_is_not_sent_again(trackdrive, status):
    """After a lost answer the counts decide: fallen ones prove the reset, with a call that came in since."""
    id_ = filled(trackdrive)
    trackdrive.lose_answer(id_, status=status)
    trackdrive.before_next("PUT", f"{PATH}/{id_}", lambda: trackdrive.before_next("GET", f"{PATH}/{id_}", new_call))

    def new_call():
        trackdrive.fill(id_, 1)

    result = reset(trackdrive, id_)
    assert fields_of(result) == [(id_, "attempt_total_used", 10, 1)]
    assert len(trackdrive.puts()) == 1
    assert trackdrive.group_now(id_)["attempt_total_used"] == 1


def test_a_reset_that_did_not_happen_is_sent_again(trackdrive):
    """Counts that have not fallen prove that nothing was done, and the reset is sent again, three times at most."""
    id_ = filled(trackdrive)
    trackdrive.lose_answer(id_, times=2, done=False)
    assert fields_of(reset(trackdrive, id_)) == [(id_, "attempt_total_used", 10, 0)]
    assert len(trackdrive.puts()) == 3
    trackdrive.fill(id_, 10)
    trackdrive.lose_answer(id_, times=3, done=False)
    (failed,) = reset(trackdrive, id_)["failed"]
    assert "was lost 3 times; it counts attempt_total_used 10" in failed["error"]


def test_a_reset_of_others_is_left_alone(trackdrive):
    """Counts are read again right before the reset; what others have reset is unchanged."""
    id_ = filled(trackdrive)
    path = f"{PATH}/{id_}"
    trackdrive.before_next("GET", path, lambda: trackdrive.before_next("GET", path, by_others))

    def by_others():
        trackdrive.set_group(id_, reset_total_caps=True)
        trackdrive.fill(id_, 2)

    record = Record()
    for _ in range(2):
        result = reset(trackdrive, id_, record=record)
        assert (result["changed"], [row["id"] for row in result["unchanged"]]) == ([], [id_])
    assert trackdrive.puts() == []
    assert trackdrive.group_now(id_)["attempt_total_used"] == 2


def test_calls_between_the_looks_are_counted_as_before(trackdrive):
    """A call that comes in after the first look belongs to what is reset."""
    id_ = filled(trackdrive)
    path = f"{PATH}/{id_}"
    trackdrive.before_next("GET", path, lambda: trackdrive.before_next("GET", path, lambda: trackdrive.fill(id_, 11)))
    assert fields_of(reset(trackdrive, id_)) == [(id_, "attempt_total_used", 11, 0)]


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_killed_attempt(trackdrive, at):
    """The next attempt finds by the saved counts whether the reset was done, and does it once."""
    id_, saved = filled(trackdrive), []
    trackdrive.before_next("PUT", f"{PATH}/{id_}", kill if at == "before" else done_and_killed(trackdrive, id_))
    with pytest.raises(Killed):
        reset(trackdrive, id_, save=lambda record: saved.append(record.dump()))
    result = reset(trackdrive, id_, record=Record.load(saved[-1]))
    assert fields_of(result) == [(id_, "attempt_total_used", 10, 0 if at == "before" else 4)]
    assert trackdrive.group_now(id_)["attempt_total_used"] == (0 if at == "before" else 4)
    trackdrive.fill(id_, 9)
    again = reset(trackdrive, id_, record=Record(done={f"buyer group {id_}": [["attempt_total_used", 10, 0]]}))
    assert fields_of(again) == [(id_, "attempt_total_used", 10, 0)]
    assert trackdrive.group_now(id_)["attempt_total_used"] == 9


def done_and_killed(trackdrive, id_):
    """Return what resets the group, lets four calls in, and ends the process."""

    def act():
        trackdrive.set_group(id_, reset_total_caps=True)
        trackdrive.fill(id_, 4)
        kill()

    return act


def test_an_accepted_reset_that_does_nothing(trackdrive):
    """A server that accepts a reset and keeps the counts is not believed."""
    id_ = filled(trackdrive)
    trackdrive.fault(f"/api/v1{PATH}/{id_}", method="PUT", status=200, body='{"success": true}')
    (failed,) = reset(trackdrive, id_)["failed"]
    assert "was accepted, but it still counts: attempt_total_used 10" in failed["error"]


def test_an_accepted_reset_that_cannot_be_read_back(trackdrive):
    """It is not sent again by the next attempt, which would forget the calls since."""
    id_, record = filled(trackdrive), Record()
    path = f"{PATH}/{id_}"
    fault = {"method": "GET", "status": 404, "body": '{"error": "gone"}'}
    trackdrive.before_next("PUT", path, lambda: trackdrive.fault(f"/api/v1{path}", **fault))
    assert len(reset(trackdrive, id_, record=record)["failed"]) == 1
    trackdrive.fill(id_, 3)
    assert fields_of(reset(trackdrive, id_, record=record)) == [(id_, "attempt_total_used", 10, None)]
    assert trackdrive.group_now(id_)["attempt_total_used"] == 3


def test_a_refused_key_ends_the_run(trackdrive):
    """What was accepted before is in the result and in the record."""
    ids, record = [filled(trackdrive), filled(trackdrive)], Record()
    trackdrive.fault(f"/api/v1{PATH}/{ids[1]}", method="PUT", status=401)
    run = ResetTotalCaps(ids, record=record)
    with pytest.raises(AuthenticationError):
        trackdrive.client.run(run.procedure())
    assert fields_of(run.result()) == [(ids[0], "attempt_total_used", 10, None)]
    assert list(record.done) == [f"buyer group {ids[0]}"]


def test_groups_that_are_missing_fail_alone(trackdrive):
    """The others are reset or invited to, and the error names the group."""
    id_ = filled(trackdrive)
    for result in (reset(trackdrive, 999, id_), invite(trackdrive, 999, id_)):
        assert {row["id"] for row in result["changed"]} == {id_}
        assert [row["id"] for row in result["failed"]] == [999]


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({}, "came without counts such as 'attempt_total_used'"),
        ({"attempt_total_used": "many"}, "has 'many' in attempt_total_used, which cannot be read"),
        ({"attempt_total_used": None, "revenue_total_used": "0.0"}, None),
    ],
)
def test_counts_of_any_form(trackdrive, counts, problem):
    """Counts that cannot be read fail the group; null is a count of nothing, and some of them are enough."""
    trackdrive.fault(f"/api/v1{PATH}/7", method="GET", status=200, body=json.dumps({"id": 7, **counts}))
    result = reset(trackdrive, 7)
    if problem:
        assert problem in result["failed"][0]["error"]
    else:
        assert [row["id"] for row in result["unchanged"]] == [7]
    assert trackdrive.puts() == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"status": 404}, "was answered 404"),
        ({"status": 500, "times": 9}, "could not be read again right before its reset, so nothing was sent to it"),
        ({"status": 200, "body": '{"id": 1}'}, "so nothing was sent to it: buyer group 1 came without counts"),
    ],
)
def test_a_group_that_cannot_be_read_again(trackdrive, fault, problem):
    """Without its counts right before, a group is not reset; the others are."""
    ids = [filled(trackdrive), filled(trackdrive)]
    path = f"{PATH}/{ids[0]}"
    trackdrive.before_next("GET", f"{PATH}/{ids[1]}", lambda: trackdrive.fault(f"/api/v1{path}", **fault))
    result = reset(trackdrive, *ids)
    assert problem in result["failed"][0]["error"]
    assert trackdrive.puts() == [(ids[1], {"reset_total_caps": True})]


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_reset_that_cannot_be_read_back(trackdrive, done):
    """This attempt fails; the saved counts tell the next one whether it happened."""
    id_, saved = filled(trackdrive), []
    path = f"{PATH}/{id_}"
    fault = {"method": "GET", "status": 404, "body": '{"error": "gone"}'}
    trackdrive.lose_answer(id_, done=done)
    trackdrive.before_next("PUT", path, lambda: trackdrive.fault(f"/api/v1{path}", **fault))
    assert len(reset(trackdrive, id_, save=lambda record: saved.append(record.dump()))["failed"]) == 1
    trackdrive.fill(id_, 3 if done else 12)
    result = reset(trackdrive, id_, record=Record.load(saved[-1]))
    assert fields_of(result) == [(id_, "attempt_total_used", 10 if done else 12, 3 if done else 0)]
    assert trackdrive.group_now(id_)["attempt_total_used"] == (3 if done else 0)


def test_a_refused_reset_fails_alone(trackdrive):
    """A reset that is refused is not sent again, and the others are done."""
    ids = [filled(trackdrive), filled(trackdrive)]
    trackdrive.fault(f"/api/v1{PATH}/{ids[0]}", method="PUT", status=422, body='{"error": "no"}')
    result = reset(trackdrive, *ids)
    assert [row["id"] for row in result["failed"]] == [ids[0]]
    assert fields_of(result) == [(ids[1], "attempt_total_used", 10, 0)]
    assert len(trackdrive.puts()) == 2


def test_a_key_that_is_refused_between_reset_and_reading_back(trackdrive):
    """What was accepted is noted, so that the next attempt does not forget the calls since."""
    id_, record, saved = filled(trackdrive), Record(), []
    fault = {"method": "GET", "status": 401}
    trackdrive.before_next("PUT", f"{PATH}/{id_}", lambda: trackdrive.fault(f"/api/v1{PATH}/{id_}", **fault))
    with pytest.raises(AuthenticationError):
        reset(trackdrive, id_, record=record, save=lambda one: saved.append(one.dump()))
    trackdrive.fill(id_, 3)
    assert fields_of(reset(trackdrive, id_, record=Record.load(saved[-1]))) == [(id_, "attempt_total_used", 10, None)]
    assert trackdrive.group_now(id_)["attempt_total_used"] == 3


def test_many_groups_are_reset_in_batches(trackdrive):
    """The record is saved before and after each batch, and the second one is read again right before it."""
    ids, saved = [filled(trackdrive) for _ in range(25)], []
    result = reset(trackdrive, *ids, save=lambda record: saved.append((len(record.plan), len(record.done))))
    assert len(result["changed"]) == 25
    assert saved == [(20, 0), (20, 20), (25, 20), (25, 25)]
    methods = [method for method, _, _ in trackdrive.sent]
    assert (
        methods
        == ["GET"] * 25 + (["GET"] * 20 + ["PUT"] * 20 + ["GET"] * 20) + ["GET"] * 5 + ["PUT"] * 5 + ["GET"] * 5
    )


@pytest.mark.parametrize(
    ("before", "now", "proved"),
    [
        (
            {"attempt_total_used": 5, "revenue_total_used": 9},
            {"attempt_total_used": 5, "revenue_total_used": 1},
            False,
        ),
        (
            {"attempt_total_used": 5, "revenue_total_used": 9},
            {"attempt_total_used": 0, "revenue_total_used": 9},
            True,
        ),
        (
            {"attempt_total_used": 0, "revenue_total_used": 9},
            {"attempt_total_used": 0, "revenue_total_used": 1},
            True,
        ),
        ({"attempt_total_used": 5}, {"attempt_total_used": 6}, False),
        ({"attempt_total_used": 5}, {"revenue_total_used": 0}, False),
    ],
)
def test_what_proves_a_reset(before, now, proved):
    """Attempts never fall by themselves; money may be corrected, and decides only where nothing else was counted."""
    assert was_reset(before, now) is proved


def test_invitations_are_sent_once(trackdrive):
    """An accepted request is not repeated by another attempt; no address is in the result or the record."""
    id_, record = trackdrive.add_group(), Record()
    for _ in range(2):
        result = invite(trackdrive, id_, record=record)
        assert fields_of(result) == [
            (id_, "team_users_emails", None, "1 address"),
            (id_, "generate_team", None, True),
        ]
    assert trackdrive.invitations() == [ADDRESS]
    assert ADDRESS not in str((result, record.dump()))


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_invitation_is_never_repeated(trackdrive, done):
    """Whether it was sent cannot be read back: this attempt and the next one fail for good and say so."""
    id_, record = trackdrive.add_group(), Record()
    trackdrive.lose_answer(id_, done=done)
    for message in ("Invitations may have been sent", "may have sent the invitations of buyer group 1"):
        run = SetTeam([id_], TEAM, record=record)
        (failed,) = trackdrive.client.run(run.procedure())["failed"]
        assert message in failed["error"]
        assert run.failed_for_good
    assert len(trackdrive.puts()) == 1


def test_a_killed_invitation_is_never_repeated(trackdrive):
    """An attempt that was killed while it sent one is remembered; those that it had not begun are sent."""
    ids, saved = [trackdrive.add_group(), trackdrive.add_group()], []
    trackdrive.before_next("PUT", f"{PATH}/{ids[0]}", kill)
    with pytest.raises(Killed):
        invite(trackdrive, *ids, save=lambda record: saved.append(record.dump()))
    result = invite(trackdrive, *ids, record=Record.load(saved[-1]))
    assert [row["id"] for row in result["failed"]] == [ids[0]]
    assert [id_ for id_, _ in trackdrive.puts()] == [ids[1]]


@pytest.mark.parametrize("status", [422, 401])
def test_a_refused_invitation_may_be_sent_later(trackdrive, status):
    """A refusal proves that nobody was invited, so another attempt sends it."""
    id_, record = trackdrive.add_group(), Record()
    trackdrive.fault(f"/api/v1{PATH}/{id_}", method="PUT", status=status, body='{"error": "no"}')
    run = SetTeam([id_], TEAM, record=record)
    if status == 401:
        with pytest.raises(AuthenticationError):
            trackdrive.client.run(run.procedure())
    else:
        assert len(trackdrive.client.run(run.procedure())["failed"]) == 1
    assert record.plan == {}
    assert len(invite(trackdrive, id_, record=record)["changed"]) == 2


class UnderWay:
    """A turn that an earlier attempt of the same run still has once; it ends in `act`."""

    def __init__(self, act):
        self.act = act

    def take(self):
        """Let the earlier attempt end."""
        act, self.act = self.act, None
        if act is not None:
            act()
            raise RunUnderWay("An earlier attempt is at work.", holder="attempt 1")

    def confirm(self):
        """Have the turn."""


def test_an_earlier_attempt_that_is_still_at_work(trackdrive):
    """What it has done or sent until its end is read from its record, and neither reset nor sent again."""
    ids = [filled(trackdrive), filled(trackdrive)]
    key = f"buyer group {ids[0]}"

    def reset_one():
        trackdrive.set_group(ids[0], reset_total_caps=True)
        trackdrive.fill(ids[0], 30)

    record = Record(done={key: [["attempt_total_used", 10, 0]]})
    run = ResetTotalCaps(ids, reload=lambda: record)
    run.turn = UnderWay(reset_one)
    trackdrive.client.run(run.procedure())
    assert sorted(fields_of(run.result())) == [(id_, "attempt_total_used", 10, 0) for id_ in ids]
    assert trackdrive.puts() == [(ids[1], {"reset_total_caps": True})]
    assert trackdrive.group_now(ids[0])["attempt_total_used"] == 30
    invitation = SetTeam(ids, TEAM, reload=lambda: Record(plan={key: []}))
    invitation.turn = UnderWay(lambda: None)
    trackdrive.client.run(invitation.procedure())
    assert [row["id"] for row in invitation.result()["failed"]] == [ids[0]]
    assert [id_ for id_, _ in trackdrive.puts()] == [ids[1]] * 2


def test_teams_go_alone(trackdrive):
    """What can be compared is not sent with what cannot."""
    with pytest.raises(InvalidArgument, match="give team_users_emails in a task without paused"):
        SetTeam([1], {"team_users_emails": [ADDRESS], "paused": True})
    with pytest.raises(InvalidArgument, match="item 1 is not an e-mail address"):
        SetTeam([1], {"team_users_emails": ["nobody"]})
