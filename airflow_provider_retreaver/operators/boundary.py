"""The outermost block of a task: an error leaves it as one sentence, without the frames of this package."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowSensorTimeout, get_current_context

from airflow_provider_retreaver.core.errors import ChangeRefused, RetreaverError
from airflow_provider_retreaver.core.quoting import several_lines

if TYPE_CHECKING:
    from types import TracebackType

T_co = TypeVar("T_co", covariant=True)

# The XCom with which a task notes why a guard refused it; the page in Airflow's interface shows it.
REFUSED_KEY = "retreaver_refused"


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


@contextmanager
def noted_refusals() -> Generator[None]:
    """Note as an XCom why a guard refused what the task was to do: a task that fails has no other result.

    :yield: a context manager.
    """
    try:
        yield
    except ChangeRefused as error:
        try:
            instance = get_current_context()["ti"]
        except (AirflowException, KeyError, RuntimeError):
            # `execute` was called without a task, as tests do.
            pass
        else:
            instance.xcom_push(key=REFUSED_KEY, value=str(error))
        raise
