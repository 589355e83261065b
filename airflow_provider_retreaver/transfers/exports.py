"""The base of the exports of calls: their window, and their results for assets and OpenLineage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow_provider_retreaver.links import FileLink, note_file
from airflow_provider_retreaver.operators.base import RetreaverOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_retreaver.core.settings import Settings
    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

CALLS = "calls"


class RetreaverExportOperator(RetreaverOperator):
    """Base of the operators that export calls or their recordings.

    The events of the assets among the outlets get the counts and the window as their `extra`. OpenLineage gets
    `retreaver://host` with `company/calls` as the input, where the connection has a company ID.

    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval.
    :param end: end of the window, as `start`; calls before it.
    :param by: which time of a call must lie in the window: `created_at` or `updated_at` (current routes only).
    :param filters: Retreaver's own filters by name: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`,
        `call_flow_events`. The campaign, affiliate and target that they choose are looked up first; `campaign_name`,
        `affiliate_name` and `target_name` choose them by name instead of by the customer's ID.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        "start",
        "end",
        "by",
        "filters",
        "allow_unknown",
        "version",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (FileLink(),)
    # Set by `publish_export`: the account's host and company, and the counts.
    _read_from: tuple[str, str | None] | None = None
    _counts: dict[str, Any]

    def __init__(
        self,
        *,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        by: Literal["created_at", "updated_at"] = "created_at",
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
        version: Literal["v1", "v2", "v3", "v4", "v5"] | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.start = start
        self.end = end
        self.by = by
        self.filters = filters
        self.allow_unknown = allow_unknown
        self.version = version

    def window(self, context: Context, *, until_now: bool = False) -> CallWindow:
        """Return the window of calls from the parameters or the run.

        :param context: the task's context.
        :param until_now: whether a start without an end means a window without an end.
        :return: the window, checked.
        :raises InvalidArgument: naming the parameter that is wrong.
        """
        from airflow_provider_retreaver.core.parameters import is_given, known
        from airflow_provider_retreaver.domain.calls.filter_objects import NAMES
        from airflow_provider_retreaver.domain.calls.time_window import aware_time, window_of_run
        from airflow_provider_retreaver.domain.calls.window import FILTERS, CallWindow

        now = datetime.now(UTC)
        start: datetime
        end: datetime | None
        if until_now and is_given(self.start) and not is_given(self.end):
            start, end = aware_time(self.start, "start"), None
        else:
            start, end = window_of_run(self.start, self.end, context, now)
        version = self.version if is_given(self.version) else None
        filters, names = self._filters()
        known({**filters, **names}, (*FILTERS, *NAMES), "filter of calls by Retreaver")
        window = CallWindow(start, end, self.by, filters, version)
        window.check(now)
        return window

    def _filters(self) -> tuple[dict[str, object], dict[str, str]]:
        """Return the filters that Retreaver has, and those that are names of objects."""
        from airflow_provider_retreaver.core.parameters import mapping

        filters = mapping(self.filters, "filters")
        if not filters:
            return {}, {}
        from airflow_provider_retreaver.domain.calls.filter_objects import NAMES, names_of_filters

        names = names_of_filters(filters)
        return {name: value for name, value in filters.items() if name not in NAMES}, names

    def find_filter_objects(self, hook: RetreaverHook, window: CallWindow) -> CallWindow:
        """Find the objects that the filters choose by name; without names nothing is sent.

        :param hook: of the account.
        :param window: of the calls.
        :return: the window with the filters that Retreaver has for them.
        :raises NotFound: when no object has one of the names.
        :raises InvalidArgument: when several have one of the names, or one has no customer's ID.
        """
        names = self._filters()[1]
        if not names:
            return window
        from airflow_provider_retreaver.domain.calls.filter_objects import find_filter_objects

        return replace(window, filters={**window.filters, **hook.run(find_filter_objects(names, {}))})

    def require_filter_objects(self, hook: RetreaverHook) -> None:
        """Check that the objects which the filters choose by ID exist, unless `allow_unknown` is set.

        :param hook: of the account.
        :raises NotFound: naming the filter whose object does not exist.
        """
        from airflow_provider_retreaver.core.parameters import flag

        filters = self._filters()[0]
        if flag(self.allow_unknown, "allow_unknown") or not filters:
            return
        from airflow_provider_retreaver.domain.calls.filter_objects import require_filter_objects

        hook.run(require_filter_objects(filters))

    def publish_export(self, context: Context, hook: RetreaverHook, window: CallWindow | None, **counts: Any) -> None:
        """Publish the result of an export to the assets among the outlets and to OpenLineage.

        :param context: the task's context.
        :param hook: of the account.
        :param window: of the calls; None when there was nothing to export.
        :param counts: small plain JSON; the path of a manifest is noted for the task's link.
        """
        if counts.get("manifest") is not None:
            note_file(context, hook, counts["manifest"])
        self._read_from = account_of(hook.settings)
        self._counts = counts
        self.update_outlet_events(context, window=None if window is None else window.as_dict(), **counts)

    def lineage_datasets(self) -> tuple[list[Dataset], list[Dataset]]:
        """Return the datasets for OpenLineage.

        :return: the company's calls, and `written_datasets()`; empty lists when nothing was exported.
        """
        if self._read_from is None:
            return [], []
        return account_dataset(*self._read_from, CALLS), self.written_datasets()

    @abstractmethod
    def written_datasets(self) -> list[Dataset]:
        """Return the datasets that the calls were written to.

        :return: datasets by OpenLineage's rules for names.
        """


def account_of(settings: Settings) -> tuple[str, str | None]:
    """Return what identifies an account to others.

    :param settings: of the connection.
    :return: host of the API, and ID of the company; None where the connection has none.
    """
    from airflow_provider_retreaver.core.messages import Host

    return urlsplit(settings.urls[Host.API]).netloc, settings.company_id


def account_name(settings: Settings) -> str | None:
    """Return the name of an account as a manifest has it.

    :param settings: of the connection.
    :return: host and company, e.g. `api.retreaver.com/12345`; None where the connection has no company.
    """
    host, company = account_of(settings)
    return None if company is None else f"{host}/{company}"


def account_dataset(host: str, company: str | None, name: str) -> list[Dataset]:
    """Return the dataset of a company's data, by OpenLineage's rules for names.

    :param host: of the API.
    :param company: ID of the company; None where the connection has none.
    :param name: what is read, e.g. `calls`.
    :return: one dataset, or none without a company.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    return [] if company is None else [Dataset(namespace=f"retreaver://{host}", name=f"{company}/{name}")]


def folder_dataset(url: str, rows: int | None, files: int, size: int) -> Dataset:
    """Return the dataset of a folder on object storage, by OpenLineage's rules for names.

    :param url: e.g. `s3://conn@bucket/calls`, which is `calls` in `s3://bucket`.
    :param rows: number of rows written; None where files have no rows.
    :param files: number of files written.
    :param size: bytes written.
    :return: the dataset with its statistics.
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
