"""Buyers by the customer's own ID, `user_buyer_id`."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Each, Procedure, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources.trackdrive import checks
from airflow_provider_retreaver.resources.trackdrive.buyers import list_buyers


def buyers_by_own_id(wanted: Sequence[str]) -> Procedure[dict[str, int]]:
    """Find buyers by the customer's IDs.

    :param wanted: values of `user_buyer_id`.
    :return: TrackDrive's ID of each.
    :raises InvalidArgument: naming the one that no buyer has, or that several have.
    :raises ProtocolError: when a buyer came without an ID that can be read.
    """
    listing = list_buyers()
    found: dict[str, list[int]] = {name: [] for name in wanted}

    def visit(row: Row) -> None:
        value = require(row, "user_buyer_id", listing.request)
        own = "" if value is None else str(value).strip()
        if own in found:
            number = checks.read_number(require(row, "id", listing.request))
            if not isinstance(number, int):
                raise ProtocolError(f"The buyer with the user_buyer_id {quoted(own)} came without an ID.")
            found[own].append(number)

    yield Each(listing, visit)
    for name, ids in found.items():
        if not ids:
            raise InvalidArgument(f"No buyer has the user_buyer_id {quoted(name)}; nothing was sent to any group.")
        if len(ids) > 1:
            raise InvalidArgument(
                f"The user_buyer_id {quoted(name)} is that of several buyers ({', '.join(map(str, ids))}); give the "
                f"IDs of those that are meant."
            )
    return {name: ids[0] for name, ids in found.items()}
