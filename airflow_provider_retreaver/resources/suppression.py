"""Suppression: callers whose calls the company does not take (Retreaver's reference: "Suppressed Numbers").

The legacy routes can add, remove and check whether there are any; listing, reading and changing one exist under the
current routes only.
"""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import phone_parameters
from airflow_provider_retreaver.core.envelopes import json_body, protocol_error, read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response, segment
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation, Row
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Resource, anything

NO_LEGACY = CurrentOnly("the legacy routes can only add and remove suppressed numbers")


class SuppressedNumber(TypedDict, total=False):
    """A suppressed number as Retreaver sends it; `can_resubscribe` lets the caller unblock itself by pressing 7.

    `cid` is there only with a campaign, and documented as an integer.
    """

    id: int
    number: str
    can_resubscribe: bool
    company_id: int
    cid: int | str | None
    campaign_id: str | int | None
    affiliate_id: str | int | None
    created_at: str


SUPPRESSED_NUMBERS: Resource[SuppressedNumber] = Resource(
    "suppressed_numbers",
    "suppressed_number",
    attributes={"number": phone_parameters.phone, "can_resubscribe": checks.truth, "campaign_id": anything},
    required=("number",),
    key="number",
    row_key="number",
)


def any_suppressed() -> Operation[bool]:
    """Check whether the company has any suppressed number.

    Retreaver's reference: "Check whether or not you have any Suppressed Numbers".

    :return: an operation whose result is True when there is one.
    """
    return Operation(
        Request("GET", "/suppressed_numbers/check.json"),
        _read_check,
        legacy=Request("GET", "/suppression_list/check.json"),
    )


def list_suppressed_numbers() -> Listing:
    """List the company's suppressed numbers (current routes only).

    :return: a listing of `SuppressedNumber` rows.
    """
    return Listing(Request("GET", "/suppressed_numbers.json"), "suppressed_number", legacy=NO_LEGACY)


def get_suppressed_number(number: str) -> Operation[SuppressedNumber]:
    """Get one suppressed number (current routes only).

    :param number: E.164.
    :return: a `SuppressedNumber`.
    :raises NotFound: when it is not suppressed.
    """
    return SUPPRESSED_NUMBERS.returning_object(Request("GET", _path(number)), NO_LEGACY)


def suppress_number(number: str, *, can_resubscribe: bool | None = None) -> Operation[SuppressedNumber]:
    """Suppress a number, with or without a contact.

    Retreaver's reference: "Suppress a Contact Number by phone number".

    :param number: E.164.
    :param can_resubscribe: whether the caller may unblock itself by pressing 7; Retreaver's default is True, which
        is wrong for a do-not-call list.
    :return: a `SuppressedNumber`.
    """
    body = None
    if can_resubscribe is not None:
        body = {"suppressed_number": {"can_resubscribe": checks.truth(can_resubscribe, "can_resubscribe")}}
    return SUPPRESSED_NUMBERS.returning_object(
        Request("POST", _path(number), body=body), Request("POST", _legacy_path(number), body=body)
    )


def update_suppressed_number(
    number: str, *, can_resubscribe: bool | None = None, campaign_id: str | None = None
) -> Operation[SuppressedNumber]:
    """Change a suppressed number (current routes only).

    :param number: E.164.
    :param can_resubscribe: whether the caller may unblock itself.
    :param campaign_id: the campaign whose calls alone are suppressed.
    :return: a `SuppressedNumber`.
    :raises InvalidArgument: when there is nothing to change.
    """
    body: Row = {}
    if can_resubscribe is not None:
        body["can_resubscribe"] = checks.truth(can_resubscribe, "can_resubscribe")
    if campaign_id is not None:
        body["campaign_id"] = campaign_id
    if not body:
        raise InvalidArgument("Give can_resubscribe or campaign_id: there is nothing to change.")
    # Documented without the envelope that bodies have elsewhere.
    return SUPPRESSED_NUMBERS.returning_change(Request("PUT", _path(number), body=body), NO_LEGACY)


def unsuppress_number(number: str) -> Operation[None]:
    """Take a number off the suppression list.

    Retreaver's reference: "Delete a Contact Number from the Suppression List …".

    :param number: E.164.
    :return: an operation without a result.
    """
    return Operation(Request("DELETE", _path(number)), read_nothing, legacy=Request("DELETE", _legacy_path(number)))


def _path(number: str) -> str:
    return f"/suppressed_numbers/{segment(phone_parameters.phone(number), 'number')}.json"


def _legacy_path(number: str) -> str:
    return f"/contact_numbers/{segment(phone_parameters.phone(number), 'number')}/suppressed_number.json"


def _read_check(request: Request, response: Response) -> bool:
    body = json_body(request, response)
    for name in ("suppressed_numbers_exist", "suppression_list"):
        if isinstance(body, dict) and isinstance(body.get(name), bool):
            return bool(body[name])
    raise protocol_error(request, response, "holds no 'suppressed_numbers_exist'")
