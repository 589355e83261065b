"""Payout bid modification tables: rules that change the payout of a campaign's bids.

Retreaver's reference: "Payout bid modification tables". A table is written once; then only `active` changes, and
a campaign has one active table at most. What a CSV may hold: `domain/payout_tables/`.
"""

from __future__ import annotations

from typing import TypedDict, cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import json_body, unwrap
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Id, Resource

NAME, ENVELOPE = "payout_bid_modification_tables", "payout_bid_modification_table"


class PayoutTable(TypedDict, total=False):
    """A table as Retreaver sends it, without an envelope; `table_version` is a label, and by default its `id`."""

    id: int
    campaign_id: int
    table_version: int | str
    active: bool
    salt: str
    csv_data: str
    created_at: str


def list_payout_tables(*, campaign_id: Id) -> Listing:
    """List the tables of a campaign, the newest upload first; each row holds its whole CSV.

    Retreaver's reference: "List a campaign's Payout Bid Modification tables".

    :param campaign_id: Retreaver's own ID of the campaign.
    :return: a listing of `PayoutTable` rows.
    :raises InvalidArgument: when `campaign_id` is not one of Retreaver's own IDs.
    """
    return _tables(campaign_id).listing()


def get_payout_table(campaign_id: Id, id: Id) -> Operation[PayoutTable]:  # noqa: A002
    """Get one table.

    Retreaver's reference: "Get a specific Payout Bid Modification table".

    :param campaign_id: Retreaver's own ID of the campaign.
    :param id: Retreaver's own ID of the table; its `table_version` does not find it.
    :return: a `PayoutTable`.
    :raises InvalidArgument: when `campaign_id` is not one of Retreaver's own IDs.
    """
    return _tables(campaign_id).get(id)


def create_payout_table(
    campaign_id: Id,
    *,
    csv_data: str,
    active: bool | None = None,
    salt: str | None = None,
    table_version: str | None = None,
) -> Operation[PayoutTable]:
    """Upload a table; with `active` it changes the payouts of live traffic at once.

    It is not sent again when its answer is lost, since there would be two. Retreaver's reference: "Create a Payout
    Bid Modification table".

    :param campaign_id: Retreaver's own ID of the campaign.
    :param csv_data: the rules as CSV; at most 1,000 rules and 1 MB.
    :param active: True to activate it, which deactivates the campaign's other one; False by default.
    :param salt: of the assignment of calls to buckets; by default made of the company's name and the date.
    :param table_version: a label, unique within the campaign; by default the table's ID.
    :return: a `PayoutTable`.
    :raises InvalidArgument: when a parameter is wrong.
    """
    given = {"csv_data": csv_data, "active": active, "salt": salt, "table_version": table_version}
    return _tables(campaign_id).create({name: value for name, value in given.items() if value is not None})


def activate_payout_table(campaign_id: Id, id: Id) -> Operation[PayoutTable]:  # noqa: A002
    """Activate a table, which deactivates the campaign's other one and changes the payouts of live traffic at once.

    Retreaver's reference: "Activate or roll back a table".

    :param campaign_id: Retreaver's own ID of the campaign.
    :param id: Retreaver's own ID of the table.
    :return: a `PayoutTable`, empty where Retreaver answers without one.
    :raises InvalidArgument: when `campaign_id` is not one of Retreaver's own IDs.
    """
    return _set_active(campaign_id, id, active=True)


def deactivate_payout_table(campaign_id: Id, id: Id) -> Operation[PayoutTable]:  # noqa: A002
    """Deactivate a table without activating another one: bids are paid as without a table.

    Retreaver's reference: "Activate or roll back a table".

    :param campaign_id: Retreaver's own ID of the campaign.
    :param id: Retreaver's own ID of the table.
    :return: a `PayoutTable`, empty where Retreaver answers without one.
    :raises InvalidArgument: when `campaign_id` is not one of Retreaver's own IDs.
    """
    return _set_active(campaign_id, id, active=False)


def delete_payout_table(campaign_id: Id, id: Id) -> Operation[None]:  # noqa: A002
    """Delete a table for good: it leaves the campaign's history, and cannot be activated again.

    Retreaver's reference: "Delete a Payout Bid Modification table".

    :param campaign_id: Retreaver's own ID of the campaign.
    :param id: Retreaver's own ID of the table.
    :return: an operation without a result.
    :raises InvalidArgument: when `campaign_id` is not one of Retreaver's own IDs.
    """
    return _tables(campaign_id).delete(id)


def own_id(value: object, name: str) -> int:
    """Return one of Retreaver's own IDs.

    A customer's ID such as `0044` may look like one, and would name another object.

    :param value: a whole number above 0, or its text without leading zeros.
    :param name: of the parameter, for the error.
    :return: the ID.
    :raises InvalidArgument: when it is none.
    """
    value = parameters.plain(value, name)
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal()) or text.startswith("0") or len(text) > 18:
        raise InvalidArgument(
            f"{name} must be Retreaver's own ID (a whole number above 0), not {quoted(value)}; a customer's ID does "
            f"not find it."
        )
    return int(text)


def _text(value: object, name: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgument(f"{name} must be a text, not {quoted(value)}.")


def _tables(campaign_id: Id) -> Resource[PayoutTable]:
    root = f"/api/v5/campaigns/{own_id(campaign_id, 'campaign_id')}"
    attributes = {"csv_data": _text, "active": checks.truth, "salt": _text, "table_version": _text}
    return Resource(NAME, ENVELOPE, attributes, ("csv_data",), root=root, legacy_root=root)


def _set_active(campaign_id: Id, id: Id, *, active: bool) -> Operation[PayoutTable]:  # noqa: A002
    operation = _tables(campaign_id).update({"active": active}, id)
    return Operation(operation.request, _read_unless_empty)


def _read_unless_empty(request: Request, response: Response) -> PayoutTable:
    # What a change is answered with is not shown; a delete is answered with status 200 and an empty body.
    if not response.body.strip():
        return {}
    return cast("PayoutTable", unwrap(request, response, json_body(request, response), ENVELOPE))
