"""What the exports of calls share: telling outlets and OpenLineage what was read, and what was written where."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_retreaver.operators.base import RetreaverOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.call_window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

CALLS = "calls"


class RetreaverExportOperator(RetreaverOperator):
    """Base of the operators that write calls, or their recordings, to somewhere else.

    The events of the assets among the outlets get the counts and the window as their `extra`. OpenLineage is told
    `retreaver://host` with `company/calls` as what was read, where the connection names the company.
    """

    # Of an export that was made: the account's host and company, and the counts.
    _read_from: tuple[str, str | None] | None = None
    _counts: dict[str, Any]

    def tell_export(self, context: Context, hook: RetreaverHook, window: CallWindow | None, **counts: Any) -> None:
        """Tell outlets, and remember for OpenLineage, what was written.

        :param window: of the calls; None when there was nothing to export.
        :param counts: small plain JSON.
        """
        from airflow_provider_retreaver.core.messages import Host

        settings = hook.get_conn().settings
        self._read_from = urlsplit(settings.urls[Host.API]).netloc, settings.company_id
        self._counts = counts
        self.tell_outlets(context, window=None if window is None else window.told(), **counts)

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
