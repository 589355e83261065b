"""One poll for all triggers of a process that ask the same question.

Triggers join a poll with their connection and their question, say how soon they want an answer, and share every
answer that comes. A poll belongs to one event loop; the connection's client is shared by all polls of equal settings.
Both are counted: the last one out closes them.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Outcome

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.conditions import Memory, Question
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

# Polls that begin, or waiters that are woken, before the loop is given to others.
AT_ONCE = 20
TRANSPORT = "airflow_provider_retreaver.transport.aio"


class Turns:
    """Does what is due a little at a time: a thousand sensors that end at the same moment hold nobody up."""

    def __init__(self) -> None:
        self._due: deque[Callable[[], None]] = deque()
        self._going = False

    def take(self, act: Callable[[], None]) -> None:
        """Do something in one of the loop's next turns."""
        self._due.append(act)
        if not self._going:
            self._going = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        acts = [self._due.popleft() for _ in range(min(AT_ONCE, len(self._due)))]
        self._going = bool(self._due)
        if self._going:
            asyncio.get_running_loop().call_soon(self._go_on)
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
        self._question = question
        self._memory: Memory = {}
        self._waiting: set[asyncio.Future[Outcome[Any]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self.users = 0

    async def answer(self, within: float) -> Outcome[Any]:
        """Return the next answer, or the error in its place; it is asked for in so many seconds at the latest."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome[Any]] = loop.create_future()
        self._waiting.add(future)
        self._due(loop.time() + within)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _due(self, when: float) -> None:
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
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._broken)

    async def _ask(self) -> None:
        outcome: Outcome[Any]
        try:
            outcome = Outcome(value=await self._client.run(self._question.ask(self._memory)))
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
                future.set_exception(RuntimeError(f"Asking for {self._question} broke: {fault!r}"))

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
    """What one event loop has: its lines, and its turns."""

    lines: list[Line] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, Board] = WeakKeyDictionary()


@asynccontextmanager
async def joined(retreaver_conn_id: str, question: Question) -> AsyncGenerator[Poll]:
    """Join the poll of a question on a connection, for as long as the block lasts.

    The connection is looked up here, in the trigger's own task: on Airflow 3 a child task cannot.

    :raises InvalidConnection: naming the field that cannot be right.
    """
    if TRANSPORT not in sys.modules:
        # The client libraries take a while to import, and the loop is everybody's.
        await asyncio.to_thread(import_module, TRANSPORT)
    from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook

    hook = RetreaverAsyncHook(retreaver_conn_id)
    client = await hook.get_conn()
    board = _boards.setdefault(asyncio.get_running_loop(), Board())
    line = next((line for line in board.lines if line.client.settings == client.settings), None)
    if line is None:
        line = Line(client, board.turns)
        board.lines.append(line)
    poll = line.join(question)
    try:
        yield poll
    finally:
        await _leave(board.lines, line, question, poll)


async def _leave(lines: list[Line], line: Line, question: Question, poll: Poll) -> None:
    poll.users -= 1
    if poll.users:
        return
    del line.polls[question]
    last = not line.polls
    if last:
        lines.remove(line)
    await poll.stop()
    if last:
        await line.client.close()
