"""Numbers: the phone numbers that callers dial; each costs money (Retreaver's reference: "Numbers")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.nested import CALL_HANDLING, Greeting, MenuOption, Timer
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything


class Number(TypedDict, total=False):
    """A number as Retreaver sends it; timers and menu options may come wrapped or bare."""

    id: int
    number: str
    toll_free: bool
    sid: str | None
    afid: str | None
    cid: str | None
    uses_campaign_settings: bool
    greeting: Greeting
    timers: list[Timer | dict[str, Timer]]
    menu_options: list[MenuOption | dict[str, MenuOption]]
    updated_at: str
    created_at: str


def number_type(value: object, name: str) -> None:
    """Refuse a type that is neither Toll-free nor Local.

    :param value: of the attribute.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    parameters.one_of(value, checks.NUMBER_TYPES, name)


def country(value: object, name: str) -> None:
    """Refuse a country in which Retreaver has no numbers.

    :param value: of the attribute.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    parameters.one_of(value, checks.COUNTRIES, name)


NUMBERS: Resource[Number] = Resource(
    "numbers",
    "number",
    attributes={
        "type": number_type,
        "desired_text": anything,
        "country": country,
        "afid": anything,
        "cid": anything,
        "sid": anything,
        **CALL_HANDLING,
    },
    required=("type", "afid", "cid"),
)


def list_numbers(*, cid: str | None = None, afid: str | None = None, sid: str | None = None) -> Listing:
    """List the numbers of the company.

    The current routes call the filters `client_cid`, `client_afid` and `sub_id`.
    Retreaver's reference: "Get all Numbers".

    :param cid: only numbers of this campaign (customer's ID).
    :param afid: only numbers of this affiliate (customer's ID).
    :param sid: only numbers of this SubID.
    :return: a listing of `Number` rows.
    """
    current = NUMBERS.listing({"client_cid": cid, "client_afid": afid, "sub_id": sid})
    legacy = NUMBERS.listing({"cid": cid, "afid": afid, "sid": sid})
    return Listing(current.request, "number", legacy=legacy.request)


def get_number(id: Id) -> Operation[Number]:  # noqa: A002
    """Get one number.

    Retreaver's reference: "Get a specific Number".

    :param id: Retreaver's own ID.
    :return: a `Number`.
    """
    return NUMBERS.get(id)


def create_number(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Number]:
    """Buy a number. It costs money, so a create whose answer was lost is never sent again.

    Retreaver's reference: "Create a Number".

    :param attributes: `type` (Toll-free or Local), `afid` and `cid` (required; an unknown afid creates an affiliate),
        `sid`, `desired_text`, `country`, and those of a campaign that override it for this number.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Number`.
    """
    return NUMBERS.create(attributes, undocumented)


def update_number(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[Number]:
    """Change attributes of a number.

    Retreaver's reference: "Update a Number".

    :param attributes: to change; see `create_number`.
    :param id: Retreaver's own ID.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Number`.
    """
    return NUMBERS.update(attributes, id, undocumented=undocumented)


def delete_number(id: Id) -> Operation[None]:  # noqa: A002
    """Release a number; it is deprovisioned within 24 hours and cannot be bought again.

    Retreaver's reference: "Remove a Number".

    :param id: Retreaver's own ID.
    :return: an operation without a result.
    """
    return NUMBERS.delete(id)
