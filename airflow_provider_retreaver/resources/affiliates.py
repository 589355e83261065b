"""Affiliates: the publishers that calls come from (vendor's reference: "Affiliates")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything


class Affiliate(TypedDict, total=False):
    """An affiliate as the vendor sends it; further keys may be present."""

    id: int
    afid: str
    first_name: str | None
    last_name: str | None
    company_name: str | None
    updated_at: str
    created_at: str


AFFILIATES = Resource(
    "affiliates",
    "affiliate",
    attributes={"afid": anything, "first_name": anything, "last_name": anything, "company_name": anything},
    required=("afid",),
    accessor="afid",
    root="/api/v1",
)


def list_affiliates() -> Listing:
    """List all affiliates of the company ("Get all Affiliates").

    :return: a listing of `Affiliate` rows.
    """
    return AFFILIATES.listing(key="afid")


def get_affiliate(*, id: Id | None = None, afid: str | None = None) -> Operation[Row]:  # noqa: A002
    """Get one affiliate ("Get a specific Affiliate by your ID").

    :param id: Retreaver's own ID.
    :param afid: the customer's ID; exactly one of the two is given.
    :return: an `Affiliate`.
    """
    return AFFILIATES.get(id, afid)


def create_affiliate(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Row]:
    """Create an affiliate ("Create an Affiliate").

    :param attributes: `afid` (required), `first_name`, `last_name`, `company_name`.
    :param undocumented: attributes to send that the vendor does not document.
    :return: an `Affiliate`.
    """
    return AFFILIATES.create(attributes, undocumented)


def update_affiliate(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    afid: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Row]:
    """Change attributes of an affiliate ("Update an Affiliate"); see `create_affiliate` for them.

    :return: an `Affiliate`.
    """
    return AFFILIATES.update(attributes, id, afid, undocumented)


def delete_affiliate(*, id: Id | None = None, afid: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete an affiliate ("Remove an affiliate"); its numbers must be gone first."""
    return AFFILIATES.delete(id, afid)
