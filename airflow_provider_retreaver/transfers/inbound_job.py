"""The export job of one run: created once, found again by later attempts, and forgotten when it is of no more use."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import (
    ExportFailed,
    Gone,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
    StorageFailed,
)
from airflow_provider_retreaver.core.messages import Host
from airflow_provider_retreaver.core.quoting import excerpt
from airflow_provider_retreaver.domain.bidding.inbound_export import Spellings, prepare_export
from airflow_provider_retreaver.domain.watching.export_job import wait_for_export
from airflow_provider_retreaver.operators.base import FinalOutcomeUnknown
from airflow_provider_retreaver.resources.rtb_inbounds import (
    ExportJob,
    create_rtb_inbound_export,
    get_rtb_inbound_export,
)
from airflow_provider_retreaver.transfers.inbound_files import AGAIN

if TYPE_CHECKING:
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.storage.run_state import RunState
    from airflow_provider_retreaver.transfers.inbound_files import InboundSelection

log = logging.getLogger(__name__)


class InboundJob:
    """The export job of one run.

    That one is about to be created is saved before, and its ID right after. An attempt that ends between the two may
    leave a job that nobody waits for: Retreaver has no list of jobs to look it up in. So the next one creates none,
    unless the DAG's author allows a second job.

    :param hook: of the connection.
    :param selection: what is exported.
    :param state: of the run.
    :param create_again: whether a job is created also where there may be one whose ID is not known.
    """

    def __init__(
        self, hook: RetreaverHook, selection: InboundSelection, state: RunState, *, create_again: bool = False
    ) -> None:
        self._hook = hook
        self._create_again = create_again
        self._selection = selection
        self._state = state
        settings = hook.settings
        self._plan: dict[str, Any] = {
            "account": [settings.urls[Host.API], settings.company_id],
            "filters": selection.filters.as_dict(),
            **selection.window.as_dict(),
        }
        self.spellings: Spellings = {}

    def current(self, *, allow_unknown: bool) -> ExportJob:
        """Return the job that an earlier attempt has created, or create it.

        :param allow_unknown: see `prepare_export`.
        :return: the job as it is now.
        :raises OutcomeUnknown: when there may be a job whose ID is not known.
        :raises NotFound: when an object that the filters name does not exist; no job was created.
        :raises ExportFailed: when the job does not exist any more.
        """
        saved = self._state.load() or {}
        if saved.get("plan") == self._plan:
            job_id = saved.get("job", {}).get("id")
            if job_id:
                self.spellings = saved.get("spellings", {})
                log.info("Going on with export job %s of an earlier attempt", job_id)
                return self._read(job_id)
            if not self._create_again:
                raise _unknown("an earlier attempt of this run ended before the ID of its job was known")
            log.warning(
                "An earlier attempt was to create the export job and ended before its ID was known. Retreaver has no "
                "list of jobs to look it up in, so another one is made; the first, if there is one, is not fetched"
            )
        self.spellings = self._hook.run(
            prepare_export(self._selection.filters, self._selection.window, allow_unknown=allow_unknown)
        )
        job = self._create()
        self._state.save({"plan": self._plan, "job": {"id": job["id"]}, "spellings": self.spellings})
        log.info("Created export job %s", job["id"])
        return job if not job["in_progress"] else self._read(job["id"])

    def _create(self) -> ExportJob:
        filters, window = self._selection.filters.as_dict(), self._selection.window.as_dict()
        operation = create_rtb_inbound_export(filters=filters, **window)
        self._state.save({"plan": self._plan})
        try:
            return self._hook.run(operation)
        except (OutcomeUnknown, ProtocolError) as error:
            if self._create_again:
                raise
            why = error.message.rstrip(".")
        except RetreaverError:
            # No job was created. An error here must not hide the one that stopped the block.
            with suppress(StorageFailed):
                self._state.forget()
            raise
        raise _unknown(why)

    def _read(self, job_id: int) -> ExportJob:
        try:
            return self._hook.run(get_rtb_inbound_export(job_id))
        except (NotFound, Gone) as error:
            gone = error.message.rstrip(".")
        self._state.forget()
        raise ExportFailed(f"Export job {job_id} is gone ({gone}); {AGAIN}.")

    def wait(self, job_id: int, interval: float, timeout: float) -> ExportJob:
        """Wait in the worker until the job has ended.

        :param job_id: of the job.
        :param interval: seconds between two looks.
        :param timeout: seconds at most.
        :return: the job, which may still be in progress.
        """
        return self._hook.run(wait_for_export(job_id, interval, timeout))

    @staticmethod
    def check(job: ExportJob) -> None:
        """Check that a job has ended with a file.

        :param job: that is no longer in progress.
        :raises ExportFailed: with the job's errors, or when it has no file.
        """
        errors = job.get("errors")
        if errors:
            text = excerpt(json.dumps(errors, ensure_ascii=False), 400)
            raise ExportFailed(f"Export job {job['id']} ended with errors: {text}; check the filters, and {AGAIN}.")
        if not job.get("file_upload_url"):
            raise ExportFailed(f"Export job {job['id']} ended without errors and without a file; {AGAIN}.")


def _unknown(why: str) -> FinalOutcomeUnknown:
    return FinalOutcomeUnknown(
        f"There may be an export job or not: {why}. Retreaver has no list of export jobs in which it could be found, "
        f"so no other one is created. Set on_unknown_job to create and clear the task, to export with a second job; "
        f"the first, if there is one, is never fetched and changes nothing."
    )
