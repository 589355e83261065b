"""Names of the resources that each verb has; `registry.RESOURCES` says the same, which a test compares."""

from __future__ import annotations

from typing import Literal

ResourceToList = Literal[
    "affiliates",
    "calls",
    "campaigns",
    "companies",
    "contacts",
    "numbers",
    "number_pools",
    "payout_tables",
    "reports",
    "rtb_inbounds",
    "static_caller_numbers",
    "suppressed_numbers",
    "target_groups",
    "targets",
    "caller_list_numbers",
]
ResourceToGet = Literal[
    "affiliates",
    "calls",
    "campaigns",
    "company",
    "companies",
    "contacts",
    "numbers",
    "number_pools",
    "payout_tables",
    "suppressed_numbers",
    "target_groups",
    "targets",
    "caller_lists",
    "caller_list_numbers",
]
ResourceToCreate = Literal[
    "affiliates",
    "campaigns",
    "companies",
    "contacts",
    "numbers",
    "number_pools",
    "static_caller_numbers",
    "suppressed_numbers",
    "target_groups",
    "targets",
    "caller_lists",
    "caller_list_numbers",
]
ResourceToUpdate = Literal[
    "affiliates",
    "campaigns",
    "companies",
    "contacts",
    "contact_numbers",
    "numbers",
    "number_pools",
    "suppressed_numbers",
    "target_groups",
    "targets",
]
ResourceToUpsert = Literal[
    "affiliates",
    "campaigns",
    "contacts",
    "static_caller_numbers",
    "suppressed_numbers",
    "target_groups",
    "targets",
    "caller_lists",
    "caller_list_numbers",
]
ResourceToDelete = Literal[
    "affiliates",
    "campaigns",
    "companies",
    "contacts",
    "contact_numbers",
    "numbers",
    "number_pools",
    "payout_tables",
    "static_caller_numbers",
    "suppressed_numbers",
    "target_groups",
    "targets",
    "caller_lists",
    "caller_list_numbers",
]
