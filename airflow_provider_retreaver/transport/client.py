"""The blocking client: it sends requests and waits; every decision is made in `core`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tenacity import Retrying

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ConnectionFailed, OutcomeUnknown, RetreaverError
from airflow_provider_retreaver.core.exchange import Exchange
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import (
    Blocking,
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
from airflow_provider_retreaver.core.stopping import grace_of, stopped, wind_up
from airflow_provider_retreaver.transport.async_client import AsyncRetreaverClient
from airflow_provider_retreaver.transport.base import ClientBase
from airflow_provider_retreaver.transport.limiter import Limiter
from airflow_provider_retreaver.transport.workers import Stop, Workers

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.blocking import Transport

__all__ = ["AsyncRetreaverClient", "RetreaverClient"]

T = TypeVar("T")


class RetreaverClient(ClientBase):
    """The blocking client.

    :param settings: of the connection.
    :param transport: sends requests; `requests` by default.
    :param sleep: waits for seconds; by default a wait that ends when the work must end (tests pass a fake).
    :param limiter: limits concurrent requests; by default one for all clients of the account in this process.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        if transport is None:
            from airflow_provider_retreaver.transport.blocking import RequestsTransport

            transport = RequestsTransport(settings)
        super().__init__(settings, limiter)
        self._transport = transport
        self._sleep = sleep
        # Of the caller's own thread, whose waits and requests end by the signal's exception.
        self._no_stop = Stop()

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
        return self._operation(work, self._no_stop) if isinstance(work, Operation) else self._drive(work)

    def _operation(self, operation: Operation[T], stop: Stop) -> T:
        request = operation.request_for(self.settings.routes)
        return operation.read(request, self._exchange(request, stop))

    def _workers(self, name: str) -> Workers:
        return Workers(self.settings.max_concurrency, name, self._transport.interrupt)

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Yield the pages of a listing in order, each row once; up to `max_concurrency` pages are requested ahead.

        :param listing: the listing.
        :return: pages, which hold their rows.
        :raises RetreaverError: when a page cannot be read; the pages before it are then not the whole list.
        """
        rules = Pages(listing, self.settings)
        yield from self._pages_after(rules, self._page(rules, 1, self._no_stop))

    def _pages_after(self, rules: Pages, first: Page) -> Iterator[Page]:
        ahead: deque[Future[Page]] = deque()
        page = rules.fresh(first)
        with self._workers("retreaver-pages") as workers:
            while page is not None:
                for number in rules.to_request(page, len(ahead), self.settings.max_concurrency):
                    ahead.append(workers.submit(partial(self._page, rules, number, workers.stop)))
                yield page
                if page.next is None:
                    return
                try:
                    page = rules.fresh(ahead.popleft().result())
                except RetreaverError as error:
                    raise rules.incomplete(len(ahead), error) from None

    def iterate(self, listing: Listing) -> Generator[Row]:
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
        first = self._page(rules, 1, self._no_stop)
        if rules.must_be_read(first):
            return sum(len(page.rows) for page in self._pages_after(rules, first))
        last = last_to_count(first)
        return count_from(first, self._page(rules, last, self._no_stop) if last else None)

    def _page(self, rules: Pages, number: int, stop: Stop) -> Page:
        return rules.read(number, self._exchange(rules.request(number), stop))

    def _exchange(self, request: Request, stop: Stop) -> Response:
        exchange = Exchange(self.settings, request)
        wait = partial(self._wait, exchange, stop)
        try:
            return self._attempt(exchange, stop, wait)
        except RetreaverError as error:
            strategies = exchange.strategies(error)
        return Retrying(**strategies, sleep=wait)(self._attempt, exchange, stop, wait)

    def _wait(self, exchange: Exchange, stop: Stop, seconds: float) -> None:
        exchange.check_time(self._clock.now(), seconds)
        (self._sleep or stop.wait)(seconds)
        if stop.is_set():
            raise stopped(exchange.request)

    def _attempt(self, exchange: Exchange, stop: Stop, wait: Callable[[float], None]) -> Response:
        exchange.raise_first()
        with self._limiter.place(stop):
            flight = self._limiter.turn()
            while pause := exchange.pause(flight.wait):
                wait(pause)
                flight = self._limiter.turn(flight)
            if stop.is_set():
                raise stopped(exchange.request)
            exchange.check_time(self._clock.now())
            with self._limiter.under_way(flight):
                try:
                    response = self._transport.send(exchange.request, exchange.wire)
                except ConnectionFailed as error:
                    failure = exchange.failed(error)
                    broken_off = stop.is_set() and not isinstance(failure, OutcomeUnknown)
                    raise (stopped(exchange.request) if broken_off else failure) from None
                self._learn(exchange, flight, response)
        return exchange.judge(response)

    def _drive(self, procedure: Procedure[T]) -> T:
        progress = Progress(procedure)
        while not progress.done:
            outcomes: list[Outcome[Any]] = []
            try:
                result = self._step(progress.step, outcomes)
            except RetreaverError as error:
                progress.throw(error)
            except Exception:
                raise
            except BaseException:
                # The task was told to stop: by its execution_timeout, SIGTERM or Ctrl-C.
                wind_up(progress, outcomes, self._clock.now)
                raise
            else:
                progress.send(result)
        return progress.result

    def _step(self, step: Step, outcomes: list[Outcome[Any]] | None = None) -> Any:
        result: Any = None
        match step:
            case Operation():
                result = self._operation(step, self._no_stop)
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
                result = self._together(step.operations, [] if outcomes is None else outcomes)
            case Wait():
                (self._sleep or self._no_stop.wait)(step.seconds)
            case Blocking():
                result = step.work()
        return result

    def _together(self, operations: Sequence[Operation[Any]], outcomes: list[Outcome[Any]]) -> list[Outcome[Any]]:
        """Run operations concurrently; when that is broken off, `outcomes` has what became of each."""
        with self._workers("retreaver") as workers:
            futures: list[Future[Any]] = [Future() for _ in operations]
            try:
                for one, future in zip(operations, futures, strict=True):
                    workers.submit(partial(self._operation, one, workers.stop), future)
                return [_outcome(future.exception(), future) for future in futures]
            except BaseException:
                workers.end(grace_of(operations))
                outcomes += [
                    _outcome(future.exception(), future)
                    if future.done() and not future.cancelled()
                    else Outcome(error=stopped(one.request))
                    for one, future in zip(operations, futures, strict=True)
                ]
                raise


def _outcome(error: BaseException | None, future: Future[Any]) -> Outcome[Any]:
    if error is None:
        return Outcome(value=future.result())
    if isinstance(error, RetreaverError):
        return Outcome(error=error)
    raise error
