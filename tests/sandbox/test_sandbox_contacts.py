"""Contacts by ID and by phone number, suppression by both sets of routes, static caller numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import SandboxClient


def contact(client: SandboxClient, *numbers: str) -> dict[str, Any]:
    """Create a contact."""
    rows = [{"number": row, "description": "Landline"} for row in numbers]
    body = {"tag_list": "<<<name:Retreaver Support>>>", "contact_numbers_attributes": rows}
    return dict(client.request("POST", "/contacts.json", {"contact": body})["contact"])


def test_contacts_as_documented(client: SandboxClient) -> None:
    """Ten digits become E.164, a number is changed by its ID, numbers are unique and required."""
    created = contact(client, "8668987878")
    row = created["contact_numbers"][0]
    assert (row["number"], row["description"]) == ("+18668987878", "Landline")
    assert created["tag_values"][0]["value"] == "Retreaver Support"
    body = {"contact": {"contact_numbers_attributes": [{"id": row["id"], "number": "+18001234567"}]}}
    changed = client.request("PUT", f"/contacts/{created['id']}.json", body)["contact"]
    assert changed["contact_numbers"] == [{**row, "number": "+18001234567"}]
    again = {"contact": {"contact_numbers_attributes": [{"number": "+18001234567"}]}}
    assert "contact_numbers.number" in client.error(422, "POST", "/contacts.json", again)["errors"]
    assert "contact_numbers" in client.error(422, "POST", "/contacts.json", {"contact": {"tag_list": ""}})["errors"]


@pytest.mark.parametrize("phone", ["+18001234567", "%2B18001234567"])
def test_a_phone_number_in_a_path_may_be_encoded_or_not(client: SandboxClient, phone: str) -> None:
    """Both + and %2B in a path are a plus."""
    contact(client, "+18001234567")
    path = f"/contact_numbers/{phone}/contact.json"
    assert client.request("GET", path)["contact"]["contact_numbers"][0]["number"] == "+18001234567"
    body = {"contact": {"tag_list": "<<<name:Invalid Number>>>"}}
    assert client.request("PUT", path, body)["contact"]["tag_values"][0]["value"] == "Invalid Number"
    client.request("DELETE", path)
    client.error(404, "GET", path)


def test_a_contact_keeps_at_least_one_number(client: SandboxClient) -> None:
    """The last number cannot be deleted; a change by number answers that number only."""
    contact(client, "+18001234567", "+18668987878")
    client.request("DELETE", "/contact_numbers/+18668987878.json")
    client.error(422, "DELETE", "/contact_numbers/+18001234567.json")
    body = {"contact_number": {"number": "+18005551234"}}
    result = client.request("PUT", "/contact_numbers/+18001234567.json", body)["contact_number"]
    assert (result["number"], result["description"]) == ("+18005551234", "Landline")
    client.error(404, "PUT", "/contact_numbers/+18001234567.json", body)


def test_suppression_by_the_current_routes(client: SandboxClient) -> None:
    """They add with or without a body, answer without an envelope, list, change and remove."""
    campaign = client.request("POST", "/campaigns.json", {"campaign": {"cid": "116dc0f6"}})["campaign"]
    assert client.request("GET", "/suppressed_numbers/check.json") == {"suppressed_numbers_exist": False}
    added = client.request("POST", "/suppressed_numbers/%2B18668987878.json")
    assert added.keys() >= {"id", "company_id", "affiliate_id", "campaign_id", "number"}
    assert added["can_resubscribe"] is True
    wrapped = {"suppressed_number": {"can_resubscribe": False}}
    assert client.request("POST", "/suppressed_numbers/%2B18668987879.json", wrapped)["can_resubscribe"] is False
    assert client.request("GET", "/suppressed_numbers/check.json") == {"suppressed_numbers_exist": True}
    bare = {"can_resubscribe": False, "campaign_id": "116dc0f6"}
    client.request("PUT", "/suppressed_numbers/%2B18668987878.json", bare)
    result = client.request("GET", "/suppressed_numbers/+18668987878.json")["suppressed_number"]
    assert (result["can_resubscribe"], result["cid"], result["company_id"]) == (False, campaign["id"], 1)
    other = client.request("GET", "/suppressed_numbers/+18668987879.json")["suppressed_number"]
    assert "cid" not in other
    numbers = [row["suppressed_number"]["number"] for row in client.request("GET", "/suppressed_numbers.json")]
    assert numbers == ["+18668987878", "+18668987879"]
    client.request("DELETE", "/suppressed_numbers/+18668987878.json")
    client.error(404, "DELETE", "/suppressed_numbers/+18668987878.json")
    client.error(422, "POST", "/suppressed_numbers/12.json")


def test_suppressing_twice_leaves_one_entry(client: SandboxClient) -> None:
    """A second POST changes the entry of the first."""
    first = client.request("POST", "/suppressed_numbers/%2B18668987878.json")
    wrapped = {"suppressed_number": {"can_resubscribe": False}}
    second = client.request("POST", "/suppressed_numbers/%2B18668987878.json", wrapped)
    assert (second["id"], second["can_resubscribe"]) == (first["id"], False)
    assert len(client.request("GET", "/suppressed_numbers.json")) == 1


def test_suppression_by_the_older_routes(client: SandboxClient) -> None:
    """The answer has an envelope, no contact is needed, and both sets of routes share one list."""
    path = "/contact_numbers/+18668987878/suppressed_number.json"
    body = {"suppressed_number": {"can_resubscribe": False}}
    result = client.request("POST", path, body)["suppressed_number"]
    assert result.keys() == {"id", "number", "can_resubscribe", "created_at"}
    assert client.request("GET", "/suppression_list/check.json") == {"suppression_list": True}
    assert client.request("GET", "/suppressed_numbers/+18668987878.json")["suppressed_number"]["id"] == result["id"]
    client.request("DELETE", path)
    client.error(404, "DELETE", path)


def test_static_caller_numbers(client: SandboxClient) -> None:
    """They can be listed, created and deleted, not read or changed."""
    body = {"static_caller_number": {"number": "+18668987878"}}
    created = client.request("POST", "/static_caller_numbers.json", body)["static_caller_number"]
    assert client.request("GET", "/static_caller_numbers.json") == [{"static_caller_number": created}]
    client.error(422, "POST", "/static_caller_numbers.json", body)
    client.error(405, "GET", f"/static_caller_numbers/{created['id']}.json")
    client.request("DELETE", f"/static_caller_numbers/{created['id']}.json")
    assert client.request("GET", "/static_caller_numbers.json") == []
