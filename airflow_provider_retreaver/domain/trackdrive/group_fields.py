"""Fields of a buyer group as they are compared, whichever way TrackDrive writes their values."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.resources.trackdrive import checks
from airflow_provider_retreaver.resources.trackdrive.fields import LIMITS, TOTAL_COUNTS

BUYERS = "buyer_ids"
NUMBERS = ("tier", "weight", *LIMITS)


def field_of(row: Mapping[str, object], name: str) -> object:
    """Return a field as it is compared.

    :param row: the group as read.
    :param name: of an attribute that can be set.
    :return: a number, truth value or text; None for a limit that is not set.
    :raises ProtocolError: when the group came without the field, or its value cannot be read.
    """
    if name not in row:
        raise ProtocolError(
            f"{object_name(row, 'buyer group')} came without {name!r}, so it cannot be compared; nothing was changed."
        )
    value = row[name]
    if value is None or value == checks.BLANK:
        return None
    found: object = value
    if name in NUMBERS:
        found = checks.read_number(value)
    elif name == "paused":
        found = checks.read_switch(value)
    elif not isinstance(value, str):
        found = None
    if found is None:
        raise _unreadable(row, name, value)
    return found


def buyers_of(row: Mapping[str, object]) -> list[int]:
    """Return the buyers of a group.

    :param row: the group as read.
    :return: their IDs, each once, smallest first.
    :raises ProtocolError: when the group came without them, or they cannot be read.
    """
    value = row.get(BUYERS)
    if not isinstance(value, list):
        raise ProtocolError(f"{object_name(row, 'buyer group')} came without a list {BUYERS!r}.")
    numbers = [checks.read_number(item) for item in value]
    ids = [number for number in numbers if isinstance(number, int)]
    if len(ids) < len(value):
        raise _unreadable(row, BUYERS, value)
    return sorted(set(ids))


def total_counts(row: Mapping[str, object]) -> dict[str, int | float]:
    """Return what the total caps of a group have counted.

    :param row: the group as read.
    :return: the counts that it came with; null is a count of nothing.
    :raises ProtocolError: when it came with none of them, or one cannot be read.
    """
    found: dict[str, int | float] = {}
    for name in TOTAL_COUNTS:
        if name in row:
            number = 0 if row[name] is None else checks.read_number(row[name])
            if number is None:
                raise _unreadable(row, name, row[name])
            found[name] = number
    if not found:
        raise ProtocolError(
            f"{object_name(row, 'buyer group')} came without counts such as {TOTAL_COUNTS[0]!r}; nothing is known of "
            f"its total caps."
        )
    return found


def _unreadable(row: Mapping[str, object], name: str, value: object) -> ProtocolError:
    return ProtocolError(f"{object_name(row, 'buyer group')} has {quoted(value)} in {name}, which cannot be read.")
