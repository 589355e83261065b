"""The outermost block of a task: an error leaves it as one sentence, without the frames of this package."""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.quoting import several_lines

if TYPE_CHECKING:
    from types import TracebackType

T_co = TypeVar("T_co", covariant=True)


class DebugLog(Protocol):
    """A logger, of either line of Airflow."""

    def debug(self, event: str, /, *values: object) -> object:
        """Log at level DEBUG.

        :param event: a format.
        :param values: of the format.
        :return: nothing that is read.
        """


class TaskBoundary(AbstractContextManager[T_co, bool | None], Generic[T_co]):
    """Wraps the outermost block of `execute`, so that Airflow logs one sentence for an error that has one.

    The errors of this package say what was wrong, where, and what to do. Their traceback, and the errors that led to
    them, are logged at level DEBUG; every other exception keeps its traceback. Python adds no frame for an exception
    that the end of a `with` block passes on, so what Airflow logs has only Airflow's own frames.

    :param block: of the task; what it provides is provided.
    :param log: of the task.
    """

    def __init__(self, block: AbstractContextManager[T_co, bool | None], log: DebugLog) -> None:
        self._block = block
        self._log = log

    def __enter__(self) -> T_co:
        return self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        handled = self._block.__exit__(kind, error, trace)
        if error is not None and not handled and isinstance(error, (RetreaverError, AirflowSensorTimeout)):
            lines = several_lines("".join(traceback.format_exception(error)))
            self._log.debug("The traceback of the error:\n%s", lines)
            error.__cause__ = error.__context__ = error.__traceback__ = None
        return handled
