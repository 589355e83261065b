"""Companies: a reseller's separate accounts (vendor's reference: "Companies")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_item
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything


class Company(TypedDict, total=False):
    """A company as the vendor sends it; further keys may be present."""

    id: int
    name: str
    default_click_url: str | None
    default_sale_url: str | None
    created_at: str
    updated_at: str


COMPANIES = Resource(
    "companies",
    "company",
    attributes={"name": anything, "default_click_url": anything, "default_sale_url": anything},
    required=("name",),
)


def get_active_company() -> Operation[Row]:
    """Ask for the company that the key and Company ID reach ("Get the active Company").

    :return: a `Company`.
    """
    return Operation(Request("GET", "/company.json"), read_item("company"))


def list_companies() -> Listing:
    """List the companies that the key reaches ("Get all Companies").

    :return: a listing of `Company` rows.
    """
    return COMPANIES.listing()


def get_company(id: Id) -> Operation[Row]:  # noqa: A002
    """Get one company ("Get a specific Company").

    :return: a `Company`.
    """
    return COMPANIES.get(id)


def create_company(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Row]:
    """Create a company ("Create a Company").

    :param attributes: `name` (required), `default_click_url`, `default_sale_url`.
    :param undocumented: attributes to send that the vendor does not document.
    :return: a `Company`.
    """
    return COMPANIES.create(attributes, undocumented)


def update_company(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[Row]:
    """Change attributes of a company ("Update a Company"); see `create_company` for them.

    :return: a `Company`.
    """
    return COMPANIES.update(attributes, id, undocumented=undocumented)


def delete_company(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a company ("Remove a Company"); its numbers and number pools must be gone first."""
    return COMPANIES.delete(id)
