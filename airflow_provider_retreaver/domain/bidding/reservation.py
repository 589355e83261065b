"""A reservation of real-time bidding: its result, and when it may still be confirmed.

Retreaver's reference: "Real Time Bidding", and its article "Call Reservation API".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict, cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidArgument,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
)
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import ClockReading, Operation, Procedure, ServerTime
from airflow_provider_retreaver.core.phone_text import in_e164
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.core.time_parameters import instant, timestamp
from airflow_provider_retreaver.resources import rtb
from airflow_provider_retreaver.resources.call_reservations import CallReservation
from airflow_provider_retreaver.resources.companies import get_active_company

log = logging.getLogger(__name__)

RESERVED = "reserved"
CONFIRMED = "confirmed"
NO_TARGET = "no-target"


class ReservationResult(TypedDict):
    """What the operators of reservations return; plain JSON.

    :param uuid: of the reservation; None in a dry run.
    :param status: as Retreaver sends it, e.g. `reserved`, `confirmed`, `no-target`; None in a dry run.
    :param reserved: whether a buyer is reserved or confirmed. A status that is not documented counts as neither.
    :param payout: expected payout in USD; None without a buyer.
    :param seconds: seconds after which a call pays; None without a buyer.
    :param inbound_number: the number to dial, E.164 or a SIP address.
    :param sip_address: the SIP address to dial instead.
    :param expires_at: until when the reservation lives, RFC 3339.
    :param ping_shield: whether this is an earlier reservation of the same caller.
    """

    uuid: str | None
    status: str | None
    reserved: bool
    payout: float | None
    seconds: int | None
    inbound_number: str | None
    sip_address: str | None
    expires_at: str | None
    ping_shield: bool


def nothing_sent() -> ReservationResult:
    """Return the result of a dry run.

    :return: a result without a reservation.
    """
    return _result({}, None, None)


def run_reservation(operation: Operation[rtb.Reservation]) -> Procedure[ReservationResult]:
    """Send a reservation or a confirmation, and read its answer.

    :param operation: of `resources.rtb`.
    :return: the result.
    :raises ProtocolError: when the answer lacks `uuid` or `status`, or a time in it cannot be read.
    """
    row: rtb.Reservation = yield operation
    uuid, status = (str(require(row, name, operation.request)) for name in ("uuid", "status"))
    expires_at = row.get("expires_at")
    if expires_at is not None and _time_or_none(expires_at) is None:
        raise ProtocolError(
            f"The response to {operation.request.label} has an expires_at that is no time: {quoted(expires_at)}.",
            method=operation.request.method,
            path=operation.request.path,
        )
    return _result(row, uuid, status)


def run_call_reservation(operation: Operation[CallReservation]) -> Procedure[ReservationResult]:
    """Send a call reservation of the older API, and read its answer.

    :param operation: of `resources.call_reservations`.
    :return: the result, without a payout; any status but `no-target` counts as reserved, since no other is
        documented.
    :raises ProtocolError: when the answer lacks `uuid` or `status`, or has a number to dial that is none.
    """
    row: CallReservation = yield operation
    uuid, status = (str(require(row, name, operation.request)) for name in ("uuid", "status"))
    number = row.get("inbound_number")
    found: rtb.Reservation = {}
    if number is not None:
        found["inbound_number"] = _e164(number, operation.request)
    expires_at = row.get("expires_at")
    if expires_at is not None:
        found["expires_at"] = expires_at
    return {**_result(found, uuid, status), "reserved": status != NO_TARGET}


def _e164(value: str | int, request: Request) -> str:
    text = str(value).strip() if not isinstance(value, bool) else ""
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 7 <= len(digits) <= 15):
        raise ProtocolError(
            f"The response to {request.label} has an inbound_number that is no phone number: {quoted(value)}.",
            method=request.method,
            path=request.path,
        )
    return in_e164(text)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A reservation that is to be confirmed.

    :param uuid: of the reservation.
    :param expires_at: until when it lives, aware; None when that is not known.
    """

    uuid: str
    expires_at: datetime | None = None

    @classmethod
    def of(
        cls, reservation: object, expires_at: object, *, dry_run: bool = False
    ) -> Confirmation | ReservationResult:
        """Read the parameters of a confirmation.

        :param reservation: the UUID, or the result of a reserve, or Retreaver's answer to one; as rendered text too.
        :param expires_at: RFC 3339; None to take that of the result.
        :param dry_run: whether the result of a dry run is taken.
        :return: the confirmation; or the result when nothing is to be sent, since no buyer was found, or it is
            confirmed already.
        :raises InvalidArgument: naming the parameter that is not valid.
        """
        uuid, until = reservation, expires_at
        text = reservation.strip() if isinstance(reservation, str) else ""
        if not isinstance(reservation, str) or text.startswith("{"):
            given = parameters.mapping(reservation, "reservation")
            result = _result_of(given)
            if given and result == nothing_sent():
                if dry_run:
                    return result
                raise InvalidArgument("reservation is the result of a dry run, which has reserved nothing.")
            if result["status"] in (NO_TARGET, CONFIRMED):
                return result
            if not result["reserved"]:
                raise InvalidArgument(
                    f"reservation has the status {quoted(result['status'])}, and only one that is reserved can be "
                    f"confirmed; reserve the call again."
                )
            uuid, until = result["uuid"], expires_at if parameters.is_given(expires_at) else result["expires_at"]
        ends = instant(timestamp(until, "expires_at")) if parameters.is_given(until) else None
        return cls(rtb.segment_text(uuid, "reservation"), ends)

    def run(self) -> Procedure[ReservationResult]:
        """Confirm the reservation, unless it has expired, also while the request waited to be sent again.

        :return: the result.
        :raises ChangeRefused: when it has expired by Retreaver's clock; the confirmation was not sent.
        :raises OutcomeUnknown: when the answer was lost.
        """
        if self.expires_at is not None and self.expires_at <= (yield from _server_time()):
            raise ChangeRefused(
                f"Reservation {quoted(self.uuid)} expired at {self.expires_at.isoformat()}, so that it was not "
                f"confirmed; reserve the call again."
            )
        try:
            return (yield from run_reservation(rtb.confirm_reservation(self.uuid, self.expires_at)))
        except (OutcomeUnknown, ProtocolError) as error:
            # An answer that cannot be read came after the confirmation was done.
            raise self.unknown(error) from None

    def unrecorded(self) -> OutcomeUnknown:
        """Return the error for a confirmation of which nobody knows whether an earlier attempt has sent it.

        :return: the error.
        """
        return OutcomeUnknown(
            f"Reservation {quoted(self.uuid)} may be confirmed or not: an earlier attempt of this task has left no "
            f"record of what it did, so nothing was sent. Look it up in Retreaver's RTB log (confirmed_at) before "
            f"the call is placed, and set state_path, so that attempts are remembered."
        )

    def unknown(self, error: RetreaverError | None = None) -> OutcomeUnknown:
        """Return the error for a confirmation whose answer is not known.

        :param error: of the request; None when an earlier attempt ended before its answer came.
        :return: the error.
        """
        return OutcomeUnknown(
            f"Reservation {quoted(self.uuid)} may be confirmed or not: the answer was lost, and it is not confirmed "
            f"again. Look it up in Retreaver's RTB log (confirmed_at) before the call is placed.",
            method=None if error is None else error.method,
            path=None if error is None else error.path,
        )


def _server_time() -> Procedure[datetime]:
    """Return Retreaver's time; where no answer has shown it yet, something small is read, since clocks differ."""
    clock: ClockReading = yield ServerTime()
    if clock.is_known:
        return clock.server_time
    look = get_active_company()
    try:
        # The caller waits on the line.
        yield replace(look, request=replace(look.request, attempts=1))
    except RetreaverError as error:
        # An answer that refuses the key shows the time, too.
        failure = error.message
    else:
        failure = "its answer had no Date"
    clock = yield ServerTime()
    if not clock.is_known:
        log.warning(
            "Whether the reservation has expired is judged by the worker's clock, as Retreaver's is not known: %s",
            failure,
        )
    return clock.server_time


def _result(row: rtb.Reservation, uuid: str | None, status: str | None) -> ReservationResult:
    result: ReservationResult = {
        "uuid": uuid,
        "status": status,
        "reserved": status in {RESERVED, CONFIRMED},
        "payout": row.get("retreaver_payout"),
        "seconds": row.get("retreaver_seconds"),
        "inbound_number": row.get("inbound_number"),
        "sip_address": row.get("sip_address"),
        "expires_at": row.get("expires_at"),
        "ping_shield": row.get("retreaver_ping_shield") is True,
    }
    return cast("ReservationResult", without_secrets(result))


def _result_of(row: Mapping[str, Any]) -> ReservationResult:
    """Return the result that a mapping is, or the result of an answer that came as it is."""
    if "reserved" not in row:
        return _result(cast("rtb.Reservation", row), row.get("uuid"), row.get("status"))
    return cast("ReservationResult", {name: row.get(name, default) for name, default in nothing_sent().items()})


def _time_or_none(text: object) -> datetime | None:
    try:
        return instant(timestamp(text, "expires_at"))
    except InvalidArgument:
        return None
