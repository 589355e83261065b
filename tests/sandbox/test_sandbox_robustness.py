"""Random requests never cause an internal error."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_retreaver.sandbox.api.routes import ROUTES
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.sandbox.client import SandboxClient

VALUES: list[Any] = [
    None, 1, -1, 0, "", "x", "0001", "+13055552000", {}, [], [1], [{}], [{"id": 1}], {"cap": 1}, {"cap": None}, True,
    1.5, "1", [{"id": "x", "_destroy": 1}], [{"id": 1, "_destroy": True}], 10**30, "2026-01-01", {"a": {"b": 1}},
    "<<<a:b>>>", "\u0000", [None], "Local", "create",
]  # fmt: skip
NAMES = [
    "number",
    "name",
    "tid",
    "client_tid",
    "paused",
    "time_zone",
    "priority",
    "weight",
    "send_digits",
    "concurrency_cap",
    "tag_list",
    "afid",
    "cid",
    "sid",
    "hard_cap_attributes",
    "business_hours_attributes",
    "conversion_groups_attributes",
    "timers_attributes",
    "target_ids",
    "menu_options_attributes",
    "contact_numbers_attributes",
    "add_targets_by_id",
    "remove_targets_by_id",
    "behavior",
    "type",
    "country",
    "desired_text",
    "dedupe_seconds",
    "record_calls",
    "destroy_nested",
    "message_file_b64_data",
    "voice_gender",
    "max_pool_size",
    "google_analytics",
    "numbers",
    "action",
    "clear_before_upload",
    "can_resubscribe",
    "campaign_id",
]
ENVELOPES = [
    "target",
    "target_group",
    "campaign",
    "number",
    "number_pool",
    "contact",
    "contact_number",
    "affiliate",
    "static_caller_number",
    "suppressed_number",
    "caller_list",
    "caller_list_number",
    "caller_list_check",
    "caller_list_upload",
    "company",
]
PARAMETERS = [
    "page",
    "per_page",
    "created_at_start",
    "created_at_end",
    "updated_at_start",
    "facet",
    "domain",
    "caller",
    "client_tid",
    "sort_by",
    "order",
    "tag_value_key",
    "sub_id",
    "cid",
]
TEXTS = ("1", "x", "", "2026-01-01T00:00:00Z", "-4712-01-01T00:00:00%2B00:00", "daily", "calls", "tag_value", "-1",
         "9" * 30, "%001", "updated_at")  # fmt: skip
PATH_VALUES = ("1", "2", "0001", "buyer-001", "%2B13055552000", "suppressed", "%00", "9" * 30)


@pytest.mark.parametrize("seed", range(4))
def test_random_requests_get_documented_answers(client: SandboxClient, seed: int) -> None:
    """Random values in random places get an answer that can be parsed, with a documented status."""
    random = Random(seed)  # noqa: S311 - the same requests every time
    client.control("POST", "reset", {"load": "demo"})
    bearer = {"Authorization": f"Bearer {POSTBACK_SECRET}"}
    for _ in range(700):
        route, form = random.choice(ROUTES), random.choice(("json", "xml"))
        path = re.sub(r"\{\w+\}", lambda _: random.choice(PATH_VALUES), f"/{route.path}.{form}")
        query = "&".join(f"{random.choice(PARAMETERS)}={random.choice(TEXTS)}" for _ in range(3))
        body = {name: {random.choice(NAMES): random.choice(VALUES) for _ in range(3)} for name in ENVELOPES}
        answer = client.send(route.method, f"{path}?key={POSTBACK_KEY}&{query}", body, **bearer)
        assert answer.status in (200, 204, 400, 401, 403, 404, 405, 406, 422), (route, path, body)
        if answer.body:
            (json.loads if dict(answer.headers)["Content-Type"].endswith("json; charset=utf-8") else ET.fromstring)(
                answer.body
            )
