"""The last answers to the page's own requests, as the page's health shows them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.blocking import Transport

MOST = 40


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of Retreaver's.

    :param at: when it came.
    :param request: method and path.
    :param status: its HTTP status; None where none came.
    :param milliseconds: how long it took.
    """

    at: datetime
    request: str
    status: int | None
    milliseconds: int

    @property
    def ok(self) -> bool:
        """Whether it was a success."""
        return self.status is not None and self.status < 300


class Answers:
    """The last answers by account; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, deque[Answer]] = {}

    def add(self, account: Hashable, answer: Answer) -> None:
        """Keep an answer.

        :param account: whose it is.
        :param answer: the answer.
        """
        with self._lock:
            self._answers.setdefault(account, deque(maxlen=MOST)).append(answer)

    def last(self, account: Hashable) -> list[Answer]:
        """Return the last answers, the latest first.

        :param account: whose they are.
        :return: at most `MOST`.
        """
        with self._lock:
            return list(reversed(self._answers.get(account, ())))


class NotedTransport:
    """A transport that notes what was answered.

    :param transport: sends the requests.
    :param note: called with each answer, from any thread.
    :param ticks: returns monotonic seconds.
    """

    def __init__(
        self, transport: Transport, note: Callable[[Answer], None], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._note = note
        self._ticks = ticks

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request and return its response, whatever its status.

        :param request: the request, for errors.
        :param wire: the signed request.
        :return: the response.
        :raises ConnectionFailed: when there is no response.
        """
        began = self._ticks()
        status: int | None = None
        try:
            response = self._transport.send(request, wire)
            status = response.status
            return response
        finally:
            took = round((self._ticks() - began) * 1000)
            self._note(Answer(datetime.now(UTC), request.label, status, took))

    def interrupt(self, threads: Collection[int]) -> None:
        """Break off the running requests of some threads.

        :param threads: their ids.
        """
        self._transport.interrupt(threads)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
