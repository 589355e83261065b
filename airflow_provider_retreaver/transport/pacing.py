"""How many requests a second a server accepts, where it limits requests by time and not by their number at once.

A server may also refuse some requests by chance, whatever the pace: then lower paces are refused as well. A pace that
is refused although the server has accepted more between two refusals shows it. From then on the pace rises again, and
refused requests wait alone, until refusals follow each other closely.
"""

from __future__ import annotations

# The pace below what was measured: clocks and the server's own counting differ a little.
MARGIN = 0.97
# Of so few accepted requests no pace can be measured: it grows with every accepted one until one is refused.
FEW = 4
FIRST_PACE, FAST_GROWTH = 0.5, 1.5
# Of the requests that a server accepted at once before its first refusal, the share that it accepts again after the
# wait that it asked for: all of them where it saves up what is not used, fewer where it counts by the second.
FREE = 0.6
# After so many accepted requests a slightly higher pace is tried, by a share that every refusal halves.
TRY_AFTER = 20
FIRST_STEP, LEAST_STEP = 0.05, 0.005
# A refused pace is lowered by what was measured, within these bounds.
LEAST_CUT, MOST_CUT = 0.95, 0.7
# So many refusals in a row, each after fewer than so many accepted requests, are not by chance. Until then the pace
# grows by this share.
CLOSE, APART, CHANCE_STEP = 4, 4, 0.1
# Requests a second; beyond, nothing is gained by a pace.
NO_PACE = 1_000.0


class Pace:
    """Requests a second; none while no limit by time is known. Its caller holds a lock."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._accepted = 0
        self._since: float | None = None
        self._span = 0.0
        self._steady = 0
        self._step = FIRST_STEP
        # Whether the rate was not measured yet.
        self.is_guess = False
        self._next = 0.0
        # Requests that need not wait for their turn.
        self._free = 0
        # The most requests a second that were accepted between two refusals and in the waits for both, below which no
        # limit by time is. The highest pace that was refused.
        self._proved, self._highest = 0.0, 0.0
        self._waited = 0.0
        # Whether the server refuses by chance; requests accepted since a refusal, and refusals that followed closely.
        self._by_chance = False
        self._between = 0
        self._close = 0

    def accepted(self, now: float, *, late: bool) -> None:
        """Count an accepted request.

        :param now: monotonic seconds.
        :param late: whether it was sent before the last refusal, to whose measurement it belongs.
        """
        self._between += 1
        if late and self.rate is not None:
            self.rate += MARGIN / self._span if self._span else 0.0
            return
        self._since = now if self._since is None else self._since
        self._accepted += 1
        if self.rate is not None:
            self._grow(self.rate)

    def _grow(self, rate: float) -> None:
        self._steady += 1
        if self.is_guess:
            rate *= FAST_GROWTH
        elif self._steady >= TRY_AFTER:
            self._steady = 0
            rate *= 1 + self._step
        self.rate = rate if rate < NO_PACE else None

    def is_chance(self) -> bool:
        """Judge a refusal.

        :return: whether it says nothing about the pace, so that only the refused request must wait.
        """
        close, self._between = self._between < APART, 0
        self._close = self._close + 1 if close else 0
        self._by_chance = self._by_chance and self._close < CLOSE
        if self._by_chance and not close:
            self._accepted, self._since = 0, None
        return self._by_chance

    def refused(self, now: float, wait: float) -> None:
        """Find the pace from a refusal.

        :param now: monotonic seconds.
        :param wait: seconds that the server asks to wait; what it accepted is its limit for at least so long.
        """
        elapsed = now - (now if self._since is None else self._since)
        span = max(elapsed, wait, 0.01)
        measured = MARGIN * self._accepted / span
        # Responses that are still to come say something about the pace that was measured, and nothing about others.
        self._span = 0.0
        self._step = max(LEAST_STEP, self._step / 2)
        if self.rate is None:
            self.is_guess = self._accepted < FEW
            self.rate = max(measured, FIRST_PACE)
            self._free = 0 if self.is_guess else int(FREE * max(0.0, self._accepted - self.rate * elapsed))
            self._span = span
        elif self.is_guess:
            self.is_guess = False
            self.rate /= FAST_GROWTH
        elif self.rate < MARGIN * self._proved:
            self.rate, self._step, self._by_chance = self._highest, CHANCE_STEP, True
            self._proved, self._highest, self._close = 0.0, 0.0, 0
        else:
            self._highest = max(self._highest, self.rate)
            self._proved = max(self._proved, self._accepted / (self._waited + span + wait))
            self.rate = min(self.rate * LEAST_CUT, max(measured, self.rate * MOST_CUT))
        self._accepted, self._steady = 0, 0
        self._since, self._waited = now + wait, wait

    def wait(self, now: float, most: int) -> float:
        """Return when the next request may be sent, and count it.

        :param now: monotonic seconds, at the earliest.
        :param most: requests that may wait at once; turns beyond are of requests that were given up.
        :return: seconds from then on.
        """
        if self.rate is None:
            return 0.0
        if self._free:
            self._free -= 1
            return 0.0
        at = min(max(now, self._next), now + (most - 1) / self.rate)
        self._next = at + 1 / self.rate
        return at - now
