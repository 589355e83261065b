"""Affiliates: the publishers that calls come from (Retreaver's reference: "Affiliates")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything


class Affiliate(TypedDict, total=False):
    """An affiliate as Retreaver sends it; further keys may be present."""

    id: int
    afid: str
    first_name: str | None
    last_name: str | None
    company_name: str | None
    updated_at: str
    created_at: str


AFFILIATES: Resource[Affiliate] = Resource(
    "affiliates",
    "affiliate",
    attributes={"afid": anything, "first_name": anything, "last_name": anything, "company_name": anything},
    required=("afid",),
    accessor="afid",
    row_key="afid",
    root="/api/v1",
)


def list_affiliates() -> Listing:
    """List all affiliates of the company.

    Retreaver's reference: "Get all Affiliates".

    :return: a listing of `Affiliate` rows.
    """
    return AFFILIATES.listing()


def get_affiliate(*, id: Id | None = None, afid: str | None = None) -> Operation[Affiliate]:  # noqa: A002
    """Get one affiliate.

    Retreaver's reference: "Get a specific Affiliate by your ID".

    :param id: Retreaver's own ID, or
    :param afid: the customer's ID; exactly one of the two is given.
    :return: an `Affiliate`.
    """
    return AFFILIATES.get(id, afid)


def create_affiliate(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Affiliate]:
    """Create an affiliate.

    Retreaver's reference: "Create an Affiliate".

    :param attributes: `afid` (required), `first_name`, `last_name`, `company_name`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: an `Affiliate`.
    """
    return AFFILIATES.create(attributes, undocumented)


def update_affiliate(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    afid: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Affiliate]:
    """Change attributes of an affiliate.

    Retreaver's reference: "Update an Affiliate".

    :param attributes: to change; see `create_affiliate`.
    :param id: Retreaver's own ID, or
    :param afid: the customer's ID; exactly one of the two is given.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: an `Affiliate`.
    """
    return AFFILIATES.update(attributes, id, afid, undocumented)


def delete_affiliate(*, id: Id | None = None, afid: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete an affiliate; its numbers must be deleted first.

    Retreaver's reference: "Remove an affiliate".

    :param id: Retreaver's own ID, or
    :param afid: the customer's ID; exactly one of the two is given.
    :return: an operation without a result.
    """
    return AFFILIATES.delete(id, afid)
