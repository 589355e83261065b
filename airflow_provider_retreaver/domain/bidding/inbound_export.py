"""An export of the RTB log: what is looked up before its job is created, and whether its rows were asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import Gone, NotFound, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.core.quoting import excerpt, one_line, quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.resources.lookup import is_missing
from airflow_provider_retreaver.resources.affiliates import get_affiliate
from airflow_provider_retreaver.resources.campaigns import get_campaign
from airflow_provider_retreaver.resources.resource import Id
from airflow_provider_retreaver.resources.rtb_inbound_filters import SHOWN_BY, InboundFilters, InboundWindow
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
# Field of the caller's number.
CALLER = "caller_number"
# Labels of columns depend on the account: a publisher is a source, a target a buyer, a handler or an endpoint.
_COLUMNS = {
    **dict.fromkeys(("caller", "caller_id", "caller_phone", "caller_phone_number", "phone_number", "ani"), CALLER),
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
            # A column of customer IDs is blank for an object without one.
            spellings.setdefault(name, []).append(str(spelled) if spelled else "")
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
    :param hide: hides the caller's number in a row whose field `CALLER` has it; None to keep it.
    :raises ProtocolError: when the number is to be hidden and no column is known to have it.
    """

    def __init__(
        self,
        header: Sequence[str],
        filters: InboundFilters,
        window: InboundWindow,
        spellings: Mapping[str, Any],
        hide: Callable[[Row], Row] | None = None,
    ) -> None:
        self._filters = filters
        self._window = window
        self._spellings = spellings
        self._hide = hide
        named = [_field(label) for label in header]
        wanted = {"created_at", *(SHOWN_BY.get(name, name) for name, _ in filters.values)}
        self._places = [(place, name) for place, name in enumerate(named) if name in wanted]
        self.not_shown = sorted(wanted - set(named))
        # Other columns are found by their places, since two may have one label.
        self._keys = list(map(str, range(len(named))))
        if CALLER in named:
            self._keys[named.index(CALLER)] = CALLER
        elif hide is not None:
            labels = excerpt(", ".join(header), 400)
            raise ProtocolError(
                f"No column of the file is known to have the caller's number ({labels}), so that phone_numbers "
                f"cannot hide it; nothing is stored. Report it to this provider, or set phone_numbers to keep."
            )

    def rows(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        """Yield rows that were asked for, without secrets.

        :param rows: cells.
        :return: cells.
        :raises ProtocolError: naming a row that was not asked for, or has another number of cells than the header.
        """
        for number, row in enumerate(rows, 1):
            if len(row) != len(self._keys):
                raise ProtocolError(
                    f"Row {number} of the file has {len(row)} cells, and its header has {len(self._keys)}; report it "
                    f"to Retreaver."
                )
            shown = {name: row[place] for place, name in self._places}
            outside = self._window.excludes(shown)
            name = "start and end" if outside else self._filters.mismatch(shown, self._spellings)
            if name is not None:
                raise ProtocolError(
                    f"Row {number} of the file does not match {name} ({_shown(shown, name)}): it was not asked for. "
                    f"Retreaver drops IDs that the key may not see from a filter; check the filters."
                )
            cells = self._hidden(row)
            text = "\n".join(cells)
            yield cells if without_secrets(text) == text else [without_secrets(cell) for cell in cells]

    def _hidden(self, row: list[str]) -> list[str]:
        return row if self._hide is None else list(self._hide(dict(zip(self._keys, row, strict=True))).values())


def _field(label: str) -> str:
    """Return the name that a column has in JSON, e.g. `call_uuid` for `Call UUID`."""
    name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    return _COLUMNS.get(name, name)


def _shown(row: Mapping[str, str], name: str) -> str:
    found = row.get("created_at" if name == "start and end" else SHOWN_BY.get(name, name))
    return f"it has {quoted(one_line(found, numbers=False))}"
