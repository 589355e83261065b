"""All resources in one table: which function lists, gets, creates, updates and deletes, and how an object is named.

The generic operators and the coverage table read it. What Retreaver does not have is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.resources import (
    affiliates,
    caller_list_verbs,
    calls,
    campaigns,
    companies,
    contacts,
    number_pools,
    numbers,
    payout_table_verbs,
    reports,
    rtb_inbounds,
    static_caller_numbers,
    suppression,
    target_groups,
    targets,
)
from airflow_provider_retreaver.resources.entry import Entry
from airflow_provider_retreaver.resources.resource import Attributes
from airflow_provider_retreaver.resources.suppression import SuppressedNumber


def _suppress(attributes: Attributes) -> Operation[SuppressedNumber]:
    if not attributes.get("number"):
        raise InvalidArgument("number is required to create a suppressed number, and is missing or blank.")
    # suppress_number checks both.
    number, can_resubscribe = (
        cast("str", attributes["number"]),
        cast("bool | None", attributes.get("can_resubscribe")),
    )
    return suppression.suppress_number(number, can_resubscribe=can_resubscribe)


def _update_suppressed(attributes: Attributes, number: str) -> Operation[SuppressedNumber]:
    parameters.known(attributes, ("number", "can_resubscribe", "campaign_id"), "attribute of a suppressed number")
    return suppression.update_suppressed_number(
        number,
        can_resubscribe=cast("bool | None", attributes.get("can_resubscribe")),
        campaign_id=cast("str | None", attributes.get("campaign_id")),
    )


_ENTRIES = (
    Entry.of(affiliates, affiliates.AFFILIATES),
    Entry.of(calls, calls.CALLS),
    Entry.of(campaigns, campaigns.CAMPAIGNS),
    Entry("company", "active company", {"get": companies.get_active_company}, key=None),
    replace(
        Entry.of(companies, companies.COMPANIES),
        delete_warning="Deleting a company deletes everything that is kept in it.",
    ),
    replace(Entry.of(contacts, contacts.CONTACTS), customer_key="number", natural_key="contact_numbers_attributes"),
    replace(Entry.of(contacts, contacts.CONTACT_NUMBERS), natural_key="number"),
    replace(
        Entry.of(numbers, numbers.NUMBERS),
        filter_attributes=("cid", "afid", "sid"),
        delete_warning="A number that is deleted is released and cannot be bought again.",
        costs_money=True,
    ),
    replace(
        Entry.of(number_pools, number_pools.NUMBER_POOLS),
        filter_attributes=("cid", "afid"),
        delete_warning="Deleting a number pool releases its numbers, and they cannot be bought again.",
        costs_money=True,
    ),
    Entry(
        "payout_tables",
        "payout table",
        {
            "list": payout_table_verbs.list_tables,
            "get": payout_table_verbs.get_table,
            "delete": payout_table_verbs.delete_table,
        },
        has_owner=True,
        delete_warning="A payout table that is deleted is gone for good, and payouts change if it is the active one.",
    ),
    Entry("reports", "report", {"list": reports.report_calls}, row_key="facet_name"),
    Entry("rtb_inbounds", "RTB inbound", {"list": rtb_inbounds.list_rtb_inbounds}, row_key="uuid"),
    replace(
        Entry.of(static_caller_numbers, static_caller_numbers.STATIC_CALLER_NUMBERS),
        natural_key="number",
    ),
    replace(
        Entry.of(suppression, suppression.SUPPRESSED_NUMBERS),
        functions={
            "list": suppression.list_suppressed_numbers,
            "get": suppression.get_suppressed_number,
            "create": _suppress,
            "update": _update_suppressed,
            "delete": suppression.unsuppress_number,
        },
        natural_key="number",
        create_attributes=frozenset({"number", "can_resubscribe"}),
        create_is_repeatable=True,
    ),
    Entry.of(target_groups, target_groups.TARGET_GROUPS),
    Entry.of(targets, targets.TARGETS),
    Entry(
        "caller_lists",
        "caller list",
        {
            "get": caller_list_verbs.get_list,
            "create": caller_list_verbs.create_list,
            "delete": caller_list_verbs.delete_list,
        },
        key="name",
        row_key="name",
        natural_key="name",
        has_owner=True,
        create_warning=caller_list_verbs.create_warning,
    ),
    Entry(
        "caller_list_numbers",
        "number of a caller list",
        {
            "list": caller_list_verbs.list_numbers,
            "get": caller_list_verbs.get_number,
            "create": caller_list_verbs.add_number,
            "delete": caller_list_verbs.remove_number,
        },
        key="number",
        row_key="number",
        natural_key="number",
        has_owner=True,
    ),
)
RESOURCES: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry_of(name: object) -> Entry:
    """Return a resource by its name.

    :param name: e.g. `targets`.
    :return: its entry.
    :raises InvalidArgument: naming the resources that exist.
    """
    parameters.known({str(name): None}, RESOURCES, "resource")
    return RESOURCES[str(name)]
