"""Static caller numbers: caller IDs that many callers share (Retreaver's reference: "Static Caller Numbers")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import phone_parameters
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource


class StaticCallerNumber(TypedDict, total=False):
    """A static caller number as Retreaver sends it."""

    id: int
    number: str
    created_at: str


STATIC_CALLER_NUMBERS: Resource[StaticCallerNumber] = Resource(
    "static_caller_numbers",
    "static_caller_number",
    attributes={"number": phone_parameters.phone},
    required=("number",),
)


def list_static_caller_numbers() -> Listing:
    """List all static caller numbers of the company.

    Retreaver's reference: "Get all Static Caller Numbers".

    :return: a listing of `StaticCallerNumber` rows.
    """
    return STATIC_CALLER_NUMBERS.listing()


def create_static_caller_number(
    attributes: Attributes, *, undocumented: Attributes | None = None
) -> Operation[StaticCallerNumber]:
    """Create a static caller number.

    Retreaver's reference: "Create a Static Caller Number".

    :param attributes: `number`, E.164 (required).
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `StaticCallerNumber`.
    """
    return STATIC_CALLER_NUMBERS.create(attributes, undocumented)


def delete_static_caller_number(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a static caller number.

    Retreaver's reference: "Delete a Static Caller Number".

    :param id: Retreaver's own ID.
    :return: an operation without a result.
    """
    return STATIC_CALLER_NUMBERS.delete(id)
