"""Waiting for an export job, and what is looked up before one is created."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import NotFound, PermissionDenied, ProtocolError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Together, Wait
from airflow_provider_retreaver.domain.bidding.inbound_export import InboundTable, prepare_export
from airflow_provider_retreaver.domain.watching.condition import build_condition
from airflow_provider_retreaver.domain.watching.export_job import ExportEnded, wait_for_export
from airflow_provider_retreaver.resources.rtb_inbound_filters import InboundFilters, InboundWindow

WINDOW = InboundWindow.of(None, "2026-09-01", "2026-09-08")


class Clock:
    """A clock that moves by the waits of a procedure."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return monotonic seconds."""
        return self.now


def waiting(interval: float, timeout: float, ends_at: float) -> tuple[bool, list[float]]:
    """Wait for a job that ends at a time; return whether it has ended, and the waits."""
    clock, waits = Clock(), []
    procedure = wait_for_export(7, interval, timeout, clock)
    step = next(procedure)
    while True:
        if isinstance(step, Wait):
            waits.append(step.seconds)
            clock.now += step.seconds
            answer = None
        else:
            assert step.request.path == "/api/v5/exports/rtb_inbounds/7.json"
            answer = {"id": 7, "in_progress": clock.now - 100 < ends_at}
        try:
            step = procedure.send(answer)
        except StopIteration as end:
            return not end.value["in_progress"], waits


@pytest.mark.parametrize(
    ("ends_at", "ended", "waits"),
    [(0, True, []), (15, True, [10, 10]), (25, True, [10, 10, 5]), (26, False, [10, 10, 5])],
)
def test_waiting_for_a_job(ends_at, ended, waits):
    """It looks at once, then at each interval, and for the last time when the time is over."""
    assert waiting(10, 25, ends_at) == (ended, waits)


def test_the_condition_of_a_job():
    """A job that has ended, well or not, meets the condition; the trigger builds it from plain JSON."""
    condition = build_condition("export_job", ExportEnded(7).options())
    assert condition == ExportEnded(7)
    assert not condition.evaluate({"id": 7, "in_progress": True}).met
    ended = condition.evaluate({"id": 7, "in_progress": False, "errors": {"base": ["x"]}})
    assert (ended.met, ended.value) == (True, 7)


def prepared(filters, outcomes, *, allow_unknown=False):
    """Run the look-ups with given outcomes; return the result and the paths that were asked for."""
    procedure = prepare_export(InboundFilters.of(filters), WINDOW, allow_unknown=allow_unknown)
    paths, answer = [], None
    try:
        while True:
            step = procedure.send(answer)
            if isinstance(step, Together):
                paths += [one.request.path for one in step.operations]
                answer = [outcomes.pop(0) for _ in step.operations]
            else:
                assert isinstance(step, Operation)
                paths.append(step.request.path)
                answer = []
    except StopIteration as end:
        return end.value, paths


def test_objects_are_looked_up_by_their_ids():
    """Campaigns, affiliates and targets are read once; postback keys have no API, and show on the first page."""
    filters = {"campaign_id": [1, 2], "target_id": 3, "postback_key_id": 4}
    outcomes = [
        Outcome(value={"id": 1, "cid": "0044"}),
        Outcome(value={"id": 2}),
        Outcome(value={"id": 3, "tid": "A"}),
    ]
    found, paths = prepared(filters, outcomes)
    assert found == {"campaign_id": ["0044"], "target_id": ["A"]}
    assert paths == ["/campaigns/1.json", "/campaigns/2.json", "/targets/3.json", "/api/v5/rtb_inbounds.json"]
    assert prepared({}, []) == ({}, [])
    assert prepared(filters, [], allow_unknown=True) == ({}, ["/api/v5/rtb_inbounds.json"])


def test_errors_of_the_look_up():
    """A missing object is named; any other error stays what it is."""
    missing = NotFound("gone", method="GET", path="/campaigns/1.json", status=404)
    with pytest.raises(NotFound, match=r"there is no campaign with ID 1 \(GET /campaigns/1\.json: 404\)"):
        prepared({"campaign_id": 1}, [Outcome(error=missing)])
    with pytest.raises(PermissionDenied, match="no company"):
        prepared({"campaign_id": 1}, [Outcome(error=PermissionDenied("no company"))])


@pytest.mark.parametrize("label", ["Buyer ID", "Call Endpoint ID", "Contact Handler ID", "Target ID", "target id"])
def test_labels_depend_on_the_account(label):
    """A target has several names; a column that is not known is not compared."""
    table = InboundTable([label, "Mood"], InboundFilters.of({"target_id": 3}), WINDOW, {})
    assert list(table.rows(iter([["3", "x"]]))) == [["3", "x"]]
    with pytest.raises(ProtocolError, match=r"Row 2 of the file does not match target_id \(it has '4'\)"):
        list(table.rows(iter([["3", "x"], ["4", "x"]])))
