"""Every documented example request: the client sends the same, and the sandbox answers it with every documented key.

Mistakes in the reference are noted and not repeated: a campaign's update with an affiliate's body, an address
`call.json` that serves nothing, a closing tag of another name, an attribute `inverted` that every example calls
`invert`, examples whose URL lacks the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_retreaver.core.operations import Listing
from airflow_provider_retreaver.resources import campaigns
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from airflow_provider_retreaver.transport.client import RetreaverClient
from tests.documents.account import KEY, PHONE, Documented
from tests.documents.case import Case
from tests.documents.cases import CASES
from tests.documents.shapes import missing_keys

# What is sent beyond an example: the company, which Retreaver recommends to send always, and the page.
ADDED_PARAMETERS = {"company_id", "page", "per_page"}
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


@pytest.mark.parametrize(("case", "edition"), IN_EDITION)
def test_the_client_sends_the_documented_request(documented, case, edition):
    """Method, path, query and JSON body are the documented ones, and the client can read the answer to them."""
    method, path, query = parts(case)
    with RetreaverClient(documented.settings(edition, case.version), transport=documented) as client:
        work = case.make_operation()
        result = list(client.iterate(work)) if isinstance(work, Listing) else client.run(work)
    wire = documented.sent[0]
    url = urlsplit(wire.url)
    sent = dict(parse_qsl(url.query, keep_blank_values=True))
    assert (wire.method, unquote(url.path)) == (method, path)
    assert url.netloc == "api.retreaver.com"
    credentials = {"key": POSTBACK_KEY} if case.uses_postback_key else {"api_key": KEY}
    assert {
        name: value for name, value in sent.items() if name not in ADDED_PARAMETERS or name in query
    } == query | credentials
    assert wire.headers.get("Authorization") == (f"Bearer {POSTBACK_SECRET}" if case.uses_postback_key else None)
    assert (json.loads(wire.body) if wire.body is not None else None) == case.body
    if isinstance(case.answer, list):
        assert result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.heading)
def test_sandbox_answers_the_documented_request(documented, case):
    """The request as it is documented is answered with success and with every documented key."""
    method, _, url = case.request.partition(" ")
    ask = documented.send_with_postback_key if case.uses_postback_key else documented.send_with_api_key
    answer = ask(method, url, case.body)
    assert answer.status in {200, 201, 204}, answer
    if case.answer is not None:
        assert missing_keys(json.loads(answer.body), case.answer) == []


def test_missing_keys_are_found():
    """The comparison of answers with documented shapes notices what is missing."""
    shape = [{"timer": {"id": None, "url": None}}]
    assert missing_keys([{"timer": {"id": 1, "url": "x", "more": 2}}], shape) == []
    assert missing_keys([{"timer": {"id": 1}}], shape) == ["answer[].timer.url"]
    assert missing_keys([], shape) == ["answer is empty"]
    assert missing_keys({"timer": 1}, shape) == ["answer is not an array"]
    assert missing_keys([{"id": 1}, {"timer": {}}], [{"id": None, "url": None}]) == [
        "answer[].url",
        "answer[].id",
        "answer[].url",
    ]


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


def test_both_names_of_the_inverted_hours(documented):
    """The parameter table has `inverted`, every example has `invert`: both are accepted, and `invert` is sent."""
    row = {"day_of_week": 1, "time_open": 600, "time_close": 2200, "inverted": True}
    body = {"target": {"number": PHONE, "business_hours_attributes": [row]}}
    answer = documented.request("POST", f"/targets.json?api_key={KEY}&company_id=1", body)
    assert json.loads(answer.body)["target"]["business_hours"][0]["invert"] is True
