"""The log of what was asked, keys shown as they came: it is there for tests."""

from __future__ import annotations

from collections import deque
from typing import Any

from airflow_provider_retreaver.sandbox.http.wire import Answer, Request
from airflow_provider_retreaver.sandbox.state.clock import millis

KEPT = 20_000
_BODY = 10_000


class RequestLog:
    """The latest requests, numbered from 1."""

    def __init__(self) -> None:
        """Begin empty."""
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._last = 0

    def add(self, request: Request, answer: Answer, now: int) -> None:
        """Note a request and how it was answered; a cut connection has status 0."""
        self._last += 1
        self._entries.append(
            {
                "n": self._last,
                "method": request.method,
                "path": request.path,
                "query": [list(pair) for pair in request.query],
                "headers": dict(request.headers),
                "body": request.body[:_BODY].decode("utf-8", "replace"),
                "status": 0 if answer.cut else answer.status,
                "time": millis(now),
            }
        )

    def since(self, number: int) -> list[dict[str, Any]]:
        """Give the requests after the one numbered ``number``."""
        return [entry for entry in self._entries if entry["n"] > number]

    def clear(self) -> None:
        """Forget the requests; the numbering goes on."""
        self._entries.clear()
