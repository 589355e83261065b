"""Simulated failures: scripted faults, random faults, latency and a rate limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from airflow_provider_retreaver.sandbox.http.wire import Answer, Reply, api_error, write
from airflow_provider_retreaver.sandbox.options import SandboxOptions


@dataclass(slots=True)
class Fault:
    """What a matching request gets instead of its own answer, or in addition to it.

    :param method: HTTP method in upper case; ``*`` matches every method.
    :param path: Regular expression searched for in the path.
    :param times: How many more requests the fault applies to; None is no limit.
    :param status: HTTP status of the answer; None keeps the real answer.
    :param headers: Headers to add to the answer.
    :param body: Body of the answer; None keeps the real one, or is empty with a ``status``.
    :param delay: Seconds to wait before the answer is sent.
    :param cut: Whether the connection is dropped without an answer.
    :param then_done: Whether the request takes effect although its answer is an error or is lost.
    """

    method: str = "*"
    path: str = ""
    times: int | None = 1
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    delay: float = 0.0
    cut: bool = False
    then_done: bool = False

    @property
    def executes(self) -> bool:
        """Whether the request takes effect."""
        return self.then_done or (self.status is None and not self.cut)

    def matches(self, method: str, path: str) -> bool:
        """Check whether the fault applies to a request.

        :param method: The request's HTTP method in upper case.
        :param path: The request's path.
        :return: Whether method and path match and the fault still applies to further requests.
        """
        return self.times != 0 and self.method in ("*", method) and re.search(self.path, path) is not None

    def apply(self, real: Answer | None) -> Answer:
        """Build the answer to a matching request.

        :param real: The request's own answer; None if it was not executed.
        :return: The answer to send.
        """
        if self.cut:
            return Answer(0, [], b"", self.delay, cut=True)
        if self.status is None and real is not None:
            body = real.body if self.body is None else self.body.encode()
            return Answer(real.status, real.headers + list(self.headers), body, self.delay)
        names = {name.lower() for name, _ in self.headers}
        headers = [] if "content-type" in names else [("Content-Type", "text/html; charset=utf-8")]
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


def read_fault(value: object) -> Fault:
    """Read one fault from a request to the control surface.

    :param value: A JSON object with any of ``method``, ``path``, ``times``, ``status``, ``headers``, ``body``,
        ``delay``, ``cut`` and ``then`` (``nothing`` or ``done``).
    :return: The fault.
    :raises ApiError: With status 400, if a field is unknown or has a wrong value.
    """
    if not isinstance(value, dict):
        raise api_error(400, "a fault is an object")
    for name, given in value.items():
        if name not in _FIELDS:
            raise api_error(400, f"a fault has no field {name}; it has {', '.join(_FIELDS)}")
        if not isinstance(given, _FIELDS[name]):
            raise api_error(400, f"the fault's {name} cannot be {given!r}")
    then = value.get("then", "nothing")
    if then not in ("nothing", "done"):
        raise api_error(400, f"then is nothing or done, not {then!r}")
    try:
        re.compile(value.get("path", ""))
    except re.error as error:
        raise api_error(400, f"the fault's path is not a regular expression: {error}") from error
    headers = {str(name): str(text) for name, text in value.get("headers", {}).items()}
    body = value.get("body")
    if isinstance(body, dict | list):
        body = write(Reply(body)).body.decode()
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
        then_done=then == "done",
    )


class FaultInjector:
    """Decides which requests fail, how long answers take, and which requests exceed the rate limit.

    Its methods must be called while holding the store's lock.

    :param options: Rates, delays and the seed.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._random = Random(options.seed)  # noqa: S311 - the same seed, the same faults
        self.scripted: list[Fault] = []
        self._tokens = self._burst = max(1.0, options.rate_limit or 1.0)
        self._filled_at = options.ticks()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Take the fault that applies to a request: a scripted one first, then a random one.

        :param method: The request's HTTP method in upper case.
        :param path: The request's path.
        :return: The fault, or None.
        """
        for fault in self.scripted:
            if fault.matches(method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        if self._options.fault_rate and self._random.random() < self._options.fault_rate:
            return self._random_fault()
        return None

    def _random_fault(self) -> Fault:
        kind = self._random.choice(("429", "500", "503", "cut"))
        then_done = self._random.random() < 0.5
        if kind == "cut":
            return Fault(cut=True, then_done=then_done)
        headers = (("Retry-After", "1"),) if kind == "429" else ()
        # 429 and 503 are answered without executing the request; after a 500 it may have taken effect.
        return Fault(status=int(kind), headers=headers, then_done=then_done and kind == "500")

    def exceeds_rate_limit(self) -> bool:
        """Count a request against the rate limit, a token bucket.

        :return: Whether the request must be answered with 429.
        """
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
        """Draw how long the next answer takes.

        :return: Seconds.
        """
        return (self._options.latency_ms + self._random.random() * self._options.jitter_ms) / 1000
