"""The documented names of buyer groups: columns, orders, attributes (TrackDrive's reference: "buyer_groups")."""

from __future__ import annotations

from itertools import product

PERIODS = ("daily", "hourly", "monthly", "total")
# What is counted, for calls to the buyers of a group.
COUNTED = ("attempt", "buyer_conversion", "connection", "earned_revenue", "revenue")
# Caps that can be set: neither hourly ones nor those of earned revenue.
LIMITS = tuple(
    f"{counted}_{period}_limit"
    for counted, period in product(
        ("attempt", "connection", "buyer_conversion", "revenue"), ("total", "monthly", "daily")
    )
)
# Counts that `reset_total_caps` sets to 0.
TOTAL_COUNTS = tuple(f"{counted}_total_used" for counted in COUNTED)
_USED = tuple(f"{counted}_{period}_used" for counted, period in product(COUNTED, PERIODS))

# Parameter `columns`, with the type of a file's column; IDs that may be texts, times and truth values are texts.
COLUMNS: dict[str, type[str | int | float]] = {
    "id": int,
    **dict.fromkeys(
        (
            "legacy_id", "type", "uuid", "created_at", "updated_at", "deleted_at", "user_updated_at",
            "routes_show_path", "routes_edit_path", "external_record_id",
        ),
        str,
    ),
    **dict.fromkeys(("concurrency_cap_limit", "concurrency_cap_used"), float),
    "buyer_ids": str,
    "buyers_count": int,
    **dict.fromkeys(("company_id", "name", "maxed_out"), str),
    **dict.fromkeys(("weight", "tier"), float),
    **dict.fromkeys(("time_zone", "paused", "paused_at"), str),
    **dict.fromkeys(("paused_by_user_id", "unpaused_at", "dial_buyers_type"), str),
    **dict.fromkeys(_USED, float),
    **dict.fromkeys((f"{counted}_{period}_limit" for counted, period in product(COUNTED, PERIODS)), float),
}  # fmt: skip

# Parameter `order`: other names than those of the columns.
ORDERS = (
    "name", "maxed_out", "weight", "tier", "cap_reset_at", "time_zone", "created_at", "updated_at", "paused",
    "paused_at", "paused_by_user_id", "unpaused_at", "user_updated_at", "dial_buyers_type",
    "call_limits.in_progress_count", "call_limits.in_progress_used",
    *(f"call_limits.{name}" for name in _USED),
)  # fmt: skip

# Attributes that only an action needs: what they did is not in the object afterwards.
RESET = "reset_total_caps"
EMAILS = "team_users_emails"
TEAM = ("generate_team", EMAILS, "team_offer_ids")
# Attributes that send invitations by e-mail.
INVITING = ("generate_team", EMAILS)
ADDING = ("add_buyer_ids", "add_user_buyer_ids")
REMOVING = ("remove_buyer_ids", "remove_user_buyer_ids")
