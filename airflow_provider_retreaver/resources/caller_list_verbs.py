"""Caller lists and their numbers with the same five verbs as other resources; each belongs to an owner.

Retreaver's reference: "Caller Lists".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import caller_lists
from airflow_provider_retreaver.resources.caller_lists import CallerList, CallerListNumber, Owner
from airflow_provider_retreaver.resources.resource import Attributes, Id


class ListOwner(TypedDict, total=False):
    """Where a caller list, or one of its numbers, belongs: `{"target_id": 3, "caller_list": "suppressed-leads"}`.

    One of `target_id` and `campaign_id` is given; `caller_list`, the name of the list, only for its numbers. A payout
    table belongs to a campaign. Operators look `target_name` and `campaign_name` up; functions take IDs.
    """

    target_id: Id
    campaign_id: Id
    target_name: str
    campaign_name: str
    caller_list: str


def create_warning(attributes: Attributes) -> str | None:
    """Return why creating a caller list needs a confirmation.

    :param attributes: of the caller list.
    :return: a sentence when the list blocks all other callers as soon as it exists, else None.
    """
    if caller_lists.blocks_unlisted_callers(str(attributes.get("name", ""))):
        return "A caller list whose name begins with accepted blocks every caller who is not on it."
    return None


def get_list(owner: Mapping[str, object], name: str) -> Operation[CallerList]:
    """Get a caller list.

    :param owner: see `ListOwner`.
    :param name: of the list.
    :return: a `CallerList`.
    """
    return caller_lists.get_caller_list(_owner(owner), name)


def create_list(attributes: Attributes, owner: Mapping[str, object]) -> Operation[CallerList]:
    """Create a caller list.

    :param attributes: `name` (required).
    :param owner: see `ListOwner`.
    :return: a `CallerList`.
    """
    parameters.known(attributes, ("name",), "attribute of a caller list")
    return caller_lists.create_caller_list(_owner(owner), _text(attributes, "name"))


def delete_list(owner: Mapping[str, object], name: str) -> Operation[None]:
    """Delete a caller list with its numbers.

    :param owner: see `ListOwner`.
    :param name: of the list.
    :return: an operation without a result.
    """
    return caller_lists.delete_caller_list(_owner(owner), name)


def list_numbers(owner: Mapping[str, object]) -> Listing:
    """List the numbers of a caller list, newest first.

    :param owner: see `ListOwner`; with `caller_list`.
    :return: a listing of `CallerListNumber` rows.
    """
    return caller_lists.list_caller_list_numbers(*_list(owner))


def get_number(owner: Mapping[str, object], number: str) -> Operation[CallerListNumber]:
    """Get a number of a caller list; Retreaver documents no more than whether it is there.

    :param owner: see `ListOwner`; with `caller_list`.
    :param number: E.164.
    :return: a `CallerListNumber` with the number alone.
    """
    operation = caller_lists.get_caller_list_number(*_list(owner), number)

    def read(request: Request, response: Response) -> CallerListNumber:
        operation.read(request, response)
        return {"number": number}

    return Operation(operation.request, read)


def add_number(attributes: Attributes, owner: Mapping[str, object]) -> Operation[CallerListNumber]:
    """Put a number on a caller list.

    :param attributes: `number` (required).
    :param owner: see `ListOwner`; with `caller_list`.
    :return: a `CallerListNumber`.
    """
    parameters.known(attributes, ("number",), "attribute of a caller list's number")
    return caller_lists.add_caller_list_number(*_list(owner), _text(attributes, "number"))


def remove_number(owner: Mapping[str, object], number: str) -> Operation[None]:
    """Take a number off a caller list.

    :param owner: see `ListOwner`; with `caller_list`.
    :param number: E.164.
    :return: an operation without a result.
    """
    return caller_lists.remove_caller_list_number(*_list(owner), number)


def _owner(owner: Mapping[str, object], *, more: tuple[str, ...] = ()) -> Owner:
    parameters.known(owner, ("target_id", "campaign_id", *more), "part of list_owner")
    # Owner checks what it makes a path of.
    return Owner(cast("Id | None", owner.get("target_id")), cast("Id | None", owner.get("campaign_id")))


def _list(owner: Mapping[str, object]) -> tuple[Owner, str]:
    belongs = _owner(owner, more=("caller_list",))
    if not owner.get("caller_list"):
        raise InvalidArgument("list_owner must name the caller_list beside its target_id or campaign_id.")
    return belongs, _text(owner, "caller_list")


def _text(values: Mapping[str, object], name: str) -> str:
    # The functions of caller_lists check it.
    return cast("str", values.get(name, ""))
