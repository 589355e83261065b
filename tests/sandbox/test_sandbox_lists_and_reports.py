"""Caller lists with keys of their own, and reports."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.sandbox.requests_to import Vendor, links


class Lists:
    """Talks to the caller lists of one target."""

    def __init__(self, vendor: Vendor, base: str, key: str = POSTBACK_KEY, secret: str = POSTBACK_SECRET) -> None:
        """Use ``key`` and ``secret`` on the lists under ``base``."""
        self._vendor, self._base, self._key, self._secret = vendor, base, key, secret

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request with the postback key."""
        joint = "&" if "?" in path else "?"
        bearer = {"Authorization": f"Bearer {self._secret}"}
        return self._vendor.ask(method, f"{self._base}{path}{joint}key={self._key}", body, bare=True, **bearer)

    def status(self, method: str, path: str, body: Any = None) -> int:
        """Send one request and give the status."""
        return self.ask(method, path, body).status

    def total(self, name: str) -> int:
        """Read a list's size from its Total header."""
        return int(dict(self.ask("GET", f"/{name}/caller_list_numbers.json").headers)["Total"])


@pytest.fixture
def lists(vendor: Vendor) -> Lists:
    """Give the caller lists of a new target, with a list named suppressed."""
    made = Lists(vendor, f"/api/v2/targets/{vendor.target()['id']}/caller_lists")
    assert made.status("POST", ".json", {"caller_list": {"name": "suppressed"}}) == 200
    return made


def test_numbers_come_and_go_on_a_list(lists: Lists) -> None:
    """A number is on the list after POST, present to a check, 404 after DELETE."""
    number = {"caller_list_number": {"number": "+18668987878"}}
    path, check = (
        "/suppressed/caller_list_numbers/%2B18668987878.json",
        {"caller_list_check": {"number": "8668987878"}},
    )
    assert lists.status("GET", path) == 404
    assert b"not-present" in lists.ask("POST", "/suppressed/caller_list_checks.json", check).body
    assert lists.status("POST", "/suppressed/caller_list_numbers.json", number) == 200
    assert lists.status("GET", path) == 200
    assert b'"present"' in lists.ask("POST", "/suppressed/caller_list_checks.json", check).body
    assert [lists.status("DELETE", path), lists.status("DELETE", path)] == [200, 404]
    assert lists.status("DELETE", "/suppressed.json") == 200
    assert lists.status("GET", "/suppressed.json") == 404


def test_a_list_is_paged_with_total_and_per_page(lists: Lists) -> None:
    """Newest first, up to a hundred a page, with Total, Per-Page and Link."""
    for number in range(3):
        body = {"caller_list_number": {"number": f"+1866898787{number}"}}
        lists.status("POST", "/suppressed/caller_list_numbers.json", body)
    answer = lists.ask("GET", "/suppressed/caller_list_numbers.json?per_page=2")
    headers = dict(answer.headers)
    assert (headers["Total"], headers["Per-Page"]) == ("3", "2")
    assert set(links(answer)) == {"last", "next"}
    assert answer.body.index(b"+18668987872") < answer.body.index(b"+18668987871")


def test_uploads_take_effect_later(vendor: Vendor, lists: Lists) -> None:
    """An upload is Processing, its numbers appear after the delay; clearing and deleting work too."""

    def upload(numbers: list[str], **more: Any) -> Answer:
        body = {"caller_list_upload": {"numbers": "\n".join(numbers), "action": "create", **more}}
        return lists.ask("POST", "/suppressed/caller_list_uploads.json", body)

    many = [f"+1866898{number}" for number in range(2000, 3000)]
    assert b'"status":"Processing"' in upload([*many, "nonsense"]).body
    assert lists.total("suppressed") == 0
    vendor.control("POST", "upload_delay", {"seconds": 10})
    vendor.control("POST", "clock", {"advance": 3})
    assert lists.total("suppressed") == 1000
    upload(many[:400], action="delete")
    vendor.control("POST", "clock", {"advance": 9})
    assert lists.total("suppressed") == 1000
    vendor.control("POST", "clock", {"advance": 1})
    assert lists.total("suppressed") == 600
    upload(many[:7], clear_before_upload=True)
    vendor.control("POST", "clock", {"advance": 10})
    assert lists.total("suppressed") == 7
    assert upload([]).status == upload(many, action="merge").status == 422


def test_lists_of_a_target_and_a_campaign_are_independent(vendor: Vendor, lists: Lists) -> None:
    """The same name on a campaign is another list; a name is taken once on each."""
    made = vendor.ok("POST", "/campaigns.json", {"campaign": {}})["campaign"]
    other = Lists(vendor, f"/api/v2/campaigns/{made['id']}/caller_lists")
    body = {"caller_list": {"name": "suppressed"}}
    assert other.status("GET", "/suppressed.json") == 404
    assert other.status("POST", ".json", body) == 200
    assert lists.status("POST", ".json", body) == 422
    assert b'"caller_listable_type":"Campaign"' in other.ask("GET", "/suppressed.json").body


def test_who_may_touch_caller_lists(vendor: Vendor) -> None:
    """401 for a wrong key or secret, 403 for a missing permission or another's key, 404 for no target."""
    first, second = vendor.target()["id"], vendor.target()["id"]
    base = f"/api/v2/targets/{first}/caller_lists"
    body = {"caller_list": {"name": "x"}}
    assert vendor.ask("POST", f"{base}.json", body).status == 401
    assert Lists(vendor, base, secret="wrong").status("POST", ".json", body) == 401
    assert Lists(vendor, "/api/v2/targets/999/caller_lists").status("POST", ".json", body) == 404

    def holder(*permissions: str) -> Lists:
        asked = {"key": "k", "secret": "s", "owner": "target", "owner_id": first, "permissions": permissions}
        vendor.control("POST", "postback_keys", asked)
        return Lists(vendor, base, "k", "s")

    assert holder("caller_list__create").status("POST", ".json", body) == 403
    assert holder("caller_list__show").status("POST", ".json", body) == 403
    assert holder("caller_list__show", "caller_list__create").status("POST", ".json", body) == 200
    assert Lists(vendor, f"/api/v2/targets/{second}/caller_lists", "k", "s").status("POST", ".json", body) == 403


def test_lists_decide_who_gets_through(vendor: Vendor, lists: Lists) -> None:
    """Suppressed shuts its callers out; accepted shuts out everybody else."""

    def takes(caller: str) -> bool:
        return bool(vendor.control("GET", f"targets/1/open?caller=%2B1866898787{caller}")["open"])

    lists.status("POST", "/suppressed/caller_list_numbers.json", {"caller_list_number": {"number": "+18668987871"}})
    assert [takes("1"), takes("2"), takes("3")] == [False, True, True]
    lists.status("POST", ".json", {"caller_list": {"name": "accepted-vip"}})
    lists.status("POST", "/accepted-vip/caller_list_numbers.json", {"caller_list_number": {"number": "+18668987872"}})
    assert [takes("1"), takes("2"), takes("3")] == [False, True, False]


SPAN = "created_at_start=2026-01-01T00:00:00Z&created_at_end=2026-02-01T00:00:00Z"


@pytest.mark.parametrize("facet", ["publisher", "buyer", "campaign", "number", "daily", "tag_value", "state"])
def test_every_facet_adds_up_to_the_same_calls(demo: Vendor, facet: str) -> None:
    """Each facet counts every call once, and its money is the calls' own."""
    rows: list[dict[str, Any]] = []
    while True:
        path = f"/api/v1/reports.json?domain=calls&facet={facet}&tag_value_key=source&{SPAN}&per_page=30"
        page = demo.ok("GET", f"{path}&page={len(rows) // 30 + 1}")
        rows += page["data"]
        assert page["count"] == len(page["data"])
        if len(rows) >= page["count_total"]:
            break
    assert sum(row["total_calls"] for row in rows) == 3000
    assert sum(row["unique_calls"] + row["duplicate_count"] for row in rows) == 3000
    calls = [
        one["call"] for page in range(1, 31) for one in demo.ok("GET", f"/api/v2/calls.json?per_page=100&page={page}")
    ]
    assert sum(row["revenue"] for row in rows) == pytest.approx(sum(call["revenue"] for call in calls))
    assert sum(row["converted_count"] for row in rows) == sum(call["converted"] for call in calls)


def test_days_are_the_companys_days(vendor: Vendor) -> None:
    """A call at 03:00 UTC belongs to the day before in New York."""
    vendor.control("POST", "calls", {"fields": {"created_at": "2026-01-05T03:00:00Z"}})
    report = vendor.ok("GET", f"/api/v1/reports.json?domain=calls&facet=daily&{SPAN}")
    assert [row["facet_name"] for row in report["data"]] == ["2026-01-04"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (f"domain=tags&facet=buyer&{SPAN}", "domain"),
        (f"domain=calls&facet=weekly&{SPAN}", "facet"),
        (f"domain=calls&facet=tag_value&{SPAN}", "tag_value_key"),
        ("domain=calls&facet=buyer&created_at_start=2026-01-01T00:00:00Z", "created_at_end"),
        ("domain=calls&facet=buyer&created_at_start=2026-02-01&created_at_end=2026-01-01", "created_at_start"),
        ("domain=calls&facet=buyer&created_at_start=2024-01-01&created_at_end=2026-01-02", "created_at_end"),
    ],
)
def test_bad_reports_are_refused_by_name(vendor: Vendor, query: str, field: str) -> None:
    """422 names the parameter: start before end, less than two years apart."""
    assert list(vendor.no(422, "GET", f"/api/v1/reports.json?{query}")["errors"]) == [field]
