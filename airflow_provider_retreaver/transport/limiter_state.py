"""A request that has its place at the limiter, and what the limiter allows at a moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Flight:
    """A request that has its place.

    :param wait: seconds until it may be sent.
    :param refusals: how often the limiter had adapted to a refusal when it got its turn.
    :param most: requests that were under way at once since it was sent, itself included; the server had no more.
    """

    wait: float
    refusals: int
    most: int = 0


@dataclass(frozen=True, slots=True)
class LimiterState:
    """What a limiter allows at a moment.

    :param places: requests that may run at once.
    :param most: requests that may run at once while the server refuses none.
    :param taken: requests that are running.
    :param waiting: requests that wait for a place.
    :param pause: seconds for which all requests still pause.
    :param rate: requests a second, where the server limits them so; None otherwise.
    """

    places: int
    most: int
    taken: int
    waiting: int
    pause: float
    rate: float | None
