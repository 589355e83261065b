"""One poll for all triggers of a process that run the same query.

Triggers join a poll by their connection and their query, say how soon they need a result, and share every result that
arrives. A poll belongs to one event loop; all polls with equal settings share a client. The users of both are
counted: a poll ends with its last user, a client is closed with its last poll.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Outcome
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.watching.condition import Query, QueryState
from airflow_provider_retreaver.hooks.connection import async_client
from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook
from airflow_provider_retreaver.triggers.loading import freeze_objects

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.objects.names import FoundNames
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

# Most callbacks (polls that start, or triggers that wake up) in one turn of the event loop.
MAX_CALLBACKS = 20
# Seconds that a turn of the event loop may take before the next one runs fewer callbacks.
LONG_TURN = 0.01
# Fewest seconds between two runs of a query: sensors that a triggerer starts one after another are due one by one.
MIN_POLL_INTERVAL = 1.0
# Objects are frozen again when this many times as many triggers wait as the last time.
FREEZE_GROWTH = 1.5


class CallbackQueue:
    """Runs callbacks a few per turn of the event loop, so that a thousand sensors that end together do not block it.

    How many a turn runs depends on their work: a trigger that wakes up in one turn works in the next. When that took
    long, half as many wake up.
    """

    def __init__(self) -> None:
        self._callbacks: deque[Callable[[], None]] = deque()
        self._batch_size = 1
        self._turn_started: float | None = None

    def add(self, callback: Callable[[], None]) -> None:
        """Run a callback in one of the loop's next turns.

        :param callback: a function without arguments.
        """
        self._callbacks.append(callback)
        if self._turn_started is None:
            loop = asyncio.get_running_loop()
            self._turn_started = loop.time()
            loop.call_soon(self._run_batch)

    def _run_batch(self) -> None:
        loop = asyncio.get_running_loop()
        started, self._turn_started = self._turn_started or 0.0, loop.time()
        took = self._turn_started - started
        self._batch_size = (
            max(1, self._batch_size // 2) if took > LONG_TURN else min(MAX_CALLBACKS, self._batch_size * 2)
        )
        batch = [self._callbacks.popleft() for _ in range(min(self._batch_size, len(self._callbacks)))]
        if batch:
            loop.call_soon(self._run_batch)
        else:
            self._turn_started = None
        for callback in batch:
            callback()


class Poll:
    """One query, run for all triggers that wait for its result.

    :param client: sends the requests.
    :param settings: of its connection.
    :param query: what is read.
    :param callbacks: of the event loop.
    """

    def __init__(
        self, client: AsyncRetreaverClient, settings: Settings, query: Query[Any], callbacks: CallbackQueue
    ) -> None:
        self._client = client
        self.settings = settings
        self._callbacks = callbacks
        self.query = query
        self._state: QueryState = {}
        self._waiting: set[asyncio.Future[Outcome[Any]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_started = float("-inf")
        self.users = 0

    @property
    def names(self) -> FoundNames | None:
        """What the query has found by name; None where it chooses nothing by name."""
        return self._state.get("names")

    async def result(self, within: float) -> Outcome[Any]:
        """Wait for the next result.

        :param within: the query is run in this many seconds at the latest, but not less than a second after its last
            run.
        :return: the result, or the error.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome[Any]] = loop.create_future()
        self._waiting.add(future)
        self._schedule(loop.time() + within)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _schedule(self, when: float) -> None:
        when = max(when, self._last_started + MIN_POLL_INTERVAL)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._callbacks.add, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # The result of a query that is running goes to all who wait when it arrives.
        if self._waiting and (self._task is None or self._task.done()):
            self._last_started = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._run_query())
            self._task.add_done_callback(self._fail_all)

    async def _run_query(self) -> None:
        outcome: Outcome[Any]
        try:
            outcome = Outcome(value=await self._client.run(self.query.run(self._state)))
        except RetreaverError as error:
            outcome = Outcome(error=error)
        for future in self._waiting:
            self._callbacks.add(partial(_resolve, future, outcome))
        self._waiting.clear()

    def _fail_all(self, task: asyncio.Task[None]) -> None:
        """Fail all waiting triggers after an error in our own code: waiting does not fix it."""
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        for future in self._waiting:
            if not future.done():
                future.set_exception(RuntimeError(f"The query {self.query} failed: {quoted(error)}"))

    async def stop(self) -> None:
        """Cancel the query if it is running, and run it no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task


def _resolve(future: asyncio.Future[Outcome[Any]], outcome: Outcome[Any]) -> None:
    if not future.done():
        future.set_result(outcome)


@dataclass(eq=False, slots=True)
class SharedClient:
    """A client and the polls that use it.

    :param client: the client.
    :param settings: of its connection.
    :param callbacks: of the event loop.
    :param polls: the polls, by query.
    """

    client: AsyncRetreaverClient
    settings: Settings
    callbacks: CallbackQueue
    polls: dict[Query[Any], Poll] = field(default_factory=dict)

    def join(self, query: Query[Any]) -> Poll:
        """Return the poll of a query, and count one more user of it.

        :param query: what is read.
        :return: the poll.
        """
        poll = self.polls.get(query)
        if poll is None:
            poll = self.polls[query] = Poll(self.client, self.settings, query, self.callbacks)
        poll.users += 1
        return poll


@dataclass(eq=False, slots=True)
class LoopState:
    """What the triggers of one event loop share.

    :param clients: the open clients.
    :param lock: held while a client is opened.
    :param callbacks: of the event loop.
    :param waiting: number of triggers that wait.
    :param frozen_at: `waiting` when objects were last frozen.
    """

    clients: list[SharedClient] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callbacks: CallbackQueue = field(default_factory=CallbackQueue)
    waiting: int = 0
    frozen_at: int = 0

    def add_waiting(self) -> None:
        """Count one more trigger, and freeze objects when there are many more than the last time."""
        self.waiting += 1
        if self.waiting > FREEZE_GROWTH * self.frozen_at:
            self.frozen_at = self.waiting
            freeze_objects()

    async def shared_client(self, settings: Settings) -> SharedClient:
        """Return the client of these settings, opened by the first trigger that needs it.

        :param settings: of the connection.
        :return: the client.
        """
        shared = self._find(settings)
        if shared is None:
            async with self.lock:
                shared = self._find(settings)
                if shared is None:
                    shared = SharedClient(await async_client(settings), settings, self.callbacks)
                    self.clients.append(shared)
        return shared

    def _find(self, settings: Settings) -> SharedClient | None:
        return next((one for one in self.clients if one.settings == settings), None)


_states: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = WeakKeyDictionary()


@asynccontextmanager
async def join_poll(retreaver_conn_id: str, query: Query[Any]) -> AsyncGenerator[Poll]:
    """Join the poll of a query on a connection, for as long as the block runs.

    The connection is read here, in the trigger's own task: on Airflow 3 a child task cannot read it. A trigger that
    waits refers to its poll only, since the garbage collector visits what a thousand of them refer to.

    :param retreaver_conn_id: id of the connection.
    :param query: what is read.
    :return: a context manager that provides the poll.
    :raises InvalidConnection: naming the field that is not valid.
    """
    state = _states.setdefault(asyncio.get_running_loop(), LoopState())
    shared = await state.shared_client(await RetreaverAsyncHook(retreaver_conn_id).settings())
    poll = shared.join(query)
    del query  # the poll has an equal one
    state.add_waiting()
    try:
        yield poll
    finally:
        state.waiting -= 1
        await _leave(state.clients, shared, poll)


async def _leave(clients: list[SharedClient], shared: SharedClient, poll: Poll) -> None:
    poll.users -= 1
    if poll.users:
        return
    del shared.polls[poll.query]
    last = not shared.polls
    if last:
        clients.remove(shared)
    await poll.stop()
    if last:
        await shared.client.close()
