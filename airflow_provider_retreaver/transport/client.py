"""The blocking client: it sends requests and waits; every decision is made in `core`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tenacity import Retrying

from airflow_provider_retreaver.core.errors import ConnectionFailed, RetreaverError
from airflow_provider_retreaver.core.exchange import Exchange
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import (
    Count,
    Each,
    Listing,
    Operation,
    Outcome,
    Procedure,
    Progress,
    Row,
    ServerTime,
    Step,
    Together,
    Wait,
)
from airflow_provider_retreaver.core.paging import Page, Pages, count_from, last_to_count
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.base import ClientBase
from airflow_provider_retreaver.transport.limiter import Limiter

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.blocking import Transport

__all__ = ["AsyncRetreaverClient", "RetreaverClient"]

T = TypeVar("T")


class RetreaverClient(ClientBase):
    """The blocking client.

    :param settings: of the connection.
    :param transport: sends requests; `requests` by default.
    :param sleep: waits for seconds (tests pass a fake).
    :param limiter: limits concurrent requests; by default one for all clients of the account in this process.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        limiter: Limiter | None = None,
    ) -> None:
        if transport is None:
            from airflow_provider_retreaver.transport.blocking import RequestsTransport

            transport = RequestsTransport(settings)
        super().__init__(settings, limiter)
        self._transport = transport
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure.

        :param work: the operation or procedure.
        :return: its result.
        :raises RetreaverError: of a class of `core.errors`.
        """
        if isinstance(work, Operation):
            request = work.request_for(self.settings.routes)
            return work.read(request, self._exchange(request))
        return self._drive(work)

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Yield the pages of a listing in order, each row once; up to `max_concurrency` pages are requested ahead.

        :param listing: the listing.
        :return: pages, which hold their rows.
        :raises RetreaverError: when a page cannot be read; the pages before it are then not the whole list.
        """
        rules = Pages(listing, self.settings)
        yield from self._pages_after(rules, self._page(rules, 1))

    def _pages_after(self, rules: Pages, first: Page) -> Iterator[Page]:
        most = self.settings.max_concurrency
        with ThreadPoolExecutor(most, thread_name_prefix="retreaver-pages") as pool:
            ahead: deque[Future[Page]] = deque()
            page = rules.fresh(first)
            try:
                while page is not None:
                    for number in rules.to_request(page, len(ahead), most):
                        ahead.append(pool.submit(self._page, rules, number))
                    yield page
                    if page.next is None:
                        return
                    try:
                        page = rules.fresh(ahead.popleft().result())
                    except RetreaverError as error:
                        raise rules.incomplete(len(ahead), error) from None
            finally:
                for future in ahead:
                    future.cancel()

    def iterate(self, listing: Listing) -> Iterator[Row]:
        """Yield the rows of a listing, each once, page by page.

        :param listing: the listing.
        :return: rows.
        :raises RetreaverError: when a page cannot be read; the rows before it are then not the whole list.
        """
        for page in self.pages(listing):
            yield from page.rows

    def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing, in at most two requests.

        A list whose responses do not show its length (Retreaver's always do) is read.

        :param listing: the listing.
        :return: the number of rows.
        """
        rules = Pages(listing, self.settings)
        first = self._page(rules, 1)
        if rules.must_be_read(first):
            return sum(len(page.rows) for page in self._pages_after(rules, first))
        last = last_to_count(first)
        return count_from(first, self._page(rules, last) if last else None)

    def _page(self, rules: Pages, number: int) -> Page:
        return rules.read(number, self._exchange(rules.request(number)))

    def _exchange(self, request: Request) -> Response:
        exchange = Exchange(self.settings, request)
        return Retrying(**exchange.strategies(), sleep=self._sleep)(self._attempt, exchange)

    def _attempt(self, exchange: Exchange) -> Response:
        with self._limiter.place():
            if pause := exchange.pause(self._limiter.pause()):
                self._sleep(pause)
            try:
                response = self._transport.send(exchange.request, exchange.wire)
            except ConnectionFailed as error:
                raise exchange.failed(error) from None
            self._learn(exchange, response)
        return exchange.judge(response)

    def _drive(self, procedure: Procedure[T]) -> T:
        progress = Progress(procedure)
        while not progress.done:
            try:
                result = self._step(progress.step)
            except RetreaverError as error:
                progress.throw(error)
            else:
                progress.send(result)
        return progress.result

    def _step(self, step: Step) -> Any:
        result: Any = None
        match step:
            case Operation():
                result = self.run(step)
            case Listing():
                result = list(self.iterate(step))
            case Each():
                for row in self.iterate(step.listing):
                    step.visit(row)
            case Count():
                result = self.count(step.listing)
            case ServerTime():
                result = self._clock.now()
            case Together():
                with ThreadPoolExecutor(self.settings.max_concurrency, thread_name_prefix="retreaver") as pool:
                    result = list(pool.map(self._outcome, step.operations))
            case Wait():
                self._sleep(step.seconds)
        return result

    def _outcome(self, operation: Operation[Any]) -> Outcome[Any]:
        try:
            return Outcome(value=self.run(operation))
        except RetreaverError as error:
            return Outcome(error=error)
