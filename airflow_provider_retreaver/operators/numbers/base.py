"""The base of the operators that take many phone numbers, with their sources: files, queries and lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.source_rows import rejects_file, sql_rows

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.lists.number_sources import Collected, Numbered, Rejected
    from airflow_provider_retreaver.domain.lists.unreadable import Unreadable
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.storage.attempt_lease import NoLease
    from airflow_provider_retreaver.storage.line_files import Folder

Mode = Literal["add", "mirror", "remove"]
SourceFormat = Literal["csv", "jsonl", "txt"]
NumberLayout = Literal["ftc_full", "ftc_change"]
Columns = str | int | Sequence[str | int] | None
PhoneNumbers = str | int | Iterable[str | int]
Limit = float | str | Sequence[float | str] | None

# Rejected values that are logged.
LOGGED_REJECTS = 5
MAX_REMOVALS: Limit = ("10%", 10_000)


class RetreaverNumbersOperator(RetreaverWriteOperator):
    """Base of the operators that synchronize a list in Retreaver with a source of phone numbers.

    :param mode: `add` (never removes), `mirror` (also removes numbers that the source does not have) or `remove`
        (removes the numbers of the source).
    :param source: file on object storage: csv, jsonl or txt, compressed with gzip, bzip2, xz or zip or not. Give
        exactly one of `source`, `sql` and `numbers`; it is read completely before anything is sent.
    :param source_format: `csv`, `jsonl` or `txt`, where the name of the file does not show it.
    :param column: column of the csv file, field of the jsonl objects or column of the query that contains the number;
        may be left out where there is only one. A list of columns, such as area code and number, is joined. In a file
        without a header, the place of the column, counted from 1.
    :param encoding: of the file; a byte order mark is handled.
    :param delimiter: between the columns of a csv file, e.g. `;` or `tab`; by default the one that its header has.
    :param skip_lines: lines above the header or the first number; titles are found by themselves when `column` is a
        name.
    :param layout: `ftc_full` or `ftc_change`, the files of the National Do Not Call Registry, which are recognized
        when `column` is left out. Of a file of changes `add` takes the numbers that were added, and `remove` those
        that were deleted; it cannot be mirrored.
    :param sql: query whose rows contain the numbers.
    :param sql_conn_id: connection of any SQL database that Airflow has a provider for.
    :param numbers: a list, another task's result, or a text with commas.
    :param default_region: country of numbers without a country code, e.g. `US`.
    :param max_removals: a number, a share of the list (`0.1`, `"10%"`), or several of them (the lowest applies); with
        more removals nothing is sent; None for no limit. By default 10 % and 10,000.
    :param max_rejects: how many values of the source may be invalid, as a number or a share; 5 % by default.
    :param max_unreadable: how many values of the source may be unreadable (invalid and not blank), as a number or a
        share, for a mirror to remove numbers; with more it only adds. By default 0; None for no limit. Numbers
        that an unreadable value could mean are never removed.
    :param allow_empty: continue with an empty source.
    :param state_path: folder on object storage for the files of this sync; no other sync may use it.
    :param dry_run: compare and return what would be done (written below `state_path` if given); nothing is sent.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    """

    template_fields: tuple[str, ...] = (
        *RetreaverWriteOperator.template_fields,
        "mode",
        "source",
        "source_format",
        "column",
        "delimiter",
        "skip_lines",
        "layout",
        "sql",
        "sql_conn_id",
        "numbers",
        "max_removals",
        "max_rejects",
        "max_unreadable",
        "allow_empty",
        "state_path",
    )
    template_ext: tuple[str, ...] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - as Airflow declares it

    def __init__(
        self,
        *,
        mode: Mode,
        source: str | None = None,
        source_format: SourceFormat | None = None,
        column: Columns = None,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        skip_lines: int | str = 0,
        layout: NumberLayout | None = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        numbers: PhoneNumbers | None = None,
        default_region: str = "US",
        max_removals: Limit = MAX_REMOVALS,
        max_rejects: float | str | None = "5%",
        max_unreadable: float | str | None = 0,
        allow_empty: bool | str = False,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.mode = mode
        self.source = source
        self.source_format = source_format
        self.column = column
        self.encoding = encoding
        self.delimiter = delimiter
        self.skip_lines = skip_lines
        self.layout = layout
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.numbers = numbers
        self.default_region = default_region
        self.max_removals = max_removals
        self.max_rejects = max_rejects
        self.max_unreadable = max_unreadable
        self.allow_empty = allow_empty
        self.state_path = state_path

    def lease(self, context: Context, hook: RetreaverHook, name: str, *, dry_run: bool) -> NoLease:
        """Return the lease of a list, which has to be entered before the source is read.

        :param context: the task's context.
        :param hook: of the connection.
        :param name: of the list.
        :param dry_run: whether nothing will be changed, so that no lease is needed.
        :return: the strongest lease that there is a place for.
        """
        from airflow_provider_retreaver.storage.attempt_lease import NoLease
        from airflow_provider_retreaver.storage.lease import lease_for

        place = f"{hook.settings.company_id or self.retreaver_conn_id}-{name}"
        return NoLease() if dry_run else lease_for(context, self.state_path, quote(place, safe="-_"))

    def collect_numbers(self, folder: Folder | None, each: Callable[[], None]) -> Collected:
        """Read the source completely.

        :param folder: folder for the file of rejected values, None for none.
        :param each: called for each value.
        :return: the phone numbers, with counts.
        :raises InvalidArgument: when the source cannot be read; nothing was sent.
        :raises ChangeRefused: when it is empty, or has too many invalid values; nothing was sent.
        """
        from airflow_provider_retreaver.domain.lists.change_files import newest_changes
        from airflow_provider_retreaver.domain.lists.number_sources import check_source, collect
        from airflow_provider_retreaver.domain.lists.phones import Normalizer
        from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

        ChangeLimit.parse(self.max_rejects, "max_rejects")
        ChangeLimit.parse(self.max_unreadable, "max_unreadable")
        allow_empty = flag(self.allow_empty, "allow_empty")
        normalizer = Normalizer(self.default_region)
        where, values = self._values()
        first: list[str] = []
        with rejects_file(folder) as write:

            def reject(rejected: Rejected) -> None:
                if len(first) < LOGGED_REJECTS:
                    first.append(str(rejected))
                write(rejected)

            found = collect(newest_changes(_each(values, each), str(self.mode), where), normalizer, reject)
        self.log.info(
            "%s: %d values, %d phone numbers, %d duplicates, %d rejected.",
            where, found.rows, len(found.numbers), found.duplicates, found.rejected,
        )  # fmt: skip
        for line in first:
            self.log.warning("Rejected: %s", line)
        check_source(found, self.max_rejects, allow_empty=allow_empty, where=where, first=first)
        return found

    def unreadable_of(self, collected: Collected) -> Unreadable:
        """Return the values of a source that cannot be read, and what they prevent.

        :param collected: the source.
        :return: the values.
        """
        from airflow_provider_retreaver.domain.lists.phones import Normalizer
        from airflow_provider_retreaver.domain.lists.unreadable import Unreadable

        return Unreadable.of(collected, Normalizer(self.default_region), self.max_unreadable)

    def tell_sync(self, context: Context, result: Mapping[str, Any], **which: Any) -> None:
        """Put the counts of a sync into the events of the outlets, without the paths of files with whole numbers.

        :param context: the task's context.
        :param result: of the sync.
        :param which: what was synchronized.
        """
        counts = {name: value for name, value in result.items() if name not in {"plan", "rejects", "failures"}}
        self.update_outlet_events(context, **which, **{"dry_run": False, **counts})

    def files_of(self, context: Context, name: str) -> tuple[Folder, str] | None:
        """Return the folder for the files of this run.

        :param context: the task's context.
        :param name: of the kind of sync.
        :return: the folder and its path below `state_path`; None without `state_path`.
        """
        if self.state_path is None or not is_given(self.state_path):
            return None
        from airflow_provider_retreaver.storage.line_files import Folder, run_folder
        from airflow_provider_retreaver.storage.paths import storage_path

        place = run_folder(context, name)
        return Folder(storage_path(self.state_path, "state_path") / place), place

    def _values(self) -> tuple[str, Iterator[Numbered]]:
        """Return the source's name and its values, lazily."""
        from airflow_provider_retreaver.domain.lists.number_sources import listed

        given = [name for name in ("source", "sql", "numbers") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidArgument(
                f"Give exactly one of source, sql and numbers, not {' and '.join(given) or 'none'}."
            )
        if (self.sql is None) != (self.sql_conn_id is None):
            raise InvalidArgument("sql and sql_conn_id belong together; give both or none.")
        of_file = {
            "source_format": self.source_format,
            "delimiter": self.delimiter,
            "layout": self.layout,
            "skip_lines": self.skip_lines if str(self.skip_lines) != "0" else None,
        }
        if self.source is None:
            for name, value in of_file.items():
                if value is not None and value not in ("", "None"):
                    raise InvalidArgument(f"{name} belongs to source, which is not given.")
        else:
            return str(self.source), self._file_values(str(self.source))
        if self.sql is not None and self.sql_conn_id is not None:
            where = f"The query on connection {quoted(self.sql_conn_id)}"
            return where, _sql_values(self.sql, self.sql_conn_id, self.column, where)
        if self.column is not None:
            raise InvalidArgument("column belongs to source or sql, and numbers has none.")
        return "The list of numbers", listed(self.numbers)

    def _file_values(self, path: str) -> Iterator[Numbered]:
        from airflow_provider_retreaver.domain.lists.number_sources import format_of, read_file
        from airflow_provider_retreaver.storage.paths import storage_path

        kind = format_of(path, self.source_format)
        file = storage_path(path, "source")
        if not file.is_file():
            raise InvalidArgument(f"There is no file {path} (source); nothing was sent.")
        with file.open("rb") as stream:
            yield from read_file(
                stream,
                path,
                kind,
                column=self.column,
                encoding=self.encoding,
                delimiter=self.delimiter,
                skip_lines=self.skip_lines,
                layout=self.layout,
            )


def _sql_values(sql: str, conn_id: str, column: Columns, where: str) -> Iterator[Numbered]:
    """Read a query's rows in chunks, so that memory does not grow with them."""
    from airflow_provider_retreaver.domain.lists.columns import find_columns, joined, parse_columns

    columns, places = parse_columns(column), list[list[int]]()
    # A query without rows is an empty source only if it has the column.
    rows = sql_rows(sql, conn_id, where, lambda names: places.extend(find_columns(names, columns, where)))
    for row, values in enumerate(rows, 1):
        yield row, joined(values, places, where)


def _each(values: Iterator[Numbered], call: Callable[[], None]) -> Iterator[Numbered]:
    for value in values:
        call()
        yield value
