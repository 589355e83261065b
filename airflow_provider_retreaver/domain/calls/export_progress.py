"""The progress of an export of calls, and its log lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_retreaver.domain.progress import ProgressLogger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """The progress of an export.

    :param rows: calls delivered.
    :param pages: pages delivered.
    :param of_pages: pages in all, None while it is not known.
    """

    rows: int
    pages: int
    of_pages: int | None


def export_progress_logger(clock: Callable[[], float] = time.monotonic) -> Callable[[ExportProgress], None]:
    """Return a function that logs the progress of an export about every ten seconds.

    :param clock: returns monotonic seconds.
    :return: for the parameter `progress` of `export_calls`.
    """
    logger = ProgressLogger(lambda line: log.info("Calls: %s", line), clock=clock)

    def report(progress: ExportProgress) -> None:
        # Pages hold equally many calls, but for the last one.
        total = round(progress.rows / progress.pages * progress.of_pages) if progress.of_pages else None
        logger.update(progress.rows, f"; page {progress.pages} of {progress.of_pages or '?'}", total)

    return report
