"""The clients: they carry requests and let time pass; every decision is made in `core`."""

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
from airflow_provider_retreaver.core.secrets import register_secrets
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter, limiter_for
from airflow_provider_retreaver.transport.server_clock import clock_of

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.blocking import Transport

__all__ = ["AsyncRetreaverClient", "RetreaverClient"]

T = TypeVar("T")


class RetreaverClient:
    """The blocking client.

    :param settings: of the connection.
    :param transport: carries requests; `requests` by default.
    :param sleep: lets seconds pass (tests pass a fake).
    :param limiter: shared by all clients of the account in this process by default.
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
        self.settings = settings
        self._transport = transport
        self._sleep = sleep
        self._limiter = limiter or limiter_for(settings)
        register_secrets(settings.secrets)
        self._vendor = clock_of(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Do one operation, or a procedure to its end, and return its result.

        :raises RetreaverError: the tree in `core.errors` says which.
        """
        if isinstance(work, Operation):
            request = work.request_for(self.settings.routes)
            return work.read(request, self._exchange(request))
        return self._drive(work)

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Yield the pages of a listing in order, each row once; up to `max_concurrency` are fetched ahead.

        :raises RetreaverError: when a page cannot be had; what came before it is then not the whole list.
        """
        rules = Pages(listing, self.settings)
        yield from self._onward(rules, self._page(rules, 1))

    def _onward(self, rules: Pages, first: Page) -> Iterator[Page]:
        most = self.settings.max_concurrency
        with ThreadPoolExecutor(most, thread_name_prefix="retreaver-pages") as pool:
            ahead: deque[Future[Page]] = deque()
            page = rules.fresh(first)
            following, rows = 2, 0
            try:
                while page is not None:
                    for number in rules.ahead(page, following, len(ahead), most):
                        ahead.append(pool.submit(self._page, rules, number))
                        following = number + 1
                    yield page
                    rows += len(page.rows)
                    if page.next is None:
                        return
                    try:
                        page = rules.fresh(ahead.popleft().result())
                    except RetreaverError as error:
                        raise rules.incomplete(following - 1 - len(ahead), rows, error) from None
            finally:
                for future in ahead:
                    future.cancel()

    def iterate(self, listing: Listing) -> Iterator[Row]:
        """Yield the rows of a listing, each once, page by page as they are wanted."""
        for page in self.pages(listing):
            yield from page.rows

    def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing in two requests at most, however long it is.

        A list that does not say how long it is, which the vendor's never do, is read.
        """
        rules = Pages(listing, self.settings)
        first = self._page(rules, 1)
        if rules.must_be_read(first):
            return sum(len(page.rows) for page in self._onward(rules, first))
        far = last_to_count(first)
        return count_from(first, self._page(rules, far) if far else None)

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
            self._limiter.learn(response.status, exchange.retry_after(response))
            self._vendor.learn(response.headers)
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
                result = self._vendor.now()
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
