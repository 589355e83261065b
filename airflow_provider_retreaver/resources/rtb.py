"""Real-time bidding: reserve a buyer for a caller, and confirm it (Retreaver's reference: "Real Time Bidding").

The connection's extra `postback_key` holds a postback key of type "Real Time Bidding".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from airflow_provider_retreaver.core import parameters, phone_parameters
from airflow_provider_retreaver.core.envelopes import Row, json_body, unwrap
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Host, Request, Response, segment
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources.checks import MOST_TAGS

KEY_TYPE = "Real Time Bidding"
# Parameters of a request; a tag of such a name would change it.
RESERVED = ("key", "publisher_id", "source_id", "caller_number", "inbound_number", "status", "uuid", "api_key")

TagScalar = str | int | float | Decimal


class Reservation(TypedDict, total=False):
    """A reservation as Retreaver sends it; without a buyer it has `uuid` and `status` alone."""

    uuid: str
    status: str
    retreaver_payout: float
    retreaver_seconds: int
    inbound_number: str
    sip_address: str
    expires_at: str
    retreaver_ping_shield: bool


def reserve_call(
    *,
    publisher_id: str | None = None,
    caller_number: str | None = None,
    inbound_number: str | None = None,
    tags: Mapping[str, TagScalar] | None = None,
) -> Operation[Reservation]:
    """Reserve a buyer for a caller.

    A repeat with the same caller before the reservation expires returns the same one (Ping Shield), so a request
    with a caller is sent again when its answer is lost; one without a caller is not. A reservation counts on no cap
    until it is confirmed. Retreaver's reference: "Real Time Bidding".

    :param publisher_id: the customer's ID of the publisher (afid).
    :param caller_number: of the caller, E.164; needed unless the postback key allows requests without one.
    :param inbound_number: a number of the account that the caller is to dial, E.164.
    :param tags: tags of the call by key.
    :return: a `Reservation`; `status` is `reserved` when a buyer was found, `no-target` when none was.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    body: dict[str, object] = {**tag_fields(tags)}
    if publisher_id is not None:
        body["publisher_id"] = segment_text(publisher_id, "publisher_id")
    for name, number in (("caller_number", caller_number), ("inbound_number", inbound_number)):
        if number is not None:
            body[name] = phone_parameters.e164(number, name)
    request = Request(
        "POST",
        "/rtbs.json",
        body=body,
        auth=Auth.POSTBACK_KEY,
        host=Host.RTB,
        repeat_safe=caller_number is not None,
        key_type=KEY_TYPE,
    )
    return Operation(request, _read)


def confirm_reservation(uuid: str, expires_at: datetime | None = None) -> Operation[Reservation]:
    """Confirm a reservation: the publisher then has to place the call, and it counts on the buyer's caps.

    What a repeated confirmation does is not documented, so it is not sent again when its answer is lost. Retreaver's
    reference: "Real Time Bidding".

    :param uuid: of the reservation.
    :param expires_at: until when the reservation lives, aware; from then on no attempt is made. None for any time.
    :return: a `Reservation`; `status` is `confirmed`, or `no-target` when the buyer's caps were filled meanwhile.
    """
    path = f"/rtbs/{segment(uuid, 'reservation uuid')}.json"
    body = {"status": "confirmed"}
    request = Request(
        "PUT",
        path,
        body=body,
        auth=Auth.POSTBACK_KEY,
        host=Host.RTB,
        repeat_safe=False,
        key_type=KEY_TYPE,
        until=expires_at,
    )
    return Operation(request, _read)


def tag_fields(tags: Mapping[str, object] | None, reserved: Collection[str] = RESERVED) -> dict[str, str | int]:
    """Return tags as fields of a request beside its own parameters.

    :param tags: values by key; None for no tags.
    :param reserved: names of the request's own parameters, in lower case.
    :return: the fields: texts, and whole numbers as they are.
    :raises InvalidArgument: for a key that is a parameter of the request, a value that is no text or finite number,
        or more than 100 tags.
    """
    fields: dict[str, str | int] = {}
    for name, value in (tags or {}).items():
        key = str(name).strip()
        if not key or key.lower() in reserved:
            raise InvalidArgument(f"tags: {quoted(key)} is no key of a tag; it is blank, or a parameter by itself.")
        fields[key] = _tag_value(value, key)
    if len(fields) > MOST_TAGS:
        raise InvalidArgument(f"tags holds {len(fields)} tags, and Retreaver takes {MOST_TAGS} at most.")
    return fields


def segment_text(value: object, name: str) -> str:
    """Return an ID of the customer as text.

    :param value: a text or a whole number.
    :param name: name of the parameter, for the error.
    :return: the text without surrounding blanks.
    :raises InvalidArgument: when it is neither, or blank.
    """
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text:
        raise InvalidArgument(f"{name} must be an ID, not {quoted(value)}.")
    return text


def _tag_value(value: object, name: str) -> str | int:
    value = parameters.plain(value, f"tags: {name}")
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise InvalidArgument(f"tags: {quoted(name)} must be a text or a number, not {quoted(value)}.")
    if isinstance(value, (float, Decimal)):
        return str(int(value)) if value == int(value) else str(value)
    return value


def _read(request: Request, response: Response) -> Reservation:
    # The reference shows the bare object, a later announcement one wrapped in `rtb`.
    row: Row = unwrap(request, response, json_body(request, response), "rtb")
    reservation: Reservation = {**row}  # type: ignore[typeddict-item]
    return reservation
