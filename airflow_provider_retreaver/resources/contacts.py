"""Contacts: people and their phone numbers (Retreaver's reference: "Contacts", "Contact Numbers")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import phone_parameters
from airflow_provider_retreaver.core.envelopes import read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything
from airflow_provider_retreaver.resources.targets import TagValue


class ContactNumber(TypedDict, total=False):
    """One phone number of a contact."""

    id: int
    number: str
    description: str | None


class Contact(TypedDict, total=False):
    """A contact as Retreaver sends it; further keys may be present."""

    id: int
    contact_numbers: list[ContactNumber]
    tag_values: list[TagValue]


def contact_numbers(value: object, name: str) -> None:
    """Refuse contact numbers without a number; a row with an `id` changes that one.

    :param value: rows of contact numbers.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    for row in checks.rows_of(value, name):
        if "id" not in row and not row.get("number"):
            raise InvalidArgument(f"{name}: a contact number needs a number (or the id of the one to change).")


CONTACTS: Resource[Contact] = Resource(
    "contacts",
    "contact",
    attributes={"tag_list": checks.tag_list, "contact_numbers_attributes": contact_numbers},
    required=("contact_numbers_attributes",),
)
CONTACT_NUMBERS: Resource[ContactNumber] = Resource(
    "contact_numbers",
    "contact_number",
    attributes={"number": anything, "description": anything},
    key="number",
    row_key="number",
)


def list_contacts() -> Listing:
    """List all contacts of the company.

    Retreaver's reference: "Get all Contacts".

    :return: a listing of `Contact` rows.
    """
    return CONTACTS.listing()


def get_contact(*, id: Id | None = None, number: str | None = None) -> Operation[Contact]:  # noqa: A002
    """Get one contact.

    Retreaver's reference: "Get a Specific Contact by ID", "… by phone number".

    :param id: Retreaver's own ID, or
    :param number: one of its phone numbers, E.164 or `sip:user@domain`; exactly one of the two is given.
    :return: a `Contact`.
    """
    if number is None:
        return CONTACTS.get(id)
    return CONTACTS.returning_object(Request("GET", _by_phone(number, id)))


def create_contact(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Contact]:
    """Create a contact with its numbers.

    Retreaver's reference: "Create a Contact".

    :param attributes: `contact_numbers_attributes` (required, `[{"number", "description"}]`), `tag_list`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Contact`.
    """
    return CONTACTS.create(attributes, undocumented)


def update_contact(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    number: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Contact]:
    """Change attributes of a contact.

    A contact number is changed by sending its `id`; `tag_list` replaces all tags.
    Retreaver's reference: "Update a Contact", "… by phone number".

    :param attributes: to change; see `create_contact`.
    :param id: Retreaver's own ID, or
    :param number: one of its phone numbers, E.164 or `sip:user@domain`; exactly one of the two is given.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Contact`.
    """
    if number is None:
        return CONTACTS.update(attributes, id, undocumented=undocumented)
    body = {"contact": CONTACTS.changes(attributes, undocumented)}
    return CONTACTS.returning_change(Request("PUT", _by_phone(number, id), body=body))


def delete_contact(*, id: Id | None = None, number: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete a contact with all its numbers.

    Retreaver's reference: "Remove a Contact", "Delete a Contact by phone number".

    :param id: Retreaver's own ID, or
    :param number: one of its phone numbers, E.164 or `sip:user@domain`; exactly one of the two is given.
    :return: an operation without a result.
    """
    if number is None:
        return CONTACTS.delete(id)
    return Operation(Request("DELETE", _by_phone(number, id)), read_nothing)


def update_contact_number(
    attributes: Attributes, *, number: str, undocumented: Attributes | None = None
) -> Operation[ContactNumber]:
    """Change one phone number of a contact.

    Retreaver's reference: "Update a Contact Number by phone number".

    :param attributes: `number`, `description`.
    :param number: the phone number as it is now, E.164 or `sip:user@domain`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `ContactNumber`.
    """
    return CONTACT_NUMBERS.update(attributes, phone_parameters.phone_or_sip(number), undocumented=undocumented)


def delete_contact_number(number: str) -> Operation[None]:
    """Delete one phone number of a contact that has others.

    Retreaver's reference: "Delete a Contact Number from a Contact …".

    :param number: E.164 or `sip:user@domain`.
    :return: an operation without a result.
    """
    return CONTACT_NUMBERS.delete(phone_parameters.phone_or_sip(number))


def _by_phone(number: str, id: Id | None) -> str:  # noqa: A002
    if id is not None:
        raise InvalidArgument("Name the contact by its id or by a phone number: exactly one of the two.")
    return f"/contact_numbers/{segment(phone_parameters.phone_or_sip(number), 'number')}/contact.json"
