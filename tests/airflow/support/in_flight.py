"""Requests in flight over time: recorded where a sandbox serves, counted, and drawn as SVG."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.server import Application, listen, serving
from airflow_provider_retreaver.sandbox.local_server import RunningSandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 960, 330, 48, 44, 66
# Characters and points of a line below the picture.
LINE, LINE_HEIGHT = 150, 14
COLORS = ("#2b6cb0", "#c05621")


@dataclass
class Door:
    """One address of a sandbox: what came in by it, and how many requests it answers at the same time.

    More than `most` are refused with 429 and so are in the sandbox's log. `spans` has the start and the end of each
    request in monotonic seconds, from its head until its answer is sent.
    """

    name: str
    most: int | None
    clock: Callable[[], float] = time.monotonic
    url: str = ""
    spans: list[tuple[float, float]] = field(default_factory=list)

    def around(self, application: Any) -> Any:
        """Return an ASGI application that records the requests of another."""

        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            started = self.clock()
            try:
                await application(scope, receive, send)
            finally:
                self.spans.append((started, self.clock()))

        return recorded


@contextmanager
def sandbox_with_doors(options: SandboxOptions, doors: Sequence[Door]) -> Any:
    """Serve one account at several addresses; yields a running sandbox whose URL is that of the first door."""
    sandbox = Sandbox(options)
    try:
        with ExitStack() as stack:
            for door in doors:
                listener = listen("127.0.0.1", 0)
                door.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                application = Application(sandbox, max_concurrency=door.most)
                stack.enter_context(serving(door.around(application), listener))
            yield RunningSandbox(doors[0].url, int(doors[0].url.rpartition(":")[2]), sandbox)
    finally:
        sandbox.close()


def steps(spans: Iterable[tuple[float, float]]) -> list[tuple[float, int]]:
    """Return when the number of requests in flight changed, and to what; a request that ends makes room first."""
    changes = sorted((at, change) for start, end in spans for at, change in ((start, 1), (end, -1)))
    counts: list[tuple[float, int]] = []
    count = 0
    for at, change in changes:
        count += change
        counts.append((at, count))
    return counts


def highest(spans: Iterable[tuple[float, float]]) -> int:
    """Return the most requests that were in flight at the same time."""
    return max((count for _, count in steps(spans)), default=0)


def picture(title: str, doors: Sequence[Door], limits: Sequence[int], marks: Sequence[tuple[float, str]]) -> str:
    """Return an SVG with the requests in flight of each door, its limit as a dashed line, and marked moments."""
    spans = [span for door in doors for span in door.spans]
    first = min(start for start, _ in spans)
    last = max(end for _, end in spans)
    top = max([*limits, *(highest(door.spans) for door in doors)]) + 1
    plot_width, plot_height = WIDTH - LEFT - 12, HEIGHT - TOP - BOTTOM

    def x(at: float) -> str:
        return f"{LEFT + plot_width * (at - first) / max(last - first, 1e-9):.1f}"

    def y(count: int) -> str:
        return f"{TOP + plot_height * (1 - count / top):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/><g font-size="11">',
        f'<text x="{LEFT}" y="14" font-size="13">{escape(title)}</text>',
    ]
    for count in range(0, top + 1, max(1, top // 6)):
        parts.append(f'<text x="{LEFT - 8}" y="{float(y(count)) + 4:.1f}" text-anchor="end">{count}</text>')
        parts.append(f'<path d="M{LEFT} {y(count)}H{WIDTH - 12}" stroke="#e2e8f0"/>')
    for tenth in range(0, 11, 2):
        at = first + (last - first) * tenth / 10
        parts.append(f'<text x="{x(at)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at - first:.0f} s</text>')
    for number, (door, limit) in enumerate(zip(doors, limits, strict=True)):
        color = COLORS[number % len(COLORS)]
        line = "".join(f"H{x(at)}V{y(count)}" for at, count in steps(door.spans))
        parts.append(f'<path d="M{LEFT} {y(0)}{line}" fill="none" stroke="{color}" stroke-width="0.8"/>')
        parts.append(f'<path d="M{LEFT} {y(limit)}H{WIDTH - 12}" stroke="{color}" stroke-dasharray="6 4"/>')
        legend = f"{door.name}: limit {limit}, at most {highest(door.spans)}, {len(door.spans)} requests"
        parts.append(
            f'<text x="{LEFT + 300 * number}" y="{HEIGHT - BOTTOM + 32}" fill="{color}">{escape(legend)}</text>'
        )
    for number, (at, _) in enumerate(marks):
        parts.append(f'<path d="M{x(at)} {TOP - 4}V{y(0)}" stroke="#718096" stroke-dasharray="2 3"/>')
        parts.append(f'<text x="{x(at)}" y="{TOP - 6 - 11 * (number % 2)}" text-anchor="middle">{number + 1}</text>')
    moments = ", ".join(f"{number} {label}" for number, (_, label) in enumerate(marks, start=1))
    for number, line in enumerate(textwrap.wrap(moments, LINE)):
        parts.append(f'<text x="{LEFT}" y="{HEIGHT - BOTTOM + 48 + LINE_HEIGHT * number}">{escape(line)}</text>')
    return "\n".join([*parts, "</g></svg>", ""])
