"""Work that would block an event loop, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run what waits for a storage in a thread that knows its event loop.

    Storages may read an Airflow connection. On Airflow 3.1 and 3.2, messages to the supervisor from a thread that
    does not know the loop overtake those of the loop.

    :param work: a function without arguments.
    :return: its result.
    """
    from asgiref.sync import sync_to_async

    return await sync_to_async(work, thread_sensitive=False)()
