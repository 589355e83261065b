"""Buyer groups as the procedures for any resource need them."""

from __future__ import annotations

from airflow_provider_retreaver.resources.entry import Entry
from airflow_provider_retreaver.resources.trackdrive import buyer_groups
from airflow_provider_retreaver.resources.trackdrive.fields import EMAILS, INVITING

# Two groups may have the same name, so that only the list before and after a create tells which is new.
BUYER_GROUPS = Entry(
    "buyer_groups",
    "buyer group",
    {
        "list": buyer_groups.list_buyer_groups,
        "get": buyer_groups.get_buyer_group,
        "create": buyer_groups.create_buyer_group,
        "update": buyer_groups.update_buyer_group,
        "delete": buyer_groups.delete_buyer_group,
    },
    delete_warning="Calls are no longer sent to the buyers of a group that is deleted, and its counts are lost.",
    inviting_attributes=INVITING,
    address_attributes=(EMAILS,),
)
