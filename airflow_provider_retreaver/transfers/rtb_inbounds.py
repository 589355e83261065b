"""The log of real-time bidding to object storage, by an export job."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import conf

from airflow_provider_retreaver.core.parameters import flag, is_given, one_of
from airflow_provider_retreaver.links import FileLink, note_file
from airflow_provider_retreaver.operators.base import RetreaverOperator, final_errors
from airflow_provider_retreaver.transfers.exports import account_dataset, folder_dataset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.objects.named_values import NamedValues
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.resources.rtb_inbounds import ExportJob
    from airflow_provider_retreaver.storage.run_state import RunState
    from airflow_provider_retreaver.transfers.inbound_files import InboundSelection
    from airflow_provider_retreaver.transfers.inbound_job import InboundJob

__all__ = ["RetreaverRtbInboundsToObjectStorageOperator"]

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)
# Beginning of the names of the folders of tasks.
PREFIX = "rtb_inbounds-"
ON_UNKNOWN_JOB = ("fail", "create")
NOT_STORED = "no part of the file is in place, and the next try fetches it again."
# Failed looks at a job that are tolerated by the trigger, in seconds.
FAILURE_BUDGET = 1800.0
# After the deadline, before Airflow ends the wait instead of the trigger.
TIMEOUT_MARGIN = timedelta(seconds=90)


class RetreaverRtbInboundsToObjectStorageOperator(RetreaverOperator):
    """Export a window of the RTB log to a CSV file on object storage, by an export job of Retreaver's.

    It creates the job, waits until it has ended, fetches the file and stores it whole or not at all. Returns
    `{"path", "rows", "bytes", "job_id", "window"}`. The file's name has the window, so an export of the same window
    and filters replaces it. The labels of the columns are human words that depend on the account (`Source ID` or
    `Publisher ID`); an absent UUID is all zeros. Rows change without a time of change (an open reservation is
    claimed, then its call ends), so export the last days again.

    The job's ID is kept between attempts, so a retry or a lost worker goes on with the same job. Only a job whose
    answer never came cannot be found, since Retreaver has no list of jobs: the task then ends with `OutcomeUnknown`
    and is not retried, and creates a second job only by `on_unknown_job`. A job that has ended badly, or whose file
    is gone, fails the task, and its next try makes a new job. A window is at most two months:
    map the task over `split_window` for more, which makes one job and one file for each part. Retreaver's reference:
    "RtbInbounds", "Exports"; see docs/bidding.md.

    :param destination: folder URL, e.g. `s3://conn@bucket/rtb`.
    :param start: start of the window: aware datetime, RFC 3339 with an offset, or a date (midnight UTC); with `end`
        left out too, the run's data interval.
    :param end: end of the window, as `start`; at most two months later.
    :param filters: those of `list_rtb_inbounds` by name: `campaign_id`, `affiliate_id`, `target_id`,
        `postback_key_id` (Retreaver's own IDs), `status`, `duplicate`, `caller_state`, `caller_country`, `revenue`,
        `payout`. Campaigns, affiliates and targets are looked up first, and rows are held against the filters:
        Retreaver drops IDs that the key may not see, and would export all others. `campaign_name`, `affiliate_name`
        and `target_name` choose them by name, one or several; what was found is kept as the job's ID is.
    :param allow_unknown: export also when one of these does not exist (it may be deleted), instead of failing.
    :param compression: of the file: `gzip`, `none` or `zstd` (needs pyarrow).
    :param csv_escape_formulas: put an apostrophe before cells that a spreadsheet would run as a formula.
    :param phone_numbers: the callers' numbers: `keep` them, `hash` them (HMAC-SHA256) or `mask` them (`+1…77`).
    :param phone_numbers_conn_id: for `hash`, id of a connection whose password is the secret.
    :param on_unknown_job: what follows when the answer to creating a job was lost, or the worker with it: `fail` the
        task without a retry, or `create` a second job (the first, if there is one, is not fetched).
    :param poll_interval: time between two looks at the job, seconds or a text like `10s`.
    :param timeout: how long one try waits for the job, a timedelta, seconds or a text like `1h`.
    :param deferrable: wait in the triggerer; else the worker waits.
    :param state_path: folder on object storage that keeps the job's ID; by default Airflow's task state store (3.3),
        or `_state` in the destination where there is none; the same for all attempts.
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    :raises NotFound: when a campaign, affiliate or target that `filters` names does not exist; no job was created.
    :raises ProtocolError: when a row was not asked for, or callers' numbers cannot be hidden; no file is in place.
    :raises OutcomeUnknown: when there may be a job whose ID is not known; the task is not retried.
    :raises ExportFailed: when the job ended with errors or without a whole file, or not within `timeout`.
    :raises StorageFailed: when the storage fails; no partial file is in place.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        *("destination", "start", "end", "filters", "allow_unknown", "compression", "csv_escape_formulas"),
        *("phone_numbers", "phone_numbers_conn_id", "on_unknown_job"),
        *("poll_interval", "timeout", "state_path"),
    )
    operator_extra_links = (FileLink(),)
    # Set when the file is stored: the account's host and company, and rows and bytes.
    _read_from: tuple[str, str | None] | None = None
    _written: tuple[int, int] = (0, 0)

    def __init__(
        self,
        *,
        destination: str,
        start: datetime | date | str | None = None,
        end: datetime | date | str | None = None,
        filters: Mapping[str, object] | str | None = None,
        allow_unknown: bool | str = False,
        compression: Literal["gzip", "none", "zstd"] = "gzip",
        csv_escape_formulas: bool | str = False,
        phone_numbers: Literal["keep", "hash", "mask"] = "keep",
        phone_numbers_conn_id: str | None = None,
        on_unknown_job: Literal["fail", "create"] = "fail",
        poll_interval: timedelta | float | str = 10,
        timeout: timedelta | float | str = "1h",
        deferrable: bool = DEFERRABLE,
        state_path: str | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.destination = destination
        self.start = start
        self.end = end
        self.filters = filters
        self.allow_unknown = allow_unknown
        self.compression = compression
        self.csv_escape_formulas = csv_escape_formulas
        self.phone_numbers = phone_numbers
        self.phone_numbers_conn_id = phone_numbers_conn_id
        self.on_unknown_job = on_unknown_job
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.deferrable = deferrable
        self.state_path = state_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job, wait for it and store its file; a later attempt goes on with the same job."""
        return self._run(context, None)

    def execute_complete(self, context: Context, event: Any = None, deadline: str | None = None) -> dict[str, Any]:
        """Go on after a deferral.

        :param context: the task's context.
        :param event: the event, see `RetreaverConditionTrigger`.
        :param deadline: when the wait of this try ends, RFC 3339.
        :return: the result.
        :raises RetreaverError: the error that ended the wait.
        """
        from airflow_provider_retreaver.operators.trigger_events import UnexpectedEvent, error_of_event

        status = event.get("status") if isinstance(event, dict) else None
        if status == "error":
            with final_errors():
                raise error_of_event(str(event.get("kind")), str(event.get("message")))
        if status not in ("met", "timeout"):
            raise UnexpectedEvent.of(event)
        return self._run(context, deadline)

    def _run(self, context: Context, deadline: str | None) -> dict[str, Any]:
        from airflow_provider_retreaver.core.errors import ExportFailed, InvalidArgument, ProtocolError, StorageFailed
        from airflow_provider_retreaver.transfers.inbound_files import InboundFile
        from airflow_provider_retreaver.transfers.inbound_job import InboundJob
        from airflow_provider_retreaver.transfers.task_files import TaskFiles

        with self.connected() as hook:
            selection = self._find_named(self._selection(context), context, hook)
            self._seconds()
            one_of(self.on_unknown_job, ON_UNKNOWN_JOB, "on_unknown_job")
            if not is_given(self.destination):
                raise InvalidArgument("destination must be a folder URL, like s3://conn@bucket/rtb, not blank.")
            name = selection.name
            files = TaskFiles(self.destination, name, PREFIX, NOT_STORED)
            files.prepare()
            try:
                state = self._run_state(context)
                run = InboundJob(hook, selection, state, create_again=self.on_unknown_job == "create")
                job = run.current(allow_unknown=flag(self.allow_unknown, "allow_unknown"))
                if job["in_progress"]:
                    job = self._wait(run, job, deadline, lasting=state.lasting)
                path = files.root / f"{name}{selection.ending}"
                try:
                    run.check(job)
                    file = InboundFile(hook, job, selection, run.spellings)
                    size = file.store(files, path)
                except (ExportFailed, ProtocolError):
                    # An error here must not hide the one that stopped the block.
                    with suppress(StorageFailed):
                        state.forget()
                    raise
                state.forget()
            finally:
                files.clean()
            written = {"path": str(path), "rows": file.rows, "bytes": size, "job_id": job["id"]}
            return self._published(context, hook, selection, written)

    def _find_named(self, selection: InboundSelection, context: Context, hook: RetreaverHook) -> InboundSelection:
        """Return the selection with the IDs of what the filters choose by name."""
        from airflow_provider_retreaver.operators.name_choice import find_for_run
        from airflow_provider_retreaver.resources.rtb_inbound_filters import InboundFilters

        named = self._named_filters()
        if not named.names:
            return selection
        filters = find_for_run(hook.run, context, self._state_folder(context), named.find)
        return replace(selection, filters=InboundFilters.of(filters))

    def _named_filters(self) -> NamedValues:
        from airflow_provider_retreaver.core.parameters import known, mapping
        from airflow_provider_retreaver.domain.objects.named_values import RTB_FILTERS, NamedValues
        from airflow_provider_retreaver.resources.rtb_inbound_filters import FILTERS

        filters = mapping(self.filters, "filters")
        known(filters, (*FILTERS, *RTB_FILTERS), "filter of RTB inbounds")
        return NamedValues.of(filters, RTB_FILTERS, "filters")

    def _selection(self, context: Context) -> InboundSelection:
        """Return what is exported, checked.

        :raises InvalidArgument: naming the parameter that is not valid.
        """
        from airflow_provider_retreaver.domain.bidding.inbound_export import CALLER
        from airflow_provider_retreaver.domain.calls.time_window import window_of_run
        from airflow_provider_retreaver.resources.rtb_inbound_filters import InboundFilters, InboundWindow
        from airflow_provider_retreaver.transfers.file_formats import check_format
        from airflow_provider_retreaver.transfers.inbound_files import InboundSelection
        from airflow_provider_retreaver.transfers.phone_secrets import phone_hider

        check_format("csv", self.compression, "map")
        start, end = window_of_run(self.start, self.end, context, datetime.now(UTC))
        return InboundSelection(
            InboundFilters.of(self._named_filters().others),
            InboundWindow.of(None, start, end),
            self.compression,
            flag(self.csv_escape_formulas, "csv_escape_formulas"),
            phone_hider(self.phone_numbers, self.phone_numbers_conn_id, (CALLER,)),
        )

    def _seconds(self) -> tuple[float, float]:
        """Return the time between two looks at the job, and that of the whole wait."""
        from airflow_provider_retreaver.core.time_parameters import duration

        return duration(self.poll_interval, "poll_interval"), duration(self.timeout, "timeout")

    def _run_state(self, context: Context) -> RunState:
        from airflow_provider_retreaver.storage.run_state import RunState

        return RunState(context, "rtb_export", self._state_folder(context))

    def _state_folder(self, context: Context) -> str | None:
        folder = self.state_path if is_given(self.state_path) else None
        if folder is None and context.get("task_state_store") is None:
            folder = f"{str(self.destination).rstrip('/')}/_state"
        return folder

    def _wait(self, run: InboundJob, job: ExportJob, deadline: str | None, *, lasting: bool) -> ExportJob:
        """Wait until the job has ended: here, or by deferring where the job's ID is kept."""
        from airflow_provider_retreaver.core.errors import ExportFailed
        from airflow_provider_retreaver.core.time_parameters import format_duration, instant

        interval, timeout = self._seconds()
        now = datetime.now(UTC)
        until = now + timedelta(seconds=timeout) if deadline is None else instant(deadline, "The saved deadline")
        left = (until - now).total_seconds()
        if left > 0 and flag(self.deferrable, "deferrable") and lasting:
            self._defer_until(job["id"], until, interval)
        if left > 0:
            job = run.wait(job["id"], interval, left)
        if job["in_progress"]:
            raise ExportFailed(
                f"Export job {job['id']} is still in progress after {format_duration(timeout)}; the next try goes on "
                f"waiting for it. Raise timeout if that is not long enough."
            )
        return job

    def _defer_until(self, job_id: int, until: datetime, interval: float) -> None:
        from airflow_provider_retreaver.domain.watching.export_job import ExportEnded
        from airflow_provider_retreaver.triggers.conditions import RetreaverConditionTrigger

        condition, now = ExportEnded.from_parameters(job_id=job_id), datetime.now(UTC)
        self.defer(
            trigger=RetreaverConditionTrigger(
                retreaver_conn_id=self.retreaver_conn_id,
                kind=condition.kind,
                options=condition.options(),
                deadline=until.isoformat(),
                next_look=(now + timedelta(seconds=interval)).isoformat(),
                poke_interval=interval,
                failure_budget=FAILURE_BUDGET,
            ),
            method_name="execute_complete",
            kwargs={"deadline": until.isoformat()},
            timeout=until - now + TIMEOUT_MARGIN,
        )

    def _published(
        self, context: Context, hook: RetreaverHook, selection: InboundSelection, written: dict[str, Any]
    ) -> dict[str, Any]:
        from airflow_provider_retreaver.core.messages import Host

        settings = hook.settings
        self._read_from = urlsplit(settings.urls[Host.API]).netloc, settings.company_id
        self._written = written["rows"], written["bytes"]
        window = {"start": selection.window.start, "end": selection.window.end}
        result = {**written, "window": window}
        note_file(context, hook, written["path"])
        self.update_outlet_events(context, **result)
        self.log.info("Wrote %(rows)d rows (%(bytes)d bytes) of export job %(job_id)s", written)
        return result

    def lineage_datasets(self) -> tuple[list[Dataset], list[Dataset]]:
        """Return the datasets for OpenLineage.

        :return: the company's RTB log, and the destination folder; empty lists when nothing was exported.
        """
        if self._read_from is None:
            return [], []
        host, company = self._read_from
        rows, size = self._written
        return account_dataset(host, company, "rtb_inbounds"), [folder_dataset(self.destination, rows, 1, size)]
