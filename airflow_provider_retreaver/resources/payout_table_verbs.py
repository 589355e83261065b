"""Payout tables with the verbs of the generic operators; each belongs to a campaign.

There is no create and no update, since they change payouts: `RetreaverPayoutTableOperator` has guards for that.
Retreaver's reference: "Payout bid modification tables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import payout_tables
from airflow_provider_retreaver.resources.payout_tables import PayoutTable
from airflow_provider_retreaver.resources.resource import Id


def list_tables(owner: Mapping[str, object]) -> Listing:
    """List the tables of a campaign.

    :param owner: `{"campaign_id": 16728}`.
    :return: a listing of `PayoutTable` rows.
    """
    return payout_tables.list_payout_tables(campaign_id=_campaign_of(owner))


def get_table(owner: Mapping[str, object], id: Id) -> Operation[PayoutTable]:  # noqa: A002
    """Get one table of a campaign.

    :param owner: `{"campaign_id": 16728}`.
    :param id: Retreaver's own ID of the table.
    :return: a `PayoutTable`.
    """
    return payout_tables.get_payout_table(_campaign_of(owner), id)


def delete_table(owner: Mapping[str, object], id: Id) -> Operation[None]:  # noqa: A002
    """Delete one table of a campaign.

    :param owner: `{"campaign_id": 16728}`.
    :param id: Retreaver's own ID of the table.
    :return: an operation without a result.
    """
    return payout_tables.delete_payout_table(_campaign_of(owner), id)


def _campaign_of(owner: Mapping[str, object]) -> Id:
    parameters.known(owner, ("campaign_id",), "part of list_owner of payout_tables")
    if "campaign_id" not in owner:
        raise InvalidArgument('Payout tables belong to a campaign: set list_owner={"campaign_id": …}.')
    # own_id checks it.
    return cast("Id", owner["campaign_id"])
