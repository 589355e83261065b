"""Authorization, formats, bodies, methods and the older routes: which requests are refused and how."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http import bodies
from tests.sandbox.client import NOON, SandboxClient

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("query", ["", "?api_key=wrong", "?api_key=&company_id=1", "?company_id=1"])
def test_a_wrong_or_missing_key_is_401(client: SandboxClient, query: str) -> None:
    """Both with and without a company."""
    client.error(401, "GET", f"/targets.json{query}", bare=True)
    client.error(401, "GET", f"/company.json{query}", bare=True)


def test_the_company_must_belong_to_the_key(demo: SandboxClient) -> None:
    """A key of two companies needs company_id; a company of another key is 403; a key of one company needs none."""
    demo.error(403, "GET", "/targets.json?api_key=sandbox-key", bare=True)
    demo.error(403, "GET", "/targets.json?company_id=9")
    demo.error(403, "GET", "/targets.json?company_id=one")
    demo.error(403, "GET", "/targets.json?api_key=sandbox-key-second&company_id=1", bare=True)
    assert demo.send("GET", "/targets.json?api_key=sandbox-key-second", bare=True).status == 200


def test_companies_need_no_company_id(demo: SandboxClient) -> None:
    """The active company and the list of companies need only the key."""
    active = demo.send("GET", "/company.json?api_key=sandbox-key", bare=True)
    assert b'"id":1,' in active.body
    assert [row["company"]["id"] for row in demo.request("GET", "/companies.json")] == [1, 2]
    demo.error(404, "GET", "/companies/3.json")


def test_formats(client: SandboxClient) -> None:
    """JSON and XML by extension, or by Accept without one; anything else is 406."""
    for path in ("/targets.html", "/targets", "/targets.csv"):
        client.error(406, "GET", path)
    assert client.send("GET", "/targets", Accept="application/json").status == 200
    assert client.send("GET", "/targets", Accept="text/xml").body.startswith(b"<?xml")
    assert client.send("GET", "/targets.xml").body.startswith(b"<?xml")


def test_paths_and_methods(client: SandboxClient) -> None:
    """An unknown path is 404, a known one with another method 405 with Allow."""
    client.error(404, "GET", "/widgets.json")
    answer = client.send("DELETE", "/targets.json")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, POST")
    client.error(404, "GET", "/targets/none.json")
    client.error(404, "GET", f"/targets/{'9' * 40}.json")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"target": 3}',
        b'{"widget": {}}',
        b"",
        b'{"target": {"name": "\\ud800"}}',
        b'{"target": {"weight": NaN}}',
    ],
)
def test_unreadable_bodies_are_400(client: SandboxClient, body: bytes) -> None:
    """Broken JSON, JSON that is no object, or no envelope."""
    client.error(400, "POST", "/targets.json", body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"target": {"id": {}, "hard_cap_attributes": 3, "number": "+18668987878"}}',
        b'{"target": {"number": "+18668987878", "business_hours_attributes": [{"id": {}}]}}',
        b'{"target": {"number": "+18668987878", "paused": "perhaps"}}',
        b'{"target": {"number": "+18668987878", "priority": 99999999999999999999}}',
    ],
)
def test_values_of_the_wrong_type_are_422(client: SandboxClient, body: bytes) -> None:
    """The value is refused and nothing is created."""
    client.error(422, "POST", "/targets.json", body)
    assert client.request("GET", "/targets.json") == []


def test_forms_are_parsed_as_in_rails(client: SandboxClient) -> None:
    """A form with nested names creates a target; it may contain key and company too."""
    pairs = [
        ("api_key", "sandbox-key"),
        ("company_id", "1"),
        ("target[number]", "+18668987878"),
        ("target[hard_cap_attributes][cap]", "7"),
        ("target[business_hours_attributes][][day_of_week]", "1"),
        ("target[business_hours_attributes][][time_open]", "900"),
        ("target[business_hours_attributes][][day_of_week]", "2"),
    ]
    answer = client.send("POST", "/targets.json", urlencode(pairs).encode(), bare=True, Content_Type=FORM)
    assert answer.status == 200
    created = client.request("GET", "/targets/1.json")["target"]
    assert [(row["day_of_week"], row["time_open"]) for row in created["business_hours"]] == [(1, 900), (2, 0)]
    assert created["number"] == "+18668987878"


def test_continued_lines_of_the_documents_are_accepted(client: SandboxClient) -> None:
    """A JSON body with the shell's backslashes, as in Retreaver's examples."""
    body = b'{ \\\n "target": { \\   \n "number": "+18668987878" \\\n } }'
    assert client.send("POST", "/targets.json", body).status == 200


def test_a_body_of_another_type_is_400(client: SandboxClient) -> None:
    """XML is neither JSON nor a form."""
    client.error(400, "POST", "/targets.json", b"<target/>", Content_Type="text/xml")


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=8)
_NESTED = st.recursive(_TEXT, lambda inner: st.dictionaries(_TEXT, inner, min_size=1, max_size=3), max_leaves=6)


def _pairs(value: object, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _pairs(inner, f"{name}[{key}]")]
    return [(name, str(value))]


@given(st.dictionaries(_TEXT, _NESTED, max_size=3))
def test_nested_forms_round_trip(value: dict[str, object]) -> None:
    """Nested objects written as a form are parsed into the same objects."""
    pairs = [pair for key, inner in value.items() for pair in _pairs(inner, key)]
    assert bodies.nest(pairs) == value


def test_older_routes_can_be_switched_off() -> None:
    """They answer 410, the current routes still work, and the older filter names are ignored."""
    client = SandboxClient(Sandbox(SandboxOptions(legacy_routes=False, load="demo", wall=lambda: NOON)))
    older = ["/calls.json", "/affiliates.json", "/affiliates/afid/0001.json", "/suppression_list/check.json"]
    for path in older:
        client.error(410, "GET", path)
    client.error(410, "POST", "/contact_numbers/+18668987878/suppressed_number.json")
    for path in ("/api/v1/calls.json", "/api/v1/affiliates.json", "/suppressed_numbers/check.json"):
        client.request("GET", path)
    assert len(client.request("GET", "/numbers.json?cid=none")) == 25
    assert client.request("GET", "/numbers.json?client_cid=none") == []
    client.sandbox.close()


def test_the_index_lists_the_routes(client: SandboxClient) -> None:
    """GET / needs no key."""
    index = client.request("GET", "/")
    assert {"method": "POST", "path": "/targets/{id}/reset_cap.json", "legacy": False, "needs": "company"} in index[
        "routes"
    ]


def test_a_customer_id_may_contain_any_character(client: SandboxClient) -> None:
    """Slashes, dots, blanks and percent signs of a tid are percent-encoded in the path."""
    created = client.target(tid="a/b. c%2F")
    assert client.request("GET", "/targets/tid/a%2Fb.%20c%252F.json")["target"]["id"] == created["id"]


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": " "},
        {"company_id": 0},
        {"load": "full"},
        {"fault_rate": 2},
        {"latency_ms": -1},
        {"rate_limit": 0},
        {"max_concurrency": 0},
    ],
)
def test_invalid_options_are_refused(options: dict[str, object]) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=next(iter(options))):
        SandboxOptions(**options)  # type: ignore[arg-type]
