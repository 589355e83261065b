"""Number pools: numbers assigned to visitors of a website (Retreaver's reference: "Number Pools")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.numbers import country, number_type
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything, at_least_0


class NumberPool(TypedDict, total=False):
    """A pool as Retreaver sends it; `numbers_count` is how many numbers are provisioned, not how many are in use."""

    id: int
    numbers_count: int
    type: str
    country: str
    max_pool_size: int
    reserve_size: int
    buffer_seconds: int
    google_analytics: bool
    google_analytics_paths: list[dict[str, str]]
    hide_embedded_access: bool
    afid: str | None
    cid: str
    updated_at: str
    created_at: str


NUMBER_POOLS: Resource[NumberPool] = Resource(
    "number_pools",
    "number_pool",
    attributes={
        "cid": anything,
        "afid": anything,
        "type": number_type,
        "country": country,
        "max_pool_size": at_least_0,
        "reserve_size": at_least_0,
        "buffer_seconds": at_least_0,
        "hide_embedded_access": checks.truth,
        "google_analytics": checks.truth,
    },
    required=("cid",),
)


def list_number_pools(*, cid: str | None = None, afid: str | None = None) -> Listing:
    """List the number pools of the company.

    Retreaver's reference: "Get all Number Pools".

    :param cid: only pools of this campaign (customer's ID).
    :param afid: only pools of this affiliate (customer's ID).
    :return: a listing of `NumberPool` rows.
    """
    return NUMBER_POOLS.listing({"cid": cid, "afid": afid})


def get_number_pool(id: Id) -> Operation[NumberPool]:  # noqa: A002
    """Get one number pool.

    Retreaver's reference: "Get a specific Number Pool".

    :param id: Retreaver's own ID.
    :return: a `NumberPool`.
    """
    return NUMBER_POOLS.get(id)


def create_number_pool(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[NumberPool]:
    """Create a number pool; its numbers cost money as they are provisioned.

    Retreaver's reference: "Create a Number Pool".

    :param attributes: `cid` (required), `afid`, `type`, `country`, `max_pool_size`, `reserve_size`, `buffer_seconds`,
        `hide_embedded_access`, `google_analytics`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `NumberPool`.
    """
    return NUMBER_POOLS.create(attributes, undocumented)


def update_number_pool(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[NumberPool]:
    """Change attributes of a number pool.

    Retreaver's reference: "Update a Number Pool".

    :param attributes: to change; see `create_number_pool`.
    :param id: Retreaver's own ID.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `NumberPool`.
    """
    return NUMBER_POOLS.update(attributes, id, undocumented=undocumented)


def delete_number_pool(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a number pool with all its numbers.

    Retreaver's reference: "Remove a Number Pool".

    :param id: Retreaver's own ID.
    :return: an operation without a result.
    """
    return NUMBER_POOLS.delete(id)
