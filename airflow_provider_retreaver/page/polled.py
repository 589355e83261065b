"""What the page knows of one view of an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Polled(Generic[T]):
    """What the page knows of one view of an account.

    :param value: what was read last; None while nothing was.
    :param read_at: when that poll began.
    :param error: why the last poll failed; blank when it did not.
    :param failed_at: when.
    :param reading: whether a poll is under way.
    """

    value: T | None = None
    read_at: datetime | None = None
    error: str = ""
    failed_at: datetime | None = None
    reading: bool = False
