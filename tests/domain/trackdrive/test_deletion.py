"""Deleting a buyer group: read before, deleted once, read after; and the rows of what is created and deleted."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    InvalidRequest,
    NotFound,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.trackdrive.created_group import with_rows
from airflow_provider_retreaver.domain.trackdrive.deletion import DeleteGroup
from tests.domain.support.trackdrive import PATH, SimulatedTrackDrive

EMPTY = {"changed": [], "unchanged": [], "failed": []}
ROW = {"kind": "buyer group", "id": 1}
DELETED = {**ROW, "name": "Roofers", "field": "deleted", "before": False, "after": True}
GONE = {"id": 1, "customer_id": None, "action": "deleted", "gone": True}


class Killed(BaseException):
    """Stands in for SIGKILL."""


@pytest.fixture
def trackdrive():
    """Give an account with one group."""
    found = SimulatedTrackDrive()
    found.add_group()
    return found


def delete(trackdrive, **how):
    """Delete the group; return the result, and the methods that were sent."""
    before = len(trackdrive.sent)
    result = trackdrive.client.run(DeleteGroup(1, **how).procedure())
    assert {path for _, path, _ in trackdrive.sent} == {f"{PATH}/1"}
    return result, [method for method, _, _ in trackdrive.sent[before:]]


def fault(trackdrive, method, **how):
    """Script what the next such request gets."""
    trackdrive.fault(f"/api/v1{PATH}/1", method=method, **how)


def test_three_requests(trackdrive):
    """A group is read, deleted, and read as gone; the next time it is already gone, and nothing is sent."""
    dry = {**EMPTY, "id": 1, "customer_id": None, "action": "would_delete", "gone": False, "dry_run": True}
    assert delete(trackdrive, dry_run=True) == ({**dry, "would_change": [DELETED]}, ["GET"])
    done = {**EMPTY, **GONE, "already_gone": False, "changed": [DELETED]}
    assert delete(trackdrive) == (done, ["GET", "DELETE", "GET"])
    missing = {**EMPTY, **GONE, "action": "missing", "already_gone": True, "unchanged": [ROW]}
    assert delete(trackdrive) == (missing, ["GET"])
    assert delete(trackdrive, dry_run=True) == ({**missing, "dry_run": True}, ["GET"])
    with pytest.raises(NotFound):
        delete(trackdrive, missing_ok=False)
    assert len(trackdrive.sent) == 7


def test_a_group_that_is_returned_as_deleted_is_gone(trackdrive):
    """One with `deleted_at` is none, before and after."""
    deleted = {"buyer_group": {"id": 1, "name": "Roofers", "deleted_at": "2026-11-27T00:00:00Z"}}
    fault(trackdrive, "GET", status=200, body=deleted)
    assert delete(trackdrive)[0]["action"] == "missing"
    trackdrive.before_next("DELETE", f"{PATH}/1", lambda: fault(trackdrive, "GET", status=200, body=deleted))
    assert delete(trackdrive)[0]["action"] == "deleted"


@pytest.mark.parametrize("missing_ok", [True, False])
@pytest.mark.parametrize("done", [True, False])
def test_killed_while_the_delete_is_under_way(trackdrive, done, missing_ok):
    """The next attempt of the run finds it gone and succeeds, or deletes it."""
    saved = []

    def kill():
        if done:
            trackdrive.do("DELETE", f"{PATH}/1")
        raise Killed

    trackdrive.before_next("DELETE", f"{PATH}/1", kill)
    with pytest.raises(Killed):
        delete(trackdrive, save=lambda record: saved.append(json.dumps(record.dump())))
    again = {"record": Record.load(json.loads(saved[-1])), "missing_ok": missing_ok}
    result, sent = delete(trackdrive, **again)
    assert (result["action"], result["gone"], result["already_gone"]) == ("deleted", True, done)
    assert [(row["id"], row["field"], row["after"]) for row in result["changed"]] == [(1, "deleted", True)]
    assert sent == (["GET"] if done else ["GET", "DELETE", "GET"])


def test_lost_answers(trackdrive):
    """After the last attempt's answer the group is read: gone is success, there is the error."""
    fault(trackdrive, "DELETE", status=500, times=50)
    with pytest.raises(Unavailable):
        delete(trackdrive)
    assert trackdrive.sent[-1][0] == "GET"
    trackdrive.ask("DELETE", "/__sandbox__/faults")
    fault(trackdrive, "DELETE", cut=True, then="done")
    result, sent = delete(trackdrive)
    assert (result["action"], sent) == ("deleted", ["GET", "DELETE", "DELETE", "GET"])


def test_every_answer_lost_but_the_group_is_gone(trackdrive):
    """The read decides, not the error."""
    fault(trackdrive, "DELETE", status=500, then="done")
    fault(trackdrive, "DELETE", status=500, times=50)
    result, sent = delete(trackdrive)
    assert (result["action"], result["already_gone"], sent[0], sent[-1]) == ("deleted", False, "GET", "GET")


def test_deleted_by_others_in_between(trackdrive):
    """A 404 to the delete is read back like every other answer."""
    trackdrive.before_next("DELETE", f"{PATH}/1", lambda: trackdrive.do("DELETE", f"{PATH}/1"))
    result, sent = delete(trackdrive, missing_ok=False)
    assert (result["action"], result["gone"], sent) == ("deleted", True, ["GET", "DELETE", "GET"])


def test_accepted_and_not_gone(trackdrive):
    """A delete that did nothing, and one that cannot be read back, are failures that a retry may mend."""
    group = {"buyer_group": trackdrive.group_now(1)}
    for answer, message in (
        ({"status": 200, "body": group}, "was accepted, but TrackDrive returns it still"),
        ({"status": 200, "body": "<html>"}, "was accepted, but it could not be read back"),
    ):
        fault(trackdrive, "DELETE", status=200, body=group)
        trackdrive.before_next("DELETE", f"{PATH}/1", lambda answer=answer: fault(trackdrive, "GET", **answer))
        run = DeleteGroup(1)
        (failed,) = trackdrive.client.run(run.procedure())["failed"]
        assert message in failed["error"]
        assert not run.failed_for_good
        assert run.result() == {**EMPTY, "failed": [failed]}


@pytest.mark.parametrize(("status", "kind"), [(422, InvalidRequest), (401, AuthenticationError)])
def test_refused(trackdrive, status, kind):
    """What was refused is not told as deleted by a later attempt that finds it gone."""
    saved = []
    fault(trackdrive, "DELETE", status=status)
    with pytest.raises(kind):
        delete(trackdrive, save=lambda record: saved.append(json.dumps(record.dump())))
    assert [list(json.loads(one)["plan"]) for one in saved] == [["buyer group 1"], []]


def test_the_run_ends_after_an_accepted_delete(trackdrive):
    """A key that is refused while reading back ends the run; what was accepted is reported, and not as gone."""
    trackdrive.before_next("DELETE", f"{PATH}/1", lambda: fault(trackdrive, "GET", status=401))
    run = DeleteGroup(1)
    with pytest.raises(AuthenticationError):
        trackdrive.client.run(run.procedure())
    assert run.result() == {
        **EMPTY, "id": 1, "customer_id": None, "action": "deleted", "changed": [DELETED],
    }  # fmt: skip


def test_a_group_that_cannot_be_read_is_not_deleted(trackdrive):
    """Without the read before, nothing is sent."""
    fault(trackdrive, "GET", status=200, body="<html>")
    run = DeleteGroup(1)
    with pytest.raises(RetreaverError):
        trackdrive.client.run(run.procedure())
    assert [method for method, _, _ in trackdrive.sent] == ["GET"]
    assert [row["id"] for row in run.result()["failed"]] == [1]


def test_rows_of_a_create():
    """Attributes are rows; those that are read back otherwise are a failure, and a dry run has no ID."""
    changes = {"name": {"before": None, "after": "Solar"}, "tier": {"before": None, "after": None}}
    created = {"id": "6", "customer_id": None, "action": "created", "changed": changes, "not_compared": []}
    result = with_rows({**created, "object": {"id": "6", "name": "Solar"}, "not_taken": ["tier"]})
    row = {"kind": "buyer group", "id": 6, "name": "Solar"}
    assert result["changed"] == [{**row, "field": "name", "before": None, "after": "Solar"}]
    assert [{**one, "error": ""} for one in result["failed"]] == [{**row, "error": ""}]
    assert "tier is none" in result["failed"][0]["error"]
    assert (result["id"], result["action"], result["not_taken"], result["unchanged"]) == (
        "6",
        "created",
        ["tier"],
        [],
    )
    dry = with_rows({**created, "id": None, "action": "would_create", "dry_run": True})
    assert dry["would_change"][0] == {
        "kind": "buyer group", "id": None, "named": "'Solar'", "field": "name", "before": None, "after": "Solar",
    }  # fmt: skip
    assert (dry["changed"], dry["failed"], dry["dry_run"]) == ([], [], True)
