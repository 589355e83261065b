"""Documented requests for contacts, suppressed and static numbers, and caller lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import caller_lists, contacts, static_caller_numbers, suppression
from tests.documents.account import PHONE
from tests.documents.case import CURRENT, LEGACY, Case, put

SUPPORT_CONTACT = {
    "tag_list": "<<<name:Retreaver Support>>>",
    "contact_numbers_attributes": [{"number": "8665550000", "description": "Landline"}],
}
INVALID = {"tag_list": "<<<name:Invalid Number>>>"}
CHANGED_NUMBER = {"contact_numbers_attributes": [{"id": 2, "number": "+18001234567"}]}
ON_TARGET, ON_CAMPAIGN = caller_lists.Owner(target_id=3), caller_lists.Owner(campaign_id=5)
CONTACTS = [
    Case(
        "Get all Contacts",
        "GET /contacts.json",
        contacts.list_contacts,
    ),
    Case(
        "Get a Specific Contact by ID",
        "GET /contacts/2.json",
        lambda: contacts.get_contact(id=2),
    ),
    Case(
        "Create a Contact",
        "POST /contacts.json",
        lambda: contacts.create_contact(SUPPORT_CONTACT),
        put("contact", SUPPORT_CONTACT),
    ),
    Case(
        "Update a Contact",
        "PUT /contacts/2.json",
        lambda: contacts.update_contact(CHANGED_NUMBER, id=2),
        put("contact", CHANGED_NUMBER),
    ),
    Case("Remove a Contact", "DELETE /contacts/2.json", lambda: contacts.delete_contact(id=2)),
    Case(
        "Get a specific Contact by phone number",
        f"GET /contact_numbers/{PHONE}/contact.json",
        lambda: contacts.get_contact(number=PHONE),
    ),
    Case(
        "Update a Contact by phone number",
        f"PUT /contact_numbers/{PHONE}/contact.json",
        lambda: contacts.update_contact(INVALID, number=PHONE),
        put("contact", INVALID),
    ),
    Case(
        "Delete a Contact by phone number",
        f"DELETE /contact_numbers/{PHONE}/contact.json",
        lambda: contacts.delete_contact(number=PHONE),
    ),
    Case(
        "Delete a Contact Number from a Contact by phone number",
        f"DELETE /contact_numbers/{PHONE}.json",
        lambda: contacts.delete_contact_number(PHONE),
    ),
    Case(
        "Update a Contact Number by phone number",
        f"PUT /contact_numbers/{PHONE}.json",
        lambda: contacts.update_contact_number({"number": "+18005551234"}, number=PHONE),
        put("contact_number", {"number": "+18005551234"}),
    ),
]
BLOCKED = put("suppressed_number", {"can_resubscribe": False})
PLACED = {"can_resubscribe": False, "campaign_id": "116dc0f6"}
SUPPRESSION = [
    Case(
        "Check whether or not you have any Suppressed Numbers, legacy",
        "GET /suppression_list/check.json",
        suppression.any_suppressed,
        editions=LEGACY,
    ),
    Case(
        "Check whether or not you have any Suppressed Numbers",
        "GET /suppressed_numbers/check.json",
        suppression.any_suppressed,
        editions=CURRENT,
    ),
    Case(
        "Delete a Contact Number from the Suppression List by phone number, legacy",
        f"DELETE /contact_numbers/{PHONE}/suppressed_number.json",
        lambda: suppression.unsuppress_number(PHONE),
        editions=LEGACY,
    ),
    Case(
        "Delete a suppressed number",
        f"DELETE /suppressed_numbers/{PHONE}.json",
        lambda: suppression.unsuppress_number(PHONE),
        editions=CURRENT,
    ),
    Case(
        "Suppress a Contact Number by phone number, legacy",
        f"POST /contact_numbers/{PHONE}/suppressed_number.json",
        lambda: suppression.suppress_number(PHONE, can_resubscribe=False),
        BLOCKED,
        editions=LEGACY,
    ),
    Case(
        "Suppress a number without a body, legacy",
        f"POST /contact_numbers/{PHONE}/suppressed_number.json",
        lambda: suppression.suppress_number(PHONE),
        editions=LEGACY,
    ),
    Case(
        "Suppress a number",
        f"POST /suppressed_numbers/{PHONE}.json",
        lambda: suppression.suppress_number(PHONE, can_resubscribe=False),
        BLOCKED,
        editions=CURRENT,
    ),
    Case(
        "List suppressed numbers",
        "GET /suppressed_numbers.json",
        suppression.list_suppressed_numbers,
        editions=CURRENT,
    ),
    Case(
        "Get a suppressed number",
        f"GET /suppressed_numbers/{PHONE}.json",
        lambda: suppression.get_suppressed_number(PHONE),
        editions=CURRENT,
    ),
    Case(
        "Change a suppressed number",
        f"PUT /suppressed_numbers/{PHONE}.json",
        lambda: suppression.update_suppressed_number(PHONE, **PLACED),
        PLACED,
        editions=CURRENT,
    ),
    Case(
        "Get all Static Caller Numbers",
        "GET /static_caller_numbers.json",
        static_caller_numbers.list_static_caller_numbers,
    ),
    Case(
        "Create a Static Caller Number",
        "POST /static_caller_numbers.json",
        lambda: static_caller_numbers.create_static_caller_number({"number": PHONE}),
        put("static_caller_number", {"number": PHONE}),
    ),
    Case(
        "Delete a Static Caller Number",
        "DELETE /static_caller_numbers/1234.json",
        lambda: static_caller_numbers.delete_static_caller_number(1234),
    ),
]


def list_cases(owner: caller_lists.Owner, base: str) -> list[Case]:
    """Return the documented requests for caller lists of one owner."""
    one = f"{base}/suppressed"
    upload = {"numbers": f"{PHONE}\n+18005551234", "action": "create", "clear_before_upload": False}
    documented: list[tuple[str, str, Callable[[], Operation[Any] | Listing], Any]] = [
        (
            "create",
            f"POST {base}.json",
            lambda: caller_lists.create_caller_list(owner, "vip"),
            put("caller_list", {"name": "vip"}),
        ),
        (
            "get",
            f"GET {one}.json",
            lambda: caller_lists.get_caller_list(owner, "suppressed"),
            None,
        ),
        ("delete", f"DELETE {one}.json", lambda: caller_lists.delete_caller_list(owner, "suppressed"), None),
        (
            "numbers",
            f"GET {one}/caller_list_numbers.json?per_page=100",
            lambda: caller_lists.list_caller_list_numbers(owner, "suppressed"),
            None,
        ),
        (
            "add",
            f"POST {one}/caller_list_numbers.json",
            lambda: caller_lists.add_caller_list_number(owner, "suppressed", "+18005551234"),
            put("caller_list_number", {"number": "+18005551234"}),
        ),
        (
            "is on it",
            f"GET {one}/caller_list_numbers/{PHONE}.json",
            lambda: caller_lists.get_caller_list_number(owner, "suppressed", PHONE),
            None,
        ),
        (
            "remove",
            f"DELETE {one}/caller_list_numbers/{PHONE}.json",
            lambda: caller_lists.remove_caller_list_number(owner, "suppressed", PHONE),
            None,
        ),
        (
            "check",
            f"POST {one}/caller_list_checks.json",
            lambda: caller_lists.check_caller_list(owner, "suppressed", PHONE),
            put("caller_list_check", {"number": PHONE}),
        ),
        (
            "upload",
            f"POST {one}/caller_list_uploads.json",
            lambda: caller_lists.upload_caller_list(owner, "suppressed", [PHONE, "+18005551234"], action="create"),
            put("caller_list_upload", upload),
        ),
    ]
    return [
        Case(
            f"Caller lists: {name} ({base})", request, make_operation, body, editions=CURRENT, uses_postback_key=True
        )
        for name, request, make_operation, body in documented
    ]
