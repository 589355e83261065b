"""The call log: API versions, filters, order, pages."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.sandbox.client import SandboxClient, links

V1 = {
    "uuid",
    "caller",
    "caller_zip",
    "caller_state",
    "caller_city",
    "caller_country",
    "dialed_call_duration",
    "total_duration",
    "status",
    "start_time",
    "forwarded_time",
    "end_time",
    "cid",
    "afid",
    "sid",
    "dialed_number",
    "updated_at",
    "created_at",
    "recording_url",
}
V2 = V1 | {
    "caller_number_sent",
    "ivr_duration",
    "hold_duration",
    "revenue",
    "payout",
    "postback_value",
    "hung_up_by",
    "duplicate",
    "payable_duplicate",
    "receivable_duplicate",
    "system_target_id",
    "system_campaign_id",
    "system_affiliate_id",
    "fired_pixels_count",
    "charge_total",
    "keys_pressed",
    "repeat",
    "visitor_url",
    "company_id",
    "conversions_determined_at",
    "billable_minutes",
    "upstream_call_uuid",
    "downstream_call_uuids",
    "target_group",
    "number",
    "converted",
    "payable",
    "receivable",
    "conversion_seconds",
    "tid",
    "tags",
    "fired_pixels",
    "via",
    "rescued",
    "campaign_id",
    "campaign_name",
    "number_id",
    "target_id",
    "affiliate_name",
    "connected",
    "profit_gross",
    "profit_net",
    "target_name",
    "time_to_call_in_seconds",
    "time_to_connect_in_seconds",
    "total_cost",
    "network_sale_timer_fired",
    "affiliate_sale_timer_fired",
    "target_sale_timer_fired",
    "callpixels_target_id",
    "affiliate_repeat",
    "target_repeat",
    "number_repeat",
}
V4 = V2 - {"campaign_id", "campaign_name"} | {"campaign"}


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/calls", V1),
        ("/api/v1/calls", V1),
        ("/api/v2/calls", V2),
        ("/api/v3/calls", V2),
        ("/api/v4/calls", V4),
        ("/api/v5/calls", V4),
    ],
)
def test_every_version_has_its_documented_fields(demo: SandboxClient, path: str, keys: set[str]) -> None:
    """A list and a single call have exactly the fields of the version; from v2 on, only recordings have a URL."""
    calls = [row["call"] for row in demo.request("GET", f"{path}.json")]
    unrecorded = keys if keys is V1 else keys - {"recording_url"}
    assert {frozenset(call) for call in calls} == {frozenset(keys), frozenset(unrecorded)}
    assert demo.request("GET", f"{path}/{calls[0]['uuid']}.json") == {"call": calls[0]}


def test_money_of_a_call(client: SandboxClient) -> None:
    """Gross profit is net profit less the cost; the cost holds no payout, and only converted calls have money."""
    money = ("revenue", "payout", "profit_gross", "profit_net", "total_cost", "charge_total")
    for fields in (
        {"revenue": 5, "payout": 3, "cost": 0.08, "converted": 1},
        {"revenue": 0, "payout": 0, "cost": 0.07, "converted": 0},
        {"revenue": 0, "payout": 0, "cost": 0, "converted": 1},
    ):
        client.control("POST", "calls", {"fields": fields})
    calls = [row["call"] for row in client.request("GET", "/api/v2/calls.json?order=asc")]
    assert [tuple(call[name] for name in money) for call in calls] == [
        (5.0, 3.0, "1.92", 2.0, "0.08", "0.08"),
        (None, None, "-0.07", 0.0, "0.07", "0.07"),
        (0.0, 0.0, "0.00", 0.0, "0.00", "0.00"),
    ]


def test_fields_that_are_objects_in_later_versions(demo: SandboxClient) -> None:
    """The number is an object from v3 on, the campaign from v4 on; amounts that are strings stay strings."""
    two, three, four = (demo.request("GET", f"/api/v{version}/calls.json")[0]["call"] for version in (2, 3, 4))
    assert three["number"]["number"] == two["number"]
    assert four["campaign"] == {"id": three["campaign_id"], "name": three["campaign_name"]}
    assert all(isinstance(two[name], str) for name in ("charge_total", "total_cost", "profit_gross"))


def test_versioned_routes_write_times_in_the_companys_zone(demo: SandboxClient) -> None:
    """Legacy routes write UTC with Z, versioned ones milliseconds and the offset of New York."""
    assert demo.request("GET", "/calls.json")[0]["call"]["created_at"].endswith("Z")
    assert demo.request("GET", "/api/v2/calls.json")[0]["call"]["created_at"].endswith("-05:00")


def test_page_size_is_25_or_per_page_up_to_100(demo: SandboxClient) -> None:
    """per_page works on versioned routes only and is at most 100; an invalid value means the default."""
    sizes = {
        "/calls.json?per_page=100": 25,
        "/api/v2/calls.json?per_page=100": 100,
        "/api/v2/calls.json?per_page=1000": 100,
        "/api/v2/calls.json?per_page=7": 7,
        "/api/v2/calls.json?per_page=0": 25,
        "/api/v2/calls.json?per_page=x&page=-1": 25,
    }
    assert {path: len(demo.request("GET", path)) for path in sizes} == sizes


@pytest.mark.parametrize(
    "sorting",
    [
        "order=asc",
        "order=desc",
        "sort_by=updated_at&order=asc",
        "order=asc&created_at_start=2000-01-01&created_at_end=2030-01-01",
        "order=desc&created_at_start=2000-01-01&created_at_end=2030-01-01&updated_at_start=2000-01-01",
    ],
)
def test_pages_do_not_depend_on_the_order_of_reading(demo: SandboxClient, sorting: str) -> None:
    """Each call is on the same page, whether pages are read forwards, backwards or from the middle."""
    path = f"/api/v2/calls.json?per_page=100&{sorting}"
    pages = {
        page: [row["call"]["uuid"] for row in demo.request("GET", f"{path}&page={page}")] for page in range(1, 31)
    }
    assert len({uuid for page in pages.values() for uuid in page}) == 3000
    demo.control("POST", "calls", {"count": 0})
    for page in (30, 15, 16, 1, 29, 14):
        assert [row["call"]["uuid"] for row in demo.request("GET", f"{path}&page={page}")] == pages[page]


def test_order_is_ignored_for_updated_at(demo: SandboxClient) -> None:
    """created_at can be ascending and is descending by default; updated_at is always descending."""

    def column(query: str, name: str) -> list[str]:
        return [row["call"][name] for row in demo.request("GET", f"/api/v2/calls.json?per_page=100&{query}")]

    assert column("order=asc", "created_at") == sorted(column("order=asc", "created_at"))
    assert column("", "created_at") == sorted(column("", "created_at"), reverse=True)
    by_update = column("sort_by=updated_at&order=asc", "updated_at")
    assert by_update == sorted(by_update, reverse=True)


def test_links_have_the_documented_form(demo: SandboxClient) -> None:
    """Links have the host of the documents, repeat the key and the query, and are ordered last, next, prev."""
    answer = demo.send("GET", "/calls.json?sort_by=created_at&order=asc&page=2")
    urls = links(answer)
    assert list(urls) == ["last", "next", "prev"]
    parts = urlsplit(urls["next"])
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "retreaver.com", "/calls.json")
    assert parse_qsl(parts.query) == [
        ("api_key", "sandbox-key"),
        ("company_id", "1"),
        ("sort_by", "created_at"),
        ("order", "asc"),
        ("page", "3"),
    ]
    assert urls["last"].endswith("page=120")


def test_a_single_page_has_no_link(client: SandboxClient) -> None:
    """With 25 calls there is no Link header, with 26 there is one."""
    client.control("POST", "calls", {"count": 25})
    assert links(client.send("GET", "/calls.json")) == {}
    client.control("POST", "calls", {"count": 1})
    assert set(links(client.send("GET", "/calls.json"))) == {"last", "next"}


def test_time_filters_exclude_the_end_and_accept_offsets(client: SandboxClient) -> None:
    """The start is included, the end is not; times may have any offset."""
    for hour in (10, 11):
        client.control("POST", "calls", {"fields": {"created_at": f"2026-01-02T{hour}:00:00Z", "sid": str(hour)}})

    def sids(query: str) -> list[str]:
        return sorted(row["call"]["sid"] for row in client.request("GET", f"/calls.json?{query}"))

    assert sids("created_at_start=2026-01-02T10:00:00Z") == ["10", "11"]
    assert sids("created_at_start=2026-01-02T10:00:00Z&created_at_end=2026-01-02T11:00:00Z") == ["10"]
    assert sids("created_at_start=2026-01-02T06:00:00-05:00") == ["11"]
    assert sids("created_at_end=2026-01-02T11:00:00+00:00") == ["10"]
    client.error(400, "GET", "/calls.json?created_at_start=yesterday")


def test_a_changed_call_is_first_when_sorted_by_updated_at(client: SandboxClient) -> None:
    """The change and its time are visible, and the filter by updated_at finds the call."""
    first, second = client.control("POST", "calls", {"count": 2})["uuids"]
    client.control("POST", "clock", {"advance": 600})
    client.control("POST", f"calls/{first}", {"fields": {"status": "finished", "revenue": 12.5}})
    calls = [row["call"] for row in client.request("GET", "/api/v2/calls.json?sort_by=updated_at")]
    assert [call["uuid"] for call in calls] == [first, second]
    assert calls[0]["revenue"] == 12.5
    recent = client.request("GET", "/api/v2/calls.json?updated_at_start=2026-01-09T12:05:00Z")
    assert [row["call"]["uuid"] for row in recent] == [first]


def test_filters_of_the_versioned_routes(demo: SandboxClient) -> None:
    """Each filter returns only matching calls; the legacy route ignores them."""
    sample = demo.request("GET", "/api/v2/calls.json?per_page=100")[3]["call"]
    for parameter, field in (
        ("caller", "caller"),
        ("client_afid", "afid"),
        ("client_cid", "cid"),
        ("client_tid", "tid"),
    ):
        value = sample[field].replace("+", "%2B")
        calls = [row["call"] for row in demo.request("GET", f"/api/v2/calls.json?per_page=100&{parameter}={value}")]
        assert calls
        assert {call[field] for call in calls} == {sample[field]}
    assert demo.request("GET", "/api/v2/calls.json?client_tid=missing") == []
    assert len(demo.request("GET", "/calls.json?client_tid=missing")) == 25


def test_a_call_keeps_its_affiliate_when_that_is_deleted(client: SandboxClient) -> None:
    """The call log still has the afid."""
    client.request("POST", "/affiliates.json", {"affiliate": {"afid": "0002"}})
    client.control("POST", "calls", {"fields": {"afid": "0002"}})
    client.request("DELETE", "/affiliates/afid/0002.json")
    assert client.request("GET", "/api/v2/calls.json?client_afid=0002")[0]["call"]["afid"] == "0002"


def test_flow_events_are_optional(demo: SandboxClient) -> None:
    """call_flow_events=true adds the events from v2 on."""
    call = demo.request("GET", "/api/v2/calls.json?call_flow_events=true")[0]["call"]
    assert call["call_flow_events"][0]["event"] == "call_started"
    assert "call_flow_events" not in demo.request("GET", "/api/v1/calls.json?call_flow_events=true")[0]["call"]


def test_unknown_calls_and_versions_are_404(demo: SandboxClient) -> None:
    """Version 6, an unknown UUID and a call of another company."""
    demo.error(404, "GET", "/api/v6/calls.json")
    demo.error(404, "GET", "/calls/addcf985-017e-4962-be34-cf5d55e74afc.json")
    uuid = demo.request("GET", "/calls.json")[0]["call"]["uuid"]
    demo.error(404, "GET", f"/calls/{uuid}.json?company_id=2")
