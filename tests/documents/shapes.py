"""The keys of the documented answers: a mapping for an object, a list of one shape for an array."""

from __future__ import annotations

from typing import Any

Shape = Any


def keys(names: str, **nested: Shape) -> dict[str, Shape]:
    """Return the shape of an object with these keys."""
    return {**dict.fromkeys(names.split()), **nested}


CAPS = [keys("id filled cap type")]
HOURS = [keys("id target_id work_day time_open time_close day_of_week invert created_at updated_at")]
TAGS = [keys("key value operator id")]
TARGET = keys(
    "id number sip_username sip_password cid_number_id obfuscate_cid created_at updated_at object_key tid priority "
    "weight timeout_seconds timer_offset send_digits concurrency_cap calls_in_progress inband_signals time_zone "
    "paused paused_at name"
)
NEW_TARGET = {**TARGET, "caps": CAPS, "business_hours": HOURS, "tag_values": []}
AFFILIATE = keys("afid first_name last_name company_name updated_at created_at")
GREETING = keys("message voice_gender")
TIMER, MENU_OPTION = keys("id seconds url"), keys("id option target_cid target_number")
CAMPAIGN = keys(
    "cid name updated_at created_at record_calls record_seconds dedupe_seconds affiliate_can_pull_number show_key",
    greeting=GREETING,
    timers=[{"timer": TIMER}],
    menu_options=[{"menu_option": MENU_OPTION}],
)
INHERITED = {"inherited": None}
NUMBER = keys(
    "id number toll_free updated_at created_at sid afid cid uses_campaign_settings",
    greeting={**GREETING, **INHERITED},
    # The documents show timers of numbers bare in one place and wrapped in another.
    timers=[{**TIMER, **INHERITED}],
    menu_options=[{"menu_option": {**MENU_OPTION, **INHERITED}}],
)
POOL = keys(
    "id numbers_count type country max_pool_size buffer_seconds updated_at created_at google_analytics "
    "hide_embedded_access afid cid reserve_size"
)
ANALYTICS_POOL = {**POOL, "google_analytics_paths": [keys("name path")]}
COMPANY = keys("id name default_click_url default_sale_url created_at updated_at")
CONTACT_NUMBER = keys("number description id")
CONTACT = keys("id", contact_numbers=[CONTACT_NUMBER], tag_values=TAGS)
GROUP = keys("id name target_ids concurrency_cap calls_in_progress behavior priority weight", caps=CAPS)
STATIC = keys("id number created_at")
SUPPRESSED = keys("id number can_resubscribe created_at")
CALL_V1 = keys(
    "uuid caller caller_zip caller_state caller_city caller_country dialed_call_duration total_duration status "
    "start_time forwarded_time end_time cid afid sid dialed_number updated_at created_at recording_url"
)
CALL_V2 = {
    **CALL_V1,
    **keys(
        "caller_number_sent ivr_duration hold_duration revenue payout postback_value hung_up_by duplicate "
        "payable_duplicate receivable_duplicate system_target_id system_campaign_id system_affiliate_id "
        "fired_pixels_count charge_total keys_pressed repeat visitor_url company_id conversions_determined_at "
        "billable_minutes upstream_call_uuid downstream_call_uuids target_group number converted payable receivable "
        "conversion_seconds tid tags fired_pixels via rescued campaign_id campaign_name number_id target_id "
        "affiliate_name connected profit_gross profit_net target_name time_to_call_in_seconds "
        "time_to_connect_in_seconds total_cost"
    ),
}
CALL_V3 = {**CALL_V2, "number": keys("number name")}
CALL_V4 = {name: shape for name, shape in CALL_V3.items() if name not in {"campaign_id", "campaign_name"}} | {
    "campaign": keys("id name"),
}
REPORT = keys(
    "count count_total",
    data=[
        keys(
            "id facet_name total_calls in_progress_count repeat_count duplicate_count unique_calls converted_count "
            "revenue payout cost profit total_duration connected_duration epc cpc"
        )
    ],
)


def missing_keys(answer: Any, shape: Shape, where: str = "answer") -> list[str]:
    """Return the keys of a documented shape that an answer lacks; it may have others."""
    if isinstance(shape, list):
        if not isinstance(answer, list) or (shape and not answer):
            return [f"{where} is {'empty' if answer == [] else 'not an array'}"]
        return [
            line for item in answer for part in shape for line in missing_keys(_bare(item, part), part, f"{where}[]")
        ]
    if not isinstance(shape, dict):
        return []
    if not isinstance(answer, dict):
        return [f"{where} is not an object"]
    missing = [f"{where}.{name}" for name in shape if name not in answer]
    inner = [(answer[name], part, f"{where}.{name}") for name, part in shape.items() if name in answer]
    return missing + [line for value, part, name in inner for line in missing_keys(value, part, name)]


def _bare(item: Any, shape: Shape) -> Any:
    """Return an item without the envelope that the document does not show."""
    if isinstance(item, dict) and isinstance(shape, dict) and len(item) == 1 and len(shape) > 1:
        (inner,) = item.values()
        return inner if isinstance(inner, dict) else item
    return item
