"""Recordings of calls to object storage."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.errors import NotFound, PartialFailure, RetreaverError
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.links import note_file
from airflow_provider_retreaver.operators.base import publish_partial
from airflow_provider_retreaver.transfers.exports import RetreaverExportOperator, folder_dataset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Row
    from airflow_provider_retreaver.domain.calls.export import CallExport
    from airflow_provider_retreaver.domain.calls.window import CallWindow
    from airflow_provider_retreaver.transfers.recording_files import RecordingFiles
    from airflow_provider_retreaver.transport.downloads import Downloads
    from airflow_provider_retreaver.transport.workers import Stop

__all__ = ["RetreaverRecordingsToObjectStorageOperator"]

log = logging.getLogger(__name__)

MAX_DOWNLOADS = 32
# A result lists so many calls at most; the counts are of all.
MAX_LISTED = 100
COUNTS = ("destination", "calls", "recordings", "stored", "skipped", "bytes", "complete")


class RetreaverRecordingsToObjectStorageOperator(RetreaverExportOperator):
    """Fetch the recordings of the calls of a window to a folder on object storage.

    Files are named `<day of creation in UTC>/<uuid>.mp3`. A recording whose file exists is not fetched again, so a
    repeated or retried task continues where the former attempt ended. An interrupted download is resumed; a file is
    moved into place when it has the length that its host reports. The API key is never sent to the recording's host.

    :param destination: folder URL, e.g. `s3://conn@bucket/recordings`.
    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval.
    :param end: end of the window, as `start`; calls before it.
    :param by: which time of a call must lie in the window: `created_at` or `updated_at` (current routes only).
    :param filters: Retreaver's own filters by name: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`,
        `call_flow_events`. The campaign, affiliate and target that they choose are looked up first; `campaign_name`,
        `affiliate_name` and `target_name` choose them by name instead of by the customer's ID.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param version: version of the call log, `v1` … `v5`; by default the connection's.
    :param downloads: recordings that are downloaded concurrently.
    :param missing_ok: whether a recording that its host no longer has (404, 410) is no failure.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :return: `{"destination", "calls", "recordings", "stored", "skipped", "bytes", "missing", "failed", "complete"}`;
        the last but one and two are lists of `{"uuid", "error"}`, a hundred each at most.
    :raises InvalidArgument: for a wrong parameter or destination; nothing was sent.
    :raises PartialFailure: when recordings could not be stored; a retry fetches only those.
    """

    template_fields = (*RetreaverExportOperator.template_fields, "destination", "downloads", "missing_ok")

    def __init__(
        self,
        *,
        destination: str,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        by: Literal["created_at", "updated_at"] = "created_at",
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
        version: Literal["v1", "v2", "v3", "v4", "v5"] | None = None,
        downloads: int | str = 4,
        missing_ok: bool | str = False,
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
        self.downloads = downloads
        self.missing_ok = missing_ok

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch the recordings that are not stored yet."""
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.core.errors import InvalidArgument
        from airflow_provider_retreaver.core.parameters import is_given
        from airflow_provider_retreaver.domain.calls.export import export_calls
        from airflow_provider_retreaver.domain.calls.export_progress import export_progress_logger
        from airflow_provider_retreaver.transfers.recording_files import RecordingFiles
        from airflow_provider_retreaver.transport.downloads import Downloads

        with self.connected() as hook, hook.reading() as client:
            window = self.window(context)
            at_once = parameters.whole(self.downloads, "downloads", 1, MAX_DOWNLOADS)
            missing_ok = flag(self.missing_ok, "missing_ok")
            if not is_given(self.destination):
                raise InvalidArgument(
                    "destination must be a folder URL, like s3://conn@bucket/recordings, not blank."
                )
            files = RecordingFiles(self.destination, _key(window))
            files.prepare()
            window = self.find_filter_objects(hook, window)
            self.require_filter_objects(hook)
            export = export_calls(client, window, progress=export_progress_logger())
            try:
                with closing(Downloads(client.settings)) as downloads:
                    result = Fetching(files, downloads, at_once).all_of(export)
            finally:
                files.clean()
            note_file(context, hook, f"{self.destination.rstrip('/')}/")
            checked = self._checked(context, {"destination": self.destination, **result}, missing_ok=missing_ok)
            counts = {name: checked[name] for name in COUNTS} | {"missing": len(checked["missing"])}
            self.publish_export(context, hook, window, **counts)
        return checked

    def written_datasets(self) -> list[Dataset]:
        """Return the destination folder.

        :return: one dataset.
        """
        return [folder_dataset(self.destination, None, self._counts["stored"], self._counts["bytes"])]

    def _checked(self, context: Context, result: dict[str, Any], *, missing_ok: bool) -> dict[str, Any]:
        log.info(
            "%(recordings)d calls have recordings: %(stored)d were stored (%(bytes)d bytes), %(skipped)d existed, "
            "%(not_stored)d were not stored",
            {**result, "not_stored": result["recordings"] - result["stored"] - result["skipped"]},
        )
        counts = result.pop("counts")
        not_stored = counts["failed"] + (0 if missing_ok else counts["missing"])
        if not not_stored:
            return result
        publish_partial(context, result)
        listed = (result["failed"] + ([] if missing_ok else result["missing"]))[:10]
        reasons = "; ".join(f"call {one_line(row['uuid'])}: {row['error']}" for row in listed)
        more = f"; and {not_stored - len(listed)} more" if not_stored > len(listed) else ""
        raise PartialFailure(
            f"{not_stored} of {result['recordings']} recordings were not stored: {reasons}{more} A retry fetches "
            f"only these.",
            result=result,
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one recording; `kind` is `stored`, `skipped`, `missing` or `failed`."""

    uuid: str
    kind: str
    bytes: int = 0
    error: str = ""


class Fetching:
    """Fetches the recordings of an export, several concurrently.

    :param files: where they are stored.
    :param downloads: sends the requests to their hosts.
    :param at_once: recordings that are downloaded concurrently.
    """

    def __init__(self, files: RecordingFiles, downloads: Downloads, at_once: int) -> None:
        self._files = files
        self._downloads = downloads
        self._at_once = at_once

    def all_of(self, export: CallExport) -> dict[str, Any]:
        """Read an export to its end, fetching the recordings page by page.

        :param export: of the calls.
        :return: `{"calls", "recordings", "stored", "skipped", "bytes", "missing", "failed", "complete", "counts"}`.
        """
        from airflow_provider_retreaver.transport.workers import Workers

        calls = size = 0
        counts = dict.fromkeys(("stored", "skipped", "missing", "failed"), 0)
        listed: dict[str, list[dict[str, str]]] = {"missing": [], "failed": []}
        with Workers(self._at_once, "retreaver-recordings", self._downloads.interrupt) as workers:
            for page in export:
                if page.restart:
                    # All calls come again; recordings that were stored are then skipped.
                    calls = 0
                    counts.update(skipped=-counts["stored"], missing=0, failed=0)
                    listed = {"missing": [], "failed": []}
                calls += len(page.rows)
                recordings = filter(_has_recording, page.rows)
                fetched = [workers.submit(partial(self._one, call, workers.stop)) for call in recordings]
                for outcome in (future.result() for future in fetched):
                    counts[outcome.kind] += 1
                    size += outcome.bytes
                    if outcome.kind in listed and len(listed[outcome.kind]) < MAX_LISTED:
                        listed[outcome.kind].append({"uuid": outcome.uuid, "error": outcome.error})
        completeness = export.completeness
        return {
            "calls": calls,
            "recordings": sum(counts.values()),
            "stored": counts["stored"],
            "skipped": counts["skipped"],
            "bytes": size,
            **listed,
            "complete": completeness is not None and completeness.proved,
            "counts": counts,
        }

    def _one(self, call: Row, stop: Stop) -> _Outcome:
        uuid = str(call.get("uuid"))
        kind = "failed"
        try:
            path = self._files.path_of(call)
            if path.exists():
                return _Outcome(uuid, "skipped")
            url, what = str(call["recording_url"]), f"recording of call {one_line(uuid)}"
            size = self._files.store(
                path,
                f"the recording {path.name}",
                lambda file: self._downloads.fetch(url, what, file.write, stop=stop),
            )
            return _Outcome(uuid, "stored", size)
        except NotFound as error:
            kind, message = "missing", error.message
        except RetreaverError as error:
            message = error.message
        return _Outcome(uuid, kind, error=message)


def _has_recording(call: Row) -> bool:
    return bool(call.get("recording_url"))


def _key(window: CallWindow) -> str:
    """Return the name of a task's temporary folder, the same in every attempt."""
    ends = (window.start, window.end or window.start)
    from airflow_provider_retreaver.transfers.recording_files import RECORDINGS

    return RECORDINGS + "-".join(time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") for time in ends)
