"""What ends a call of a hook when its task gets SIGTERM, also in a `@task` function, which has no `on_kill`.

Airflow 2.11 raises an exception in the task's main thread. Airflow 3 only calls the operator's `on_kill`, and kills
the process some seconds later: here its handler is called, and then the exception is raised if a hook is at work.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from types import FrameType, TracebackType
from typing import TypeVar, cast

T = TypeVar("T")

# The module of Airflow 3 that runs a task, whose handler of SIGTERM only calls `on_kill`.
_TASK_RUNNER = "airflow.sdk.execution_time.task_runner"
_TEXT = "The task was told to stop (SIGTERM)."


class TaskStopped(BaseException):
    """The task got SIGTERM; not an `Exception`, so that no library takes it for a failed request."""


class _Handler:
    """Handles SIGTERM for one task.

    :param before: Airflow's handler.
    """

    def __init__(self, before: Callable[[int, FrameType | None], object]) -> None:
        self._before = before
        self._process = os.getpid()
        self.calls = 0
        self.told = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Call Airflow's handler, and end the hook's call.

        :param number: of the signal.
        :param frame: where it came.
        :raises TaskStopped: once, while a hook is at work.
        """
        # A second signal must not keep the task from noting what was done; a forked process is not the task's.
        first, self.told = not self.told and os.getpid() == self._process, True
        self._before(number, frame)
        if first and self.calls:
            raise TaskStopped(_TEXT)


def _handler() -> _Handler | None:
    """Return the handler of the task that this thread runs, which is installed by the first call; None for none."""
    if threading.current_thread() is not threading.main_thread():
        return None
    found = signal.getsignal(signal.SIGTERM)
    if not isinstance(found, _Handler) and callable(found) and getattr(found, "__module__", "") == _TASK_RUNNER:
        found = _Handler(found)
        signal.signal(signal.SIGTERM, found)
    return found if isinstance(found, _Handler) else None


def note_sigterm() -> None:
    """Note a SIGTERM from now on, so that a call that begins after it ends: the first one imports for a while."""
    _handler()


class EndsOnSigterm:
    """Ends a block when the task gets SIGTERM, and does not begin it when the task has got it.

    :raises TaskStopped: in the task's main thread.
    """

    def __enter__(self) -> None:
        self._handler = _handler()
        if self._handler is not None:
            if self._handler.told:
                raise TaskStopped(_TEXT)
            self._handler.calls += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handler is not None:
            self._handler.calls -= 1


def ending_on_sigterm(values: Iterator[T]) -> Generator[T]:
    """Yield values, and end when the task gets SIGTERM while one of them is awaited.

    :param values: a generator.
    :return: the values.
    :raises TaskStopped: in the task's main thread.
    """
    with closing(cast("Generator[T]", values)):
        while True:
            with EndsOnSigterm():
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield value


async def each_ending_on_sigterm(values: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield values of an asynchronous generator as `ending_on_sigterm` does.

    :param values: an asynchronous generator.
    :return: the values.
    :raises TaskStopped: in the task's main thread.
    """
    async with aclosing(values):
        while True:
            with EndsOnSigterm():
                try:
                    value = await anext(values)
                except StopAsyncIteration:
                    return
            yield value
