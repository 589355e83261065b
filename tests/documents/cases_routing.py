"""Documented requests for targets, target groups and campaigns."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.resources import campaigns, target_groups, targets
from tests.documents.account import OPTION, PHONE, TIMERS
from tests.documents.case import CURRENT, Case, put

SUPPORT = {"number": PHONE, "name": "Retreaver Support"}
DAYS = [
    {"work_day": True, "time_open": 0, "time_close": 2400, "day_of_week": day, "invert": False} for day in range(7)
]
# "Creating a target with business hours".
BUYER = {
    "number": PHONE,
    "sip_username": None,
    "sip_password": None,
    "cid_number_id": None,
    "obfuscate_cid": False,
    "client_tid": "2",
    "priority": 1,
    "weight": 1,
    "timeout_seconds": 30,
    "timer_offset": 0,
    "send_digits": None,
    "concurrency_cap": None,
    "name": None,
    "hard_cap_attributes": {"cap": 100},
    "business_hours_attributes": DAYS,
}
MY_CAMPAIGN = {
    "cid": "000333",
    "name": "MyCampaign",
    "message": "Thanks for calling, please press one to continue.",
    "voice_gender": "Male",
    "timers_attributes": TIMERS,
    "menu_options_attributes": [OPTION],
}
CALLING_ABOUT = {"tag_list": "<<<calling_about:support>>>,<<<calling_about:other>>>"}
CONVERSIONS = {
    "Adding": {
        "name": "50$ after 90s",
        "conversion_type": "timer",
        "conversions_attributes": [{"seconds": 90, "revenue": 50.0}],
    },
    "Updating": {
        "id": 256490,
        "name": "75$ after 90s",
        "conversions_attributes": [{"id": 263254, "revenue": 75.0}],
    },
    "Deleting": {"id": 256490, "_destroy": True},
}


def target_change(heading: str, attributes: dict[str, Any]) -> Case:
    """Return a documented change of target 22592."""
    return Case(
        heading,
        "PUT /targets/22592.json",
        lambda: targets.update_target(attributes, id=22592),
        put("target", attributes),
    )


TARGETS = [
    Case("Get all Targets", "GET /targets.json", targets.list_targets, ),
    Case(
        "Get a specific Target",
        "GET /targets/6588.json",
        lambda: targets.get_target(id=6588),

    ),
    Case(
        "Get a Target by your ID",
        "GET /targets/tid/5.json",
        lambda: targets.get_target(tid="5"),
    ),
    Case(
        "Create a Target",
        "POST /targets.json",
        lambda: targets.create_target(SUPPORT),
        put("target", SUPPORT),
    ),
    Case(
        "Creating a target with business hours",
        "POST /targets.json",
        lambda: targets.create_target(BUYER),
        put("target", BUYER),
        editions=CURRENT,
    ),
    target_change("Update a Target", {"paused": True}),
    target_change("Tagging a Target", CALLING_ABOUT),
    *(
        target_change(f"Changing a Target's Caps: {kind}", {f"{kind}_cap_attributes": {"cap": 100}})
        for kind in ("hard", "hourly", "daily", "monthly")
    ),
    *(
        target_change(f"{verb} a Conversion", {"conversion_groups_attributes": [group]})
        for verb, group in CONVERSIONS.items()
    ),
    Case(
        "Changing a cap via the API",
        "PUT /targets/3.json",
        lambda: targets.update_target({"hard_cap_attributes": {"cap": 100}}, id=3),
        put("target", {"hard_cap_attributes": {"cap": 100}}),
    ),
    Case("Resetting a Hard Cap", "POST /targets/22592/reset_cap.json", lambda: targets.reset_cap(22592)),
    Case("Reset a hard cap", "POST /targets/3/reset_cap.json", lambda: targets.reset_cap(3)),
    Case("Remove a Target", "DELETE /targets/22592.json", lambda: targets.delete_target(id=22592)),
]  # fmt: skip


def group_change(heading: str, attributes: dict[str, Any]) -> Case:
    """Return a documented change of target group 1."""
    return Case(
        heading,
        "PUT /target_groups/1.json",
        lambda: target_groups.update_target_group(attributes, id=1),
        put("target_group", attributes),
    )


NEW_GROUP = {"target_ids": [1, 2, 3], "name": "test", "concurrency_cap": 5}
GROUPS = [
    Case(
        "Get all Target Groups",
        "GET /target_groups.json",
        target_groups.list_target_groups,
    ),
    Case(
        "Get a specific Target Group",
        "GET /target_groups/1.json",
        lambda: target_groups.get_target_group(1),
    ),
    Case(
        "Create a Target Group",
        "POST /target_groups.json",
        lambda: target_groups.create_target_group(NEW_GROUP),
        put("target_group", NEW_GROUP),
    ),
    group_change("Update a Target Group", {"name": "hello"}),
    group_change("Replacing Targets in a Target Group", {"target_ids": [5, 6]}),
    group_change("Adding Targets to a Target Group", {"add_targets_by_id": [4]}),
    group_change("Removing Targets from a Target Group", {"remove_targets_by_id": [1]}),
    group_change("Changing a Target Group's Caps", {"hard_cap_attributes": {"cap": 100}}),
    Case(
        "Resetting all Hard Caps on Targets in a Target Group",
        "POST /target_groups/1/reset_cap.json",
        lambda: target_groups.reset_cap(1),
    ),
    Case("Delete a Target Group", "DELETE /target_groups/1.json", lambda: target_groups.delete_target_group(1)),
]
OTHER_NAME = {"name": "My Other Campaign"}
CAMPAIGNS = [
    Case(
        "Get all Campaigns",
        "GET /campaigns.json",
        campaigns.list_campaigns,
    ),
    Case(
        "Get a specific Campaign",
        "GET /campaigns/cid/0044.json",
        lambda: campaigns.get_campaign(cid="0044"),
    ),
    Case(
        "Create a Campaign",
        "POST /campaigns.json",
        lambda: campaigns.create_campaign(MY_CAMPAIGN),
        put("campaign", MY_CAMPAIGN),
    ),
    Case(
        "Update a Campaign",
        "PUT /campaigns/cid/0044.json",
        lambda: campaigns.update_campaign(OTHER_NAME, cid="0044"),
        put("campaign", OTHER_NAME),
    ),
    Case("Remove a Campaign", "DELETE /campaigns/cid/0044.json", lambda: campaigns.delete_campaign(cid="0044")),
]
