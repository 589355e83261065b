"""The asynchronous client: the same as the blocking one, on an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tenacity import AsyncRetrying

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ConnectionFailed, RetreaverError
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
from airflow_provider_retreaver.core.stopping import GRACE, stopped, wind_up
from airflow_provider_retreaver.transport.base import ClientBase
from airflow_provider_retreaver.transport.in_thread import in_thread
from airflow_provider_retreaver.transport.limiter import Limiter

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.aio import AsyncTransport

T = TypeVar("T")


class AsyncRetreaverClient(ClientBase):
    """The asynchronous client; it belongs to one event loop.

    :param settings: of the connection.
    :param transport: sends requests; `aiohttp` by default.
    :param sleep: waits for seconds (tests pass a fake).
    :param limiter: limits concurrent requests; by default one for all clients of the account in this process.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        transport: AsyncTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        limiter: Limiter | None = None,
    ) -> None:
        if transport is None:
            from airflow_provider_retreaver.transport.aio import AiohttpTransport

            transport = AiohttpTransport(settings)
        super().__init__(settings, limiter)
        self._transport = transport
        self._sleep = sleep
        # Tasks whose write was sent and has no response yet.
        self._writing: set[asyncio.Task[Any] | None] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Run one operation or a procedure.

        :param work: the operation or procedure.
        :return: its result.
        :raises RetreaverError: of a class of `core.errors`.
        """
        if isinstance(work, Operation):
            request = work.request_for(self.settings.routes)
            return work.read(request, await self._exchange(request))
        return await self._drive(work)

    async def pages(self, listing: Listing) -> AsyncGenerator[Page]:
        """Yield the pages of a listing in order, each row once; up to `max_concurrency` pages are requested ahead.

        :param listing: the listing.
        :return: pages, which hold their rows.
        :raises RetreaverError: when a page cannot be read; the pages before it are then not the whole list.
        """
        rules = Pages(listing, self.settings)
        async with aclosing(self._pages_after(rules, await self._page(rules, 1))) as pages:
            async for page in pages:
                yield page

    async def _pages_after(self, rules: Pages, first: Page) -> AsyncGenerator[Page]:
        ahead: deque[asyncio.Task[Page]] = deque()
        page = rules.fresh(first)
        try:
            while page is not None:
                for number in rules.to_request(page, len(ahead), self.settings.max_concurrency):
                    ahead.append(asyncio.create_task(self._page(rules, number)))
                yield page
                if page.next is None:
                    return
                try:
                    page = rules.fresh(await ahead.popleft())
                except RetreaverError as error:
                    raise rules.incomplete(len(ahead), error) from None
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def iterate(self, listing: Listing) -> AsyncGenerator[Row]:
        """Yield the rows of a listing, each once, page by page.

        :param listing: the listing.
        :return: rows.
        :raises RetreaverError: when a page cannot be read; the rows before it are then not the whole list.
        """
        async with aclosing(self.pages(listing)) as pages:
            async for page in pages:
                for row in page.rows:
                    yield row

    async def count(self, listing: Listing) -> int:
        """Return the number of rows of a listing, in at most two requests.

        A list whose responses do not show its length (Retreaver's always do) is read.

        :param listing: the listing.
        :return: the number of rows.
        """
        rules = Pages(listing, self.settings)
        first = await self._page(rules, 1)
        if rules.must_be_read(first):
            return sum([len(page.rows) async for page in self._pages_after(rules, first)])
        last = last_to_count(first)
        return count_from(first, await self._page(rules, last) if last else None)

    async def _page(self, rules: Pages, number: int) -> Page:
        return rules.read(number, await self._exchange(rules.request(number)))

    async def _exchange(self, request: Request) -> Response:
        exchange = Exchange(self.settings, request)
        try:
            return await self._attempt(exchange)
        except RetreaverError as error:
            strategies = exchange.strategies(error)
        return await AsyncRetrying(**strategies, sleep=partial(self._wait, exchange))(self._attempt, exchange)

    async def _wait(self, exchange: Exchange, seconds: float) -> None:
        exchange.check_time(self._clock.now(), seconds)
        await self._sleep(seconds)

    async def _attempt(self, exchange: Exchange) -> Response:
        exchange.raise_first()
        await self._limiter.enter()
        try:
            flight = self._limiter.turn()
            while pause := exchange.pause(flight.wait):
                await self._wait(exchange, pause)
                flight = self._limiter.turn(flight)
            exchange.check_time(self._clock.now())
            with self._limiter.under_way(flight):
                response = await self._send(exchange)
                self._learn(exchange, flight, response)
        except ConnectionFailed as error:
            raise exchange.failed(error) from None
        finally:
            self._limiter.release()
        return exchange.judge(response)

    async def _send(self, exchange: Exchange) -> Response:
        task = asyncio.current_task()
        if exchange.request.method != "GET":
            self._writing.add(task)
        try:
            return await self._transport.send(exchange.request, exchange.wire)
        finally:
            self._writing.discard(task)

    async def _drive(self, procedure: Procedure[T]) -> T:
        progress = Progress(procedure)
        while not progress.done:
            outcomes: list[Outcome[Any]] = []
            try:
                result = await self._step(progress.step, outcomes)
            except RetreaverError as error:
                progress.throw(error)
            except asyncio.CancelledError:
                wind_up(progress, outcomes, self._clock.now)
                raise
            else:
                progress.send(result)
        return progress.result

    async def _step(self, step: Step, outcomes: list[Outcome[Any]]) -> Any:
        result: Any = None
        match step:
            case Operation():
                result = await self.run(step)
            case Listing():
                result = [row async for row in self.iterate(step)]
            case Each():
                async for row in self.iterate(step.listing):
                    step.visit(row)
            case Count():
                result = await self.count(step.listing)
            case ServerTime():
                result = self._clock.now()
            case Together():
                result = await self._together(step.operations, outcomes)
            case Wait():
                await self._sleep(step.seconds)
            case Blocking():
                result = await in_thread(step.work)
        return result

    async def _together(
        self, operations: Sequence[Operation[Any]], outcomes: list[Outcome[Any]]
    ) -> list[Outcome[Any]]:
        """Run operations concurrently; when that is broken off, `outcomes` has what became of each."""
        tasks = [asyncio.create_task(self._outcome(operation)) for operation in operations]
        try:
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            await _end(tasks, self._writing)
            outcomes += [
                Outcome(error=stopped(one.request)) if task.cancelled() else task.result()
                for one, task in zip(operations, tasks, strict=True)
            ]
            raise
        return [task.result() for task in tasks]

    async def _outcome(self, operation: Operation[Any]) -> Outcome[Any]:
        try:
            return Outcome(value=await self.run(operation))
        except RetreaverError as error:
            return Outcome(error=error)


async def _end(tasks: Sequence[asyncio.Task[Any]], writing: set[asyncio.Task[Any] | None]) -> None:
    """End tasks at once, except those whose write was sent: its response shows what was done."""
    for task in tasks:
        if task not in writing:
            task.cancel()
    try:
        await asyncio.wait(tasks, timeout=GRACE)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def end_all(client: AsyncRetreaverClient) -> None:
    """End what else runs on this event loop, and close a client.

    :param client: to which all of it belongs.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.close()
