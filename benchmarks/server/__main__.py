"""Serve pages of calls as fast as one process can: `python -m benchmarks.server --calls 100000`.

Prints `listening on http://127.0.0.1:PORT`. `GET /__statistics__` tells what was asked since it was asked last:
requests, refused ones, failed ones, connections, the most requests at once, and the seconds of which some refused
request was asked to wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs

from benchmarks.server.calls import Pages


@dataclass(slots=True)
class Statistics:
    """What was asked."""

    requests: int = 0
    refused: int = 0
    failed: int = 0
    connections: int = 0
    most_at_once: int = 0
    waits: float = 0.0


class Book:
    """The pages, and how badly they are served.

    :param options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.statistics = Statistics()
        self.under_way = 0
        self._pages = Pages(options.calls, options.per_page)
        self._until = 0.0
        self._random = random.Random(options.seed)  # noqa: S311 - chooses which request fails

    def answer(self, target: str) -> bytes:
        """Give the whole answer to a request, headers included."""
        path, _, query = target.partition("?")
        if path == "/__statistics__":
            told, self.statistics = self.statistics, Statistics()
            return _http(200, json.dumps(asdict(told)).encode())
        self.statistics.requests += 1
        self.statistics.most_at_once = max(self.statistics.most_at_once, self.under_way)
        limit = self.options.max_concurrency
        if limit and self.under_way > limit:
            self.statistics.refused += 1
            self._ask_to_wait()
            asked = f"Retry-After: {self.options.retry_after}\r\n" if self.options.retry_after else ""
            return _http(429, b'{"error":"slow down"}', asked)
        if self._random.random() < self.options.fault_rate:
            self.statistics.failed += 1
            return _http(self._random.choice((500, 503)), b'{"error":"maintenance"}')
        asked_for = parse_qs(query)
        return self._page(int(asked_for.get("page", ["1"])[-1]), "1970" in asked_for.get("created_at_start", [""])[0])

    def _ask_to_wait(self) -> None:
        """Count the seconds that this refusal asks for and no earlier one did."""
        now = time.monotonic()
        until = now + self.options.retry_after
        self.statistics.waits += max(0.0, until - max(now, self._until))
        self._until = max(self._until, until)

    def _page(self, number: int, nothing: bool) -> bytes:  # noqa: FBT001
        last = 1 if nothing else self._pages.last
        body = b"[]" if nothing else self._pages.body(number)
        relations = [("last", last), ("next", number + 1)] if number < last else []
        relations += [("prev", number - 1)] if number > 1 else []
        base = f"https://retreaver.com/api/v2/calls.json?api_key=sandbox-key&per_page={self.options.per_page}&page="
        links = ", ".join(f'<{base}{page}>; rel="{name}"' for name, page in relations)
        return _http(200, body, f"Link: {links}\r\n" if links else "")


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection: requests without bodies, one after another."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._waiting = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the first request on a connection waits for its set-up."""
        self._transport: Any = transport
        self._book.statistics.connections += 1
        self._waiting = self._book.options.connect_ms / 1000

    def data_received(self, data: bytes) -> None:
        """Take requests as they are complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            delay, self._waiting = self._book.options.latency_ms / 1000 + self._waiting, 0.0
            self._book.under_way += 1
            answer = self._book.answer(head.split(b" ", 2)[1].decode())
            if answer.startswith(b"HTTP/1.1 429"):
                delay = min(delay, 0.005)
            if delay:
                self._loop.call_later(delay, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        self._book.under_way -= 1
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    book = Book(options)
    server = await loop.create_server(lambda: Connection(book), "127.0.0.1", options.port)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    described = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    described.add_argument("--port", type=int, default=0)
    described.add_argument("--calls", type=int, default=10_000)
    described.add_argument("--per-page", type=int, default=100)
    described.add_argument("--latency-ms", type=float, default=0.0)
    described.add_argument("--connect-ms", type=float, default=0.0, help="set-up cost of a connection")
    described.add_argument("--max-concurrency", type=int, default=0, help="0 for no limit")
    described.add_argument("--retry-after", type=int, default=0, help="seconds that a 429 asks for; 0 says nothing")
    described.add_argument("--fault-rate", type=float, default=0.0, help="share of 500 and 503")
    described.add_argument("--seed", type=int, default=0)
    return described


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server."""
    asyncio.run(serve(parser().parse_args(arguments)))


if __name__ == "__main__":
    main()
