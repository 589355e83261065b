"""Every documented example request: the client sends the same, and can read the answer.

Mistakes in the reference are noted and not repeated: a campaign's update with an affiliate's body, an address
`call.json` that serves nothing, a closing tag of another name, examples whose URL lacks the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_retreaver.core.operations import Listing
from airflow_provider_retreaver.domain.calls.fields import FIELDS
from airflow_provider_retreaver.resources import campaigns
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from airflow_provider_retreaver.transport.client import RetreaverClient
from tests.documents.account import KEY, Documented
from tests.documents.case import Case
from tests.documents.cases import CASES
from tests.documents.examples import EXAMPLES

# What is sent beyond an example: the company, which Retreaver recommends to send always, and the page.
ADDED_PARAMETERS = {"company_id", "page", "per_page"}
# Call data goes by POST, since a phone number would stand in the URL; PUT and PATCH confirm alike.
NOT_SENT = {("GET", "/data_writing/{}"), ("GET", "/data_writing"), ("PATCH", "/rtbs/{}.json")}
# The versions of the log are the same; the newest one is asked for.
SAME = {("GET", f"/api/v{version}/rtb_inbounds.json") for version in (2, 3, 4)}
IN_EDITION = [
    pytest.param(case, edition, id=f"{edition}: {case.heading}") for case in CASES for edition in case.editions
]


@pytest.fixture
def documented() -> Iterator[Documented]:
    """Give the account that the documents show."""
    account = Documented()
    yield account
    account.close()


def parts(case: Case) -> tuple[str, str, dict[str, str]]:
    """Return method, path and query of a documented request."""
    method, _, url = case.request.partition(" ")
    path, _, query = url.partition("?")
    return method, path, dict(pair.partition("=")[::2] for pair in unquote(query).split("&") if pair)


def without_second_names(body: Any) -> Any:
    """Return a body without the second name under which inverted hours are sent; the two must be equal."""
    rows = body.get("target", {}).get("business_hours_attributes", []) if isinstance(body, dict) else []
    assert [row.pop("inverted") for row in rows] == [row["invert"] for row in rows]
    return body


@pytest.mark.parametrize(("case", "edition"), IN_EDITION)
def test_the_client_sends_the_documented_request(documented, case, edition):
    """Method, path, query and JSON body are the documented ones, and the client can read the answer to them."""
    method, path, query = parts(case)
    with RetreaverClient(
        documented.settings(edition, case.version, case.postback_key), transport=documented
    ) as client:
        work = case.make_operation()
        result = list(client.iterate(work)) if isinstance(work, Listing) else client.run(work)
    wire = documented.sent[0]
    url = urlsplit(wire.url)
    sent = dict(parse_qsl(url.query, keep_blank_values=True))
    assert (wire.method, unquote(url.path)) == (method, path)
    assert url.netloc == case.host
    key = POSTBACK_KEY if case.uses_postback_key else case.postback_key
    credentials = {"api_key": KEY} if key is None else {"key": key}
    assert {
        name: value for name, value in sent.items() if name not in ADDED_PARAMETERS or name in query
    } == query | credentials
    assert wire.headers.get("Authorization") == (f"Bearer {POSTBACK_SECRET}" if case.uses_postback_key else None)
    assert (without_second_names(json.loads(wire.body)) if wire.body is not None else None) == case.body
    if isinstance(work, Listing) and "tag_value" not in case.request:
        assert result


def route_of(method: str, path: str) -> tuple[str, str]:
    """Return method and path without what names an object, so that all examples of one route are the same."""
    parts = re.split(r"([/.])", path)
    named = re.compile(r"[+]?[0-9]+|[0-9a-f-]{36}")
    keys = {"afid", "tid", "cid"}
    return method, "".join(
        "{}" if named.fullmatch(part) or parts[max(0, at - 2)] in keys else part for at, part in enumerate(parts)
    )


def test_every_documented_example_has_a_case() -> None:
    """No request of the reference is one that the client does not know, whatever objects and names it uses."""
    known = {route_of(*parts(case)[:2]) for case in CASES}
    missing = {
        route_of(example.method, example.url.partition("?")[0].replace(".xml", ".json"))
        for example in EXAMPLES
        if not example.uses_key_pair  # those of TrackDrive are in test_trackdrive.py
    } - known
    assert missing == NOT_SENT | SAME


def test_every_documented_field_of_a_call_has_a_column() -> None:
    """No documented field of any version of a call is kept among those that nobody knows."""
    answers = [example.answer for example in EXAMPLES if "/calls" in example.request and example.answer]
    rows = [row["call"] for answer in answers for row in (answer if isinstance(answer, list) else [answer])]
    assert len(rows) > 5
    assert {name for row in rows for name in row} <= set(FIELDS)


@pytest.mark.parametrize("path", ["/affiliates.xml", "/affiliates/afid/0002.xml", "/api/v1/affiliates.xml"])
def test_affiliates_as_xml(documented, path):
    """Affiliates come as XML with the documented elements, in lists and alone."""
    answer = documented.request("GET", f"{path}?api_key={KEY}&company_id=1")
    root = ET.fromstring(answer.body)  # noqa: S314 - the sandbox's own
    assert dict(answer.headers)["Content-Type"].partition(";")[0] == "application/xml"
    if not path.endswith("/0002.xml"):
        assert (root.tag, root.get("type")) == ("affiliates", "array")
    for one in [root] if root.tag == "affiliate" else root.findall("affiliate"):
        elements = {element.tag: element for element in one}
        assert {"afid", "first-name", "last-name", "company-name", "updated-at", "created-at"} <= elements.keys()
        assert elements["updated-at"].get("type", "").lower() == "datetime"


def test_campaign_is_not_updated_with_an_affiliates_body(documented):
    """A mistake in the reference: the sandbox refuses that body, and the client does not send it."""
    wrong_body = {"affiliate": {"first_name": "Nathan"}}
    url = f"/campaigns/cid/0044.json?api_key={KEY}&company_id=1"
    assert documented.request("PUT", url, wrong_body).status == 400
    assert campaigns.update_campaign({"name": "x"}, cid="0044").request.body == {"campaign": {"name": "x"}}


def test_examples_without_a_key_are_refused(documented):
    """Examples whose URL lacks the key answer 401, as the reference says."""
    assert documented.request("PUT", "/targets/22592.json", {"target": {"paused": True}}).status == 401


def test_address_of_the_authentication_example_serves_nothing(documented):
    """`call.json` is a mistake for `calls.json`."""
    assert documented.request("GET", f"/call.json?api_key={KEY}&company_id=1").status == 404
