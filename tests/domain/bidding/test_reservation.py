"""Reservations of real-time bidding: results, expiry, and answers that are lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
)
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.domain.bidding.reservation import (
    Confirmation,
    nothing_sent,
    run_call_reservation,
    run_reservation,
)
from airflow_provider_retreaver.resources.call_reservations import create_call_reservation
from airflow_provider_retreaver.resources.rtb import reserve_call
from airflow_provider_retreaver.transport.server_clock import ServerClock
from tests.domain.support.retreaver import SimulatedRetreaver

CALLER = "+19195550100"
RTBS = "/rtbs.json"


@pytest.fixture
def retreaver():
    """Provide an account with one target."""
    account = SimulatedRetreaver()
    account.target(hard_cap_attributes={"cap": 1})
    return account


def reserve(retreaver, **parameters):
    """Reserve a call."""
    return retreaver.client.run(run_reservation(reserve_call(**{"caller_number": CALLER, **parameters})))


def confirm(retreaver, reservation, expires_at=None):
    """Confirm a reservation."""
    return retreaver.client.run(Confirmation.of(reservation, expires_at).run())


def test_a_reservation_is_confirmed(retreaver):
    """A reservation has what is documented, is shielded when it is repeated, and counts when it is confirmed."""
    first = reserve(retreaver, publisher_id="pub", tags={"zip": 12344, "age": Decimal("25.0"), "name": "Ann"})
    assert (first["status"], first["reserved"], first["payout"], first["seconds"]) == ("reserved", True, 20.0, 90)
    assert retreaver.sent[-1] == (
        "POST",
        RTBS,
        {"zip": 12344, "age": 25, "name": "Ann", "publisher_id": "pub", "caller_number": CALLER},
    )
    assert reserve(retreaver) == {**first, "ping_shield": True}
    confirmed = confirm(retreaver, json.dumps(first))
    assert confirmed == {**first, "status": "confirmed"}


def test_no_target_is_a_result(retreaver):
    """No buyer is a result, of a reserve and of a confirmation whose caps filled in between."""
    first = reserve(retreaver)
    retreaver.ask("POST", "/__sandbox__/targets/1/fill", {"filled": 1})
    assert confirm(retreaver, first["uuid"])["status"] == "no-target"
    retreaver.ask("POST", "/__sandbox__/clock", {"advance": 61})
    found = reserve(retreaver)
    assert (found["status"], found["reserved"], found["payout"]) == ("no-target", False, None)
    assert Confirmation.of(found, None) == found, "nothing is sent"


def test_an_expired_reservation_is_not_confirmed(retreaver):
    """After `expires_at` by Retreaver's clock nothing is sent."""
    first = reserve(retreaver)
    retreaver.ask("POST", "/__sandbox__/clock", {"advance": 61})
    retreaver.client.run(run_reservation(reserve_call(caller_number="+19195550101")))
    sent = len(retreaver.sent)
    with pytest.raises(ChangeRefused, match=rf"{first['uuid']}.*expired at"):
        confirm(retreaver, first)
    with pytest.raises(ChangeRefused, match="expired at"):
        confirm(retreaver, first["uuid"], first["expires_at"])
    assert len(retreaver.sent) == sent


def from_a_worker(retreaver, minutes):
    """Go on in a process that has seen no answer yet, on a machine whose clock is so many minutes ahead."""
    retreaver.client._clock = ServerClock(lambda: datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_worker_whose_clock_is_wrong(retreaver, minutes):
    """Retreaver's clock decides: it is asked for where no answer has shown it yet."""
    first, other = reserve(retreaver), reserve(retreaver, caller_number="+19195550101")
    sent = len(retreaver.sent)
    from_a_worker(retreaver, minutes)
    assert confirm(retreaver, first)["status"] == "confirmed"
    retreaver.ask("POST", "/__sandbox__/clock", {"advance": 61})
    from_a_worker(retreaver, minutes)
    with pytest.raises(ChangeRefused, match="expired at"):
        confirm(retreaver, other)
    assert [(method, path) for method, path, _ in retreaver.sent[sent:]] == [
        ("GET", "/company.json"),
        ("PUT", f"/rtbs/{first['uuid']}.json"),
        ("GET", "/company.json"),
    ]


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 503, "headers": {"Retry-After": "30"}}])
def test_an_error_shows_the_time_too(retreaver, fault, caplog):
    """It is not asked for again, since the caller waits on the line."""
    first = reserve(retreaver)
    retreaver.fault("/company.json", **fault, times=None)
    from_a_worker(retreaver, 10)
    assert confirm(retreaver, first)["status"] == "confirmed"
    assert [path for _, path, _ in retreaver.sent].count("/company.json") == 1
    assert "judged by the worker's clock" not in caplog.text


def test_retreavers_time_may_not_be_known(retreaver, caplog):
    """Without any answer the worker's clock decides, and the log says so."""
    first = reserve(retreaver)
    retreaver.fault("/company.json", cut=True, times=None)
    from_a_worker(retreaver, 0)
    assert confirm(retreaver, first)["status"] == "confirmed"
    assert "judged by the worker's clock" in caplog.text


def test_a_lost_reserve_is_repeated_where_ping_shield_protects_it(retreaver):
    """With a caller the request is sent again after a lost answer; without one its outcome is unknown."""
    retreaver.fault(RTBS, status=500, then="done")
    assert reserve(retreaver)["ping_shield"] is True
    retreaver.ask("POST", "/__sandbox__/rtb_keys", {"key": retreaver.postback_key, "needs_caller": False})
    retreaver.fault(RTBS, status=500, then="done")
    with pytest.raises(OutcomeUnknown, match=r"POST /rtbs\.json"):
        reserve(retreaver, caller_number=None)


def test_a_lost_confirmation_is_not_repeated(retreaver):
    """A confirmation whose answer is lost is sent once, and the error says what to look up."""
    first = reserve(retreaver)
    retreaver.fault(f"/rtbs/{first['uuid']}.json", status=502, then="done")
    with pytest.raises(OutcomeUnknown, match=r"may be confirmed or not.*RTB log"):
        confirm(retreaver, first)
    assert [method for method, path, _ in retreaver.sent if path != RTBS] == ["PUT"]
    assert confirm(retreaver, first)["status"] == "confirmed"


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_of_another_type_is_named(retreaver, status):
    """The error says which type of postback key is needed, and where to put it."""
    retreaver.fault(RTBS, status=status)
    with pytest.raises((AuthenticationError, PermissionDenied), match=r"'Real Time Bidding'.*postback_key of conn"):
        reserve(retreaver)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"caller_number": "soon"}, "caller_number"),
        ({"inbound_number": 5}, "inbound_number"),
        ({"publisher_id": " "}, "publisher_id"),
        ({"tags": {"Key": "x"}}, "'Key'"),
        ({"tags": {"status": "x"}}, "'status'"),
        ({"tags": {"": "x"}}, "tags"),
        ({"tags": {"a": [1]}}, "'a'"),
        ({"tags": {"a": True}}, "'a'"),
        ({"tags": {"a": float("nan")}}, "tags: a"),
        ({"tags": {f"tag{index}": index for index in range(101)}}, "101 tags"),
    ],
)
def test_wrong_parameters_are_refused(retreaver, parameters, name):
    """A wrong parameter is refused by name; nothing is sent."""
    with pytest.raises(InvalidArgument, match=name):
        reserve(retreaver, **parameters)
    assert retreaver.sent == []


@pytest.mark.parametrize(
    ("reservation", "expires_at", "name"),
    [
        ("", None, "reservation"),
        (5.5, None, "reservation"),
        ({"status": "claimed", "reserved": False}, None, "'claimed'"),
        ({"status": None, "uuid": None, "reserved": False}, None, "the result of a dry run"),
        ({"status": "reserved", "expires_at": "2026-01-01T00:00:00Z"}, None, "reservation must be an ID"),
        ({"status": "reserved", "uuid": "u-1", "expires_at": "soon"}, None, "expires_at"),
        ("u-1", "soon", "expires_at"),
        ("{'status'", None, "reservation"),
    ],
)
def test_wrong_confirmations_are_refused(reservation, expires_at, name):
    """A confirmation needs a reservation that is reserved, and a time that is one."""
    with pytest.raises(InvalidArgument, match=name):
        Confirmation.of(reservation, expires_at)


def test_what_needs_no_confirmation(retreaver):
    """A reservation that is confirmed already is not confirmed again; a dry run has none."""
    confirmed = confirm(retreaver, reserve(retreaver))
    assert reserve(retreaver) == {**confirmed, "ping_shield": True}
    for given in (confirmed, json.dumps(confirmed)):
        assert Confirmation.of(given, None) == confirmed
    dry = nothing_sent()
    assert Confirmation.of(dry, None, dry_run=True) == dry


def test_an_answer_may_be_confirmed_as_it_came(retreaver):
    """What the hook returns has the names of Retreaver, and may lack the end."""
    row = retreaver.client.run(reserve_call(caller_number=CALLER))
    assert Confirmation.of({**row, "status": "no-target"}, None)["payout"] == row["retreaver_payout"]
    assert Confirmation.of({"uuid": "u-1", "status": "reserved"}, None) == Confirmation("u-1")
    assert confirm(retreaver, dict(row))["status"] == "confirmed"


def read(body):
    """Return the result of a reservation that is answered with a body."""
    operation = reserve_call(caller_number=CALLER)
    procedure = run_reservation(operation)
    assert next(procedure) is operation
    with pytest.raises(StopIteration) as done:
        procedure.send(operation.read(operation.request, Response(200, {}, body)))
    return done.value.value


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"rtb": {"uuid": "u", "status": "reserved", "retreaver_payout": 1}}', "reserved"),
        (b'{"uuid": "u", "status": "claimed"}', "claimed"),
    ],
)
def test_answers_of_other_shapes(body, status):
    """A wrapped answer is read, and an unknown status reserves nothing."""
    result = read(body)
    assert (result["status"], result["reserved"]) == (status, status == "reserved")


@pytest.mark.parametrize(
    "body", [b'{"uuid": "u"}', b'{"uuid": "u", "status": "reserved", "expires_at": "soon"}', b"<html>"]
)
def test_answers_that_cannot_be_read(body):
    """An answer without a status, or with a time that is none, is an error that names the request."""
    with pytest.raises(ProtocolError, match=r"/rtbs\.json"):
        read(body)


@pytest.mark.parametrize(
    ("number", "dialed"),
    [
        (11234567890, "+11234567890"),
        (8885551234, "+18885551234"),
        ("+442079460000", "+442079460000"),
        ("18885551234", "+18885551234"),
        (None, None),
    ],
)
def test_numbers_of_call_reservations(number, dialed):
    """The number of the documented example has no plus sign; the result is E.164."""
    operation = create_call_reservation(publisher_id="p", caller_number=CALLER)
    body = {"call_reservation": {"uuid": "u", "status": "no-target", "inbound_number": number, "expires_at": None}}
    procedure = run_call_reservation(operation)
    next(procedure)
    with pytest.raises(StopIteration) as done:
        procedure.send(operation.read(operation.request, Response(200, {}, json.dumps(body).encode())))
    result = done.value.value
    assert (result["inbound_number"], result["reserved"], result["status"]) == (dialed, False, "no-target")


def test_a_number_that_is_none():
    """A number to dial that is none is an error, not a call to nowhere."""
    operation = create_call_reservation(publisher_id="p", caller_number=CALLER)
    procedure = run_call_reservation(operation)
    next(procedure)
    with pytest.raises(ProtocolError, match="inbound_number"):
        procedure.send({"uuid": "u", "status": "reserved", "inbound_number": "soon"})
