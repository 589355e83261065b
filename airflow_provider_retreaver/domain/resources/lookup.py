"""Finding an object: by its ID, by the customer's ID, or by looking through the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core.errors import Gone, InvalidArgument, NotFound, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row, require
from airflow_provider_retreaver.domain.resources.equality import same
from airflow_provider_retreaver.resources.contacts import get_contact
from airflow_provider_retreaver.resources.entry import Entry, Which

CONTACT_NUMBERS = "contact_numbers_attributes"


def is_missing(error: RetreaverError, operation: Operation[Any]) -> bool:
    """Return whether an error says that the object is not there.

    410 says so too, but also that a route is no longer served: under a route of the legacy edition it is believed to
    mean that.
    """
    return isinstance(error, NotFound) or (isinstance(error, Gone) and error.path == operation.request.path)


def readable(entry: Entry) -> bool:
    """Return whether one object can be read; a contact's number is read from its contact."""
    return entry.has("get") or entry.name == "contact_numbers"


def read(entry: Entry, which: Which) -> Procedure[Row]:
    """Read one object, with the field by which its rows are known.

    :raises NotFound: when there is none.
    :raises ProtocolError: when the answer lacks that field.
    """
    if entry.name == "contact_numbers":
        return (yield from _contact_number(str(which.id)))
    operation = entry.get(which)
    row: Row = yield operation
    require(row, entry.row_key, operation.request)
    return row


def read_or_none(entry: Entry, which: Which) -> Procedure[Row | None]:
    """Read one object, or say that it is not there."""
    operation = entry.get(which)
    try:
        return (yield from read(entry, which))
    except (NotFound, Gone) as error:
        if not is_missing(error, operation):
            raise
        return None


def natural_value(entry: Entry, attributes: Mapping[str, Any]) -> Any:
    """Return the value by which an object with these attributes is found again, None where there is none."""
    if entry.natural == CONTACT_NUMBERS:
        rows = attributes.get(CONTACT_NUMBERS) or [{}]
        return rows[0].get("number")
    if entry.natural == "tid":
        return attributes.get("tid", attributes.get("client_tid"))
    return attributes.get(entry.natural) if entry.natural else None


def with_natural(entry: Entry, attributes: Mapping[str, Any], value: Any) -> Row:
    """Return attributes that give an object the value by which it is found again.

    :raises InvalidArgument: when the attributes say another one.
    """
    if entry.natural == CONTACT_NUMBERS:
        rows = list(attributes.get(CONTACT_NUMBERS) or [])
        if not rows:
            return {**attributes, CONTACT_NUMBERS: [{"number": value}]}
        if any(same(row.get("number"), value, "number") for row in rows):
            return dict(attributes)
        raise InvalidArgument(f"{CONTACT_NUMBERS} does not hold the number by which the contact is to be found.")
    said = natural_value(entry, attributes)
    if said is not None and not same(said, value, entry.natural or ""):
        raise InvalidArgument(
            f"The {entry.natural} in the attributes is another one than that by which the {entry.title} is to be "
            f"found; say one."
        )
    return dict(attributes) if said is not None else {**attributes, str(entry.natural): value}


def find(entry: Entry, value: Any, owner: Mapping[str, Any]) -> Procedure[Row | None]:
    """Find an object by the value of its natural attribute, None when there is none."""
    if entry.customer_key is not None:
        return (yield from read_or_none(entry, Which(customer_id=value, owner=owner)))
    if entry.named_by_key:
        return (yield from read_or_none(entry, Which(id=value, owner=owner)))
    listing = entry.list({}, owner)
    rows: list[Row] = yield listing
    name = str(entry.natural)
    return next((row for row in rows if same(require(row, name, listing.request), value, name)), None)


def _contact_number(number: str) -> Procedure[Row]:
    operation = get_contact(number=number)
    contact: Row = yield operation
    for row in require(contact, "contact_numbers", operation.request):
        if same(row.get("number"), number, "number"):
            return dict(row)
    raise ProtocolError(
        f"The answer to {operation.request.label} is a contact without that number.",
        method=operation.request.method,
        path=operation.request.path,
    )
