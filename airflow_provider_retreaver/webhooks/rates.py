"""How many webhooks a second are accepted."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rate:
    """A limit of requests a second, with a reserve of two seconds (a token bucket).

    :param per_second: requests a second.
    :param clock: returns seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._most = max(1.0, 2 * per_second)
        self._left = self._most
        self._seen = clock()

    def take(self) -> bool:
        """Count one request.

        :return: False when it is one too many.
        """
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen) * self._per_second)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
