"""All resources in one table: which function lists, gets, creates, updates and deletes, and how an object is named.

The generic operators and the coverage table read it. What the vendor does not have is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Operation, Row
from airflow_provider_retreaver.resources import (
    affiliates,
    calls,
    campaigns,
    companies,
    contacts,
    number_pools,
    numbers,
    owned,
    reports,
    static_caller_numbers,
    suppression,
    target_groups,
    targets,
)
from airflow_provider_retreaver.resources.entry import Entry
from airflow_provider_retreaver.resources.resource import Attributes


def _suppress(attributes: Attributes) -> Operation[Row]:
    if not attributes.get("number"):
        raise InvalidArgument("number is required to create a suppressed number, and is missing or blank.")
    return suppression.suppress_number(attributes["number"], can_resubscribe=attributes.get("can_resubscribe"))


def _change_suppressed(attributes: Attributes, number: str) -> Operation[Row]:
    parameters.known(attributes, ("number", "can_resubscribe", "campaign_id"), "attribute of a suppressed number")
    changes = {name: value for name, value in attributes.items() if name != "number"}
    return suppression.update_suppressed_number(number, **changes)


_ENTRIES = (
    Entry(
        "affiliates",
        "affiliate",
        {
            "list": affiliates.list_affiliates,
            "get": affiliates.get_affiliate,
            "create": affiliates.create_affiliate,
            "update": affiliates.update_affiliate,
            "delete": affiliates.delete_affiliate,
        },
        customer_key="afid",
        row_key="afid",
        natural="afid",
    ),
    Entry("calls", "call", {"list": calls.list_calls, "get": calls.get_call}, key="uuid", row_key="uuid"),
    Entry(
        "campaigns",
        "campaign",
        {
            "list": campaigns.list_campaigns,
            "get": campaigns.get_campaign,
            "create": campaigns.create_campaign,
            "update": campaigns.update_campaign,
            "delete": campaigns.delete_campaign,
        },
        customer_key="cid",
        row_key="cid",
        natural="cid",
    ),
    Entry("company", "active company", {"get": companies.get_active_company}, key=None),
    Entry(
        "companies",
        "company",
        {
            "list": companies.list_companies,
            "get": companies.get_company,
            "create": companies.create_company,
            "update": companies.update_company,
            "delete": companies.delete_company,
        },
        delete_warning="A company takes everything that is kept in it along.",
    ),
    Entry(
        "contacts",
        "contact",
        {
            "list": contacts.list_contacts,
            "get": contacts.get_contact,
            "create": contacts.create_contact,
            "update": contacts.update_contact,
            "delete": contacts.delete_contact,
        },
        customer_key="number",
        natural="contact_numbers_attributes",
    ),
    Entry(
        "contact_numbers",
        "contact number",
        {"update": contacts.update_contact_number, "delete": contacts.delete_contact_number},
        key="number",
        row_key="number",
        natural="number",
    ),
    Entry(
        "numbers",
        "number",
        {
            "list": numbers.list_numbers,
            "get": numbers.get_number,
            "create": numbers.create_number,
            "update": numbers.update_number,
            "delete": numbers.delete_number,
        },
        narrowed_by=("cid", "afid", "sid"),
        delete_warning="A number that is deleted is given back and cannot be had again.",
        costs=True,
    ),
    Entry(
        "number_pools",
        "number pool",
        {
            "list": number_pools.list_number_pools,
            "get": number_pools.get_number_pool,
            "create": number_pools.create_number_pool,
            "update": number_pools.update_number_pool,
            "delete": number_pools.delete_number_pool,
        },
        narrowed_by=("cid", "afid"),
        delete_warning="A number pool gives its numbers back with it, and they cannot be had again.",
        costs=True,
    ),
    Entry("reports", "report", {"list": reports.report_calls}, row_key="facet_name"),
    Entry(
        "static_caller_numbers",
        "static caller number",
        {
            "list": static_caller_numbers.list_static_caller_numbers,
            "create": static_caller_numbers.create_static_caller_number,
            "delete": static_caller_numbers.delete_static_caller_number,
        },
        natural="number",
    ),
    Entry(
        "suppressed_numbers",
        "suppressed number",
        {
            "list": suppression.list_suppressed_numbers,
            "get": suppression.get_suppressed_number,
            "create": _suppress,
            "update": _change_suppressed,
            "delete": suppression.unsuppress_number,
        },
        key="number",
        row_key="number",
        natural="number",
        on_create=frozenset({"number", "can_resubscribe"}),
        harmless=True,
    ),
    Entry(
        "target_groups",
        "target group",
        {
            "list": target_groups.list_target_groups,
            "get": target_groups.get_target_group,
            "create": target_groups.create_target_group,
            "update": target_groups.update_target_group,
            "delete": target_groups.delete_target_group,
        },
    ),
    Entry(
        "targets",
        "target",
        {
            "list": targets.list_targets,
            "get": targets.get_target,
            "create": targets.create_target,
            "update": targets.update_target,
            "delete": targets.delete_target,
        },
        customer_key="tid",
        natural="tid",
    ),
    Entry(
        "caller_lists",
        "caller list",
        {"get": owned.get_list, "create": owned.create_list, "delete": owned.delete_list},
        key="name",
        row_key="name",
        natural="name",
        owned=True,
        create_warning=owned.shuts_out,
    ),
    Entry(
        "caller_list_numbers",
        "number of a caller list",
        {
            "list": owned.list_numbers,
            "get": owned.get_number,
            "create": owned.add_number,
            "delete": owned.remove_number,
        },
        key="number",
        row_key="number",
        natural="number",
        owned=True,
    ),
)
RESOURCES: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry_of(name: Any) -> Entry:
    """Return a resource by its name.

    :raises InvalidArgument: naming those that there are.
    """
    parameters.known({str(name): None}, RESOURCES, "resource")
    return RESOURCES[str(name)]
