"""The clients that hooks return: their calls end when the task gets SIGTERM."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, TypeVar

from airflow_provider_retreaver.core.operations import Listing, Operation, Procedure, Row
from airflow_provider_retreaver.core.paging import Page
from airflow_provider_retreaver.hooks.stopping import EndsOnSigterm, each_ending_on_sigterm, ending_on_sigterm
from airflow_provider_retreaver.transport.background import BackgroundClient
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient

T = TypeVar("T")


class TaskClient(RetreaverClient):
    """The blocking client within a task."""

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure."""
        with EndsOnSigterm():
            return super().run(work)

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Yield the pages of a listing in order."""
        return ending_on_sigterm(super().pages(listing))

    def iterate(self, listing: Listing) -> Generator[Row]:
        """Yield the rows of a listing, each once, page by page."""
        return ending_on_sigterm(super().iterate(listing))

    def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing."""
        with EndsOnSigterm():
            return super().count(listing)


class AsyncTaskClient(AsyncRetreaverClient):
    """The asynchronous client within a task."""

    async def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure."""
        with EndsOnSigterm():
            return await super().run(work)

    def pages(self, listing: Listing) -> AsyncGenerator[Page]:
        """Yield the pages of a listing in order."""
        return each_ending_on_sigterm(super().pages(listing))

    def iterate(self, listing: Listing) -> AsyncGenerator[Row]:
        """Yield the rows of a listing, each once, page by page."""
        return each_ending_on_sigterm(super().iterate(listing))

    async def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing."""
        with EndsOnSigterm():
            return await super().count(listing)


class TaskBackgroundClient(BackgroundClient):
    """The client that reads ahead on its own thread, within a task."""

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure."""
        with EndsOnSigterm():
            return super().run(work)

    def ahead(self, following: Callable[[], Operation[Any] | Procedure[Any] | None]) -> Generator[Any]:
        """Run operations concurrently, and yield their results in order."""
        return ending_on_sigterm(super().ahead(following))
