"""Serve pages of calls as fast as one process can: `python -m benchmarks.server --calls 100000`.

Prints `listening on http://127.0.0.1:PORT`. `GET /__statistics__` returns figures since the previous such request:
requests, refused ones, failed ones, connections, the most requests at the same time, and the seconds covered by
`Retry-After` headers.
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
    """Figures of the requests."""

    requests: int = 0
    refused: int = 0
    failed: int = 0
    connections: int = 0
    max_concurrency: int = 0
    waits: float = 0.0


class PageServer:
    """Answers requests for pages, with failures.

    :param options: The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.statistics = Statistics()
        self.open_requests = 0
        self._pages = Pages(options.calls, options.per_page)
        self._until = 0.0
        self._full_at = 0.0
        self._random = random.Random(options.seed)  # noqa: S311 - chooses which request fails

    def answer(self, target: str) -> bytes:
        """Return the complete answer to a request, including headers."""
        path, _, query = target.partition("?")
        if path == "/__statistics__":
            statistics, self.statistics = self.statistics, Statistics()
            return _http(200, json.dumps(asdict(statistics)).encode())
        self.statistics.requests += 1
        self.statistics.max_concurrency = max(self.statistics.max_concurrency, self.open_requests)
        limit = self.options.max_concurrency
        if (limit and self.open_requests > limit) or self._is_too_fast():
            self.statistics.refused += 1
            self._count_wait()
            header = f"Retry-After: {self.options.retry_after}\r\n" if self.options.retry_after else ""
            return _http(429, b'{"error":"slow down"}', header)
        if self._random.random() < self.options.fault_rate:
            self.statistics.failed += 1
            return _http(self._random.choice((500, 503)), b'{"error":"maintenance"}')
        parameters = parse_qs(query)
        return self._page(
            int(parameters.get("page", ["1"])[-1]), "1970" in parameters.get("created_at_start", [""])[0]
        )

    def _is_too_fast(self) -> bool:
        """Count a request against the limit a second; a second's requests may come at once."""
        rate = self.options.rate_limit
        now = time.monotonic()
        if not rate or self._full_at - now > (rate - 1) / rate:
            return bool(rate)
        self._full_at = max(now, self._full_at) + 1 / rate
        return False

    def _count_wait(self) -> None:
        """Count the seconds of this Retry-After that no earlier one covers."""
        now = time.monotonic()
        until = now + self.options.retry_after
        self.statistics.waits += max(0.0, until - max(now, self._until))
        self._until = max(self._until, until)

    def _page(self, number: int, empty: bool) -> bytes:  # noqa: FBT001
        last = 1 if empty else self._pages.last
        body = b"[]" if empty else self._pages.body(number)
        relations = [("last", last), ("next", number + 1)] if number < last else []
        relations += [("prev", number - 1)] if number > 1 else []
        base = f"https://retreaver.com/api/v2/calls.json?api_key=sandbox-key&per_page={self.options.per_page}&page="
        links = ", ".join(f'<{base}{page}>; rel="{name}"' for name, page in relations)
        return _http(200, body, f"Link: {links}\r\n" if links else "")


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection with requests without bodies, one after another."""

    def __init__(self, page_server: PageServer) -> None:
        self._page_server = page_server
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._waiting = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start; the first request of a connection waits for its set-up."""
        self._transport: Any = transport
        self._page_server.statistics.connections += 1
        self._waiting = self._page_server.options.connect_ms / 1000

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            delay, self._waiting = self._page_server.options.latency_ms / 1000 + self._waiting, 0.0
            self._page_server.open_requests += 1
            answer = self._page_server.answer(head.split(b" ", 2)[1].decode())
            if answer.startswith(b"HTTP/1.1 429"):
                delay = min(delay, 0.005)
            if delay:
                self._loop.call_later(delay, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        self._page_server.open_requests -= 1
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    page_server = PageServer(options)
    server = await loop.create_server(lambda: Connection(page_server), "127.0.0.1", options.port)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--per-page", type=int, default=100)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--connect-ms", type=float, default=0.0, help="set-up cost of a connection")
    parser.add_argument("--max-concurrency", type=int, default=0, help="0 for no limit")
    parser.add_argument("--retry-after", type=int, default=0, help="seconds in Retry-After of a 429; 0 for no header")
    parser.add_argument("--rate-limit", type=float, default=0.0, help="requests a second; more get 429")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of requests answered with 500 or 503")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server."""
    asyncio.run(serve(build_parser().parse_args(arguments)))


if __name__ == "__main__":
    main()
