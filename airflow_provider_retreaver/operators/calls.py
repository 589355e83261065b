"""The operator that writes data of other systems onto calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import conf

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator, partial_result

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.data_writing.rows import NumberedRow, RejectedRow, RowReader, Writes
    from airflow_provider_retreaver.storage.line_files import Folder

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
# Failures are part of every checkpoint, which must stay small.
MAX_FAILURES = 10_000
# Rejected rows that are logged.
LOGGED_REJECTS = 5
ONE = ("call_uuid", "caller_number")
SOURCES = ("rows", "source", "sql")


class RetreaverWriteCallDataOperator(RetreaverWriteOperator):
    """Write tags onto calls, such as the sales of a CRM; one request for each call.

    Give one call (`call_uuid` or `caller_number`, with `tags`), or many by `rows`, `source` or `sql` with `columns`.
    The source is read completely before anything is sent; rows of one call become one request, in which a later row
    overwrites an earlier one. Returns::

        {"applied", "stored", "failed", "rows", "rejected", "duplicates", "not_applied"}

    (counts, and the first 100 writes that were not applied, with masked numbers); `outcomes` and `rejects` are paths
    of files with all of them when `state_path` is given. `stored` is not `applied`: Retreaver found no such call, or
    one that is under way, and keeps the tags for as long as the postback key says. `verify_after` adds `verified`,
    `missing` and `missing_tags` (and a file, `not_shown`).

    A retry continues where the attempt before ended, where Airflow's task state store (3.3) or `state_path` keeps the
    progress; elsewhere it writes the same tags again. What Retreaver refuses is reported and leaves the task
    successful as long as there are at most `max_failures`; when other writes failed, the task fails, and its retry
    sends only those. The connection needs the extra `postback_key`, a postback key of type "Call Data Writing".
    Retreaver's reference: "Call Data Writing"; see docs/data-writing.md.

    :param call_uuid: UUID of one call.
    :param caller_number: phone number of one caller, where the UUID is not known.
    :param tags: values by key; with many rows, tags that every row gets as well. At most 100 a call.
    :param rows: a list of mappings, e.g. another task's result.
    :param source: file on object storage, csv or jsonl, compressed with gzip, bzip2, xz or zip or not.
    :param source_format: `csv` or `jsonl`, where the name of the file does not show it.
    :param encoding: of the file; a byte order mark is handled.
    :param delimiter: between the columns of a csv file; by default the one that its header has.
    :param sql: query whose rows are written.
    :param sql_conn_id: connection of any SQL database that Airflow has a provider for.
    :param columns: which columns are tags: tags by column, or a list of columns of the same names. Blank values are
        left out.
    :param call_uuid_column: column of the call's UUID.
    :param caller_number_column: column of the caller's number, used in rows without a UUID.
    :param default_region: country of numbers without a country code, e.g. `US`.
    :param max_rows: with more rows nothing is sent; None for no limit.
    :param max_rejects: how many rows may be invalid, as a number or a share; 5 % by default.
    :param max_failures: how many writes may fail before it stops, 0 to 10,000.
    :param verify_after: read the calls back this long after all was sent: a timedelta, seconds or a text like `1h`;
        None not to. Current routes only.
    :param deferrable: wait for that in the triggerer, where the progress is kept; else the worker waits.
    :param state_path: folder on object storage for the progress and the files of this run.
    :param dry_run: read and check the source and return counts; nothing is sent.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: naming the parameter or the problem of the source; nothing was sent.
    :raises ChangeRefused: when there are too many rows, or too many invalid ones; nothing was sent.
    :raises AuthenticationError: when the postback key is wrong, paused, or of another type.
    :raises PartialFailure: when some writes failed that may succeed later, or too many failed.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        *("call_uuid", "caller_number", "tags", "rows", "source", "source_format", "delimiter", "sql", "sql_conn_id"),
        *("columns", "call_uuid_column", "caller_number_column", "max_rows", "max_rejects", "max_failures"),
        *("verify_after", "state_path"),
    )
    template_ext: tuple[str, ...] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - as Airflow declares it

    def __init__(
        self,
        *,
        call_uuid: str | None = None,
        caller_number: str | None = None,
        tags: Mapping[str, str | int | float] | str | None = None,
        rows: Iterable[Mapping[str, Any]] | str | None = None,
        source: str | None = None,
        source_format: Literal["csv", "jsonl"] | None = None,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        columns: Mapping[str, str] | Sequence[str] | str | None = None,
        call_uuid_column: str = "call_uuid",
        caller_number_column: str = "caller_number",
        default_region: str = "US",
        max_rows: int | str | None = 10_000,
        max_rejects: float | str | None = "5%",
        max_failures: int | str = 100,
        verify_after: timedelta | float | str | None = None,
        deferrable: bool = DEFERRABLE,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.call_uuid = call_uuid
        self.caller_number = caller_number
        self.tags = tags
        self.rows = rows
        self.source = source
        self.source_format = source_format
        self.encoding = encoding
        self.delimiter = delimiter
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.columns = columns
        self.call_uuid_column = call_uuid_column
        self.caller_number_column = caller_number_column
        self.default_region = default_region
        self.max_rows = max_rows
        self.max_rejects = max_rejects
        self.max_failures = max_failures
        self.verify_after = verify_after
        self.deferrable = deferrable
        self.state_path = state_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the tags and return the counts; after a deferral, go on from there."""
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.operators.call_data_run import CallDataRun, source_counts
        from airflow_provider_retreaver.storage.run_state import RunState

        with self.connected() as hook:
            after = duration(self.verify_after, "verify_after") if parameters.is_given(self.verify_after) else None
            if after is not None and hook.settings.routes.legacy:
                raise InvalidArgument(
                    "verify_after needs the current routes, since the legacy call log has no tags; set the "
                    "connection's extra api_routes to current."
                )
            max_failures = parameters.whole(self.max_failures, "max_failures", 0, MAX_FAILURES)
            folder, dry_run = self._folder(context), self.is_dry_run()
            found = self._collect(folder, dry_run=dry_run)
            if parameters.is_given(self.call_uuid):
                note_objects(self, context, hook, "calls", (str(self.call_uuid).strip(),))
            if dry_run:
                self.log.info("Dry run: the tags of %d calls would be written; nothing was sent", len(found.writes))
                return {"would_write": len(found.writes), **source_counts(found), "dry_run": True}
            state = RunState(context, "write_call_data", self._state_path())
            run = CallDataRun(hook, found, max_failures=max_failures, state=state, folder=folder)
            with partial_result(context, lambda: run.result() if run.begun else None):
                result = run.send()
            if after is not None and found.writes:
                due = run.due(result, after)
                self._defer_until(due, lasting=state.lasting)
                with partial_result(context, lambda: result):
                    result = run.read_back(result, due)
            run.finish()
        counts = {name: value for name, value in result.items() if isinstance(value, int)}
        self.update_outlet_events(context, **counts)
        return result

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        """Go on after a deferral: the progress says what was sent, and when the calls are read back.

        :param context: the task's context.
        :param event: of the trigger.
        :return: the result.
        """
        return self.execute(context)

    def _defer_until(self, due: datetime, *, lasting: bool) -> None:
        """Defer until a time; return at once when it has come, or where the worker has to wait."""
        from airflow_provider_retreaver.triggers.waiting import RetreaverWaitTrigger

        if due <= datetime.now(UTC) or not parameters.flag(self.deferrable, "deferrable"):
            return
        if not lasting:
            self.log.warning("The worker waits: without Airflow's task state store or state_path nothing is kept.")
            return
        self.defer(trigger=RetreaverWaitTrigger(until=due.isoformat()), method_name="execute_complete")

    def _state_path(self) -> str | None:
        return self.state_path if parameters.is_given(self.state_path) else None

    def _folder(self, context: Context) -> Folder | None:
        """Return the folder for the files of this run."""
        from airflow_provider_retreaver.storage.line_files import Folder, run_folder
        from airflow_provider_retreaver.storage.paths import storage_path

        root = self._state_path()
        return None if root is None else Folder(storage_path(root, "state_path") / run_folder(context, "call_data"))

    def _collect(self, folder: Folder | None, *, dry_run: bool) -> Writes:
        """Read the one call, or the source completely.

        :raises InvalidArgument: naming the parameter that cannot be right; nothing was sent.
        :raises ChangeRefused: when a guard refuses the source; nothing was sent.
        """
        from airflow_provider_retreaver.domain.data_writing.rows import (
            RowReader,
            check_source,
            collect,
            one_write,
        )
        from airflow_provider_retreaver.domain.lists.phones import Normalizer
        from airflow_provider_retreaver.domain.objects.change_limit import warn_of_refusal
        from airflow_provider_retreaver.operators.source_rows import rejects_file

        normalizer, tags = Normalizer(self.default_region), parameters.mapping(self.tags, "tags")
        given = [name for name in (*ONE, *SOURCES) if parameters.is_given(getattr(self, name))]
        if len(given) != 1:
            raise InvalidArgument(
                f"Give exactly one of {', '.join((*ONE, *SOURCES))}, not {' and '.join(given) or 'none'}."
            )
        if given[0] in ONE:
            return one_write(self.call_uuid, self.caller_number, tags, normalizer)
        max_rows = None if self.max_rows in (None, "None") else parameters.whole(self.max_rows, "max_rows", 1)
        reader = RowReader(self.columns, self.call_uuid_column, self.caller_number_column, tags, normalizer)
        where, rows = self._rows(reader)
        first: list[str] = []
        with rejects_file(folder) as write:

            def reject(row: RejectedRow) -> None:
                if len(first) < LOGGED_REJECTS:
                    first.append(str(row))
                write(row)

            found = collect(rows, reader, reject, max_rows=None if dry_run else max_rows, where=where)
        self._log_counts(found, where, first)
        try:
            check_source(found, max_rows, self.max_rejects, where, first)
        except ChangeRefused as refusal:
            if not dry_run:
                raise
            warn_of_refusal(refusal)
        return found

    def _log_counts(self, found: Writes, where: str, first: Sequence[str]) -> None:
        self.log.info(
            "%s: %d rows, %d calls, %d duplicates, %d rejected.",
            where, found.rows, len(found.writes), found.duplicates, found.rejected,
        )  # fmt: skip
        for line in first:
            self.log.warning("Rejected: %s", line)
        if found.overwritten:
            self.log.warning("%d tags have another value in a later row of the same call.", found.overwritten)

    def _rows(self, reader: RowReader) -> tuple[str, Iterator[NumberedRow]]:
        """Return the source's name and its rows, lazily."""
        from airflow_provider_retreaver.operators.source_rows import file_rows, listed_rows, query_rows

        if parameters.is_given(self.sql) != parameters.is_given(self.sql_conn_id):
            raise InvalidArgument("sql and sql_conn_id belong together; give both or none.")
        if self.sql is not None and parameters.is_given(self.sql):
            where = f"The query on connection {quoted(self.sql_conn_id)}"
            return where, query_rows(self.sql, str(self.sql_conn_id), reader.check)
        if self.source is not None and parameters.is_given(self.source):
            path = str(self.source)
            return path, file_rows(
                path, self.source_format, reader.check, encoding=self.encoding, delimiter=self.delimiter
            )
        return "The list of rows", listed_rows(self.rows, reader.check)
