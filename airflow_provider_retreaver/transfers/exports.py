"""What the exports of calls share: their window, and telling outlets and OpenLineage what was read and written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow_provider_retreaver.operators.base import RetreaverOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

CALLS = "calls"


class RetreaverExportOperator(RetreaverOperator):
    """Base of the operators that write calls, or their recordings, to somewhere else.

    The events of the assets among the outlets get the counts and the window as their `extra`. OpenLineage is told
    `retreaver://host` with `company/calls` as what was read, where the connection names the company.

    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval.
    :param end: end of the window, as `start`; calls before it.
    :param by: which time of a call must lie in the window: `created_at` or `updated_at` (current routes only).
    :param filters: Retreaver's own filters by name: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`,
        `call_flow_events`.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    """

    template_fields = (*RetreaverOperator.template_fields, "start", "end", "by", "filters", "version")
    # Of an export that was made: the account's host and company, and the counts.
    _read_from: tuple[str, str | None] | None = None
    _counts: dict[str, Any]

    def __init__(
        self,
        *,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        by: Literal["created_at", "updated_at"] = "created_at",
        filters: Mapping[str, object] | str | None = None,
        version: Literal["v1", "v2", "v3", "v4", "v5"] | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.start = start
        self.end = end
        self.by = by
        self.filters = filters
        self.version = version

    def window(self, context: Context, *, until_now: bool = False) -> CallWindow:
        """Return the window of calls that the parameters or the run say.

        :param until_now: a start without an end is a window without an end.
        :raises InvalidArgument: for what cannot be a window.
        """
        from airflow_provider_retreaver.core.parameters import is_given, mapping
        from airflow_provider_retreaver.domain.calls.time_window import aware_time, window_of_run
        from airflow_provider_retreaver.domain.calls.window import CallWindow

        now = datetime.now(UTC)
        start: datetime
        end: datetime | None
        if until_now and is_given(self.start) and not is_given(self.end):
            start, end = aware_time(self.start, "start"), None
        else:
            start, end = window_of_run(self.start, self.end, context, now)
        version = self.version if is_given(self.version) else None
        window = CallWindow(start, end, self.by, mapping(self.filters, "filters"), version)
        window.check(now)
        return window

    def tell_export(self, context: Context, hook: RetreaverHook, window: CallWindow | None, **counts: Any) -> None:
        """Tell outlets, and remember for OpenLineage, what was written.

        :param window: of the calls; None when there was nothing to export.
        :param counts: small plain JSON.
        """
        from airflow_provider_retreaver.core.messages import Host

        settings = hook.settings
        self._read_from = urlsplit(settings.urls[Host.API]).netloc, settings.company_id
        self._counts = counts
        self.tell_outlets(context, window=None if window is None else window.as_dict(), **counts)

    def lineage_datasets(self) -> tuple[list[Dataset], list[Dataset]]:
        """Return the company's calls, and what they were written to; nothing where nothing was exported."""
        from airflow.providers.common.compat.openlineage.facet import Dataset

        if self._read_from is None:
            return [], []
        host, company = self._read_from
        read = [] if company is None else [Dataset(namespace=f"retreaver://{host}", name=f"{company}/{CALLS}")]
        return read, self.written_datasets()

    @abstractmethod
    def written_datasets(self) -> list[Dataset]:
        """Return what the calls were written to."""


def folder_dataset(url: str, rows: int | None, files: int, size: int) -> Dataset:
    """Return the dataset of a folder on object storage, by OpenLineage's rules for names.

    :param url: e.g. `s3://conn@bucket/calls`, which is `calls` in `s3://bucket`.
    :param rows: written; None where files have no rows.
    :param size: bytes written.
    """
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    parts = urlsplit(url)
    local = parts.scheme in {"", "file"}
    return OutputDataset(
        namespace="file" if local else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        name=(parts.path.rstrip("/") if local else parts.path.strip("/")) or "/",
        outputFacets={
            "outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size, fileCount=files)
        },
    )
