"""Whether an export job has ended (Retreaver's reference: "Check an export's status")."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.operations import Procedure, Wait
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState
from airflow_provider_retreaver.resources.rtb_inbounds import ExportJob, get_rtb_inbound_export


@dataclass(frozen=True, slots=True)
class ExportQuery(Query[ExportJob]):
    """An export job.

    :param job_id: of the job.
    """

    job_id: int

    def run(self, _state: QueryState, /) -> Procedure[ExportJob]:
        """Read the job; no state is kept."""
        job: ExportJob = yield get_rtb_inbound_export(self.job_id)
        return job


@dataclass(frozen=True, slots=True)
class ExportEnded(Condition[ExportJob]):
    """An export job is no longer in progress, whether it has a file or has failed.

    :param job_id: of the job.
    """

    kind: ClassVar[str] = "export_job"

    job_id: int

    @classmethod
    def from_parameters(cls, *, job_id: object) -> Self:
        """Build the condition from the ID of the job."""
        return cls(parameters.whole(job_id, "job_id", 1))

    @property
    def query(self) -> ExportQuery:
        """The job."""
        return ExportQuery(self.job_id)

    def evaluate(self, result: ExportJob) -> Evaluation:
        """Look at `in_progress`, the only field that says so; there is no partial progress."""
        ended = not result["in_progress"]
        message = f"export job {self.job_id} {'has ended' if ended else 'is in progress'}"
        return Evaluation(ended, self.job_id, message)


def wait_for_export(
    job_id: int, interval: float, timeout: float, clock: Callable[[], float] = time.monotonic
) -> Procedure[ExportJob]:
    """Read a job until it has ended.

    :param job_id: of the job.
    :param interval: seconds between two looks.
    :param timeout: seconds after which the job is returned as it is.
    :param clock: returns monotonic seconds.
    :return: a procedure that returns the job.
    """
    deadline, condition = clock() + timeout, ExportEnded(job_id)
    while True:
        job: ExportJob = yield from condition.query.run({})
        left = deadline - clock()
        if condition.evaluate(job).met or left <= 0:
            return job
        yield Wait(min(interval, left))
