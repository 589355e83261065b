"""Bad weather: scripted faults, random faults, latency, a rate limit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from airflow_provider_retreaver.sandbox.http.wire import Answer, Reply, refused, write
from airflow_provider_retreaver.sandbox.options import SandboxOptions


@dataclass(slots=True)
class Fault:
    """What a matching request gets; ``done`` carries the request out first, ``status`` None answers truly."""

    method: str = "*"
    path: str = ""
    times: int | None = 1
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    delay: float = 0.0
    cut: bool = False
    done: bool = False

    @property
    def executes(self) -> bool:
        """Whether the request takes effect."""
        return self.done or (self.status is None and not self.cut)

    def matches(self, method: str, path: str) -> bool:
        """Say whether the fault is for this request and has times left."""
        return self.times != 0 and self.method in ("*", method) and re.search(self.path, path) is not None

    def apply(self, real: Answer | None) -> Answer:
        """Make the answer, from the real one where the fault leaves it alone."""
        if self.cut:
            return Answer(0, [], b"", self.delay, cut=True)
        if self.status is None and real is not None:
            body = real.body if self.body is None else self.body.encode()
            return Answer(real.status, real.headers + list(self.headers), body, self.delay)
        given = {name.lower() for name, _ in self.headers}
        headers = [] if "content-type" in given else [("Content-Type", "text/html; charset=utf-8")]
        body = (self.body or "").encode()
        return Answer(self.status or 0, headers + list(self.headers), body, self.delay)


_FIELDS: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "path": (str,),
    "times": (int, type(None)),
    "status": (int, type(None)),
    "headers": (dict,),
    "body": (str, dict, list, type(None)),
    "delay": (int, float),
    "cut": (bool,),
    "then": (str,),
}


def read_fault(value: Any) -> Fault:
    """Read one fault as the control surface takes it; Refusal 400 names what is wrong."""
    if not isinstance(value, dict):
        raise refused(400, "a fault is an object")
    for name, given in value.items():
        if name not in _FIELDS:
            raise refused(400, f"a fault has no field {name}; it has {', '.join(_FIELDS)}")
        if not isinstance(given, _FIELDS[name]):
            raise refused(400, f"the fault's {name} cannot be {given!r}")
    then = value.get("then", "nothing")
    if then not in ("nothing", "done"):
        raise refused(400, f"then is nothing or done, not {then!r}")
    try:
        re.compile(value.get("path", ""))
    except re.error as error:
        raise refused(400, f"the fault's path is not a regular expression: {error}") from error
    headers = {str(name): str(text) for name, text in value.get("headers", {}).items()}
    body = value.get("body")
    if isinstance(body, dict | list):
        answer = write(Reply(body))
        body = answer.body.decode()
        headers.setdefault("Content-Type", "application/json; charset=utf-8")
    return Fault(
        method=value.get("method", "*").upper(),
        path=value.get("path", ""),
        times=value.get("times", 1),
        status=value.get("status"),
        headers=tuple(headers.items()),
        body=body,
        delay=float(value.get("delay", 0)),
        cut=value.get("cut", False),
        done=then == "done",
    )


class Weather:
    """Decides what befalls a request. Call it under the sandbox's lock."""

    def __init__(self, options: SandboxOptions) -> None:
        """Begin with no scripted fault."""
        self._options = options
        self._random = Random(options.seed)  # noqa: S311 - the same seed, the same weather
        self.scripted: list[Fault] = []
        self._tokens = self._burst = max(1.0, options.rate_limit or 1.0)
        self._filled_at = options.ticks()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Take the fault for this request: scripted first, then by chance."""
        for fault in self.scripted:
            if fault.matches(method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        if self._options.fault_rate and self._random.random() < self._options.fault_rate:
            return self._by_chance()
        return None

    def _by_chance(self) -> Fault:
        kind = self._random.choice(("429", "500", "503", "cut"))
        done = self._random.random() < 0.5
        if kind == "cut":
            return Fault(cut=True, done=done)
        headers: Mapping[str, tuple[tuple[str, str], ...]] = {"429": (("Retry-After", "1"),)}
        # 429 and 503 refuse before doing; only a 500 leaves the outcome open.
        return Fault(status=int(kind), headers=headers.get(kind, ()), done=done and kind == "500")

    def over_the_limit(self) -> bool:
        """Take a token from the bucket; True when there was none."""
        rate = self._options.rate_limit
        if rate is None:
            return False
        now = self._options.ticks()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def latency(self) -> float:
        """Draw how long this answer takes, in seconds."""
        return (self._options.latency_ms + self._random.random() * self._options.jitter_ms) / 1000
