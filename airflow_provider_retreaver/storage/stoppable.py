"""Paths and files on object storage that do not hold a task that is told to stop.

A storage's library may wait for ever, in code that no signal interrupts, or in what cleans up after the signal:
closing a file sends its rest. So each call of the task's own thread is made on a daemon thread, and waited for in a
way that ends at once. After the task was told to stop, all that is still asked of storages (removing temporary files,
noting what was done) has one second in total, and a file that was being written is given up. What a library still
does after that concerns temporary files: a file that readers look for is moved into place when it is whole.

Local files have no such thread: their calls end with the system's.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.core.futures import fill
from airflow_provider_retreaver.core.stopping import NOTING, is_stop

if TYPE_CHECKING:
    from types import TracebackType

    from airflow.providers.common.compat.sdk import ObjectStoragePath

T = TypeVar("T")

# Storages within this machine or process.
LOCAL = frozenset({"", "file", "local", "memory"})
_UNTIL = "retreaver_storage_until"


def stop_in_hand() -> BaseException | None:
    """Return the exception that told the task to stop, while what it ended is cleaned up.

    :return: the exception; None when no such one is being handled.
    """
    error = sys.exc_info()[1]
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if is_stop(error):
            return error
        seen.add(id(error))
        error = error.__context__
    return None


def call(work: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a storage's library so that the wait for it ends when the task is told to stop.

    :param work: of the library.
    :param arguments: of it.
    :param options: of it.
    :return: its result.
    :raises StorageFailed: when it does not return in the time that is left after the task was told to stop.
    """
    stop = stop_in_hand()
    # Signals reach the main thread only; other threads of this package are daemons that are not waited for.
    if stop is None and threading.current_thread() is not threading.main_thread():
        return work(*arguments, **options)
    left = None if stop is None else vars(stop).setdefault(_UNTIL, time.monotonic() + NOTING) - time.monotonic()
    future: Future[T] = Future()
    if left is None or left > 0:
        context = copy_context()
        threading.Thread(
            target=context.run,
            args=(fill, future, partial(work, *arguments, **options)),
            name="retreaver-storage",
            daemon=True,
        ).start()
        with suppress(FutureTimeout):
            future.exception(left)
    if future.done():
        return future.result()
    raise StorageFailed("The storage was not asked, or did not answer in time: the task was told to stop.")


def stoppable(path: ObjectStoragePath) -> ObjectStoragePath:
    """Return a path whose calls of the storage do not hold a task that is told to stop.

    :param path: on any storage.
    :return: what stands in for it; a local path itself.
    """
    found: Any = path if path.protocol in LOCAL else StoppablePath(path)
    stand_in: ObjectStoragePath = found
    return stand_in


class _Stoppable:
    """Calls the methods of an object of a storage's library."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def stoppable_call(*arguments: Any, **options: Any) -> Any:
            return call(found, *arguments, **options)

        return stoppable_call


class StoppablePath(_Stoppable):
    """Stands in for a path on object storage.

    :param inner: the path.
    """

    @property
    def fs(self) -> StoppableFileSystem:
        """Its storage."""
        return StoppableFileSystem(self._inner.fs)

    @property
    def parent(self) -> StoppablePath:
        """The folder that it is in."""
        return StoppablePath(self._inner.parent)

    def __truediv__(self, name: str) -> StoppablePath:
        return StoppablePath(self._inner / name)

    def with_name(self, name: str) -> StoppablePath:
        """Return the path of another file in its folder.

        :param name: of the file.
        :return: the path.
        """
        return StoppablePath(self._inner.with_name(name))

    def open(self, mode: str = "r", **options: Any) -> StoppableFile:
        """Open the file.

        :param mode: as of Python's `open`.
        :param options: of the storage's library.
        :return: the open file.
        """
        return self.fs.open(self._inner.path, mode, **options)

    def __str__(self) -> str:
        return str(self._inner)

    def __repr__(self) -> str:
        return repr(self._inner)

    def __eq__(self, other: object) -> bool:
        return bool(self._inner == (other._inner if isinstance(other, StoppablePath) else other))

    def __hash__(self) -> int:
        return hash(self._inner)


class StoppableFileSystem(_Stoppable):
    """Stands in for a storage of `fsspec`.

    :param inner: the storage.
    """

    def open(self, path: str, mode: str = "rb", **options: Any) -> StoppableFile:
        """Open a file.

        :param path: of the file.
        :param mode: as of Python's `open`.
        :param options: of the storage's library.
        :return: the open file.
        """
        return StoppableFile(call(self._inner.open, path, mode, **options))


class StoppableFile(_Stoppable):
    """Stands in for an open file; one that is open when the task is told to stop is given up, and not completed.

    :param inner: the file.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        # A file that is opened to note what was done is written as any other.
        self._opened_after = stop_in_hand()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        while line := self.readline():
            yield line

    def write(self, data: Any) -> int:
        """Write to the file.

        :param data: bytes, or text.
        :return: how much was written.
        """
        # What compressors and writers still have when they are closed belongs to a file that is given up.
        return len(data) if self._is_given_up() else call(self._inner.write, data)

    def flush(self) -> None:
        """Pass on what is buffered."""
        if not self._is_given_up():
            call(self._inner.flush)

    def close(self) -> None:
        """Close the file, by which libraries send its rest; one that is given up is not completed."""
        if not self._is_given_up():
            call(self._inner.close)
            return
        # Parts that a bucket has of it are removed, where its library can do so.
        with suppress(Exception):
            call(self._inner.discard)
        # Otherwise its library closes it when it is collected.
        with suppress(AttributeError):
            self._inner.closed = True

    def _is_given_up(self) -> bool:
        stop = stop_in_hand()
        return stop is not None and stop is not self._opened_after
