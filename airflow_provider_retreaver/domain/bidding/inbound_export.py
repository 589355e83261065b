"""An export of the RTB log: what is looked up before its job is created, and whether its rows were asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import Gone, NotFound, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.resources.lookup import is_missing
from airflow_provider_retreaver.resources.affiliates import get_affiliate
from airflow_provider_retreaver.resources.campaigns import get_campaign
from airflow_provider_retreaver.resources.resource import Id
from airflow_provider_retreaver.resources.rtb_inbound_filters import InboundFilters, InboundWindow
from airflow_provider_retreaver.resources.rtb_inbounds import list_rtb_inbounds
from airflow_provider_retreaver.resources.targets import get_target

# What else may stand for an object in a file, such as its customer ID, by the name of the filter.
Spellings = dict[str, list[str]]

# Filters whose IDs are looked up, with the field of the customer's ID; postback keys have no API.
_OBJECTS: dict[str, tuple[Callable[[Id], Operation[Any]], str]] = {
    "campaign_id": (lambda id_: get_campaign(id=id_), "cid"),
    "affiliate_id": (lambda id_: get_affiliate(id=id_), "afid"),
    "target_id": (lambda id_: get_target(id=id_), "tid"),
}
# Labels of columns depend on the account: a publisher is a source, a target a buyer, a handler or an endpoint.
_COLUMNS = {
    **dict.fromkeys(("source_id", "publisher_id"), "affiliate_id"),
    **dict.fromkeys(("buyer_id", "contact_handler_id", "handler_id", "call_endpoint_id", "endpoint_id"), "target_id"),
}


def prepare_export(filters: InboundFilters, window: InboundWindow, *, allow_unknown: bool) -> Procedure[Spellings]:
    """Check that filters choose what they name, before a job is created.

    Retreaver drops IDs that the key may not see from a filter, so the objects are looked up, and the first page of
    the log is held against the filters. Retreaver's reference: "RtbInbounds".

    :param filters: of the export.
    :param window: of the export.
    :param allow_unknown: skip looking up campaigns, publishers and targets, which may be deleted.
    :return: a procedure that returns how else a file may spell these objects.
    :raises NotFound: naming the filter whose object does not exist.
    :raises ProtocolError: when a row does not match a filter.
    """
    spellings: Spellings = {}
    for name, ids in ({} if allow_unknown else filters.as_dict()).items():
        if name not in _OBJECTS:
            continue
        read, customer_id = _OBJECTS[name]
        operations = [read(id_) for id_ in ids]
        outcomes: list[Outcome[Row]] = yield Together(operations)
        for id_, operation, outcome in zip(ids, operations, outcomes, strict=True):
            if outcome.error is not None:
                raise _unknown(name, id_, operation, outcome.error)
            spelled = (outcome.value or {}).get(customer_id)
            spellings.setdefault(name, []).extend([str(spelled)] if spelled else [])
    if filters.values:
        listing = list_rtb_inbounds(**filters.as_dict(), **window.as_dict())  # type: ignore[arg-type]
        yield Operation(listing.request, lambda request, response: listing.read(request, response, listing.envelope))
    return spellings


def _unknown(name: str, id_: int, operation: Operation[Any], error: RetreaverError) -> RetreaverError:
    if not isinstance(error, (NotFound, Gone)) or not is_missing(error, operation):
        return error
    return NotFound(
        f"filters: there is no {name.removesuffix('_id')} with ID {id_} ({error.method} {error.path}: "
        f"{error.status}), and Retreaver would drop it from the filter {name} and export others; correct it, or set "
        f"allow_unknown to True.",
        method=error.method,
        path=error.path,
        status=error.status,
    )


class InboundTable:
    """The rows of a file, each held against the filters as far as its columns are known.

    :param header: labels of the columns, which are human words that depend on the account.
    :param filters: of the export.
    :param window: of the export.
    :param spellings: see `prepare_export`.
    """

    def __init__(
        self, header: Sequence[str], filters: InboundFilters, window: InboundWindow, spellings: Mapping[str, Any]
    ) -> None:
        self._width = len(header)
        self._filters = filters
        self._window = window
        self._spellings = spellings
        wanted = {"created_at", "duplicate_original_uuid", *(name for name, _ in filters.values)}
        named = ((place, _field(label)) for place, label in enumerate(header))
        self._places = [(place, name) for place, name in named if name in wanted]

    def rows(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        """Yield rows that were asked for, without secrets.

        :param rows: cells.
        :return: cells.
        :raises ProtocolError: naming a row that was not asked for, or has another number of cells than the header.
        """
        for number, row in enumerate(rows, 1):
            if len(row) != self._width:
                raise ProtocolError(
                    f"Row {number} of the file has {len(row)} cells, and its header has {self._width}; report it to "
                    f"Retreaver."
                )
            shown = {name: row[place] for place, name in self._places}
            name = "start and end" if self._window.excludes(shown) else self._filters.mismatch(shown, self._spellings)
            if name is not None:
                raise ProtocolError(
                    f"Row {number} of the file does not match {name} ({_shown(shown, name)}): it was not asked for. "
                    f"Retreaver drops IDs that the key may not see from a filter; check the filters."
                )
            text = "\n".join(row)
            yield row if without_secrets(text) == text else [without_secrets(cell) for cell in row]


def _field(label: str) -> str:
    """Return the name that a column has in JSON, e.g. `call_uuid` for `Call UUID`."""
    name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    return _COLUMNS.get(name, name)


def _shown(row: Mapping[str, str], name: str) -> str:
    found = row.get({"start and end": "created_at", "duplicate": "duplicate_original_uuid"}.get(name, name))
    return f"it has {quoted(one_line(found, numbers=False))}"
