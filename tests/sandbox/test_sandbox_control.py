"""The control surface: clock, calls, faults, log of requests; and which targets take calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http.wire import Answer, Request
from airflow_provider_retreaver.sandbox.log import MAX_CHARACTERS, RequestLog
from tests.sandbox.client import NOON, SandboxClient, cap


def test_the_clock_can_be_set_advanced_and_stopped(client: SandboxClient) -> None:
    """Times of creation follow the sandbox's clock."""
    assert client.control("GET", "clock") == {"now": "2026-01-09T12:00:00.000Z"}
    client.control("POST", "clock", {"now": "2026-03-08T01:30:00-05:00", "hold": True})
    client.control("POST", "clock", {"advance": 90})
    assert client.target()["created_at"] == "2026-03-08T06:31:30.000Z"
    client.control("POST", "reset")
    assert client.control("GET", "clock") == {"now": "2026-01-09T12:00:00.000Z"}
    for body in ({}, {"now": "soon"}, {"advance": "1"}, {"later": 1}):
        client.error(400, "POST", "/__sandbox__/clock", body, bare=True)


def test_pages_that_stand_for_the_portal(client: SandboxClient) -> None:
    """An object and a list are pages, and so is what does not exist; names are no markup, and nothing is logged."""
    target = client.target(name="<b>Acme & Co</b>")
    (uuid,) = client.control("POST", "calls", {})["uuids"]
    before = client.control("GET", "requests")
    for path, status, shown in (
        (f"targets/{target['id']}", 200, "&lt;b&gt;Acme &amp; Co&lt;/b&gt;"),
        ("targets", 200, "<h1>Targets</h1>"),
        (f"calls/{uuid}", 200, uuid),
        ("buyer_groups", 200, "buyer_groups"),
        ("campaigns/999", 404, "error"),
    ):
        answer = client.sandbox.handle("GET", f"/__sandbox__/portal/{path}", [], {}, b"")
        page = answer.body.decode()
        assert (answer.status, dict(answer.headers)["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert shown in page
        assert "<b>" not in page
        assert client.sandbox.options.api_key not in page
    assert client.control("GET", "requests") == before


def test_added_calls_have_the_given_fields(client: SandboxClient) -> None:
    """Other fields are random, and no time is after now."""
    fields = {
        "caller": "+17195220377",
        "status": "in-progress",
        "revenue": 12.5,
        "tags": {"geo": "CO,NY"},
        "sid": "s",
    }
    uuid = client.control("POST", "calls", {"fields": fields})["uuids"][0]
    call = client.request("GET", f"/api/v2/calls/{uuid}.json")["call"]
    assert {name: call[name] for name in fields} == fields
    assert call["created_at"] == call["updated_at"] == "2026-01-09T07:00:00.000-05:00"


@pytest.mark.parametrize(
    "body",
    [
        {"count": -1},
        {"fields": {"color": 1}},
        {"fields": {"tid": "none"}},
        {"fields": {"target_id": 5}},
        {"calls": 1},
        {"count": 2, "fields": {"uuid": "x"}},
        {"fields": {"created_at": "soon"}},
        {"fields": {"revenue": "much"}},
    ],
)
def test_invalid_calls_are_refused(client: SandboxClient, body: dict[str, object]) -> None:
    """None is added."""
    client.error(400, "POST", "/__sandbox__/calls", body, bare=True)
    assert client.request("GET", "/calls.json") == []


def test_many_calls_can_be_spread_and_not_counted(client: SandboxClient) -> None:
    """A span spreads them evenly; with counted: false the caps do not change."""
    target = client.target(tid="t")
    fields = {"tid": "t", "counted": False, "created_at_start": "2026-01-01", "created_at_end": "2026-01-05"}
    client.control("POST", "calls", {"count": 8, "fields": fields})
    days = [row["call"]["created_at"][:13] for row in client.request("GET", "/calls.json?order=asc")]
    assert days[:3] == ["2026-01-01T00", "2026-01-01T12", "2026-01-02T00"]
    assert cap(client.request("GET", f"/targets/{target['id']}.json")["target"], "Hard")[0] == 0


def test_a_scripted_fault_is_used_up(client: SandboxClient) -> None:
    """It applies to matching requests the given number of times, with its status, headers and body."""
    fault = {
        "method": "GET",
        "path": "targets",
        "times": 2,
        "status": 429,
        "headers": {"Retry-After": "3"},
        "body": "slow",
    }
    client.control("POST", "faults", fault)
    client.request("GET", "/company.json")
    for _ in range(2):
        answer = client.send("GET", "/targets.json")
        assert (answer.status, answer.body, dict(answer.headers)["Retry-After"]) == (429, b"slow", "3")
    assert client.request("GET", "/targets.json") == []


@pytest.mark.parametrize(("then", "filled"), [("nothing", 3), ("done", 0)])
@pytest.mark.parametrize("failure", [{"status": 500}, {"cut": True}])
def test_a_failed_request_may_have_taken_effect(
    client: SandboxClient, then: str, filled: int, failure: dict[str, object]
) -> None:
    """The answer is the same in both cases; only reading back shows whether the cap was reset."""
    target = client.target(tid="t")
    client.control("POST", "calls", {"count": 3, "fields": {"tid": "t"}})
    client.control("POST", "faults", [{"method": "POST", "path": "reset_cap", "then": then, **failure}])
    answer = client.send("POST", f"/targets/{target['id']}/reset_cap.json")
    assert (answer.cut, answer.status) == ((True, 0) if "cut" in failure else (False, 500))
    assert cap(client.request("GET", f"/targets/{target['id']}.json")["target"], "Hard")[0] == filled


def test_faults_may_change_a_real_answer(client: SandboxClient) -> None:
    """Without a status the request is executed; delay, headers or a broken body change its answer."""
    client.control("POST", "faults", [{"path": "company", "delay": 2.5}, {"path": "company", "body": '{"comp'}])
    slow, broken = client.send("GET", "/company.json"), client.send("GET", "/company.json")
    assert (slow.status, slow.delay) == (200, 2.5)
    assert (broken.status, broken.body) == (200, b'{"comp')
    client.control("POST", "faults", {"times": None, "status": 503})
    client.control("DELETE", "faults")
    client.request("GET", "/company.json")
    for bad in ({"color": 1}, {"path": "("}, {"then": "maybe"}, {"status": "500"}, []):
        if bad:
            client.error(400, "POST", "/__sandbox__/faults", bad, bare=True)


def test_random_faults_repeat_with_the_same_seed() -> None:
    """About the given share of requests fails, with 429, 500, 503 or a dropped connection."""

    def statuses(seed: int) -> list[int]:
        client = SandboxClient(Sandbox(SandboxOptions(fault_rate=0.3, seed=seed)))
        result = [client.send("GET", "/company.json").status for _ in range(300)]
        client.sandbox.close()
        return result

    first = statuses(1)
    assert first == statuses(1) != statuses(2)
    assert set(first) == {0, 200, 429, 500, 503}
    assert 50 < sum(status != 200 for status in first) < 130


def test_the_rate_limit_refills_with_time() -> None:
    """With two a second, the third at once is 429; half a second later one more is answered."""
    now = [0.0]
    client = SandboxClient(Sandbox(SandboxOptions(rate_limit=2, ticks=lambda: now[0])))
    statuses = [client.send("GET", "/company.json").status for _ in range(3)]
    now[0] = 0.5
    statuses += [client.send("GET", "/company.json").status for _ in range(2)]
    assert statuses == [200, 200, 429, 200, 429]
    client.sandbox.close()


def test_latency_is_part_of_the_answer() -> None:
    """The delay is latency_ms plus up to jitter_ms, in seconds."""
    client = SandboxClient(Sandbox(SandboxOptions(latency_ms=50, jitter_ms=100)))
    assert all(0.05 <= client.send("GET", "/company.json").delay <= 0.15 for _ in range(20))
    client.sandbox.close()


def test_the_log_contains_the_requests(client: SandboxClient) -> None:
    """Method, path, query with the key, body and status; since and DELETE shorten it."""
    client.request("GET", "/company.json")
    client.send("POST", "/targets.json", b"{")
    first, second = client.control("GET", "requests")
    assert (first["method"], first["path"], first["status"]) == ("GET", "/company.json", 200)
    assert ["api_key", "sandbox-key"] in first["query"]
    assert (second["body"], second["status"]) == ("{", 400)
    assert client.control("GET", f"requests?since={first['n']}") == [second]
    client.control("DELETE", "requests")
    assert client.control("GET", "requests") == []


def test_reset_creates_the_same_account_again(client: SandboxClient) -> None:
    """The demo data are the same after a reset, including IDs; empty is empty."""
    client.control("POST", "reset", {"load": "demo"})
    before = [client.send("GET", path).body for path in ("/targets.json", "/calls.json", "/numbers.json")]
    client.request("DELETE", "/targets/1.json")
    client.control("POST", "reset", {"load": "demo"})
    assert [client.send("GET", path).body for path in ("/targets.json", "/calls.json", "/numbers.json")] == before
    client.control("POST", "reset", {"load": "empty"})
    assert client.request("GET", "/targets.json") == []
    client.error(400, "POST", "/__sandbox__/reset", {"load": "full"}, bare=True)


def test_the_demo_contains_every_kind_of_object(demo: SandboxClient) -> None:
    """More than a page of targets in several zones, caps in every state, and objects of each resource."""
    targets = [row["target"] for page in (1, 2, 3) for row in demo.request("GET", f"/targets.json?page={page}")]
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
        assert demo.request("GET", f"/{path}.json"), path
    assert demo.request("GET", "/calls.json?company_id=2")


HOURS = "business_hours_attributes"
WEEK = [{"day_of_week": day, "work_day": 1 <= day <= 5, "time_open": 900, "time_close": 1700} for day in range(7)]
NIGHT = [{"day_of_week": day, "time_open": 600, "time_close": 2200, "invert": True} for day in range(7)]
TWICE = [
    {"day_of_week": 5, "time_open": 900, "time_close": 1200},
    {"day_of_week": 5, "time_open": 1300, "time_close": 1700},
]
LUNCH = [{"day_of_week": 5}, {"day_of_week": 5, "time_open": 1200, "time_close": 1300, "invert": True}]


@pytest.mark.parametrize(
    ("rows", "zone", "time", "expected"),
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
    client: SandboxClient, rows: list[dict[str, object]], zone: str, time: str, expected: bool
) -> None:
    """Office hours, night shifts with invert, several rows a day, days without a row."""
    target = client.target(time_zone=zone, **{HOURS: rows})
    assert client.control("GET", f"targets/{target['id']}/open?at={time}")["open"] is expected


def test_other_reasons_why_a_target_takes_no_calls(client: SandboxClient) -> None:
    """A pause, a full cap of the target or of its group, the concurrency cap."""
    target = client.target(tid="t", hard_cap_attributes={"cap": 2}, concurrency_cap=1)
    body = {"name": "g", "target_ids": [target["id"]], "daily_cap_attributes": {"cap": 3}}
    group = client.request("POST", "/target_groups.json", {"target_group": body})["target_group"]
    path = f"/targets/{target['id']}.json"

    def reason() -> str:
        return str(client.control("GET", f"targets/{target['id']}/open")["reason"])

    assert reason() == "open"
    client.control("POST", f"targets/{target['id']}/fill", {"type": "hard", "filled": 2})
    assert reason() == "hard cap reached"
    client.request("POST", f"/targets/{target['id']}/reset_cap.json")
    client.control("POST", f"target_groups/{group['id']}/fill", {"type": "daily", "filled": 3})
    assert reason() == "daily cap of group g reached"
    client.control("POST", "clock", {"advance": 86_400})
    client.control("POST", "calls_in_progress", {"target_id": target["id"], "calls_in_progress": 1})
    assert reason() == "concurrency cap reached"
    client.request("PUT", path, {"target": {"paused": True}})
    assert reason() == "paused"
    assert client.control("GET", "routing")["targets"][0]["reason"] == "paused"


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
def test_the_control_surface_refuses_invalid_requests(
    client: SandboxClient, method: str, path: str, body: object, status: int
) -> None:
    """The answer has an error message."""
    assert "error" in client.error(status, method, f"/__sandbox__/{path}", body, bare=True)


def test_a_fault_may_answer_with_json(client: SandboxClient) -> None:
    """A body given as an object is sent as JSON with its Content-Type."""
    client.control("POST", "faults", {"status": 422, "body": {"errors": {"name": ["is odd"]}}})
    answer = client.send("GET", "/company.json")
    assert answer.body == b'{"errors":{"name":["is odd"]}}'
    assert dict(answer.headers)["Content-Type"].startswith("application/json")


def test_calls_in_progress_are_counted_in_reports(demo: SandboxClient) -> None:
    """The demo has some, and their targets have the same calls_in_progress."""
    span = "created_at_start=2026-01-01&created_at_end=2026-02-01"
    rows = demo.request("GET", f"/api/v1/reports.json?domain=calls&facet=buyer&{span}&per_page=100")["data"]
    busy = {row["id"] for row in rows if row["in_progress_count"]}
    assert busy == {1, 2, 3}
    assert all(demo.request("GET", f"/targets/{row}.json")["target"]["calls_in_progress"] == 1 for row in busy)


def test_several_threads_may_use_one_sandbox(client: SandboxClient) -> None:
    """Each of many concurrent creates takes effect once."""
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda number: client.target(tid=str(number))["id"], range(200)))
    assert sorted(ids) == list(range(1, 201))
    assert len(client.control("GET", "requests")) == 200


def test_the_control_surface_has_an_index(client: SandboxClient) -> None:
    """An unknown path is 404, another method 405."""
    assert any("reset" in row for row in client.control("GET", "")["control"])
    client.error(404, "GET", "/__sandbox__/nothing", bare=True)
    client.error(405, "GET", "/__sandbox__/reset", bare=True)


def test_a_database_file_survives_a_restart(tmp_path: object) -> None:
    """Objects exist after the restart, and the demo is not loaded twice."""
    options = SandboxOptions(database=f"{tmp_path}/account.db", load="demo", wall=lambda: NOON)
    first = SandboxClient(Sandbox(options))
    created = first.target(tid="kept")
    first.sandbox.close()
    second = SandboxClient(Sandbox(options))
    assert second.request("GET", "/targets/tid/kept.json")["target"].items() <= created.items()
    assert created["id"] > 60
    second.sandbox.close()


def test_the_log_is_bounded_in_size() -> None:
    """Long requests take the place of older ones, so that a sandbox that runs for days does not grow."""
    log = RequestLog()
    body = b"x" * 10_000
    for number in range(4_000):
        log.add(Request("POST", "/targets.json", [("n", str(number))], {}, body), Answer(200, [], b""), 0)
    kept = log.since(0)
    assert sum(len(entry["body"]) for entry in kept) <= MAX_CHARACTERS
    assert kept[-1]["n"] == 4_000
    assert 3_000 < len(kept) < 3_300
    log.clear()
    log.add(Request("GET", "/targets.json", [], {}, b""), Answer(200, [], b""), 0)
    assert [entry["n"] for entry in log.since(0)] == [4_001]
