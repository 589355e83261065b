"""From the pages of an export to the batches of a table, and what is counted on the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import ProtocolError, TableNotWritten
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.stopping import is_stop
from airflow_provider_retreaver.domain.calls.odd_calls import ODD, as_rows
from airflow_provider_retreaver.domain.calls.plain_json import plain_rows
from airflow_provider_retreaver.domain.calls.sql_columns import ColumnMisfit, Columns
from airflow_provider_retreaver.transfers.call_table import CallTable, RejectedCall, Writing

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Row
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.domain.calls.export import CallExport
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

log = logging.getLogger(__name__)

# Rejected calls that a log names, each with a line.
MAX_NAMED = 100


class Destinations:
    """Numbers of targets by ID, read once, when the first call needs one.

    :param hook: of the account.
    """

    def __init__(self, hook: RetreaverHook) -> None:
        self._hook = hook
        self._numbers: dict[str, str] | None = None

    def __call__(self, target: Any) -> str | None:
        """Return a target's number; None when the target does not exist any more."""
        if self._numbers is None:
            from airflow_provider_retreaver.resources.targets import list_targets

            rows = self._hook.iterate(list_targets())
            self._numbers = {str(row["id"]): row["number"] for row in rows if row.get("number")}
        return self._numbers.get(str(target))


class Rejects:
    """The calls that a table cannot hold and that are left out.

    :param limit: how many at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._uuids: set[str] = set()
        self.first: RejectedCall | None = None

    def __len__(self) -> int:
        return len(self._uuids)

    def clear(self) -> None:
        """Start anew, when all calls are read again."""
        self._uuids.clear()
        self.first = None

    def take(self, rejected: RejectedCall) -> bool:
        """Leave a call out.

        :param rejected: the call.
        :return: False when no further call may be left out.
        """
        if rejected.uuid not in self._uuids and len(self._uuids) >= self._limit:
            return False
        if rejected.uuid not in self._uuids and len(self._uuids) < MAX_NAMED:
            log.warning("Left out: %s", rejected)
        self._uuids.add(rejected.uuid)
        self.first = self.first or rejected
        return True


class Loading:
    """Writes pages of calls to a table, batch by batch.

    :param table: the table.
    :param columns: of the table.
    :param hide: hides the callers' numbers; None to keep them.
    :param size: calls a batch.
    :param max_rejects: how many calls that the table cannot hold are left out; one more is an error.
    """

    def __init__(
        self, table: CallTable, columns: Columns, hide: Transform | None, size: int, max_rejects: int = 0
    ) -> None:
        self._table = table
        self._columns = columns
        self._hide = hide
        self._size = size
        self._batch: list[tuple[Any, ...]] = []
        self._writing: Writing | None = None
        self._changed: int | None = 0
        self._batches = 0
        self._replaced = 0
        self.rejects = Rejects(max_rejects)

    def all_of(self, export: CallExport) -> dict[str, Any]:
        """Read an export to its end and write its calls.

        :param export: of the calls, as bytes.
        :return: `{"rows", "changed", "batches", "replaced", "rejected"}`; `changed` is None where the database does
            not report it; `replaced` characters could not be stored.
        :raises TableNotWritten: naming call and column.
        """
        try:
            rows = self._rows_of(export)
        except BaseException as error:
            if is_stop(error):
                log.warning("Stopped: %d batches were written, %s new or changed rows", self._batches, self._told())
            raise
        log.info("%d calls were read, %s rows are new or changed", rows, self._told())
        if self._replaced:
            log.warning("%d characters that the database cannot store were replaced", self._replaced)
        known = export.completeness
        return {
            "rows": rows,
            "changed": self._changed,
            "batches": self._batches,
            "replaced": self._replaced + (known.replaced if known else 0),
            "rejected": len(self.rejects),
        }

    def _rows_of(self, export: CallExport) -> int:
        """Read and write all calls; what is being written is completed when that fails, unless the task must stop."""
        try:
            return self._all_rows(export)
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
        except BaseException as error:
            if self._writing is not None:
                self._writing.stop(error)
            raise
        # Its own error comes first: without it, the other one would not have come so far.
        self._finish()
        try:
            raise failure
        finally:
            del failure

    def _all_rows(self, export: CallExport) -> int:
        rows = 0
        for page in export:
            if self._writing is not None and not self._writing.is_waiting:
                self._finish()
            if page.restart:
                self._finish()
                rows = self._replaced = 0
                self.rejects.clear()
            rows += len(page.rows)
            for values in self._all_values([key.uuid for key in page.keys], page.rows):
                self._batch.append(values)
                if len(self._batch) >= self._size:
                    self._write()
        self._write()
        self._finish()
        return rows

    def _told(self) -> object:
        return "?" if self._changed is None else self._changed

    def _all_values(self, uuids: Sequence[str], raws: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of calls: of all at once, or of each where one is odd."""
        found = self._at_once(raws)
        if found is not None:
            yield from found
        elif len(raws) == 1:
            values = self._values(uuids[0], raws[0])
            if values is not None:
                yield values
        else:
            half = len(raws) // 2
            yield from self._all_values(uuids[:half], raws[:half])
            yield from self._all_values(uuids[half:], raws[half:])

    def _at_once(self, raws: Sequence[Any]) -> list[tuple[Any, ...]] | None:
        """Return the values of calls; None when one of them cannot be read, or stored, as it is."""
        try:
            if self._hide is None and (rows := self._table.raw_values_of(raws)) is not None:
                return rows
            calls = plain_rows(raws)
            values = self._columns.values_of(calls if self._hide is None else [self._hide(call) for call in calls])
        except (ProtocolError, *ODD):
            return None
        return values if self._table.all_storable(values) else None

    def _values(self, uuid: str, raw: Any) -> tuple[Any, ...] | None:
        call = self._parsed(uuid, raw)
        if call is None:
            return None
        try:
            values = self._columns.values(call)
        except ColumnMisfit as error:
            rejected = RejectedCall(uuid, error.column, error.what)
        else:
            stored, replaced = self._table.storable(values)
            self._replaced += replaced
            return stored
        self._reject(rejected, f"column {rejected.column} {rejected.what}", "map the column to another field or type")
        return None

    def _parsed(self, uuid: str, raw: Any) -> Row | None:
        try:
            [call] = as_rows([raw])
            return call if self._hide is None else self._hide(call)
        except (ProtocolError, *ODD) as error:
            what = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)
        self._reject(RejectedCall(uuid, None, what), what, "leave it out by max_rejects, or report it to Retreaver")
        return None

    def _reject(self, rejected: RejectedCall, what: str, advice: str) -> None:
        # In the order of the calls: those of the batch before may be rejected, too.
        self._finish()
        if self.rejects.take(rejected):
            return
        raise TableNotWritten(
            f"Call {one_line(rejected.uuid, 60)}: {what.rstrip('.')}. Its batch was not written; {advice}.",
            uuid=rejected.uuid,
            column=rejected.column,
        )

    def _write(self) -> None:
        """Begin to write the batch; the next one is read and prepared in the meantime."""
        if self._batch:
            self._finish()
            batch, self._batch = self._batch, []
            self._writing = self._table.begin(batch, self.rejects.take)

    def _finish(self) -> None:
        """Wait for the batch that is being written."""
        if self._writing is None:
            return
        try:
            changed = self._writing.result()
        except Exception:
            self._writing = None
            raise
        self._writing = None
        self._changed = None if changed is None or self._changed is None else self._changed + changed
        self._batches += 1
