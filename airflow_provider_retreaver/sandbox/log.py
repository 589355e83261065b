"""The log of requests, for tests; keys are not masked in it."""

from __future__ import annotations

from collections import deque
from typing import Any

from airflow_provider_retreaver.sandbox.http.wire import Answer, Request
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds

MAX_ENTRIES = 20_000
# Of all entries together.
MAX_CHARACTERS = 32_000_000
_MAX_BODY = 10_000


class RequestLog:
    """The latest requests, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque()
        self._sizes: deque[int] = deque()
        self._size = 0
        self._last = 0

    def add(self, request: Request, answer: Answer, now: int) -> None:
        """Append a request and the status of its answer; a dropped connection has status 0.

        :param request: The request.
        :param answer: Its answer.
        :param now: The sandbox's time in milliseconds since the epoch.
        """
        self._last += 1
        body = request.body[:_MAX_BODY].decode("utf-8", "replace")
        entry = {
            "n": self._last,
            "method": request.method,
            "path": request.path,
            "query": [list(pair) for pair in request.query],
            "headers": dict(request.headers),
            "body": body,
            "status": 0 if answer.cut else answer.status,
            "time": format_milliseconds(now),
        }
        texts = [request.path, body, *map("".join, request.query), *map("".join, request.headers.items())]
        self._entries.append(entry)
        self._sizes.append(sum(map(len, texts)))
        self._size += self._sizes[-1]
        while len(self._entries) > MAX_ENTRIES or self._size > MAX_CHARACTERS:
            self._entries.popleft()
            self._size -= self._sizes.popleft()

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the requests after a given one.

        :param number: Number of the last request to leave out; 0 returns all that are kept.
        :return: Requests in their order, each with ``n`` (its number), ``method``, ``path``, ``query``, ``headers``,
            ``body``, ``status`` and ``time``.
        """
        return [entry for entry in self._entries if entry["n"] > number]

    def clear(self) -> None:
        """Delete the entries; the numbers continue."""
        self._entries.clear()
        self._sizes.clear()
        self._size = 0
