"""The control surface: clock, calls, faults, the log; and the sandbox's own routing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from tests.sandbox.requests_to import NOON, Vendor, cap


def test_the_clock_is_set_moved_and_held(vendor: Vendor) -> None:
    """Everything the sandbox dates follows its own clock."""
    assert vendor.control("GET", "clock") == {"now": "2026-01-09T12:00:00.000Z"}
    vendor.control("POST", "clock", {"now": "2026-03-08T01:30:00-05:00", "hold": True})
    vendor.control("POST", "clock", {"advance": 90})
    assert vendor.target()["created_at"] == "2026-03-08T06:31:30.000Z"
    vendor.control("POST", "reset")
    assert vendor.control("GET", "clock") == {"now": "2026-01-09T12:00:00.000Z"}
    for body in ({}, {"now": "soon"}, {"advance": "1"}, {"later": 1}):
        vendor.no(400, "POST", "/__sandbox__/clock", body, bare=True)


def test_added_calls_are_as_told(vendor: Vendor) -> None:
    """Given fields are taken, the rest is drawn, and nothing lies after now."""
    fields = {
        "caller": "+17195220377",
        "status": "in-progress",
        "revenue": 12.5,
        "tags": {"geo": "CO,NY"},
        "sid": "s",
    }
    uuid = vendor.control("POST", "calls", {"fields": fields})["uuids"][0]
    call = vendor.ok("GET", f"/api/v2/calls/{uuid}.json")["call"]
    assert {name: call[name] for name in fields} == fields
    assert call["created_at"] == call["updated_at"] == "2026-01-09T07:00:00.000-05:00"


@pytest.mark.parametrize(
    "body",
    [
        {"count": -1},
        {"fields": {"colour": 1}},
        {"fields": {"tid": "none"}},
        {"fields": {"target_id": 5}},
        {"calls": 1},
        {"count": 2, "fields": {"uuid": "x"}},
        {"fields": {"created_at": "soon"}},
        {"fields": {"revenue": "much"}},
    ],
)
def test_calls_that_cannot_be_are_refused(vendor: Vendor, body: dict[str, object]) -> None:
    """By name, and none was added."""
    vendor.no(400, "POST", "/__sandbox__/calls", body, bare=True)
    assert vendor.ok("GET", "/calls.json") == []


def test_many_calls_are_spread_and_only_counted_when_meant(vendor: Vendor) -> None:
    """A span spreads them evenly; counted: false leaves the caps alone."""
    target = vendor.target(tid="t")
    fields = {"tid": "t", "counted": False, "created_at_start": "2026-01-01", "created_at_end": "2026-01-05"}
    vendor.control("POST", "calls", {"count": 8, "fields": fields})
    days = [one["call"]["created_at"][:13] for one in vendor.ok("GET", "/calls.json?order=asc")]
    assert days[:3] == ["2026-01-01T00", "2026-01-01T12", "2026-01-02T00"]
    assert cap(vendor.ok("GET", f"/targets/{target['id']}.json")["target"], "Hard")[0] == 0


def test_a_scripted_fault_is_used_up(vendor: Vendor) -> None:
    """It befalls the matching requests so many times, with status, headers and body as told."""
    fault = {
        "method": "GET",
        "path": "targets",
        "times": 2,
        "status": 429,
        "headers": {"Retry-After": "3"},
        "body": "slow",
    }
    vendor.control("POST", "faults", fault)
    vendor.ok("GET", "/company.json")
    for _ in range(2):
        answer = vendor.ask("GET", "/targets.json")
        assert (answer.status, answer.body, dict(answer.headers)["Retry-After"]) == (429, b"slow", "3")
    assert vendor.ok("GET", "/targets.json") == []


@pytest.mark.parametrize(("then", "filled"), [("nothing", 3), ("done", 0)])
@pytest.mark.parametrize("weather", [{"status": 500}, {"cut": True}])
def test_a_lost_answer_leaves_the_effect_open(
    vendor: Vendor, then: str, filled: int, weather: dict[str, object]
) -> None:
    """Either way the caller sees the same; only reading tells whether it happened."""
    target = vendor.target(tid="t")
    vendor.control("POST", "calls", {"count": 3, "fields": {"tid": "t"}})
    vendor.control("POST", "faults", [{"method": "POST", "path": "reset_cap", "then": then, **weather}])
    answer = vendor.ask("POST", f"/targets/{target['id']}/reset_cap.json")
    assert (answer.cut, answer.status) == ((True, 0) if "cut" in weather else (False, 500))
    assert cap(vendor.ok("GET", f"/targets/{target['id']}.json")["target"], "Hard")[0] == filled


def test_faults_may_change_a_true_answer(vendor: Vendor) -> None:
    """Without a status the request is carried out; delay, headers or a broken body are laid over it."""
    vendor.control("POST", "faults", [{"path": "company", "delay": 2.5}, {"path": "company", "body": '{"comp'}])
    slow, broken = vendor.ask("GET", "/company.json"), vendor.ask("GET", "/company.json")
    assert (slow.status, slow.delay) == (200, 2.5)
    assert (broken.status, broken.body) == (200, b'{"comp')
    vendor.control("POST", "faults", {"times": None, "status": 503})
    vendor.control("DELETE", "faults")
    vendor.ok("GET", "/company.json")
    for bad in ({"colour": 1}, {"path": "("}, {"then": "maybe"}, {"status": "500"}, []):
        if bad:
            vendor.no(400, "POST", "/__sandbox__/faults", bad, bare=True)


def test_chance_is_the_same_for_the_same_seed() -> None:
    """A share of the requests fail, in the documented ways, and a seed repeats the weather."""

    def weather(seed: int) -> list[int]:
        vendor = Vendor(Sandbox(SandboxOptions(fault_rate=0.3, seed=seed)))
        seen = [vendor.ask("GET", "/company.json").status for _ in range(300)]
        vendor.sandbox.close()
        return seen

    first = weather(1)
    assert first == weather(1) != weather(2)
    assert set(first) == {0, 200, 429, 500, 503}
    assert 50 < sum(status != 200 for status in first) < 130


def test_the_rate_limit_refills_with_time() -> None:
    """Two a second: the third at once is 429, half a second later one more is let through."""
    now = [0.0]
    vendor = Vendor(Sandbox(SandboxOptions(rate_limit=2, ticks=lambda: now[0])))
    seen = [vendor.ask("GET", "/company.json").status for _ in range(3)]
    now[0] = 0.5
    seen += [vendor.ask("GET", "/company.json").status for _ in range(2)]
    assert seen == [200, 200, 429, 200, 429]
    vendor.sandbox.close()


def test_latency_is_part_of_the_answer() -> None:
    """latency_ms and up to jitter_ms more, in seconds."""
    vendor = Vendor(Sandbox(SandboxOptions(latency_ms=50, jitter_ms=100)))
    assert all(0.05 <= vendor.ask("GET", "/company.json").delay <= 0.15 for _ in range(20))
    vendor.sandbox.close()


def test_the_log_shows_what_was_asked(vendor: Vendor) -> None:
    """Method, path, query with the key, body and status; since and DELETE cut it short."""
    vendor.ok("GET", "/company.json")
    vendor.ask("POST", "/targets.json", b"{")
    first, second = vendor.control("GET", "requests")
    assert (first["method"], first["path"], first["status"]) == ("GET", "/company.json", 200)
    assert ["api_key", "sandbox-key"] in first["query"]
    assert (second["body"], second["status"]) == ("{", 400)
    assert vendor.control("GET", f"requests?since={first['n']}") == [second]
    vendor.control("DELETE", "requests")
    assert vendor.control("GET", "requests") == []


def test_reset_brings_the_same_account_again(vendor: Vendor) -> None:
    """Demo data are the same after a reset, ids included; empty is empty."""
    vendor.control("POST", "reset", {"load": "demo"})
    before = [vendor.ask("GET", path).body for path in ("/targets.json", "/calls.json", "/numbers.json")]
    vendor.ok("DELETE", "/targets/1.json")
    vendor.control("POST", "reset", {"load": "demo"})
    assert [vendor.ask("GET", path).body for path in ("/targets.json", "/calls.json", "/numbers.json")] == before
    vendor.control("POST", "reset", {"load": "empty"})
    assert vendor.ok("GET", "/targets.json") == []
    vendor.no(400, "POST", "/__sandbox__/reset", {"load": "full"}, bare=True)


def test_the_demo_holds_some_of_every_kind(demo: Vendor) -> None:
    """More than a page of targets in several zones, caps in every state, and something of each resource."""
    targets = [one["target"] for page in (1, 2, 3) for one in demo.ok("GET", f"/targets.json?page={page}")]
    hard = [cap(target, "Hard") for target in targets]
    assert len(targets) > 50
    assert len({target["time_zone"] for target in targets}) >= 6
    assert any(limit is not None and filled >= limit for filled, limit in hard)
    assert any(limit is not None and 0 < filled < limit for filled, limit in hard)
    assert any(limit is None for _, limit in hard)
    for path in (
        "affiliates",
        "campaigns",
        "numbers",
        "number_pools",
        "contacts",
        "suppressed_numbers",
        "static_caller_numbers",
        "target_groups",
    ):
        assert demo.ok("GET", f"/{path}.json"), path
    assert demo.ok("GET", "/calls.json?company_id=2")


HOURS = "business_hours_attributes"
WEEK = [{"day_of_week": day, "work_day": 1 <= day <= 5, "time_open": 900, "time_close": 1700} for day in range(7)]
NIGHT = [{"day_of_week": day, "time_open": 600, "time_close": 2200, "invert": True} for day in range(7)]
TWICE = [
    {"day_of_week": 5, "time_open": 900, "time_close": 1200},
    {"day_of_week": 5, "time_open": 1300, "time_close": 1700},
]
LUNCH = [{"day_of_week": 5}, {"day_of_week": 5, "time_open": 1200, "time_close": 1300, "invert": True}]


@pytest.mark.parametrize(
    ("rows", "zone", "moment", "expected"),
    [
        (WEEK, "Eastern Time (US & Canada)", "2026-01-09T13:59:00Z", False),
        (WEEK, "Eastern Time (US & Canada)", "2026-01-09T14:00:00Z", True),
        (WEEK, "Eastern Time (US & Canada)", "2026-01-09T22:00:00Z", False),
        (WEEK, "Eastern Time (US & Canada)", "2026-07-10T13:00:00Z", True),  # summer time
        (WEEK, "UTC", "2026-01-10T12:00:00Z", False),  # a Saturday
        (WEEK, "Tokyo", "2026-01-11T23:59:00Z", False),
        (WEEK, "Tokyo", "2026-01-12T00:00:00Z", True),  # Monday nine o'clock in Tokyo
        (NIGHT, "UTC", "2026-01-09T05:59:00Z", True),
        (NIGHT, "UTC", "2026-01-09T06:00:00Z", False),
        (NIGHT, "UTC", "2026-01-09T22:00:00Z", True),
        (NIGHT, "UTC", "2026-01-10T00:00:00Z", True),
        (TWICE, "UTC", "2026-01-09T12:30:00Z", False),
        (TWICE, "UTC", "2026-01-09T13:00:00Z", True),
        (TWICE, "UTC", "2026-01-08T10:00:00Z", False),
        (LUNCH, "UTC", "2026-01-09T12:30:00Z", False),
        (LUNCH, "UTC", "2026-01-09T11:59:00Z", True),
    ],
)
def test_business_hours_in_the_targets_own_zone(
    vendor: Vendor, rows: list[dict[str, object]], zone: str, moment: str, expected: bool
) -> None:
    """Office hours, night shifts by invert, several rows a day, days without a row."""
    target = vendor.target(time_zone=zone, **{HOURS: rows})
    assert vendor.control("GET", f"targets/{target['id']}/open?at={moment}")["open"] is expected


def test_what_else_keeps_a_target_from_calls(vendor: Vendor) -> None:
    """A pause, a full cap of its own or of its group, too many calls at once."""
    target = vendor.target(tid="t", hard_cap_attributes={"cap": 2}, concurrency_cap=1)
    body = {"name": "g", "target_ids": [target["id"]], "daily_cap_attributes": {"cap": 3}}
    group = vendor.ok("POST", "/target_groups.json", {"target_group": body})["target_group"]
    path = f"/targets/{target['id']}.json"

    def reason() -> str:
        return str(vendor.control("GET", f"targets/{target['id']}/open")["reason"])

    assert reason() == "open"
    vendor.control("POST", f"targets/{target['id']}/fill", {"type": "hard", "filled": 2})
    assert reason() == "hard cap reached"
    vendor.ok("POST", f"/targets/{target['id']}/reset_cap.json")
    vendor.control("POST", f"target_groups/{group['id']}/fill", {"type": "daily", "filled": 3})
    assert reason() == "daily cap of group g reached"
    vendor.control("POST", "clock", {"advance": 86_400})
    vendor.control("POST", "calls_in_progress", {"target_id": target["id"], "calls_in_progress": 1})
    assert reason() == "concurrency cap reached"
    vendor.ok("PUT", path, {"target": {"paused": True}})
    assert reason() == "paused"
    assert vendor.control("GET", "routing")["targets"][0]["reason"] == "paused"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "calls", [1], 400),
        ("POST", "calls/none", {"fields": {}}, 404),
        ("POST", "calls_in_progress", {"target_id": 1}, 400),
        ("POST", "calls_in_progress", {"target_id": 9, "calls_in_progress": 1}, 404),
        ("POST", "targets/1/fill", {"type": "weekly", "filled": 1}, 400),
        ("POST", "targets/1/fill", {"filled": 1}, 404),
        ("POST", "number_pools/1/provision", {"numbers": 1}, 404),
        ("POST", "postback_keys", {"key": "k"}, 400),
        ("POST", "postback_keys", {"key": "k", "secret": "s", "permissions": ["fly"]}, 400),
        ("POST", "upload_delay", {"seconds": -1}, 400),
        ("POST", "faults", [3], 400),
        ("POST", "faults", {"times": "many"}, 400),
        ("GET", "requests?since=x", None, 400),
        ("GET", "routing?at=soon", None, 400),
        ("GET", "targets/1/open", None, 404),
    ],
)
def test_what_the_control_surface_refuses(vendor: Vendor, method: str, path: str, body: object, status: int) -> None:
    """A test that scripts nonsense is told so at once."""
    assert "error" in vendor.no(status, method, f"/__sandbox__/{path}", body, bare=True)


def test_a_fault_may_answer_json(vendor: Vendor) -> None:
    """A body given as an object goes out as JSON with its Content-Type."""
    vendor.control("POST", "faults", {"status": 422, "body": {"errors": {"name": ["is odd"]}}})
    answer = vendor.ask("GET", "/company.json")
    assert answer.body == b'{"errors":{"name":["is odd"]}}'
    assert dict(answer.headers)["Content-Type"].startswith("application/json")


def test_calls_under_way_are_counted_in_reports(demo: Vendor) -> None:
    """The demo has some, on targets that say so."""
    span = "created_at_start=2026-01-01&created_at_end=2026-02-01"
    rows = demo.ok("GET", f"/api/v1/reports.json?domain=calls&facet=buyer&{span}&per_page=100")["data"]
    busy = {row["id"] for row in rows if row["in_progress_count"]}
    assert busy == {1, 2, 3}
    assert all(demo.ok("GET", f"/targets/{one}.json")["target"]["calls_in_progress"] == 1 for one in busy)


def test_many_threads_may_use_one_sandbox(vendor: Vendor) -> None:
    """Every create takes effect once, whoever else is at it."""
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda number: vendor.target(tid=str(number))["id"], range(200)))
    assert sorted(ids) == list(range(1, 201))
    assert len(vendor.control("GET", "requests")) == 200


def test_the_control_surface_says_what_it_has(vendor: Vendor) -> None:
    """An index, 404 for what is not there, 405 for another verb."""
    assert any("reset" in one for one in vendor.control("GET", "")["control"])
    vendor.no(404, "GET", "/__sandbox__/nothing", bare=True)
    vendor.no(405, "GET", "/__sandbox__/reset", bare=True)


def test_a_file_survives_a_restart(tmp_path: object) -> None:
    """What was made is there again, and a demo is not loaded twice."""
    options = SandboxOptions(database=f"{tmp_path}/account.db", load="demo", wall=lambda: NOON)
    first = Vendor(Sandbox(options))
    made = first.target(tid="kept")
    first.sandbox.close()
    second = Vendor(Sandbox(options))
    assert second.ok("GET", "/targets/tid/kept.json")["target"] == made
    assert made["id"] > 60
    second.sandbox.close()
