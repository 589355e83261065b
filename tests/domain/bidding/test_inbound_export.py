"""Waiting for an export job, and what is looked up before one is created."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import NotFound, PermissionDenied, ProtocolError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Together, Wait
from airflow_provider_retreaver.domain.bidding.inbound_export import CALLER, InboundTable, prepare_export
from airflow_provider_retreaver.domain.calls.caller_privacy import phone_transform
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
    assert found == {"campaign_id": ["0044", ""], "target_id": ["A"]}
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
    """A target has several names; a column that is not known is not compared, and told."""
    table = InboundTable([label, "Mood"], InboundFilters.of({"target_id": 3, "duplicate": True}), WINDOW, {})
    assert table.not_shown == ["created_at", "duplicate_original_uuid"]
    assert list(table.rows(iter([["3", "x"]]))) == [["3", "x"]]
    with pytest.raises(ProtocolError, match=r"Row 2 of the file does not match target_id \(it has '4'\)"):
        list(table.rows(iter([["3", "x"], ["4", "x"]])))


EVERY = {
    "campaign_id": 1,
    "affiliate_id": 2,
    "target_id": 3,
    "postback_key_id": 4,
    "status": "no-target",
    "duplicate": True,
    "caller_state": "TX",
    "caller_country": "US",
    "revenue": [1, 2],
    "payout": [1, 2],
}
CELLS = {
    "Campaign ID": "1",
    "Publisher ID": "2.0",
    "Buyer ID": "B-3",
    "Postback Key ID": "4",
    "Status": "No Target",
    "Duplicate Original UUID": "8f0a2d13-9d3a-4b3e-9a7a-6b8e4b9d9a21",
    "Caller State": "tx",
    "Caller Country": "US",
    "Revenue": "$1.00",
    "Payout": "2",
    "Created At": "2026-09-02T00:00:00Z",
}


def rows_with(**cells):
    """Read a row of a file that was asked for, with other cells."""
    table = InboundTable(list(CELLS), InboundFilters.of(EVERY), WINDOW, {"target_id": ["B-3"]})
    assert table.not_shown == []
    return list(table.rows(iter([list({**CELLS, **cells}.values())])))


@pytest.mark.parametrize(
    ("label", "cells", "name"),
    [
        ("Campaign ID", ("7", ""), "campaign_id"),
        ("Publisher ID", ("7", ""), "affiliate_id"),
        ("Buyer ID", ("7", ""), "target_id"),
        ("Postback Key ID", ("7", ""), "postback_key_id"),
        ("Status", ("claimed", ""), "status"),
        ("Duplicate Original UUID", ("00000000-0000-0000-0000-000000000000", ""), "duplicate"),
        ("Caller State", ("CA", ""), "caller_state"),
        ("Caller Country", ("CA", ""), "caller_country"),
        ("Revenue", ("3", ""), "revenue"),
        ("Payout", ("0.5", "many"), "payout"),
        ("Created At", ("2026-08-31T00:00:00Z", "2026-09-08T00:00:02Z"), "start and end"),
    ],
)
def test_rows_are_held_against_every_filter(label, cells, name):
    """A row of another object, status, place, amount or time was not asked for, and a blank cell is none of them."""
    assert rows_with() == [list(CELLS.values())]
    for cell in cells:
        with pytest.raises(ProtocolError, match=rf"Row 1 of the file does not match {name} \(it has '{cell}'\)"):
            rows_with(**{label: cell})


def test_the_callers_number_is_hidden_in_every_cell():
    """It is replaced in its column and wherever else it stands; two columns of one label stay two."""
    hide = phone_transform("mask", fields=(CALLER,))
    labels = ["Caller Number", "Note", "Note", "Caller ID"]
    table = InboundTable(labels, InboundFilters(), WINDOW, {}, hide)
    rows = [["+17195220377", "tel:(719) 522-0377", "7195220377", "17195220377"], ["", "a", "b", "+18668987878"]]
    assert list(table.rows(iter(rows))) == [
        ["+1…77", "tel:+1…77", "+1…77", "+1…77"],
        ["", "a", "b", "+18668987878"],
    ]


def test_a_number_that_cannot_be_hidden():
    """A file whose columns do not say which one has the caller's number is refused instead of stored with it."""
    labels = ["Call UUID", "Telefon"]
    with pytest.raises(ProtocolError, match=r"No column of the file is known .*\(Call UUID, Telefon\)"):
        InboundTable(labels, InboundFilters(), WINDOW, {}, phone_transform("mask", fields=(CALLER,)))
