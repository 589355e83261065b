"""Operators that export the call log to object storage and to SQL databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.transfers.calls_sql import RetreaverCallsToSqlOperator
from airflow_provider_retreaver.transfers.exports import RetreaverExportOperator, account_name, folder_dataset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.calls.export import Client, Completeness
    from airflow_provider_retreaver.domain.calls.first_pages import Expectation
    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.transfers.file_parts import Parts, Shape
    from airflow_provider_retreaver.transfers.incremental import Cursor, Ledger
    from airflow_provider_retreaver.transfers.publication import Publication

__all__ = ["RetreaverCallsToObjectStorageOperator", "RetreaverCallsToSqlOperator"]

# An incremental export reads this again before its cursor, for calls that were updated while the last one started.
OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one export reads and writes.

    :param key: name of its files and its manifest, the same whenever it is repeated.
    :param window: of the calls.
    :param cursor: of an incremental export.
    :param known: the newest `updated_at` when the last incremental export started.
    :param newest: the newest `updated_at` when this one starts.
    :param expected: returns how many calls the window may have; None where nothing is known of that.
    """

    key: str
    window: CallWindow
    cursor: Cursor | None = None
    known: datetime | None = None
    newest: datetime | None = None
    expected: Expectation | None = None


class RetreaverCallsToObjectStorageOperator(RetreaverExportOperator):
    """Write the calls of a window to a folder on object storage, completely or not at all.

    A settled window (it ended at least a minute ago, so that no further call can enter it) is compared with
    Retreaver's own count, and the manifest says `complete`. An export waits at most 90 seconds for a window that has
    just ended; of any other window the manifest says that it is not complete. A reader that follows the manifest sees
    a whole export; an export of the same window replaces the former one and nothing else. See docs/exports.md and
    Retreaver's reference: "Enumerate through all calls in a specific date/time range".

    :param destination: folder URL, e.g. `s3://conn@bucket/calls`.
    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval. An incremental export needs `start` for its first run only.
    :param end: end of the window, as `start`; calls before it.
    :param by: which time of a call must lie in the window: `created_at` or `updated_at` (current routes only).
    :param lookback: length of time before the window that is read again, e.g. `1h`, seconds or a timedelta. An
        incremental export reads 10 minutes again by default.
    :param filters: Retreaver's own filters by name: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`,
        `call_flow_events`. The campaign, affiliate and target that they choose are looked up first; `campaign_name`,
        `affiliate_name` and `target_name` choose them by name instead of by the customer's ID.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param format: `jsonl` (calls as Retreaver sends them), `csv` or `parquet` (typed columns; needs pyarrow).
    :param compression: `none`, `gzip` or `zstd` (needs pyarrow); by default `zstd` for Parquet, else `none`.
    :param tags: `map` for all tags of a call together, `rows` for one row a tag.
    :param csv_escape_formulas: for `csv`: put an apostrophe before cells that a spreadsheet would run as a formula.
    :param partition_by: `day` or `hour` of creation in UTC for folders like `day=2026-01-31/hour=07`; None for none.
    :param max_file_bytes: size in bytes from which on the next call goes to another file; None for no limit.
    :param incremental: export what was updated since the last export that succeeded, and report calls whose revenue
        or payout was restated; needs `by="updated_at"`.
    :param state_path: folder URL for the state of an incremental export; `_state` in the destination by default.
    :param phone_numbers: the callers' numbers: `keep` them, `hash` them (HMAC-SHA256) or `mask` them (`+1…77`).
    :param phone_numbers_conn_id: for `hash`, id of a connection whose password is the secret.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :return: `{"manifest", "files", "rows", "calls", "bytes", "complete", "restated"}`; an incremental export that
        finds nothing new has `manifest` None.
    :raises InvalidArgument: for a wrong parameter or destination; nothing was sent.
    :raises ListingIncomplete: when calls are missing after several readings.
    :raises StorageFailed: when the storage fails; no partial file is in place.
    """

    template_fields = (
        *RetreaverExportOperator.template_fields, "destination", "lookback", "format", "compression", "tags",
        "csv_escape_formulas", "partition_by", "max_file_bytes", "incremental", "state_path", "phone_numbers",
        "phone_numbers_conn_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        destination: str,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        by: Literal["created_at", "updated_at"] = "created_at",
        lookback: timedelta | float | str | None = None,
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
        version: Literal["v1", "v2", "v3", "v4", "v5"] | None = None,
        format: Literal["jsonl", "csv", "parquet"] = "jsonl",  # noqa: A002 - the usual name
        compression: Literal["none", "gzip", "zstd"] | None = None,
        tags: Literal["map", "rows"] = "map",
        partition_by: Literal["day", "hour"] | None = None,
        max_file_bytes: int | str | None = None,
        incremental: bool | str = False,
        state_path: str | None = None,
        phone_numbers: Literal["keep", "hash", "mask"] = "keep",
        phone_numbers_conn_id: str | None = None,
        csv_escape_formulas: bool | str = False,
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
        self.destination = destination
        self.lookback = lookback
        self.format = format
        self.compression = compression
        self.tags = tags
        self.partition_by = partition_by
        self.max_file_bytes = max_file_bytes
        self.incremental = incremental
        self.state_path = state_path
        self.phone_numbers = phone_numbers
        self.phone_numbers_conn_id = phone_numbers_conn_id
        self.csv_escape_formulas = csv_escape_formulas

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the calls."""
        from airflow_provider_retreaver.storage.paths import storage_errors
        from airflow_provider_retreaver.transfers.incremental import Ledger
        from airflow_provider_retreaver.transfers.publication import NOTHING_HALF, Publication

        with self.connected() as hook:
            shape = self._shape()
            window = self.window(context, until_now=flag(self.incremental, "incremental"))
            initial = self._plan(window)
            if (found := self.find_filter_objects(hook, window)) != window:
                initial = self._plan(found)  # whose name depends on the filters
            publication = Publication(self.destination, initial.key)
            publication.prepare()
            self.require_filter_objects(hook)
            plan = initial if initial.cursor is None else self._up_to_newest(hook, initial)
            if plan is None:
                publication.clean()
                self.log.info("No call was updated since the last export; nothing was written")
                nothing = {"manifest": None, "files": 0, "rows": 0, "calls": 0, "bytes": 0, "complete": True}
                self.publish_export(context, hook, None, **nothing)
                return nothing
            ledger = Ledger(plan.cursor.folder, plan.key) if plan.cursor is not None else None
            try:
                with storage_errors(f"Writing calls to {self.destination}", NOTHING_HALF):
                    write = partial(self._write, plan=plan, shape=shape, publication=publication, ledger=ledger)
                    written = hook.read_in_thread(write)
                    manifest = {**written, "account": account_name(hook.settings)}
                    if plan.cursor is not None:
                        plan.cursor.check(plan.known)
                    publication.publish(manifest)
                    if ledger is not None and plan.cursor is not None and plan.newest is not None:
                        ledger.save(plan.cursor, plan.newest)
            finally:
                publication.clean()
            result = self._result(manifest, str(publication.manifest))
            self.publish_export(context, hook, plan.window, **result)
        return result

    def written_datasets(self) -> list[Dataset]:
        """Return the destination folder.

        :return: one dataset.
        """
        return [folder_dataset(self.destination, *(self._counts[name] for name in ("rows", "files", "bytes")))]

    def _shape(self) -> Shape:
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.core.errors import InvalidArgument
        from airflow_provider_retreaver.storage.csv_cells import escapes_formulas
        from airflow_provider_retreaver.transfers.file_formats import check_format
        from airflow_provider_retreaver.transfers.file_parts import PARTITIONS, Shape
        from airflow_provider_retreaver.transfers.phone_secrets import phone_hider

        compression = check_format(self.format, self.compression, self.tags)
        partition = self.partition_by if is_given(self.partition_by) else None
        if partition is not None:
            parameters.one_of(partition, PARTITIONS, "partition_by")
        if not is_given(self.destination):
            raise InvalidArgument("destination must be a folder URL, like s3://conn@bucket/calls, not blank.")
        escape = escapes_formulas(self.csv_escape_formulas, self.format)
        most = parameters.whole(self.max_file_bytes, "max_file_bytes", 1) if is_given(self.max_file_bytes) else None
        change = phone_hider(self.phone_numbers, self.phone_numbers_conn_id)
        return Shape(self.format, compression, self.tags, partition, most, change, escape)

    def _plan(self, window: CallWindow) -> _Plan:
        from airflow_provider_retreaver.core.errors import InvalidArgument
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.transfers.export_names import expected_calls, export_name

        back = timedelta(seconds=duration(self.lookback, "lookback")) if is_given(self.lookback) else None
        if flag(self.incremental, "incremental"):
            if self.by != "updated_at":
                raise InvalidArgument("incremental needs by='updated_at', which finds calls that changed later.")
            return self._since_last(window, OVERLAP if back is None else back)
        if is_given(self.state_path):
            raise InvalidArgument("state_path belongs to incremental exports; set incremental=True, or leave it out.")
        return _Plan(
            export_name(window),
            window.before(back) if back else window,
            expected=lambda length: expected_calls(str(self.destination), window, length),
        )

    def _since_last(self, window: CallWindow, overlap: timedelta) -> _Plan:
        from airflow_provider_retreaver.transfers.export_names import export_name
        from airflow_provider_retreaver.transfers.incremental import Cursor

        if is_given(self.state_path):
            cursor = Cursor(str(self.state_path))
        else:
            cursor = Cursor(f"{self.destination.rstrip('/')}/_state", "destination")
        known = cursor.load()
        since = replace(window, start=window.start if known is None else known - overlap, end=None)
        return _Plan(export_name(since), since, cursor, known)

    def _up_to_newest(self, hook: RetreaverHook, plan: _Plan) -> _Plan | None:
        """Return the plan with the newest update as its end; None when nothing was updated since the last export."""
        from airflow_provider_retreaver.domain.calls.newest_update import newest_update
        from airflow_provider_retreaver.transfers.incremental import NEXT

        newest = hook.run(newest_update(hook.settings, plan.window))
        if newest is None or (plan.known is not None and newest.time <= plan.known):
            return None
        window = replace(plan.window, end=newest.time + NEXT)
        return replace(plan, window=window, newest=newest.time, expected=lambda _: newest.calls)

    def _write(
        self, client: Client, plan: _Plan, shape: Shape, publication: Publication, ledger: Ledger | None
    ) -> dict[str, Any]:
        from airflow_provider_retreaver.core.errors import ListingIncomplete
        from airflow_provider_retreaver.domain.calls.export import export_calls
        from airflow_provider_retreaver.domain.calls.export_progress import export_progress_logger
        from airflow_provider_retreaver.domain.calls.typed_calls import CallDecoder
        from airflow_provider_retreaver.transfers.file_parts import Parts

        parts = Parts(publication, shape)
        window = plan.window.as_dict()
        self.log.info("Exporting calls by %s, from %s to %s", window["by"], window["start"], window["end"] or "now")
        progress = export_progress_logger()
        decode = CallDecoder().page if shape.takes_columns else None
        export = export_calls(client, plan.window, raw=True, progress=progress, expected=plan.expected, decode=decode)
        try:
            for page in export:
                parts.add(page)
                if ledger is not None:
                    ledger.add(page)
            parts.finish()
        except BaseException:
            parts.discard()
            if ledger is not None:
                ledger.discard()
            raise
        if export.completeness is None:
            raise ListingIncomplete("The export stopped before its end; try again.")
        return self._manifest(plan, shape, parts, export.completeness, ledger)

    def _manifest(
        self, plan: _Plan, shape: Shape, parts: Parts, known: Completeness, ledger: Ledger | None
    ) -> dict[str, Any]:
        from airflow_provider_retreaver.transfers.export_names import selection

        return {
            "export": plan.key,
            "window": plan.window.as_dict(),
            **selection(plan.window),
            "format": shape.format,
            "compression": shape.compression,
            "tags": shape.tags,
            "partition_by": shape.partition_by,
            "phone_numbers": self.phone_numbers,
            "csv_escape_formulas": shape.escape,
            "complete": known.proved,
            "counted": known.counted,
            "reason": known.reason,
            "replaced": known.replaced,
            "rows": sum(file["rows"] for file in parts.files),
            "calls": known.rows,
            "bytes": sum(file["bytes"] for file in parts.files),
            **parts.extent.as_dict(),
            "cursor": plan.newest.isoformat() if plan.newest else None,
            "restated": None if ledger is None else {**ledger.restated.as_dict(), "changes": ledger.changes},
            "files": parts.files,
        }

    def _result(self, manifest: Mapping[str, Any], path: str) -> dict[str, Any]:
        restated = manifest["restated"] and {k: v for k, v in manifest["restated"].items() if k != "changes"}
        self.log.info(
            "Wrote %d calls, files: %d, bytes: %d; %s",
            manifest["calls"],
            len(manifest["files"]),
            manifest["bytes"],
            "complete" if manifest["complete"] else f"not complete: {manifest['reason']}",
        )
        self.log.info("Manifest: %s", path)
        if restated and restated["calls"]:
            self.log.info(
                "%(calls)d calls were restated: revenue %(revenue_change)s, payout %(payout_change)s", restated
            )
        return {
            "manifest": path,
            "files": len(manifest["files"]),
            **{name: manifest[name] for name in ("rows", "calls", "bytes", "complete")},
            "restated": restated,
        }
