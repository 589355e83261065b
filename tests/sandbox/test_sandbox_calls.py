"""The call log: editions, filters, order, pages."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.sandbox.requests_to import Vendor, links

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
def test_every_edition_has_its_documented_fields(demo: Vendor, path: str, keys: set[str]) -> None:
    """A list and a single call have exactly the edition's fields."""
    call = demo.ok("GET", f"{path}.json")[0]["call"]
    assert call.keys() == keys
    assert demo.ok("GET", f"{path}/{call['uuid']}.json") == {"call": call}


def test_what_later_editions_turn_into_objects(demo: Vendor) -> None:
    """v3 makes the number an object, v4 the campaign; money that is a string stays one."""
    two, three, four = (demo.ok("GET", f"/api/v{edition}/calls.json")[0]["call"] for edition in (2, 3, 4))
    assert three["number"]["number"] == two["number"]
    assert four["campaign"] == {"id": three["campaign_id"], "name": three["campaign_name"]}
    assert all(isinstance(two[name], str) for name in ("charge_total", "total_cost", "profit_gross"))


def test_times_carry_the_companys_offset_on_versioned_routes(demo: Vendor) -> None:
    """Legacy times end in Z, versioned ones have milliseconds and the offset of New York."""
    assert demo.ok("GET", "/calls.json")[0]["call"]["created_at"].endswith("Z")
    assert demo.ok("GET", "/api/v2/calls.json")[0]["call"]["created_at"].endswith("-05:00")


def test_pages_are_25_or_as_many_as_asked_up_to_100(demo: Vendor) -> None:
    """per_page works on versioned routes only and is capped; nonsense means the default."""
    sizes = {
        "/calls.json?per_page=100": 25,
        "/api/v2/calls.json?per_page=100": 100,
        "/api/v2/calls.json?per_page=1000": 100,
        "/api/v2/calls.json?per_page=7": 7,
        "/api/v2/calls.json?per_page=0": 25,
        "/api/v2/calls.json?per_page=x&page=-1": 25,
    }
    assert {path: len(demo.ok("GET", path)) for path in sizes} == sizes


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
def test_pages_read_in_any_sequence_are_the_same_rows(demo: Vendor, sorting: str) -> None:
    """Each call is on one page, whether pages are read forwards, backwards or from the middle."""
    path = f"/api/v2/calls.json?per_page=100&{sorting}"
    straight = {page: [one["call"]["uuid"] for one in demo.ok("GET", f"{path}&page={page}")] for page in range(1, 31)}
    assert len({uuid for page in straight.values() for uuid in page}) == 3000
    demo.control("POST", "calls", {"count": 0})
    for page in (30, 15, 16, 1, 29, 14):
        assert [one["call"]["uuid"] for one in demo.ok("GET", f"{path}&page={page}")] == straight[page]


def test_order_and_its_exception(demo: Vendor) -> None:
    """created_at goes both ways and newest first by default; updated_at is always newest first."""

    def column(query: str, name: str) -> list[str]:
        return [one["call"][name] for one in demo.ok("GET", f"/api/v2/calls.json?per_page=100&{query}")]

    assert column("order=asc", "created_at") == sorted(column("order=asc", "created_at"))
    assert column("", "created_at") == sorted(column("", "created_at"), reverse=True)
    forced = column("sort_by=updated_at&order=asc", "updated_at")
    assert forced == sorted(forced, reverse=True)


def test_links_are_the_vendors(demo: Vendor) -> None:
    """Links name another host, repeat the key and the query, and come as last, next, prev."""
    answer = demo.ask("GET", "/calls.json?sort_by=created_at&order=asc&page=2")
    found = links(answer)
    assert list(found) == ["last", "next", "prev"]
    parts = urlsplit(found["next"])
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "retreaver.com", "/calls.json")
    assert parse_qsl(parts.query) == [
        ("api_key", "sandbox-key"),
        ("company_id", "1"),
        ("sort_by", "created_at"),
        ("order", "asc"),
        ("page", "3"),
    ]
    assert found["last"].endswith("page=120")


def test_a_single_page_has_no_link(vendor: Vendor) -> None:
    """Nothing to point to, no header."""
    vendor.control("POST", "calls", {"count": 25})
    assert links(vendor.ask("GET", "/calls.json")) == {}
    vendor.control("POST", "calls", {"count": 1})
    assert set(links(vendor.ask("GET", "/calls.json"))) == {"last", "next"}


def test_windows_are_half_open_and_understand_offsets(vendor: Vendor) -> None:
    """A start is included, an end is not; the same moment in another offset is the same moment."""
    for hour in (10, 11):
        vendor.control("POST", "calls", {"fields": {"created_at": f"2026-01-02T{hour}:00:00Z", "sid": str(hour)}})

    def found(query: str) -> list[str]:
        return sorted(one["call"]["sid"] for one in vendor.ok("GET", f"/calls.json?{query}"))

    assert found("created_at_start=2026-01-02T10:00:00Z") == ["10", "11"]
    assert found("created_at_start=2026-01-02T10:00:00Z&created_at_end=2026-01-02T11:00:00Z") == ["10"]
    assert found("created_at_start=2026-01-02T06:00:00-05:00") == ["11"]
    assert found("created_at_end=2026-01-02T11:00:00+00:00") == ["10"]
    vendor.no(400, "GET", "/calls.json?created_at_start=yesterday")


def test_a_changed_call_moves_to_the_front_by_updated_at(vendor: Vendor) -> None:
    """A call is updated in its life: the change and its time are seen, also by the filter."""
    first, second = vendor.control("POST", "calls", {"count": 2})["uuids"]
    vendor.control("POST", "clock", {"advance": 600})
    vendor.control("POST", f"calls/{first}", {"fields": {"status": "finished", "revenue": 12.5}})
    calls = [one["call"] for one in vendor.ok("GET", "/api/v2/calls.json?sort_by=updated_at")]
    assert [call["uuid"] for call in calls] == [first, second]
    assert calls[0]["revenue"] == 12.5
    recent = vendor.ok("GET", "/api/v2/calls.json?updated_at_start=2026-01-09T12:05:00Z")
    assert [one["call"]["uuid"] for one in recent] == [first]


def test_filters_of_the_versioned_routes(demo: Vendor) -> None:
    """Each filter gives those calls and no others; the legacy route knows none of them."""
    sample = demo.ok("GET", "/api/v2/calls.json?per_page=100")[3]["call"]
    for parameter, field in (
        ("caller", "caller"),
        ("client_afid", "afid"),
        ("client_cid", "cid"),
        ("client_tid", "tid"),
    ):
        value = sample[field].replace("+", "%2B")
        found = [one["call"] for one in demo.ok("GET", f"/api/v2/calls.json?per_page=100&{parameter}={value}")]
        assert found
        assert {call[field] for call in found} == {sample[field]}
    assert demo.ok("GET", "/api/v2/calls.json?client_tid=nobody") == []
    assert len(demo.ok("GET", "/calls.json?client_tid=nobody")) == 25


def test_a_call_keeps_its_affiliate_when_that_is_deleted(vendor: Vendor) -> None:
    """The log goes on telling who sent a call."""
    vendor.ok("POST", "/affiliates.json", {"affiliate": {"afid": "0002"}})
    vendor.control("POST", "calls", {"fields": {"afid": "0002"}})
    vendor.ok("DELETE", "/affiliates/afid/0002.json")
    assert vendor.ok("GET", "/api/v2/calls.json?client_afid=0002")[0]["call"]["afid"] == "0002"


def test_flow_events_come_on_request(demo: Vendor) -> None:
    """call_flow_events adds the events from v2 on, and nothing before."""
    call = demo.ok("GET", "/api/v2/calls.json?call_flow_events=true")[0]["call"]
    assert call["call_flow_events"][0]["event"] == "call_started"
    assert "call_flow_events" not in demo.ok("GET", "/api/v1/calls.json?call_flow_events=true")[0]["call"]


def test_unknown_calls_and_editions(demo: Vendor) -> None:
    """There is no v6, and no call of another company."""
    demo.no(404, "GET", "/api/v6/calls.json")
    demo.no(404, "GET", "/calls/addcf985-017e-4962-be34-cf5d55e74afc.json")
    uuid = demo.ok("GET", "/calls.json")[0]["call"]["uuid"]
    demo.no(404, "GET", f"/calls/{uuid}.json?company_id=2")
