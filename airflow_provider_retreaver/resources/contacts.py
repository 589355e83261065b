"""Contacts: people and their phone numbers (vendor's reference: "Contacts", "Contact Numbers")."""

from __future__ import annotations

from typing import Any, TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_item, read_nothing
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything, read_update
from airflow_provider_retreaver.resources.targets import TagValue


class ContactNumber(TypedDict, total=False):
    """One phone number of a contact."""

    id: int
    number: str
    description: str | None


class Contact(TypedDict, total=False):
    """A contact as the vendor sends it; further keys may be present."""

    id: int
    contact_numbers: list[ContactNumber]
    tag_values: list[TagValue]


def contact_numbers(value: Any, name: str) -> None:
    """Refuse contact numbers without a number; a row with an `id` changes that one."""
    for row in checks.rows_of(value, name):
        if "id" not in row and not row.get("number"):
            raise InvalidArgument(f"{name}: a contact number needs a number (or the id of the one to change).")


CONTACTS = Resource(
    "contacts",
    "contact",
    attributes={"tag_list": checks.tag_list, "contact_numbers_attributes": contact_numbers},
    required=("contact_numbers_attributes",),
)
CONTACT_NUMBERS = Resource(
    "contact_numbers", "contact_number", attributes={"number": anything, "description": anything}
)


def list_contacts() -> Listing:
    """List all contacts of the company ("Get all Contacts").

    :return: a listing of `Contact` rows.
    """
    return CONTACTS.listing()


def get_contact(*, id: Id | None = None, number: str | None = None) -> Operation[Row]:  # noqa: A002
    """Get one contact ("Get a Specific Contact by ID", "… by phone number").

    :param id: Retreaver's own ID.
    :param number: one of its phone numbers, E.164 or `sip:user@domain`; exactly one of the two is given.
    :return: a `Contact`.
    """
    if number is None:
        return CONTACTS.get(id)
    return Operation(Request("GET", _by_phone(number, id)), read_item("contact"))


def create_contact(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Row]:
    """Create a contact with its numbers ("Create a Contact").

    :param attributes: `contact_numbers_attributes` (required, `[{"number", "description"}]`), `tag_list`.
    :param undocumented: attributes to send that the vendor does not document.
    :return: a `Contact`.
    """
    return CONTACTS.create(attributes, undocumented)


def update_contact(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    number: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Row]:
    """Change attributes of a contact ("Update a Contact", "… by phone number"); see `create_contact` for them.

    A contact number is changed by sending its `id`; `tag_list` replaces all tags.

    :return: a `Contact`.
    """
    if number is None:
        return CONTACTS.update(attributes, id, undocumented=undocumented)
    body = {"contact": CONTACTS.changes(attributes, undocumented)}
    return Operation(Request("PUT", _by_phone(number, id), body=body), read_update("contact"))


def delete_contact(*, id: Id | None = None, number: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete a contact with all its numbers ("Remove a Contact", "Delete a Contact by phone number")."""
    if number is None:
        return CONTACTS.delete(id)
    return Operation(Request("DELETE", _by_phone(number, id)), read_nothing)


def update_contact_number(
    attributes: Attributes, *, number: str, undocumented: Attributes | None = None
) -> Operation[Row]:
    """Change one phone number of a contact ("Update a Contact Number by phone number").

    :param attributes: `number`, `description`.
    :param number: the phone number as it is now, E.164 or `sip:user@domain`.
    :return: a `ContactNumber`.
    """
    return CONTACT_NUMBERS.update(attributes, parameters.phone_or_sip(number), undocumented=undocumented)


def delete_contact_number(number: str) -> Operation[None]:
    """Delete one phone number of a contact that has others ("Delete a Contact Number from a Contact …")."""
    return CONTACT_NUMBERS.delete(parameters.phone_or_sip(number))


def _by_phone(number: str, id: Id | None) -> str:  # noqa: A002
    if id is not None:
        raise InvalidArgument("Name the contact by its id or by a phone number: exactly one of the two.")
    return f"/contact_numbers/{segment(parameters.phone_or_sip(number), 'number')}/contact.json"
