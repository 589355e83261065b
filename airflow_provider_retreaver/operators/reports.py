"""The operator for reports: totals of calls by one facet."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from airflow_provider_retreaver.links import FileLink, note_file
from airflow_provider_retreaver.operators.base import RetreaverOperator
from airflow_provider_retreaver.operators.generic.reading import limited_rows, masked_rows, row_limit

if TYPE_CHECKING:
    from typing import Any

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Row

Time = datetime | date | str


class RetreaverReportOperator(RetreaverOperator):
    """Read a report: totals of calls by publisher, buyer, campaign, number, day, tag or state.

    Set `limit` for a short report, which is returned, and `destination` for a long one, which is written to a file.
    Returns the rows, or `{"facet", "start", "end", "path", "rows", "bytes"}`. Retreaver caches reports, so they do
    not suit polling: there is no sensor for them. A tag that Retreaver does not index gives no rows. For calls in
    progress choose an end of tomorrow. Retreaver's reference: "Reports"; see docs/reports.md.

    :param facet: `publisher`, `buyer`, `campaign`, `number`, `daily`, `tag_value` or `state`.
    :param start: calls created from then on: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with
        `end` left out too, the run's data interval.
    :param end: calls created before it; less than two years after `start`.
    :param tag_value_key: with the facet `tag_value`: the tag whose values are reported; without it, the rows are the
        tags by name.
    :param limit: rows to return at most, up to 1,000. A longer report is an error, never cut silently.
    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/report.csv`; replaced when it exists.
    :param format: of the file: `jsonl` (rows as Retreaver sends them), `csv` or `parquet` (needs pyarrow).
    :param csv_escape_formulas: for `csv`: put an apostrophe before cells that a spreadsheet would run as a formula.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        *("facet", "start", "end", "tag_value_key", "limit", "destination", "format"),
        "csv_escape_formulas",
    )
    operator_extra_links = (FileLink(),)

    def __init__(
        self,
        *,
        facet: Literal["publisher", "buyer", "campaign", "number", "daily", "tag_value", "state"],
        start: Time | None = None,
        end: Time | None = None,
        tag_value_key: str | None = None,
        limit: int | str | None = None,
        destination: str | None = None,
        format: Literal["jsonl", "csv", "parquet"] = "jsonl",  # noqa: A002 - the usual name
        csv_escape_formulas: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.facet = facet
        self.start = start
        self.end = end
        self.tag_value_key = tag_value_key
        self.limit = limit
        self.destination = destination
        self.format = format
        self.csv_escape_formulas = csv_escape_formulas

    def execute(self, context: Context) -> list[Row] | dict[str, object]:
        """Read the report."""
        from airflow_provider_retreaver.core.parameters import is_given
        from airflow_provider_retreaver.domain.calls.time_window import window_of_run
        from airflow_provider_retreaver.resources.reports import COLUMNS, report_calls
        from airflow_provider_retreaver.storage.csv_cells import escapes_formulas
        from airflow_provider_retreaver.storage.table_files import check_table_format, write_table

        with self.connected() as hook:
            limit, format_ = row_limit(self.limit, self.destination), check_table_format(self.format)
            escape = escapes_formulas(self.csv_escape_formulas, format_)
            start, end = window_of_run(self.start, self.end, context, datetime.now(UTC))
            listing = report_calls(
                self.facet,
                created_at_start=start,
                created_at_end=end,
                tag_value_key=self.tag_value_key if is_given(self.tag_value_key) else None,
            )
            about = {"facet": self.facet, "start": start.isoformat(), "end": end.isoformat()}
            if limit is not None:
                with closing(masked_rows(hook, listing)) as rows:
                    found = limited_rows(rows, limit, f"The report by {self.facet}")
                self.log.info("Read %d rows of the report by %s", len(found), self.facet)
                self.update_outlet_events(context, **about, rows=len(found))
                return found
            with closing(masked_rows(hook, listing)) as rows:
                written = {**about, **write_table(str(self.destination), rows, COLUMNS, format_, escape=escape)}
            note_file(context, hook, self.destination)
            self.update_outlet_events(context, **written)
        return written
