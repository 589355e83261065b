"""One poll for all triggers of a process that ask the same question.

Triggers join a poll with their connection and their question, say how soon they want an answer, and share every
answer that comes. A poll belongs to one event loop; the connection's client is shared by all polls of equal settings.
Both are counted: the last one out closes them.
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
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.watching.condition import Memory, Question
from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook, async_client
from airflow_provider_retreaver.triggers.loading import spare_what_is_there

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

# Polls that begin, or waiters that are woken, before the loop is given to others: at most.
AT_ONCE = 20
# Seconds that a turn of the loop may take before fewer of them are let go at once.
LONG = 0.01
# Seconds between two requests for the same: sensors that a triggerer starts in a row are due in a row.
LEAST = 1.0
# How many times as many sensors must wait as when the garbage collector was last told to spare what there is.
GROWN = 1.5


class Turns:
    """Does what is due a little at a time: a thousand sensors that end at the same moment hold nobody up.

    How much a little is depends on what comes of it: what is woken in one turn works in the next, and when that took
    long, half as many are woken.
    """

    def __init__(self) -> None:
        self._due: deque[Callable[[], None]] = deque()
        self._at_once = 1
        self._began: float | None = None

    def take(self, act: Callable[[], None]) -> None:
        """Do something in one of the loop's next turns."""
        self._due.append(act)
        if self._began is None:
            loop = asyncio.get_running_loop()
            self._began = loop.time()
            loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        began, self._began = self._began or 0.0, loop.time()
        took = self._began - began
        self._at_once = max(1, self._at_once // 2) if took > LONG else min(AT_ONCE, self._at_once * 2)
        acts = [self._due.popleft() for _ in range(min(self._at_once, len(self._due)))]
        if acts:
            loop.call_soon(self._go_on)
        else:
            self._began = None
        for act in acts:
            act()


class Poll:
    """One question, asked for everybody who waits for an answer.

    :param client: that carries the requests.
    :param question: what is asked.
    :param turns: of the loop.
    """

    def __init__(self, client: AsyncRetreaverClient, question: Question, turns: Turns) -> None:
        self._client = client
        self._turns = turns
        self.question = question
        self._memory: Memory = {}
        self._waiting: set[asyncio.Future[Outcome[Any]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked = float("-inf")
        self.users = 0

    async def answer(self, within: float) -> Outcome[Any]:
        """Return the next answer, or the error in its place.

        It is asked for in so many seconds at the latest, unless the same was asked less than a second before that.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome[Any]] = loop.create_future()
        self._waiting.add(future)
        self._due(loop.time() + within)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _due(self, when: float) -> None:
        when = max(when, self._asked + LEAST)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._turns.take, self._begin)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # An answer on its way is good for all who wait when it comes.
        if self._waiting and (self._asking is None or self._asking.done()):
            self._asked = asyncio.get_running_loop().time()
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._broken)

    async def _ask(self) -> None:
        outcome: Outcome[Any]
        try:
            outcome = Outcome(value=await self._client.run(self.question.ask(self._memory)))
        except RetreaverError as error:
            outcome = Outcome(error=error)
        for future in self._waiting:
            self._turns.take(partial(_resolve, future, outcome))
        self._waiting.clear()

    def _broken(self, task: asyncio.Task[None]) -> None:
        """Wake everybody when asking ended with an error that is none of ours: a fault is not waited out."""
        if task.cancelled():
            return
        fault = task.exception()
        if fault is None:
            return
        for future in self._waiting:
            if not future.done():
                future.set_exception(RuntimeError(f"Asking for {self.question} broke: {fault!r}"))

    async def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking


def _resolve(future: asyncio.Future[Outcome[Any]], outcome: Outcome[Any]) -> None:
    if not future.done():
        future.set_result(outcome)


@dataclass(eq=False, slots=True)
class Line:
    """A client with the polls that use it."""

    client: AsyncRetreaverClient
    turns: Turns
    polls: dict[Question, Poll] = field(default_factory=dict)

    def join(self, question: Question) -> Poll:
        """Return the poll of a question, counted once more."""
        poll = self.polls.get(question)
        if poll is None:
            poll = self.polls[question] = Poll(self.client, question, self.turns)
        poll.users += 1
        return poll


@dataclass(eq=False, slots=True)
class Board:
    """What one event loop has: its lines, who may add one, its turns, and how many wait (also when last spared)."""

    lines: list[Line] = field(default_factory=list)
    door: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: Turns = field(default_factory=Turns)
    waiting: int = 0
    spared: int = 0

    def enter(self) -> None:
        """Count one more who waits."""
        self.waiting += 1
        if self.waiting > GROWN * self.spared:
            self.spared = self.waiting
            spare_what_is_there()

    async def line(self, settings: Settings) -> Line:
        """Return the line of these settings, opened by the first who asks."""
        line = self._open(settings)
        if line is None:
            async with self.door:
                line = self._open(settings)
                if line is None:
                    line = Line(await async_client(settings), self.turns)
                    self.lines.append(line)
        return line

    def _open(self, settings: Settings) -> Line | None:
        return next((line for line in self.lines if line.client.settings == settings), None)


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, Board] = WeakKeyDictionary()


@asynccontextmanager
async def joined(retreaver_conn_id: str, question: Question) -> AsyncGenerator[Poll]:
    """Join the poll of a question on a connection, for as long as the block lasts.

    The connection is looked up here, in the trigger's own task: on Airflow 3 a child task cannot. While a trigger
    waits it holds on to its poll only: what a thousand of them hold, the garbage collector goes through.

    :raises InvalidConnection: naming the field that cannot be right.
    """
    board = _boards.setdefault(asyncio.get_running_loop(), Board())
    line = await board.line(await RetreaverAsyncHook(retreaver_conn_id).settings())
    poll = line.join(question)
    del question  # the poll has an equal one
    board.enter()
    try:
        yield poll
    finally:
        board.waiting -= 1
        await _leave(board.lines, line, poll)


async def _leave(lines: list[Line], line: Line, poll: Poll) -> None:
    poll.users -= 1
    if poll.users:
        return
    del line.polls[poll.question]
    last = not line.polls
    if last:
        lines.remove(line)
    await poll.stop()
    if last:
        await line.client.close()
