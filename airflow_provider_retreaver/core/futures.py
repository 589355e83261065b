"""Results that are handed from one thread to another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def fill(future: Future[T], work: Callable[[], T]) -> None:
    """Do work, and hand its result or its error to those who wait for it.

    :param future: that they wait for.
    :param work: that is done.
    """
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised again by the future's reader
        future.set_exception(error)
    else:
        future.set_result(result)
