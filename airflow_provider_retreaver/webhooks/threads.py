"""Work that may wait for ever, such as a storage's, on threads that nothing waits for when the process ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from airflow_provider_retreaver.core.futures import fill

T = TypeVar("T")


def start(work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin work on a daemon thread of its own.

    :param work: a function without arguments.
    :return: its result; giving up the wait for it does not end the work.
    """
    future: Future[T] = Future()
    # Otherwise a result that comes after the wait was given up would be refused.
    future.set_running_or_notify_cancel()
    threading.Thread(target=fill, args=(future, work), name="retreaver-webhooks", daemon=True).start()
    return asyncio.wrap_future(future)
