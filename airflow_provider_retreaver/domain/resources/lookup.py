"""Finding an object: by its ID, by the customer's ID, or in the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import Gone, InvalidArgument, NotFound, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row
from airflow_provider_retreaver.domain.resources.equality import same_value
from airflow_provider_retreaver.resources.contacts import get_contact
from airflow_provider_retreaver.resources.entry import Entry, ObjectReference
from airflow_provider_retreaver.resources.resource import Id

CONTACT_NUMBERS = "contact_numbers_attributes"


def is_missing(error: RetreaverError, operation: Operation[object]) -> bool:
    """Return whether an error means that the object does not exist.

    Status 410 means that, and also that a route is no longer served; under a route of the legacy edition it is taken
    for the latter.

    :param error: of the operation.
    :param operation: that named the object.
    :return: whether the object does not exist.
    """
    return isinstance(error, NotFound) or (isinstance(error, Gone) and error.path == operation.request.path)


def can_read(entry: Entry) -> bool:
    """Return whether one object can be read; a contact's number is read from its contact.

    :param entry: the resource.
    :return: whether `read_object` can read it.
    """
    return entry.has("get") or entry.name == "contact_numbers"


def read_object(entry: Entry, reference: ObjectReference) -> Procedure[Row]:
    """Read one object, with the field by which its rows are known.

    :param entry: the resource.
    :param reference: which object.
    :return: the object as Retreaver returns it.
    :raises NotFound: when it does not exist.
    :raises ProtocolError: when the answer lacks that field.
    """
    if entry.name == "contact_numbers":
        return (yield from _read_contact_number(str(reference.id)))
    operation = entry.get(reference)
    row: Row = yield operation
    require(row, entry.row_key, operation.request)
    return row


def read_object_or_none(entry: Entry, reference: ObjectReference) -> Procedure[Row | None]:
    """Read one object if it exists.

    :param entry: the resource.
    :param reference: which object.
    :return: the object as Retreaver returns it, None when it does not exist.
    """
    operation = entry.get(reference)
    try:
        return (yield from read_object(entry, reference))
    except (NotFound, Gone) as error:
        if not is_missing(error, operation):
            raise
        return None


def natural_key_value(entry: Entry, attributes: Mapping[str, object]) -> Id | None:
    """Return the value by which an object with these attributes is found again.

    :param entry: the resource.
    :param attributes: of the object.
    :return: the value; None where there is none.
    """
    value: object = None
    if entry.natural_key == CONTACT_NUMBERS:
        rows = _contact_numbers(attributes) or [{}]
        value = rows[0].get("number")
    elif entry.natural_key == "tid":
        value = attributes.get("tid", attributes.get("client_tid"))
    elif entry.natural_key is not None:
        value = attributes.get(entry.natural_key)
    # Whatever it is, the path that it becomes a part of refuses what is no ID.
    return cast("Id | None", value)


def with_natural_key(entry: Entry, attributes: Mapping[str, object], value: Id) -> Row:
    """Return attributes that give an object the value by which it is found again.

    :param entry: the resource.
    :param attributes: of the object.
    :param value: of the natural key.
    :return: the attributes with the natural key.
    :raises InvalidArgument: when the attributes have another value.
    """
    if entry.natural_key == CONTACT_NUMBERS:
        rows = _contact_numbers(attributes)
        if not rows:
            return {**attributes, CONTACT_NUMBERS: [{"number": value}]}
        if any(same_value(row.get("number"), value, "number") for row in rows):
            return dict(attributes)
        raise InvalidArgument(f"{CONTACT_NUMBERS} does not hold the number by which the contact is to be found.")
    own_value = natural_key_value(entry, attributes)
    if own_value is not None and not same_value(own_value, value, entry.natural_key or ""):
        raise InvalidArgument(
            f"The {entry.natural_key} in the attributes is not the one by which the {entry.title} is to be found; "
            f"give one of them."
        )
    return dict(attributes) if own_value is not None else {**attributes, str(entry.natural_key): value}


def find_object(entry: Entry, value: Id, owner: Mapping[str, object]) -> Procedure[Row | None]:
    """Find an object by the value of its natural key.

    :param entry: the resource.
    :param value: of the natural key.
    :param owner: of a caller list or of its numbers.
    :return: the object as Retreaver returns it, None when it does not exist.
    """
    if entry.customer_key is not None:
        return (yield from read_object_or_none(entry, ObjectReference(customer_id=value, owner=owner)))
    if entry.key_is_natural:
        return (yield from read_object_or_none(entry, ObjectReference(id=value, owner=owner)))
    listing = entry.list({}, owner)
    rows: list[Row] = yield listing
    name = str(entry.natural_key)
    return next((row for row in rows if same_value(require(row, name, listing.request), value, name)), None)


def _contact_numbers(attributes: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    # The check of the attribute refuses anything but rows.
    return cast("Sequence[Mapping[str, object]]", attributes.get(CONTACT_NUMBERS) or [])


def _read_contact_number(number: str) -> Procedure[Row]:
    operation = get_contact(number=number)
    contact: Row = yield operation
    for row in require(contact, "contact_numbers", operation.request):
        if same_value(row.get("number"), number, "number"):
            return dict(row)
    raise ProtocolError(
        f"The answer to {operation.request.label} is a contact without that number.",
        method=operation.request.method,
        path=operation.request.path,
    )
