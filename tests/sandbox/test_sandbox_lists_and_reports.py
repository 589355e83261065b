"""Caller lists, which have their own keys, and reports."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.sandbox.client import SandboxClient, links


class CallerListClient:
    """Sends requests to the caller lists of one target or campaign."""

    def __init__(
        self, client: SandboxClient, base: str, key: str = POSTBACK_KEY, secret: str = POSTBACK_SECRET
    ) -> None:
        self._vendor, self._base, self._key, self._secret = client, base, key, secret

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request with the postback key."""
        separator = "&" if "?" in path else "?"
        bearer = {"Authorization": f"Bearer {self._secret}"}
        return self._vendor.send(method, f"{self._base}{path}{separator}key={self._key}", body, bare=True, **bearer)

    def status(self, method: str, path: str, body: Any = None) -> int:
        """Send a request and return the status of its answer."""
        return self.send(method, path, body).status

    def total(self, name: str) -> int:
        """Return a list's size, from the Total header."""
        return int(dict(self.send("GET", f"/{name}/caller_list_numbers.json").headers)["Total"])


@pytest.fixture
def lists(client: SandboxClient) -> CallerListClient:
    """Create a client of the caller lists of a new target, with a list named suppressed."""
    created = CallerListClient(client, f"/api/v2/targets/{client.target()['id']}/caller_lists")
    assert created.status("POST", ".json", {"caller_list": {"name": "suppressed"}}) == 200
    return created


def test_numbers_can_be_added_to_a_list_and_removed(lists: CallerListClient) -> None:
    """After POST a number can be read and a check finds it; after DELETE it is 404."""
    number = {"caller_list_number": {"number": "+18668987878"}}
    path, check = (
        "/suppressed/caller_list_numbers/%2B18668987878.json",
        {"caller_list_check": {"number": "8668987878"}},
    )
    assert lists.status("GET", path) == 404
    assert b"not-present" in lists.send("POST", "/suppressed/caller_list_checks.json", check).body
    assert lists.status("POST", "/suppressed/caller_list_numbers.json", number) == 200
    assert lists.status("GET", path) == 200
    assert b'"present"' in lists.send("POST", "/suppressed/caller_list_checks.json", check).body
    assert [lists.status("DELETE", path), lists.status("DELETE", path)] == [200, 404]
    assert lists.status("DELETE", "/suppressed.json") == 200
    assert lists.status("GET", "/suppressed.json") == 404


def test_a_list_is_paged_with_total_and_per_page(lists: CallerListClient) -> None:
    """Newest first, with Total, Per-Page and Link."""
    for number in range(3):
        body = {"caller_list_number": {"number": f"+1866898787{number}"}}
        lists.status("POST", "/suppressed/caller_list_numbers.json", body)
    answer = lists.send("GET", "/suppressed/caller_list_numbers.json?per_page=2")
    headers = dict(answer.headers)
    assert (headers["Total"], headers["Per-Page"]) == ("3", "2")
    assert set(links(answer)) == {"last", "next"}
    assert answer.body.index(b"+18668987872") < answer.body.index(b"+18668987871")


def test_uploads_take_effect_later(client: SandboxClient, lists: CallerListClient) -> None:
    """An upload is Processing, its numbers appear after the delay; it can clear the list and delete numbers."""

    def upload(numbers: list[str], **more: Any) -> Answer:
        body = {"caller_list_upload": {"numbers": "\n".join(numbers), "action": "create", **more}}
        return lists.send("POST", "/suppressed/caller_list_uploads.json", body)

    many = [f"+1866898{number}" for number in range(2000, 3000)]
    assert b'"status":"Processing"' in upload([*many, "nonsense"]).body
    assert lists.total("suppressed") == 0
    client.control("POST", "upload_delay", {"seconds": 10})
    client.control("POST", "clock", {"advance": 3})
    assert lists.total("suppressed") == 1000
    upload(many[:400], action="delete")
    client.control("POST", "clock", {"advance": 9})
    assert lists.total("suppressed") == 1000
    client.control("POST", "clock", {"advance": 1})
    assert lists.total("suppressed") == 600
    upload(many[:7], clear_before_upload=True)
    client.control("POST", "clock", {"advance": 10})
    assert lists.total("suppressed") == 7
    assert upload([]).status == upload(many, action="merge").status == 422


def test_lists_of_a_target_and_a_campaign_are_independent(client: SandboxClient, lists: CallerListClient) -> None:
    """The same name on a campaign is another list; on each owner a name is unique."""
    created = client.request("POST", "/campaigns.json", {"campaign": {}})["campaign"]
    other = CallerListClient(client, f"/api/v2/campaigns/{created['id']}/caller_lists")
    body = {"caller_list": {"name": "suppressed"}}
    assert other.status("GET", "/suppressed.json") == 404
    assert other.status("POST", ".json", body) == 200
    assert lists.status("POST", ".json", body) == 422
    assert b'"caller_listable_type":"Campaign"' in other.send("GET", "/suppressed.json").body


def test_permissions_of_caller_lists(client: SandboxClient) -> None:
    """401 for a wrong key or secret, 403 for a missing permission or the key of another target, 404 for no target."""
    first, second = client.target()["id"], client.target()["id"]
    base = f"/api/v2/targets/{first}/caller_lists"
    body = {"caller_list": {"name": "x"}}
    assert client.send("POST", f"{base}.json", body).status == 401
    assert CallerListClient(client, base, secret="wrong").status("POST", ".json", body) == 401
    assert CallerListClient(client, "/api/v2/targets/999/caller_lists").status("POST", ".json", body) == 404

    def with_permissions(*permissions: str) -> CallerListClient:
        key = {"key": "k", "secret": "s", "owner": "target", "owner_id": first, "permissions": permissions}
        client.control("POST", "postback_keys", key)
        return CallerListClient(client, base, "k", "s")

    assert with_permissions("caller_list__create").status("POST", ".json", body) == 403
    assert with_permissions("caller_list__show").status("POST", ".json", body) == 403
    assert with_permissions("caller_list__show", "caller_list__create").status("POST", ".json", body) == 200
    assert (
        CallerListClient(client, f"/api/v2/targets/{second}/caller_lists", "k", "s").status("POST", ".json", body)
        == 403
    )


def test_lists_decide_which_callers_a_target_takes(client: SandboxClient, lists: CallerListClient) -> None:
    """Callers on suppressed are refused; with an accept list only its callers are taken."""

    def takes(caller: str) -> bool:
        return bool(client.control("GET", f"targets/1/open?caller=%2B1866898787{caller}")["open"])

    lists.status("POST", "/suppressed/caller_list_numbers.json", {"caller_list_number": {"number": "+18668987871"}})
    assert [takes("1"), takes("2"), takes("3")] == [False, True, True]
    lists.status("POST", ".json", {"caller_list": {"name": "accepted-vip"}})
    lists.status("POST", "/accepted-vip/caller_list_numbers.json", {"caller_list_number": {"number": "+18668987872"}})
    assert [takes("1"), takes("2"), takes("3")] == [False, True, False]


SPAN = "created_at_start=2026-01-01T00:00:00Z&created_at_end=2026-02-01T00:00:00Z"


REPORT = f"/api/v1/reports.json?domain=calls&{SPAN}"


@pytest.mark.parametrize("facet", ["publisher", "buyer", "campaign", "number", "daily", "tag_value", "state"])
def test_the_rows_of_every_facet_add_up_to_all_calls(demo: SandboxClient, facet: str) -> None:
    """Each facet counts every call once, and its amounts are the sums of the calls' amounts."""
    rows: list[dict[str, Any]] = []
    number = 1
    while page := demo.request("GET", f"{REPORT}&facet={facet}&tag_value_key=source&per_page=30&page={number}"):
        rows += page["data"]
        assert page["count"] == sum(row["total_calls"] for row in page["data"])
        assert page["count_total"] == 3000
        if len(page["data"]) < 30:
            break
        number += 1
    assert sum(row["total_calls"] for row in rows) == 3000
    assert sum(row["unique_calls"] + row["duplicate_count"] for row in rows) == 3000
    calls = [
        row["call"]
        for page in range(1, 31)
        for row in demo.request("GET", f"/api/v2/calls.json?per_page=100&page={page}")
    ]
    assert sum(row["revenue"] for row in rows) == pytest.approx(sum(call["revenue"] or 0 for call in calls))
    assert sum(row["converted_count"] for row in rows) == sum(call["converted"] for call in calls)


def test_a_report_without_a_tag_is_one_by_the_names_of_tags(client: SandboxClient) -> None:
    """Each call counts for each of its tags; a tag that no call has gives no rows, without an error."""
    for tags in ({"source": "web", "geo": "us"}, {"source": "tv"}):
        client.control("POST", "calls", {"fields": {"tags": tags}})
    by_name = client.request("GET", f"{REPORT}&facet=tag_value")
    assert {row["id"]: row["total_calls"] for row in by_name["data"]} == {"source": 2, "geo": 1}
    by_value = client.request("GET", f"{REPORT}&facet=tag_value&tag_value_key=source")
    assert {row["facet_name"] for row in by_value["data"]} == {"web", "tv"}
    unknown = client.request("GET", f"{REPORT}&facet=tag_value&tag_value_key=other")
    assert unknown == {"count": 0, "count_total": 0, "data": []}


def test_rescued_calls_and_averages_of_a_report(client: SandboxClient) -> None:
    """Counts come as floats, durations as averages, percentages under the documented names."""
    for rescued, seconds in ((1, 30), (0, 60)):
        fields = {"rescued": rescued, "total_duration": seconds, "revenue": 4, "repeat": 1, "converted": rescued}
        client.control("POST", "calls", {"fields": fields})
    (row,) = client.request("GET", f"{REPORT}&facet=daily")["data"]
    assert (row["rescued_count"], row["rescued_count_percent"], row["rescued_revenue"]) == (1.0, 50.0, 4.0)
    assert (row["total_duration"], row["total_duration_percent"]) == (45.0, 100.0)
    assert (row["repeat_count_percent"], row["converted_count_percent"]) == (100.0, 50.0)
    assert isinstance(row["repeat_count"], float)
    assert isinstance(row["total_calls"], int)


def test_days_are_in_the_companys_zone(client: SandboxClient) -> None:
    """A call at 03:00 UTC belongs to the previous day in New York."""
    client.control("POST", "calls", {"fields": {"created_at": "2026-01-05T03:00:00Z"}})
    report = client.request("GET", f"/api/v1/reports.json?domain=calls&facet=daily&{SPAN}")
    assert [row["facet_name"] for row in report["data"]] == ["2026-01-04"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (f"domain=tags&facet=buyer&{SPAN}", "domain"),
        (f"domain=calls&facet=weekly&{SPAN}", "facet"),
        ("domain=calls&facet=buyer&created_at_start=2026-01-01T00:00:00Z", "created_at_end"),
        ("domain=calls&facet=buyer&created_at_start=2026-02-01&created_at_end=2026-01-01", "created_at_start"),
        ("domain=calls&facet=buyer&created_at_start=2024-01-01&created_at_end=2026-01-02", "created_at_end"),
    ],
)
def test_invalid_report_parameters_are_refused_by_name(client: SandboxClient, query: str, field: str) -> None:
    """422 names the parameter; the start must be before the end, by less than two years."""
    assert list(client.error(422, "GET", f"/api/v1/reports.json?{query}")["errors"]) == [field]
