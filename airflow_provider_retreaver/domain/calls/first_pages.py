"""How many pages of a window are requested before the first response says how many there are.

One page too many is a request that the account's limit counts. One too few makes the export wait for a response once.
So this follows what is known: a count, where another request has brought one anyway; how many calls the last export
of the same folder had; else the window's length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from airflow_provider_retreaver.domain.calls.page import RawPage

# Takes the length of a window and returns how many calls it may have, None where nothing is known of that.
Expectation: TypeAlias = Callable[[timedelta], int | None]

# Where nothing is known the first page alone is requested of a shorter window, two pages of one up to the longer
# length, and half as many as the connection allows of one beyond that, whose calls hardly fit on a page. All of them
# are read again at the end, with those that are requested beside the last page: together as many as are allowed.
SHORT, LONG = timedelta(hours=1), timedelta(days=90)


def first_pages(length: timedelta, expected: int | None, full: int, most: int, *, filtered: bool = False) -> int:
    """Return how many pages are requested at once at the beginning.

    :param length: of the window.
    :param expected: how many calls it may have, None where nothing is known of that.
    :param full: calls of a full page.
    :param most: how many requests the connection allows at once.
    :param filtered: whether only some of the account's calls are in the window.
    :return: 1 to `most`.
    """
    half = max(1, most // 2)
    if expected is not None:
        pages = max(1, math.ceil(expected / full))
        return pages if pages <= most else half
    if length >= LONG:
        return half
    return 1 if filtered or length < SHORT else min(2, most)


def in_proportion(calls: int, of: timedelta, length: timedelta) -> int:
    """Return how many calls a window has when as many come in an hour as in another one.

    :param calls: of the other window.
    :param of: length of the other window.
    :param length: of this one.
    :return: the number, rounded up.
    """
    return calls if of <= timedelta(0) else math.ceil(calls * (length / of))


def calls_of(page: RawPage) -> int:
    """Return how many calls a list has according to its first page, at most a page more than there are.

    :param page: the first one, of few calls; a server that takes no `per_page` has more on each.
    :return: the number.
    """
    if page.total is not None:
        return page.total
    return max(page.last or 1, page.next or 1) * max(1, len(page.keys)) if page.linked else len(page.keys)
