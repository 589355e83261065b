"""The names that TrackDrive documents: columns, orders, caps."""

from __future__ import annotations

KINDS = ("attempt", "buyer_conversion", "connection", "earned_revenue", "revenue")
INTERVALS = ("daily", "hourly", "monthly", "total")
USED = tuple(f"{kind}_{interval}_used" for kind in KINDS for interval in INTERVALS)
LIMITS = tuple(f"{kind}_{interval}_limit" for kind in KINDS for interval in INTERVALS)
# Those that a request can set; the others are set in TrackDrive itself.
WRITABLE_LIMITS = tuple(
    name for name in LIMITS if not name.startswith("earned_revenue_") and not name.endswith("_hourly_limit")
)
TEXT_COLUMNS = ("name", "uuid", "external_record_id")
COLUMNS = (
    *("id", "legacy_id", "type", "uuid", "created_at", "updated_at", "deleted_at", "user_updated_at"),
    *("routes_show_path", "routes_edit_path", "external_record_id", "concurrency_cap_limit", "concurrency_cap_used"),
    *("buyer_ids", "buyers_count", "company_id", "name", "maxed_out", "weight", "tier", "time_zone", "paused"),
    *("paused_at", "paused_by_user_id", "unpaused_at", "dial_buyers_type", *USED, *LIMITS),
)
# Orders are not the columns: some have another name, and some are no column at all.
ORDERS = (
    *("name", "maxed_out", "weight", "tier", "cap_reset_at", "time_zone", "created_at", "updated_at", "paused"),
    *("paused_at", "paused_by_user_id", "unpaused_at", "user_updated_at", "dial_buyers_type"),
    *("call_limits.in_progress_count", "call_limits.in_progress_used"),
    *(f"call_limits.{name}" for name in USED),
)
