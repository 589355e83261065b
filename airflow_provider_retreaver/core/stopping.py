"""What a procedure still does when its task is told to stop: it notes what was done, and sends nothing more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import RetreaverError, Stopped
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import (
    ClockReading,
    Count,
    Each,
    Listing,
    Operation,
    Outcome,
    Progress,
    ServerTime,
    Step,
    Together,
)

log = logging.getLogger(__name__)

# Seconds for which writes that were sent may still get their responses; reads are broken off at once.
GRACE = 1.0
# Seconds in which a procedure may note what was done: Airflow ends a task by force some seconds after the signal.
NOTING = 1.0


def stopped(request: Request | None) -> Stopped:
    """Return the error of a request that was not completed, because the task was told to stop.

    :param request: the request; None for a wait.
    :return: the error.
    """
    if request is None:
        return Stopped("The wait was ended: the task was told to stop.")
    return Stopped(
        f"{request.label} was not completed: the task was told to stop.", method=request.method, path=request.path
    )


def is_stop(error: BaseException | None) -> bool:
    """Return whether an exception is one that tells a task to stop.

    Airflow's for `execution_timeout` and SIGTERM, this package's, and Ctrl-C's are not `Exception`s.

    :param error: that ends a block; None for none.
    :return: True when it is; a generator that is closed early is not told to stop.
    """
    return error is not None and not isinstance(error, (Exception, GeneratorExit))


def grace_of(operations: Sequence[Operation[Any]]) -> float:
    """Return the seconds for which running requests may still get their responses.

    :param operations: the operations.
    :return: none for reads, which have no effect to note.
    """
    return GRACE if any(operation.request.method != "GET" for operation in operations) else 0.0


def wind_up(
    progress: Progress[Any],
    outcomes: Sequence[Outcome[Any]],
    now: Callable[[], ClockReading],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Let a procedure note what was done before its task was told to stop.

    Every further step ends as `Stopped` at once; its own errors are logged, since the signal is what ends the task.

    :param progress: the procedure, in the step that was broken off.
    :param outcomes: of the requests of that step, none where it has one.
    :param now: returns the server's time.
    :param clock: returns monotonic seconds.
    """
    until = clock() + NOTING
    try:
        if outcomes:
            progress.send(outcomes)
        else:
            progress.throw(stopped(_request_of(progress.step)))
        while not progress.done and clock() < until:
            match progress.step:
                case Together(operations):
                    progress.send([Outcome(error=stopped(operation.request)) for operation in operations])
                case ServerTime():
                    progress.send(now())
                case step:
                    progress.throw(stopped(_request_of(step)))
    except RetreaverError as error:
        log.warning("Stopped: %s", error)
    finally:
        progress.close()


def _request_of(step: Step) -> Request | None:
    match step:
        case Operation() | Listing():
            return step.request
        case Each() | Count():
            return step.listing.request
    return None
