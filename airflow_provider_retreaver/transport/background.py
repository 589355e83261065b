"""The asynchronous client on a thread of its own, for a blocking reader of long lists.

While the reader writes a page to a file or a database, the pages behind it come in. Carried by one event loop, many
requests at once cost a third of the processor's time that as many threads do.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Self, TypeVar

from airflow_provider_retreaver.core.operations import Operation, Procedure
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.ahead import Ahead
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient

T = TypeVar("T")


class BackgroundClient:
    """Does operations on a thread of its own, which begins with the first one and ends with `close`.

    :param client: used by nobody else; closed with this one.
    """

    def __init__(self, client: AsyncRetreaverClient) -> None:
        self._client = client
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    @property
    def settings(self) -> Settings:
        """The settings of the connection."""
        return self._client.settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Do one operation, or a procedure to its end, and return its result.

        :raises RetreaverError: the tree in `core.errors` says which.
        """
        return self._start(work).result()

    def ahead(self, following: Callable[[], Operation[T] | Procedure[T] | None]) -> Generator[T]:
        """Do what is named as long as something is, `max_concurrency` at once, and yield the results in order.

        :param following: names the next operation or procedure, None when there is nothing to do; it is asked again
            whenever one has ended. Called from two threads, one at a time.
        :raises RetreaverError: in the place of the result that failed.
        """
        return Ahead(self._start, following, self.settings.max_concurrency).results()

    def close(self) -> None:
        """Break off what is under way, close the connections and end the thread; the next use begins another."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
            self._thread = self._loop = None

    def _start(self, work: Operation[T] | Procedure[T]) -> Future[T]:
        if self._loop is None:
            self._loop = self._begun()
        return asyncio.run_coroutine_threadsafe(self._client.run(work), self._loop)

    def _begun(self) -> asyncio.AbstractEventLoop:
        loop: Future[asyncio.AbstractEventLoop] = Future()
        # A daemon, so that a reader that is never closed does not keep its process.
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(loop)), name="retreaver-background", daemon=True
        )
        self._thread.start()
        return loop.result()

    async def _serve(self, loop: Future[asyncio.AbstractEventLoop]) -> None:
        self._ended = asyncio.Event()
        loop.set_result(asyncio.get_running_loop())
        await self._ended.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()
