"""Reading a window whose list changes: by spans of creation time, each response complete in itself.

The first page of a span, oldest first, comes from one state of the list: whatever changes elsewhere, it has every
call between the span's start and its own last call. So of a span only the first page is read, and the next span
starts where it ended. The creation time of a call never changes, so no call can move from one span to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.calls.fields import call_time
from airflow_provider_retreaver.domain.calls.page import CallKeys, RawPage
from airflow_provider_retreaver.domain.calls.page_scan import page_operation
from airflow_provider_retreaver.domain.calls.window import CallWindow

# Whether "created after" includes the time itself is not documented, and times are rounded: slightly more is
# requested, and calls of the neighboring spans are left to them.
FINE, COARSE = timedelta(milliseconds=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Calls created from `start` on and before `end`.

    :param start: aware; None for the window's own start, by which Retreaver filters.
    :param end: aware; None for the window's own end.
    :param slack: precision of Retreaver's times.
    """

    start: datetime | None
    end: datetime | None
    slack: timedelta


def spans(window: CallWindow, page_starts: Sequence[str], pages: int) -> list[Span]:
    """Divide a window into spans of about a page each.

    :param window: the window.
    :param page_starts: creation time of the first call of each page that was read.
    :param pages: approximate number of pages in all; the part that was not read is divided evenly.
    :return: spans that touch and do not overlap.
    """
    slack = FINE if any("." in text for text in page_starts) else COARSE
    known = [call_time(text, "created_at") for text in page_starts]
    rest = max(0, pages - len(page_starts))
    if known and rest and window.end is not None and window.end > known[-1]:
        step = (window.end - known[-1]) / (rest + 1)
        known += [known[-1] + step * place for place in range(1, rest + 1)]
    cuts: list[datetime] = []
    for time in known[1:]:
        if time - (cuts[-1] if cuts else known[0]) > 2 * slack:
            cuts.append(time)
    return [Span(first, last, slack) for first, last in pairwise([None, *cuts, None])]


def read_span(settings: ClientSettings, window: CallWindow, span: Span) -> Procedure[list[RawPage]]:
    """Read a span.

    :param settings: of the connection.
    :param window: to which the span belongs.
    :param span: the span.
    :return: its calls, in pages that do not overlap.
    :raises ListingIncomplete: when more calls than fit on a page were created at the same time.
    :raises ProtocolError: when a call has no creation time.
    """
    found: list[RawPage] = []
    start = span.start
    while True:
        request, full = _request(settings, window, start, span)
        answer: RawPage = yield page_operation(request, 1)
        whole = _is_whole(answer, full)
        times = [_created(key) for key in answer.keys]
        if not whole and not times:
            raise ListingIncomplete("The first page of several of the call log is empty; try again later.")
        # Further calls may have the creation time of the page's last call: the next response has them.
        until = span.end if whole else max(times) - span.slack
        if not whole and start is not None and until is not None and until <= start:
            raise ListingIncomplete(
                f"More calls than fit on a page ({len(times)}) were created at about the same time, and the call "
                f"log changed while it was read; raise the extra per_page, or try again later."
            )
        found.append(_part(answer, times, start, until))
        if whole:
            return found
        start = until


def _is_whole(answer: RawPage, full: int) -> bool:
    """Return whether a first page has all calls of its span."""
    if answer.next is not None or (answer.last or 1) > 1:
        return False
    if answer.linked or len(answer.keys) < full:
        return True
    # A full page without a Link may be followed by another one.
    return answer.total is not None and answer.total <= len(answer.keys)


def _request(settings: ClientSettings, window: CallWindow, start: datetime | None, span: Span) -> tuple[Request, int]:
    first = None if start is None else start - span.slack
    last = None if span.end is None else span.end + span.slack
    return window.request(settings, (first, last))


def _part(answer: RawPage, times: list[datetime], start: datetime | None, until: datetime | None) -> RawPage:
    places = [
        place
        for place, time in enumerate(times)
        if (start is None or time >= start) and (until is None or time < until)
    ]
    raws, keys = [answer.raws[place] for place in places], [answer.keys[place] for place in places]
    return replace(answer, raws=raws, keys=keys, next=None, last=None, linked=False, total=None)


def _created(key: CallKeys) -> datetime:
    if key.created_at is None:
        raise ProtocolError(
            f"Call {one_line(key.uuid)} has no created_at, so a call log that changes cannot be read; try again "
            f"later."
        )
    return call_time(key.created_at, "created_at", key.uuid)
