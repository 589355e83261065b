"""Contacts by id and by phone number, suppression by both route sets, static callers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.requests_to import Vendor


def contact(vendor: Vendor, *numbers: str) -> dict[str, Any]:
    """Make a contact."""
    rows = [{"number": one, "description": "Landline"} for one in numbers]
    body = {"tag_list": "<<<name:Retreaver Support>>>", "contact_numbers_attributes": rows}
    return dict(vendor.ok("POST", "/contacts.json", {"contact": body})["contact"])


def test_contacts_as_documented(vendor: Vendor) -> None:
    """Ten digits become E.164, a number changes with its id, numbers are unique and required."""
    made = contact(vendor, "8668987878")
    row = made["contact_numbers"][0]
    assert (row["number"], row["description"]) == ("+18668987878", "Landline")
    assert made["tag_values"][0]["value"] == "Retreaver Support"
    body = {"contact": {"contact_numbers_attributes": [{"id": row["id"], "number": "+18001234567"}]}}
    changed = vendor.ok("PUT", f"/contacts/{made['id']}.json", body)["contact"]
    assert changed["contact_numbers"] == [{**row, "number": "+18001234567"}]
    again = {"contact": {"contact_numbers_attributes": [{"number": "+18001234567"}]}}
    assert "contact_numbers.number" in vendor.no(422, "POST", "/contacts.json", again)["errors"]
    assert "contact_numbers" in vendor.no(422, "POST", "/contacts.json", {"contact": {"tag_list": ""}})["errors"]


@pytest.mark.parametrize("written", ["+18001234567", "%2B18001234567"])
def test_a_phone_number_in_a_path_may_be_encoded_or_not(vendor: Vendor, written: str) -> None:
    """A plus in a path is a plus, and so is %2B."""
    contact(vendor, "+18001234567")
    path = f"/contact_numbers/{written}/contact.json"
    assert vendor.ok("GET", path)["contact"]["contact_numbers"][0]["number"] == "+18001234567"
    body = {"contact": {"tag_list": "<<<name:Invalid Number>>>"}}
    assert vendor.ok("PUT", path, body)["contact"]["tag_values"][0]["value"] == "Invalid Number"
    vendor.ok("DELETE", path)
    vendor.no(404, "GET", path)


def test_a_contact_keeps_at_least_one_number(vendor: Vendor) -> None:
    """A number is deleted only while there is another; a change by number is shown unwrapped from others."""
    contact(vendor, "+18001234567", "+18668987878")
    vendor.ok("DELETE", "/contact_numbers/+18668987878.json")
    vendor.no(422, "DELETE", "/contact_numbers/+18001234567.json")
    body = {"contact_number": {"number": "+18005551234"}}
    shown = vendor.ok("PUT", "/contact_numbers/+18001234567.json", body)["contact_number"]
    assert (shown["number"], shown["description"]) == ("+18005551234", "Landline")
    vendor.no(404, "PUT", "/contact_numbers/+18001234567.json", body)


def test_suppression_by_the_current_routes(vendor: Vendor) -> None:
    """Added with or without a body and answered bare; listed, changed unwrapped, removed."""
    vendor.ok("POST", "/campaigns.json", {"campaign": {"cid": "116dc0f6"}})
    assert vendor.ok("GET", "/suppressed_numbers/check.json") == {"suppressed_numbers_exist": False}
    added = vendor.ok("POST", "/suppressed_numbers/%2B18668987878.json")
    assert added.keys() >= {"id", "company_id", "affiliate_id", "campaign_id", "number"}
    assert added["can_resubscribe"] is True
    wrapped = {"suppressed_number": {"can_resubscribe": False}}
    assert vendor.ok("POST", "/suppressed_numbers/%2B18668987879.json", wrapped)["can_resubscribe"] is False
    assert vendor.ok("GET", "/suppressed_numbers/check.json") == {"suppressed_numbers_exist": True}
    bare = {"can_resubscribe": False, "campaign_id": "116dc0f6"}
    vendor.ok("PUT", "/suppressed_numbers/%2B18668987878.json", bare)
    shown = vendor.ok("GET", "/suppressed_numbers/+18668987878.json")["suppressed_number"]
    assert (shown["can_resubscribe"], shown["cid"], shown["company_id"]) == (False, "116dc0f6", 1)
    listed = [one["suppressed_number"]["number"] for one in vendor.ok("GET", "/suppressed_numbers.json")]
    assert listed == ["+18668987878", "+18668987879"]
    vendor.ok("DELETE", "/suppressed_numbers/+18668987878.json")
    vendor.no(404, "DELETE", "/suppressed_numbers/+18668987878.json")
    vendor.no(422, "POST", "/suppressed_numbers/12.json")


def test_suppressing_twice_is_suppressing_once(vendor: Vendor) -> None:
    """A second POST leaves one entry, with what it says."""
    first = vendor.ok("POST", "/suppressed_numbers/%2B18668987878.json")
    wrapped = {"suppressed_number": {"can_resubscribe": False}}
    second = vendor.ok("POST", "/suppressed_numbers/%2B18668987878.json", wrapped)
    assert (second["id"], second["can_resubscribe"]) == (first["id"], False)
    assert len(vendor.ok("GET", "/suppressed_numbers.json")) == 1


def test_suppression_by_the_older_routes(vendor: Vendor) -> None:
    """The answer is wrapped, no contact is needed, and both route sets see one list."""
    path = "/contact_numbers/+18668987878/suppressed_number.json"
    body = {"suppressed_number": {"can_resubscribe": False}}
    shown = vendor.ok("POST", path, body)["suppressed_number"]
    assert shown.keys() == {"id", "number", "can_resubscribe", "created_at"}
    assert vendor.ok("GET", "/suppression_list/check.json") == {"suppression_list": True}
    assert vendor.ok("GET", "/suppressed_numbers/+18668987878.json")["suppressed_number"]["id"] == shown["id"]
    vendor.ok("DELETE", path)
    vendor.no(404, "DELETE", path)


def test_static_caller_numbers(vendor: Vendor) -> None:
    """They are listed, made and deleted, and nothing else."""
    body = {"static_caller_number": {"number": "+18668987878"}}
    made = vendor.ok("POST", "/static_caller_numbers.json", body)["static_caller_number"]
    assert vendor.ok("GET", "/static_caller_numbers.json") == [{"static_caller_number": made}]
    vendor.no(422, "POST", "/static_caller_numbers.json", body)
    vendor.no(405, "GET", f"/static_caller_numbers/{made['id']}.json")
    vendor.ok("DELETE", f"/static_caller_numbers/{made['id']}.json")
    assert vendor.ok("GET", "/static_caller_numbers.json") == []
