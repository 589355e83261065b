"""Calls into a table of any SQL database that Airflow has a connection to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.transfers.exports import RetreaverExportOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Row
    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.domain.calls.export import CallExport
    from airflow_provider_retreaver.domain.calls.sql_columns import Columns
    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.transfers.call_table import CallTable

log = logging.getLogger(__name__)

MAX_BATCH_SIZE = 100_000


class RetreaverCallsToSqlOperator(RetreaverExportOperator):
    """Write the calls of a window to a table, one row a call, the newest version of each.

    The table is created when it does not exist, and checked before the first request. Calls are upserted by their
    uuid, in batches, each a transaction: a run that is repeated, killed or overlaps another leaves the same rows. A
    settled window (it ended at least a minute ago, so that no further call can enter it) is proved complete, or the
    task fails; the task waits at most 90 seconds for one that has just ended. See docs/sql.md and Retreaver's
    reference: "Enumerate through all calls in a specific date/time range".

    :param sql_conn_id: id of an Airflow connection of a SQL database.
    :param table: `calls` or `schema.calls`.
    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval.
    :param end: end of the window, as `start`; calls before it.
    :param by: which time of a call must lie in the window: `created_at` or `updated_at` (current routes only).
    :param lookback: length of time before the window that is read again, e.g. `1h`, seconds or a timedelta.
    :param filters: Retreaver's own filters by name: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`,
        `call_flow_events`. The campaign, affiliate and target that they name are looked up first.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param mapping: column names to fields of a call, e.g. `{"id": "uuid", "changed": "updated_at"}`; the warehouse
        schema of Retreaver's integration guide by default. See docs/sql.md.
    :param create_table: whether a table that does not exist is created.
    :param batch_size: calls a transaction.
    :param phone_numbers: the callers' numbers: `keep` them, `hash` them (HMAC-SHA256) or `mask` them (`+1…77`).
    :param phone_numbers_conn_id: for `hash`, id of a connection whose password is the secret.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :return: `{"table", "rows", "changed", "batches", "complete", "counted", "reason", "start", "end", "by"}`.
    :raises InvalidArgument: for a wrong parameter or table; nothing was sent.
    :raises TableNotWritten: naming call and column; the batch is rolled back.
    :raises ListingIncomplete: when calls are missing after several readings.
    """

    template_fields = (
        *RetreaverExportOperator.template_fields, "sql_conn_id", "table", "lookback", "mapping", "create_table",
        "batch_size", "phone_numbers", "phone_numbers_conn_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        by: Literal["created_at", "updated_at"] = "created_at",
        lookback: timedelta | float | str | None = None,
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
        version: Literal["v1", "v2", "v3", "v4", "v5"] | None = None,
        mapping: Mapping[str, Any] | None = None,
        create_table: bool | str = True,
        batch_size: int | str = 5_000,
        phone_numbers: Literal["keep", "hash", "mask"] = "keep",
        phone_numbers_conn_id: str | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            start=start,
            end=end,
            by=by,
            filters=filters,
            allow_unknown=allow_unknown,
            version=version,
            retreaver_conn_id=retreaver_conn_id,
            **kwargs,
        )
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.lookback = lookback
        self.mapping = mapping
        self.create_table = create_table
        self.batch_size = batch_size
        self.phone_numbers = phone_numbers
        self.phone_numbers_conn_id = phone_numbers_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the calls to the table."""
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.core.parameters import is_given
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.domain.calls.export import export_calls
        from airflow_provider_retreaver.domain.calls.export_progress import export_progress_logger
        from airflow_provider_retreaver.transfers.phone_secrets import phone_hider

        with self.connected() as hook, hook.reading() as client:
            window = self.window(context)
            if is_given(self.lookback):
                window = window.before(timedelta(seconds=duration(self.lookback, "lookback")))
            size = parameters.whole(self.batch_size, "batch_size", 1, MAX_BATCH_SIZE)
            hide = phone_hider(self.phone_numbers, self.phone_numbers_conn_id)
            columns = self._columns(hook)
            create = flag(self.create_table, "create_table")
            with self._opened(columns) as table:
                table.prepare(create=create)
                self.require_filter_objects(hook, window)
                export = export_calls(client, window, progress=export_progress_logger())
                done = Loading(table, columns, hide, size).all_of(export)
            result = {"table": self.table, **done, **self._completeness(window, export)}
            counts = {name: result[name] for name in ("table", "rows", "changed", "complete")}
            self.publish_export(context, hook, window, **counts)
        return result

    def written_datasets(self) -> list[Dataset]:
        """Return the table.

        :return: the table as its database's provider names it; empty where the provider has no names for tables.
        """
        from airflow.providers.common.compat.openlineage.utils.sql import get_openlineage_facets_with_sql

        from airflow_provider_retreaver.domain.calls.sql_dialects import dialect_of
        from airflow_provider_retreaver.hooks.sql import sql_hook

        database = sql_hook(self.sql_conn_id)
        named = dialect_of(database.dialect_name).named(self.table)
        statement = f"INSERT INTO {named} VALUES (NULL)"  # noqa: S608 - is parsed for its table's name, not executed
        found = get_openlineage_facets_with_sql(database, statement, self.sql_conn_id, None)
        return [] if found is None else list(found.outputs)

    def _columns(self, hook: RetreaverHook) -> Columns:
        from airflow_provider_retreaver.core.parameters import mapping
        from airflow_provider_retreaver.domain.calls.sql_columns import mapped
        from airflow_provider_retreaver.domain.calls.warehouse import warehouse_columns

        if self.mapping is None:
            return warehouse_columns(Destinations(hook))
        return mapped(mapping(self.mapping, "mapping"))

    @contextmanager
    def _opened(self, columns: Columns) -> Iterator[CallTable]:
        from airflow_provider_retreaver.domain.calls.sql_dialects import dialect_of, table_name
        from airflow_provider_retreaver.hooks.sql import sql_hook
        from airflow_provider_retreaver.transfers.call_table import calls_table

        table = table_name(self.table)
        database = sql_hook(self.sql_conn_id)
        connection = database.get_conn()
        if database.supports_autocommit:
            database.set_autocommit(connection, autocommit=False)
        dialect = dialect_of(database.dialect_name)
        with calls_table(connection, table, columns, dialect, database.placeholder) as opened:
            yield opened

    def _completeness(self, window: CallWindow, export: CallExport) -> dict[str, Any]:
        found = export.completeness
        return {
            "complete": found is not None and found.proved,
            "counted": found.counted if found else None,
            "reason": found.reason if found else "",
            "start": window.start.isoformat(),
            "end": window.end.isoformat() if window.end else None,
            "by": window.by,
        }


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


class Loading:
    """Writes pages of calls to a table, batch by batch.

    :param table: the table.
    :param columns: of the table.
    :param hide: hides the callers' numbers; None to keep them.
    :param size: calls a batch.
    """

    def __init__(self, table: CallTable, columns: Columns, hide: Transform | None, size: int) -> None:
        self._table = table
        self._columns = columns
        self._hide = hide
        self._size = size
        self._batch: list[tuple[Any, ...]] = []
        self._changed: int | None = 0
        self._batches = 0

    def all_of(self, export: CallExport) -> dict[str, Any]:
        """Read an export to its end and write its calls.

        :param export: of the calls.
        :return: `{"rows", "changed", "batches"}`; `changed` is None where the database does not report it.
        """
        rows = 0
        for page in export:
            rows = len(page.rows) if page.restart else rows + len(page.rows)
            for call in page.rows:
                self._batch.append(self._values(call))
                if len(self._batch) >= self._size:
                    self._write()
        self._write()
        log.info(
            "%d calls were read, %s rows are new or changed", rows, "?" if self._changed is None else self._changed
        )
        return {"rows": rows, "changed": self._changed, "batches": self._batches}

    def _values(self, call: Row) -> tuple[Any, ...]:
        from airflow_provider_retreaver.core.errors import TableNotWritten
        from airflow_provider_retreaver.domain.calls.sql_columns import ColumnMisfit

        uuid = call.get("uuid")
        try:
            return self._columns.values(call if self._hide is None else self._hide(call))
        except ColumnMisfit as error:
            column, what = error.column, error.what
        raise TableNotWritten(
            f"Call {one_line(uuid)}: column {column} {what}. Its batch was not written; map the column to "
            f"another field or type.",
            uuid=uuid,
            column=column,
        )

    def _write(self) -> None:
        if not self._batch:
            return
        changed = self._table.write(self._batch)
        self._changed = None if changed is None or self._changed is None else self._changed + changed
        self._batches += 1
        self._batch.clear()
