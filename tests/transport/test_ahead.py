"""Reading ahead: how many requests run, and how many results wait in memory, behind one that is sent again."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from airflow_provider_retreaver.transport.ahead import MAX_WAITING, MAX_WAITING_FOR_THE_FIRST, Ahead

NUMBERS = 200


class Started:
    """Operations that a test ends, whose results a thread takes as far as the test lets it.

    :param most: how many run at once.
    """

    def __init__(self, most):
        self.most = most
        self.futures = []
        self.taken = []
        self._left = iter(range(NUMBERS))
        self._allowed, self._taken = threading.Semaphore(0), threading.Semaphore(0)
        self._ahead = Ahead(self._start, lambda: next(self._left, None), most, Future.result)
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()
        assert self._begun.wait(30)

    def _start(self, number):
        self.futures.append(Future())
        if len(self.futures) == self.most:
            self._begun.set()
        return self.futures[number]

    def _take(self):
        for result in self._ahead.results():
            self.taken.append(result)
            self._taken.release()
            self._allowed.acquire()

    def end(self, first=0):
        """End one after the other from a number on, until no more are started."""
        number = first
        while number < len(self.futures):
            assert sum(not one.done() for one in self.futures) <= self.most
            if not self.futures[number].done():
                self.futures[number].set_result(number)
            number += 1

    def take(self, number):
        """Let the thread take so many results."""
        for _ in range(number):
            assert self._taken.acquire(timeout=30)
            self._allowed.release()

    def join(self):
        """Wait for the end of the results."""
        self._allowed.release(NUMBERS)
        self._thread.join(30)


@pytest.mark.parametrize("most", [4, 30])
def test_results_that_wait_are_bounded(most):
    """Behind a first one that is still to come more wait than behind one that nobody has taken yet."""
    started = Started(most)
    started.end(first=1)
    assert len(started.futures) == most + MAX_WAITING_FOR_THE_FIRST
    started.futures[0].set_result(0)
    started.end()
    assert len(started.futures) <= 1 + most + MAX_WAITING_FOR_THE_FIRST
    while len(started.taken) < NUMBERS:
        before = len(started.taken)
        started.take(1)
        started.end()
        if before > most + MAX_WAITING_FOR_THE_FIRST:
            assert len(started.futures) <= len(started.taken) + 1 + most + min(most, MAX_WAITING)
    started.join()
    assert started.taken == list(range(NUMBERS))
