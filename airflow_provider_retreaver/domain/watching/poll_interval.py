"""How long is waited between two looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random

# So that sensors that began together do not look together for ever.
JITTER = 0.1
# Doubling more often than this says nothing new.
MOST_DOUBLINGS = 30


@dataclass(slots=True)
class Cadence:
    """Waits between looks, as a sensor's parameters say.

    :param poke_interval: seconds.
    :param exponential_backoff: double the wait with every look.
    :param max_wait: the longest wait in seconds, None for no limit.
    :param chance: a random number from 0 to 1.
    """

    poke_interval: float
    exponential_backoff: bool = False
    max_wait: float | None = None
    chance: Callable[[], float] = random
    looks: int = 0

    def next(self) -> float:
        """Return the seconds until the next look: up to a tenth more or less than the interval."""
        seconds = self.poke_interval
        if self.exponential_backoff:
            seconds *= 2 ** min(self.looks, MOST_DOUBLINGS)
        self.looks += 1
        seconds *= 1 + JITTER * (2 * self.chance() - 1)
        return seconds if self.max_wait is None else min(seconds, self.max_wait)
