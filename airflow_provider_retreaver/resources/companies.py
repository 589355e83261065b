"""Companies: a reseller's separate accounts (Retreaver's reference: "Companies")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything


class Company(TypedDict, total=False):
    """A company as Retreaver sends it; further keys may be present. `embedded_key` is a secret."""

    id: int
    name: str
    default_click_url: str | None
    default_sale_url: str | None
    embedded_key: str
    per_number: str
    use_global_suppression_list: bool
    balance: str
    owner_user_name: str
    created_at: str
    updated_at: str


COMPANIES: Resource[Company] = Resource(
    "companies",
    "company",
    attributes={"name": anything, "default_click_url": anything, "default_sale_url": anything},
    required=("name",),
)


def get_active_company() -> Operation[Company]:
    """Get the company that the connection's key and Company ID reach.

    Retreaver's reference: "Get the active Company".

    :return: a `Company`.
    """
    return COMPANIES.returning_object(Request("GET", "/company.json"))


def list_companies() -> Listing:
    """List the companies that the connection's key reaches.

    Retreaver's reference: "Get all Companies".

    :return: a listing of `Company` rows.
    """
    return COMPANIES.listing()


def get_company(id: Id) -> Operation[Company]:  # noqa: A002
    """Get one company.

    Retreaver's reference: "Get a specific Company".

    :param id: Retreaver's own ID.
    :return: a `Company`.
    """
    return COMPANIES.get(id)


def create_company(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Company]:
    """Create a company.

    Retreaver's reference: "Create a Company".

    :param attributes: `name` (required), `default_click_url`, `default_sale_url`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Company`.
    """
    return COMPANIES.create(attributes, undocumented)


def update_company(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[Company]:
    """Change attributes of a company.

    Retreaver's reference: "Update a Company".

    :param attributes: to change; see `create_company`.
    :param id: Retreaver's own ID.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Company`.
    """
    return COMPANIES.update(attributes, id, undocumented=undocumented)


def delete_company(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a company; its numbers and number pools must be deleted first.

    Retreaver's reference: "Remove a Company".

    :param id: Retreaver's own ID.
    :return: an operation without a result.
    """
    return COMPANIES.delete(id)
