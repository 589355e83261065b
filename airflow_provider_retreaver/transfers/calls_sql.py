"""Calls into a table of any SQL database that Airflow has a connection to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.links import RetreaverLink, note_objects
from airflow_provider_retreaver.transfers.exports import RetreaverExportOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.calls.export import CallExport
    from airflow_provider_retreaver.domain.calls.sql_columns import Columns
    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.transfers.call_loading import Loading, Rejects
    from airflow_provider_retreaver.transfers.call_table import CallTable

MAX_BATCH_SIZE = MAX_REJECTS = 100_000


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
        `call_flow_events`. The campaign, affiliate and target that they choose are looked up first; `campaign_name`,
        `affiliate_name` and `target_name` choose them by name instead of by the customer's ID.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param mapping: column names to fields of a call, e.g. `{"id": "uuid", "changed": "updated_at"}`; the warehouse
        schema of Retreaver's integration guide by default. See docs/sql.md.
    :param create_table: whether a table that does not exist is created.
    :param batch_size: calls a transaction.
    :param max_rejects: how many calls that the table cannot hold are left out, each named in the log; at one more the
        task fails. With a call left out the result is not `complete`.
    :param phone_numbers: the callers' numbers: `keep` them, `hash` them (HMAC-SHA256) or `mask` them (`+1…77`).
    :param phone_numbers_conn_id: for `hash`, id of a connection whose password is the secret.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :return: `{"table", "rows", "changed", "batches", "replaced", "rejected", "complete", "counted", "reason",
        "start", "end", "by"}`.
    :raises InvalidArgument: for a wrong parameter or table; nothing was sent.
    :raises TableNotWritten: naming call and column, or saying that the database could not be reached; the batch is
        rolled back.
    :raises ListingIncomplete: when calls are missing after several readings.
    """

    template_fields = (
        *RetreaverExportOperator.template_fields, "sql_conn_id", "table", "lookback", "mapping", "create_table",
        "batch_size", "max_rejects", "phone_numbers", "phone_numbers_conn_id",
    )  # fmt: skip
    operator_extra_links = (RetreaverLink(),)

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
        max_rejects: int | str = 0,
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
        self.max_rejects = max_rejects
        self.phone_numbers = phone_numbers
        self.phone_numbers_conn_id = phone_numbers_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the calls to the table."""
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.core.parameters import is_given
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.domain.calls.export import export_calls
        from airflow_provider_retreaver.domain.calls.export_progress import export_progress_logger
        from airflow_provider_retreaver.transfers.call_loading import Loading
        from airflow_provider_retreaver.transfers.phone_secrets import phone_hider

        with self.connected() as hook, hook.reading() as client:
            window = self.window(context)
            if is_given(self.lookback):
                window = window.before(timedelta(seconds=duration(self.lookback, "lookback")))
            size = parameters.whole(self.batch_size, "batch_size", 1, MAX_BATCH_SIZE)
            rejects = parameters.whole(self.max_rejects, "max_rejects", 0, MAX_REJECTS)
            hide = phone_hider(self.phone_numbers, self.phone_numbers_conn_id)
            columns = self._columns(hook)
            create = flag(self.create_table, "create_table")
            table = self._opened(columns)
            table.prepare(create=create)
            note_objects(self, context, hook, "calls")
            window = self.find_filter_objects(hook, window)
            self.require_filter_objects(hook)
            export = export_calls(client, window, raw=True, progress=export_progress_logger())
            loading = Loading(table, columns, hide, size, rejects)
            done = _loaded(loading, export)
            result = {"table": self.table, **done, **self._completeness(window, export, loading.rejects)}
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
        from airflow_provider_retreaver.transfers.call_loading import Destinations

        if self.mapping is None:
            return warehouse_columns(Destinations(hook))
        return mapped(mapping(self.mapping, "mapping"))

    def _opened(self, columns: Columns) -> CallTable:
        from airflow_provider_retreaver.domain.calls.sql_dialects import dialect_of, table_name
        from airflow_provider_retreaver.hooks.sql import sql_hook
        from airflow_provider_retreaver.transfers.call_table import CallTable
        from airflow_provider_retreaver.transfers.database_session import Database

        name = table_name(self.table)
        hook = sql_hook(self.sql_conn_id)

        def connect() -> Any:
            connection = hook.get_conn()
            if hook.supports_autocommit:
                hook.set_autocommit(connection, autocommit=False)
            return connection

        return CallTable(Database(connect, dialect_of(hook.dialect_name), hook.placeholder), name, columns)

    def _completeness(self, window: CallWindow, export: CallExport, rejects: Rejects) -> dict[str, Any]:
        found = export.completeness
        reason = found.reason if found else ""
        if rejects.first is not None:
            reason = f"the table cannot hold {len(rejects)} calls, first {rejects.first}"
        return {
            "complete": found is not None and found.proved and rejects.first is None,
            "counted": found.counted if found else None,
            "reason": reason,
            "start": window.start.isoformat(),
            "end": window.end.isoformat() if window.end else None,
            "by": window.by,
        }


def _loaded(loading: Loading, export: CallExport) -> dict[str, Any]:
    """Load all calls; a call that the table cannot hold ends the task, without a chain of errors that quote it."""
    from airflow_provider_retreaver.core.errors import TableNotWritten
    from airflow_provider_retreaver.operators.base import FinalTableNotWritten

    try:
        return loading.all_of(export)
    except TableNotWritten as error:
        if not error.final:
            raise
        final = FinalTableNotWritten(error.message, uuid=error.uuid, column=error.column)
    raise final
