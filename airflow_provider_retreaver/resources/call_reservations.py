"""Call reservations, which real-time bidding replaces (Retreaver's article "Call Reservation API").

Support for their postback keys is ending: use `resources.rtb`. The connection's extra `postback_key` holds a postback
key of type "Call Reservation".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from airflow_provider_retreaver.core import phone_parameters
from airflow_provider_retreaver.core.envelopes import read_item
from airflow_provider_retreaver.core.messages import Auth, Host, Request, Response
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.resources.rtb import TagScalar, segment_text, tag_fields

KEY_TYPE = "Call Reservation"


class CallReservation(TypedDict, total=False):
    """A call reservation as Retreaver sends it; `inbound_number` may come as a number without plus sign."""

    uuid: str
    inbound_number: str | int | None
    caller_number: str
    status: str
    expires_at: str | None
    claimed_at: str | None
    wiped_at: str | None
    call: dict[str, object]
    matched_targets: list[dict[str, object]]
    tag_values: list[dict[str, object]]
    conversion_groups: list[dict[str, object]]


def create_call_reservation(
    *,
    publisher_id: str,
    caller_number: str,
    inbound_number: str | None = None,
    tags: Mapping[str, TagScalar] | None = None,
) -> Operation[CallReservation]:
    """Reserve a buyer for a caller; there is no confirmation.

    What a repeated request does is not documented, so it is not sent again when its answer is lost. Retreaver's
    article "Call Reservation API".

    :param publisher_id: the customer's ID of the publisher (afid).
    :param caller_number: of the caller, E.164.
    :param inbound_number: a number of the key's campaign to dial, E.164; its own tags are not applied.
    :param tags: tags of the call by key.
    :return: a `CallReservation`; decide by its `status`, since one without a buyer has a number to dial too.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    query = {
        "publisher_id": segment_text(publisher_id, "publisher_id"),
        "caller_number": phone_parameters.e164(caller_number, "caller_number"),
    }
    if inbound_number is not None:
        query["inbound_number"] = phone_parameters.e164(inbound_number, "inbound_number")
    pairs = (*query.items(), *((name, str(value)) for name, value in tag_fields(tags).items()))
    request = Request(
        "POST", "/call_reservations.json", pairs, auth=Auth.POSTBACK_KEY, host=Host.DATA, key_type=KEY_TYPE
    )
    return Operation(request, _read)


def _read(request: Request, response: Response) -> CallReservation:
    reservation: CallReservation = {**read_item("call_reservation")(request, response)}  # type: ignore[typeddict-item]
    return reservation
