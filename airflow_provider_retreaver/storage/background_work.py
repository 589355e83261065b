"""Work on files in the background: one piece at a time on a thread of its own, in the order in which it was given.

Digests, compression and writing need no lock of Python's, so on a second processor they take no time of the caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context

from airflow_provider_retreaver.core.futures import fill
from airflow_provider_retreaver.storage.stoppable import call


class BackgroundWork:
    """Does work in the background.

    :param name: end of the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = f"retreaver-storage-{name}"
        self._running: Future[object] | None = None

    def start(self, work: Callable[[], object]) -> None:
        """Start work when the work before is done.

        :param work: that is done.
        :raises Exception: of the work before.
        """
        self.wait()
        self._running = Future()
        # A daemon, so that a storage that hangs does not keep a task that is told to stop.
        threading.Thread(
            target=copy_context().run, args=(fill, self._running, work), name=self._name, daemon=True
        ).start()

    def wait(self) -> None:
        """Wait until all work is done.

        :raises Exception: of the last work.
        """
        if self._running is not None:
            # A signal may end the wait: then `drop` still has to wait.
            self._running.exception()
            running, self._running = self._running, None
            running.result()

    def drop(self) -> None:
        """Wait until nothing is done any more, whatever has come of it.

        :raises StorageFailed: when the storage does not answer in the time that a stopped task has.
        """
        if self._running is not None:
            call(self._running.exception)
            self._running = None
