"""Suppression: callers whose calls the company does not take (vendor's reference: "Suppressed Numbers").

The legacy routes can add, remove and say whether there are any; listing, reading and changing one exist under the
current routes only.
"""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response, segment
from airflow_provider_retreaver.core.operations import (
    CurrentOnly,
    Listing,
    Operation,
    Row,
    json_body,
    protocol_error,
    read_item,
    read_nothing,
)
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import read_update

NO_LEGACY = CurrentOnly("the legacy routes can only add and remove suppressed numbers")


class SuppressedNumber(TypedDict, total=False):
    """A suppressed number as the vendor sends it; `can_resubscribe` lets the caller unblock itself by pressing 7."""

    id: int
    number: str
    can_resubscribe: bool
    company_id: int
    cid: str | None
    campaign_id: str | int | None
    affiliate_id: str | int | None
    created_at: str


def any_suppressed() -> Operation[bool]:
    """Ask whether the company has any suppressed number ("Check whether or not you have any Suppressed Numbers")."""
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


def get_suppressed_number(number: str) -> Operation[Row]:
    """Get one suppressed number (current routes only).

    :param number: E.164.
    :return: a `SuppressedNumber`.
    :raises NotFound: when it is not suppressed.
    """
    return Operation(Request("GET", _path(number)), read_item("suppressed_number"), legacy=NO_LEGACY)


def suppress_number(number: str, *, can_resubscribe: bool | None = None) -> Operation[Row]:
    """Suppress a number ("Suppress a Contact Number by phone number"), with or without a contact.

    :param number: E.164.
    :param can_resubscribe: whether the caller may unblock itself by pressing 7; the vendor's default is True, which
        is wrong for a do-not-call list.
    :return: a `SuppressedNumber`.
    """
    body = None
    if can_resubscribe is not None:
        body = {"suppressed_number": {"can_resubscribe": checks.truth(can_resubscribe, "can_resubscribe")}}
    return Operation(
        Request("POST", _path(number), body=body),
        read_item("suppressed_number"),
        legacy=Request("POST", _legacy_path(number), body=body),
    )


def update_suppressed_number(
    number: str, *, can_resubscribe: bool | None = None, campaign_id: str | None = None
) -> Operation[Row]:
    """Change a suppressed number (current routes only).

    :param number: E.164.
    :param can_resubscribe: whether the caller may unblock itself.
    :param campaign_id: the campaign whose calls alone are suppressed.
    :return: a `SuppressedNumber`.
    """
    body: Row = {}
    if can_resubscribe is not None:
        body["can_resubscribe"] = checks.truth(can_resubscribe, "can_resubscribe")
    if campaign_id is not None:
        body["campaign_id"] = campaign_id
    if not body:
        raise InvalidArgument("Give can_resubscribe or campaign_id: there is nothing to change.")
    # Documented without the envelope that bodies have elsewhere.
    return Operation(Request("PUT", _path(number), body=body), read_update("suppressed_number"), legacy=NO_LEGACY)


def unsuppress_number(number: str) -> Operation[None]:
    """Take a number off the suppression list ("Delete a Contact Number from the Suppression List …").

    :param number: E.164.
    """
    return Operation(Request("DELETE", _path(number)), read_nothing, legacy=Request("DELETE", _legacy_path(number)))


def _path(number: str) -> str:
    return f"/suppressed_numbers/{segment(parameters.phone(number), 'number')}.json"


def _legacy_path(number: str) -> str:
    return f"/contact_numbers/{segment(parameters.phone(number), 'number')}/suppressed_number.json"


def _read_check(request: Request, response: Response) -> bool:
    body = json_body(request, response)
    for name in ("suppressed_numbers_exist", "suppression_list"):
        if isinstance(body, dict) and isinstance(body.get(name), bool):
            return bool(body[name])
    raise protocol_error(request, response, "holds no 'suppressed_numbers_exist'")
