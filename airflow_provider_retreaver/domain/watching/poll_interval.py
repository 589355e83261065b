"""The waiting time between two polls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

# Share of the interval by which waits vary, so that sensors that start together do not poll together forever.
JITTER = 0.1
# Limit of the exponent: more doublings than this overflow a float, and exceed any timeout.
MAX_DOUBLINGS = 30


@dataclass(slots=True)
class PollInterval:
    """Waiting times between polls, as a sensor's parameters define them.

    :param poke_interval: seconds.
    :param exponential_backoff: double the wait with every poll.
    :param max_wait: the longest wait in seconds, None for no limit.
    :param random_number: returns a random number from 0 to 1.
    :param polls: how many polls there were.
    """

    poke_interval: float
    exponential_backoff: bool = False
    max_wait: float | None = None
    random_number: Callable[[], float] = random.random
    polls: int = 0

    def next_wait(self) -> float:
        """Return how long to wait before the next poll, and count that poll.

        :return: seconds: the interval, up to a tenth more or less.
        """
        seconds = self.poke_interval
        if self.exponential_backoff:
            seconds *= 2 ** min(self.polls, MAX_DOUBLINGS)
        self.polls += 1
        seconds *= 1 + JITTER * (2 * self.random_number() - 1)
        return seconds if self.max_wait is None else min(seconds, self.max_wait)
