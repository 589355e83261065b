"""Keys, companies, formats, bodies, verbs and the older routes: what is refused and how."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http import bodies
from tests.sandbox.requests_to import NOON, Vendor

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("query", ["", "?api_key=wrong", "?api_key=&company_id=1", "?company_id=1"])
def test_a_wrong_or_missing_key_is_401(vendor: Vendor, query: str) -> None:
    """Whatever else the request says."""
    vendor.no(401, "GET", f"/targets.json{query}", bare=True)
    vendor.no(401, "GET", f"/company.json{query}", bare=True)


def test_the_company_must_be_one_of_the_keys(demo: Vendor) -> None:
    """A key of two companies must say which; a foreign one is 403; a key of one need not say."""
    demo.no(403, "GET", "/targets.json?api_key=sandbox-key", bare=True)
    demo.no(403, "GET", "/targets.json?company_id=9")
    demo.no(403, "GET", "/targets.json?company_id=one")
    demo.no(403, "GET", "/targets.json?api_key=sandbox-key-second&company_id=1", bare=True)
    assert demo.ask("GET", "/targets.json?api_key=sandbox-key-second", bare=True).status == 200


def test_companies_need_no_company_id(demo: Vendor) -> None:
    """The active company and the list are answered to the key alone."""
    active = demo.ask("GET", "/company.json?api_key=sandbox-key", bare=True)
    assert b'"id":1,' in active.body
    assert [one["company"]["id"] for one in demo.ok("GET", "/companies.json")] == [1, 2]
    demo.no(404, "GET", "/companies/3.json")


def test_formats(vendor: Vendor) -> None:
    """JSON and XML by extension, or by Accept without one; anything else is 406."""
    for path in ("/targets.html", "/targets", "/targets.csv"):
        vendor.no(406, "GET", path)
    assert vendor.ask("GET", "/targets", Accept="application/json").status == 200
    assert vendor.ask("GET", "/targets", Accept="text/xml").body.startswith(b"<?xml")
    assert vendor.ask("GET", "/targets.xml").body.startswith(b"<?xml")


def test_paths_and_verbs(vendor: Vendor) -> None:
    """An unknown path is 404, a known one with another verb 405 with Allow."""
    vendor.no(404, "GET", "/tarpits.json")
    answer = vendor.ask("DELETE", "/targets.json")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, POST")
    vendor.no(404, "GET", "/targets/none.json")
    vendor.no(404, "GET", f"/targets/{'9' * 40}.json")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"target": 3}',
        b'{"tarpit": {}}',
        b"",
        b'{"target": {"name": "\\ud800"}}',
        b'{"target": {"weight": NaN}}',
    ],
)
def test_unintelligible_bodies_are_400(vendor: Vendor, body: bytes) -> None:
    """Broken JSON, another kind of JSON, or no envelope."""
    vendor.no(400, "POST", "/targets.json", body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"target": {"id": {}, "hard_cap_attributes": 3, "number": "+18668987878"}}',
        b'{"target": {"number": "+18668987878", "business_hours_attributes": [{"id": {}}]}}',
        b'{"target": {"number": "+18668987878", "paused": "perhaps"}}',
        b'{"target": {"number": "+18668987878", "priority": 99999999999999999999}}',
    ],
)
def test_odd_values_are_422(vendor: Vendor, body: bytes) -> None:
    """A value of the wrong kind is refused, and the sandbox goes on."""
    vendor.no(422, "POST", "/targets.json", body)
    assert vendor.ok("GET", "/targets.json") == []


def test_forms_are_read_as_rails_reads_them(vendor: Vendor) -> None:
    """A form with nested names makes the same target; key and company may be in it too."""
    pairs = [
        ("api_key", "sandbox-key"),
        ("company_id", "1"),
        ("target[number]", "+18668987878"),
        ("target[hard_cap_attributes][cap]", "7"),
        ("target[business_hours_attributes][][day_of_week]", "1"),
        ("target[business_hours_attributes][][time_open]", "900"),
        ("target[business_hours_attributes][][day_of_week]", "2"),
    ]
    answer = vendor.ask("POST", "/targets.json", urlencode(pairs).encode(), bare=True, Content_Type=FORM)
    assert answer.status == 200
    made = vendor.ok("GET", "/targets/1.json")["target"]
    assert [(row["day_of_week"], row["time_open"]) for row in made["business_hours"]] == [(1, 900), (2, 0)]
    assert made["number"] == "+18668987878"


def test_the_documents_continued_lines_are_understood(vendor: Vendor) -> None:
    """A body with the shell's backslashes, as the vendor's examples have it."""
    body = b'{ \\\n "target": { \\   \n "number": "+18668987878" \\\n } }'
    assert vendor.ask("POST", "/targets.json", body).status == 200


def test_a_body_of_another_type_is_400(vendor: Vendor) -> None:
    """Neither JSON nor a form."""
    vendor.no(400, "POST", "/targets.json", b"<target/>", Content_Type="text/xml")


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=8)
_NESTED = st.recursive(_TEXT, lambda inner: st.dictionaries(_TEXT, inner, min_size=1, max_size=3), max_leaves=6)


def _pairs(value: object, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _pairs(inner, f"{name}[{key}]")]
    return [(name, str(value))]


@given(st.dictionaries(_TEXT, _NESTED, max_size=3))
def test_nested_forms_read_back_as_what_was_written(value: dict[str, object]) -> None:
    """Any nesting of objects survives the way through a form."""
    pairs = [pair for key, inner in value.items() for pair in _pairs(inner, key)]
    assert bodies.nest(pairs) == value


def test_older_routes_can_be_switched_off() -> None:
    """They answer 410, the current ones go on, and the older filter names are no longer read."""
    vendor = Vendor(Sandbox(SandboxOptions(legacy_routes=False, load="demo", wall=lambda: NOON)))
    gone = ["/calls.json", "/affiliates.json", "/affiliates/afid/0001.json", "/suppression_list/check.json"]
    for path in gone:
        vendor.no(410, "GET", path)
    vendor.no(410, "POST", "/contact_numbers/+18668987878/suppressed_number.json")
    for path in ("/api/v1/calls.json", "/api/v1/affiliates.json", "/suppressed_numbers/check.json"):
        vendor.ok("GET", path)
    assert len(vendor.ok("GET", "/numbers.json?cid=none")) == 25
    assert vendor.ok("GET", "/numbers.json?client_cid=none") == []
    vendor.sandbox.close()


def test_the_index_lists_the_routes(vendor: Vendor) -> None:
    """A reader who comes to / is told what there is, without a key."""
    shown = vendor.ok("GET", "/")
    assert {"method": "POST", "path": "/targets/{id}/reset_cap.json", "legacy": False, "needs": "company"} in shown[
        "routes"
    ]


def test_a_customers_id_may_hold_anything(vendor: Vendor) -> None:
    """Slashes, dots, blanks and percent signs in a tid are percent-encoded in the path."""
    made = vendor.target(tid="a/b. c%2F")
    assert vendor.ok("GET", "/targets/tid/a%2Fb.%20c%252F.json")["target"]["id"] == made["id"]


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
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=next(iter(options))):
        SandboxOptions(**options)  # type: ignore[arg-type]
