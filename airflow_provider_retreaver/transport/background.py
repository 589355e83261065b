"""The asynchronous client on its own thread, for a blocking reader of long lists.

While the reader writes a page to a file or a database, the next pages are read. One event loop needs a third of the
processor time of as many threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Self, TypeVar, cast

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.transport.ahead import Ahead
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient, end_all

T = TypeVar("T")

# Seconds in which the thread must end; a callback that hangs does not keep the task.
ENDING = 5.0


class BackgroundClient:
    """Runs operations on its own thread, which starts with the first one and ends with `close`.

    :param client: used by this object only, and closed with it.
    """

    def __init__(self, client: AsyncRetreaverClient) -> None:
        self._client = client
        self._thread: threading.Thread | None = None
        self._loop: Future[asyncio.AbstractEventLoop] | None = None
        self._ended = asyncio.Event()
        self._thread_ended = threading.Event()

    @property
    def settings(self) -> ClientSettings:
        """The settings of the connection."""
        return self._client.settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure.

        :param work: the operation or procedure.
        :return: its result.
        :raises RetreaverError: of a class of `core.errors`.
        """
        return self._start(work).result()

    def ahead(self, following: Callable[[], Operation[T] | Procedure[T] | None]) -> Generator[T]:
        """Run operations concurrently, up to `max_concurrency`, and yield their results in order.

        :param following: returns the next operation or procedure, None when there is none at present; it is called
            again whenever one has ended. Called from two threads, one at a time.
        :return: results.
        :raises RetreaverError: in the place of the result that failed.
        """
        return Ahead(self._start, following, self.settings.max_concurrency, Future.result).results()

    def close(self) -> None:
        """Cancel what is running, close the connections and end the thread; the next use starts another."""
        if self._thread is not None and self._loop is not None:
            # A signal may have come while the thread was starting.
            with suppress(FutureTimeout):
                self._loop.result(ENDING).call_soon_threadsafe(self._ended.set)
                # Not joined: see `Workers`.
                self._thread_ended.wait(ENDING)
            self._thread = self._loop = None

    def _start(self, work: Operation[T] | Procedure[T]) -> Future[T]:
        if self._loop is None:
            self._start_thread()
        loop = cast("Future[asyncio.AbstractEventLoop]", self._loop).result()
        return asyncio.run_coroutine_threadsafe(self._client.run(work), loop)

    def _start_thread(self) -> None:
        self._loop = Future()
        # A daemon, so that a client that is never closed does not keep the process running.
        self._thread_ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run_loop, args=(self._loop, self._thread_ended), name="retreaver-background", daemon=True
        )
        self._thread.start()

    def _run_loop(self, loop: Future[asyncio.AbstractEventLoop], ended: threading.Event) -> None:
        try:
            asyncio.run(self._serve(loop))
        finally:
            ended.set()

    async def _serve(self, loop: Future[asyncio.AbstractEventLoop]) -> None:
        self._ended = asyncio.Event()
        loop.set_result(asyncio.get_running_loop())
        await self._ended.wait()
        await end_all(self._client)
