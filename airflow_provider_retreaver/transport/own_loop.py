"""The asynchronous client on the event loop of the thread that uses the responses.

One thread receives responses and uses them, in turns: objects that one thread makes and another one uses are fetched
from one processor's cache to the other's, and of two threads that both run Python code one waits for the other. Where
the reader waits for a database, for example, `transport.background` goes on receiving.

While a response is used, nothing is received: further ones wait in the system's buffers, and a request that runs out
of time meanwhile is sent again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Self, TypeVar

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.futures import fill
from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.transport.ahead import Ahead
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient, end_all

T = TypeVar("T")

# Seconds in which work that is told to stop must end; a storage that hangs does not keep the task.
ENDING = 1.5
# A storage that hangs may leave this thread behind, like those that its calls run in.
_NAME = "retreaver-storage-calls"


class OwnLoopClient:
    """Runs operations on an event loop of the thread that uses it; use it in a `with` block.

    :param client: used by this object only, and closed with it.
    """

    def __init__(self, client: AsyncRetreaverClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._stopping = threading.Event()
        self._waiting = False

    @property
    def settings(self) -> ClientSettings:
        """The settings of the connection."""
        return self._client.settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._runner:
            self._loop.run_until_complete(end_all(self._client))

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure.

        :param work: the operation or procedure.
        :return: its result.
        :raises RetreaverError: of a class of `core.errors`.
        :raises CancelledError: of `asyncio`, after `stop`.
        """
        self._go_on()
        return self._result(self._start(work))

    def ahead(self, following: Callable[[], Operation[T] | Procedure[T] | None]) -> Generator[T]:
        """Run operations concurrently, up to `max_concurrency`, and yield their results in order.

        :param following: returns the next operation or procedure, None when there is none at present; it is called
            again whenever one has ended.
        :return: results.
        :raises RetreaverError: in the place of the result that failed.
        :raises CancelledError: of `asyncio`, after `stop`.
        """
        return Ahead(self._start, following, self.settings.max_concurrency, self._result).results()

    def stop(self) -> None:
        """End the wait for a result, and every further one; called from another thread."""
        self._stopping.set()
        with suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(self._wake)

    def _start(self, work: Operation[T] | Procedure[T]) -> asyncio.Task[T]:
        return self._loop.create_task(self._client.run(work))

    def _wake(self, _: object = None) -> None:
        # What ends later, while the client is closed, must not stop that.
        if self._waiting:
            self._loop.stop()

    def _result(self, task: asyncio.Task[T]) -> T:
        self._go_on()
        # The loop runs once in any case, so that requests that were started since the last time are sent.
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()
        if not task.done():
            task.add_done_callback(self._wake)
        self._waiting = True
        while not (task.done() or self._stopping.is_set()):
            self._loop.run_forever()
        self._waiting = False
        self._go_on()
        return task.result()

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise asyncio.CancelledError


def read_in_thread(client: AsyncRetreaverClient, work: Callable[[OwnLoopClient], T]) -> T:
    """Do work with a client in a thread of its own, and end it when the wait for it is ended.

    Signals reach the main thread only, so that they end the wait and nothing else.

    :param client: used by this work only, and closed at its end.
    :param work: what is done with the client, in the other thread. When the task is told to stop, its next request
        raises `asyncio.CancelledError`.
    :return: its result.
    :raises Exception: of the work.
    """
    result: Future[T] = Future()
    started: Future[OwnLoopClient] = Future()

    def read() -> T:
        with OwnLoopClient(client) as reader:
            started.set_result(reader)
            return work(reader)

    try:
        threading.Thread(target=copy_context().run, args=(fill, result, read), name=_NAME, daemon=True).start()
        return result.result()
    finally:
        if not result.done():
            with suppress(FutureTimeout):
                started.result(ENDING).stop()
                # Not joined: see `Workers`.
                result.exception(ENDING)
