# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of bad input to bidding, call reservations, data writing, targets and reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_retreaver.core.errors import AuthenticationError, ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Listing, Operation, Procedure
from airflow_provider_retreaver.domain.bidding.reservation import Confirmation, run_call_reservation, run_reservation
from airflow_provider_retreaver.resources.call_reservations import create_call_reservation
from airflow_provider_retreaver.resources.data_writing import write_call_data
from airflow_provider_retreaver.resources.reports import report_calls
from airflow_provider_retreaver.resources.rtb import confirm_reservation, reserve_call
from airflow_provider_retreaver.resources.targets import create_target
from airflow_provider_retreaver.sandbox.options import RESERVATION_KEY, RTB_KEY, WRITING_KEY
from tests.contract.harness import CaseClient

CALLER = "+19195550100"
TAGS_101 = {f"tag{index}": index for index in range(101)}


def _refused(client: CaseClient, work: Callable[[], Operation[Any] | Listing], message: str) -> None:
    """Run work that must be refused by name before a request is sent."""

    def procedure() -> Procedure[Any]:
        return (yield work())

    before = len(client.entries())
    assert message in str(client.fails(InvalidArgument, procedure()))
    assert len(client.entries()) == before


def _with_key(client: CaseClient, key: str) -> None:
    client.connect(extra={"postback_key": key})


def _confirmation(reservation: Mapping[str, object] | str, expires_at: str | None = None) -> Procedure[Any]:
    confirmation = Confirmation.of(reservation, expires_at)
    assert isinstance(confirmation, Confirmation)
    return confirmation.run()


def a_reservation_that_has_expired(client: CaseClient) -> None:
    """It is not confirmed when its end is known; when it is not, Retreaver answers no target and counts nothing."""
    _with_key(client, RTB_KEY)
    target = client.target()
    reservation = client.run(run_reservation(reserve_call(caller_number=CALLER)))
    client.account.control("POST", "clock", {"advance": 61})
    assert client.run(_confirmation(reservation["uuid"]))["status"] == "no-target"
    # The clock is that of the last answer.
    for given in ((reservation, None), (reservation["uuid"], reservation["expires_at"])):
        assert "expired at" in str(client.fails(ChangeRefused, _confirmation(*given)))
    assert len(client.sent("PUT")) == 1
    assert client.filled(target) == 0


def a_reservation_that_expires_while_it_is_to_be_confirmed(client: CaseClient) -> None:
    """A confirmation that is refused for now is sent again within the reservation's life only, and not waited for."""
    _with_key(client, RTB_KEY)
    target = client.target()
    for seconds, message in ((5, None), (90, "was not sent again: it may only be sent before")):
        caller = f"+191955501{seconds:02}"
        reservation = client.run(run_reservation(reserve_call(caller_number=caller)))
        client.fault("/rtbs/", method="PUT", status=429, headers={"Retry-After": str(seconds)})
        if message is None:
            assert client.run(_confirmation(reservation))["status"] == "confirmed"
        else:
            assert message in str(client.fails(ChangeRefused, _confirmation(reservation)))
    assert client.waits == [5.0]
    assert len(client.sent("PUT")) == 3
    assert client.filled(target) == 1


def a_key_of_the_wrong_kind(client: CaseClient) -> None:
    """The error names the kind of postback key that is needed; nothing is sent again, and no key is shown."""
    reserve, confirm = reserve_call(caller_number=CALLER), confirm_reservation("u-1")
    call_reservation = create_call_reservation(publisher_id="p", caller_number=CALLER)
    writing = write_call_data(tags={"a": "b"}, caller_number=CALLER)
    for operation, wrong, kind in (
        (reserve, WRITING_KEY, "Real Time Bidding"),
        (confirm, RESERVATION_KEY, "Real Time Bidding"),
        (call_reservation, RTB_KEY, "Call Reservation"),
        (writing, RTB_KEY, "Call Data Writing"),
    ):
        _with_key(client, wrong)
        before = len(client.entries())
        error = client.fails(AuthenticationError, operation)
        assert kind in str(error)
        assert wrong not in f"{error} {error.details}"
        assert len(client.entries()) == before + 1


def an_unknown_facet(client: CaseClient) -> None:
    """It is refused by name, with those that there are."""
    days = {"created_at_start": "2026-01-01", "created_at_end": "2026-01-02"}
    facet: Any = "moon"
    _refused(client, lambda: report_calls(facet, **days), "facet must be one of publisher, buyer")


def a_window_of_a_report_that_is_too_long(client: CaseClient) -> None:
    """Two years of the calendar or more are refused; a day less is read, by Retreaver too."""
    days = {"created_at_start": "2024-01-01", "created_at_end": "2026-01-01"}
    _refused(client, lambda: report_calls("daily", **days), "less than 2 years apart")
    assert client.iterate(report_calls("daily", **{**days, "created_at_end": "2025-12-31"})) == []


def an_inbound_number_that_is_a_json_number(client: CaseClient) -> None:
    """It is E.164 in the result when an answer has it so, and as it is sent; a float is refused."""
    _with_key(client, RESERVATION_KEY)
    row = {"uuid": "u", "status": "no-target", "inbound_number": 18885551234, "expires_at": None}
    client.fault("/call_reservations.json", status=200, body={"call_reservation": row})
    number: Any = 18885551234
    operation = create_call_reservation(publisher_id="p", caller_number=CALLER, inbound_number=number)
    result = client.run(run_call_reservation(operation))
    assert (result["inbound_number"], result["reserved"]) == ("+18885551234", False)
    (entry,) = client.entries()
    assert dict(entry["query"])["inbound_number"] == "+18885551234"
    rounded: Any = 1.8885551234e10
    _refused(client, lambda: reserve_call(caller_number=CALLER, inbound_number=rounded), "inbound_number")


def a_call_with_101_tags(client: CaseClient) -> None:
    """They are refused by every request that has tags; a hundred are sent."""
    _with_key(client, RTB_KEY)
    message = "101 tags, and Retreaver takes 100"
    _refused(client, lambda: reserve_call(caller_number=CALLER, tags=TAGS_101), message)
    _refused(
        client,
        lambda: create_call_reservation(publisher_id="p", caller_number=CALLER, tags=TAGS_101),
        message,
    )
    _refused(client, lambda: write_call_data(tags=TAGS_101, caller_number=CALLER), message)
    tag_list = ",".join(f"<<<{key}:{value}>>>" for key, value in TAGS_101.items())
    _refused(client, lambda: create_target({"number": CALLER, "tag_list": tag_list}), message)
    hundred = dict(list(TAGS_101.items())[:100])
    assert client.run(reserve_call(caller_number=CALLER, tags=hundred))["status"] == "no-target"
    (entry,) = client.entries()
    assert entry["status"] == 200
