"""Reading a window that does not stand still: by spans of creation time, each answer whole in itself.

The first page of a span, oldest first, is one moment's truth: whatever moves elsewhere, it lacks no call between the
span's start and its own last call. So a span is read by its first page only, and goes on where that ended. When a
call was created never changes, so no call can slip from one span into another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.calls.fields import call_time
from airflow_provider_retreaver.domain.calls.page import CallKeys, RawPage
from airflow_provider_retreaver.domain.calls.page_scan import page_operation
from airflow_provider_retreaver.domain.calls.window import CallWindow

# Whether "created after" takes in the moment itself is not documented, and times are written rounded: the vendor is
# asked for a little more than is wanted, and what belongs to the neighbours is left to them.
FINE, COARSE = timedelta(milliseconds=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Calls created from `start` on and before `end`.

    :param start: None for the window's own start, which the vendor judges; so with `end`.
    :param slack: how exactly the vendor writes times.
    """

    start: datetime | None
    end: datetime | None
    slack: timedelta


def spans(window: CallWindow, page_starts: Sequence[str], pages: int) -> list[Span]:
    """Divide a window into spans of about a page each.

    :param page_starts: when the first call of each page that was read was created.
    :param pages: how many pages there are about in all; what was not read is divided evenly.
    """
    slack = FINE if any("." in text for text in page_starts) else COARSE
    known = [call_time(text, "created_at") for text in page_starts]
    rest = max(0, pages - len(page_starts))
    if known and rest and window.end is not None and window.end > known[-1]:
        step = (window.end - known[-1]) / (rest + 1)
        known += [known[-1] + step * place for place in range(1, rest + 1)]
    cuts: list[datetime] = []
    for moment in known[1:]:
        if moment - (cuts[-1] if cuts else known[0]) > 2 * slack:
            cuts.append(moment)
    return [Span(first, last, slack) for first, last in pairwise([None, *cuts, None])]


def read_span(settings: Settings, window: CallWindow, span: Span) -> Procedure[list[RawPage]]:
    """Read a span: a procedure that returns its calls, in answers that do not overlap.

    :raises ListingIncomplete: when more calls than fit on a page were created at one moment.
    :raises ProtocolError: when a call does not say when it was created.
    """
    found: list[RawPage] = []
    start = span.start
    while True:
        answer: RawPage = yield page_operation(_request(settings, window, start, span), 1)
        whole = answer.next is None and (answer.last or 1) <= 1
        moments = [_created(key) for key in answer.keys]
        if not whole and not moments:
            raise ListingIncomplete("The call log answered an empty first page of several; try again later.")
        # What was created at the very end of a page may go on behind it: the next answer tells.
        until = span.end if whole else max(moments) - span.slack
        if not whole and start is not None and until is not None and until <= start:
            raise ListingIncomplete(
                f"More calls than fit on a page ({len(moments)}) were created at about the same moment, and the call "
                f"log moved while it was read; raise the extra per_page, or try again when it stands still."
            )
        found.append(_part(answer, moments, start, until))
        if whole:
            return found
        start = until


def _request(settings: Settings, window: CallWindow, start: datetime | None, span: Span) -> Request:
    first = None if start is None else start - span.slack
    last = None if span.end is None else span.end + span.slack
    request, _ = window.request(settings, (first, last))
    return request


def _part(answer: RawPage, moments: list[datetime], start: datetime | None, until: datetime | None) -> RawPage:
    places = [
        place
        for place, moment in enumerate(moments)
        if (start is None or moment >= start) and (until is None or moment < until)
    ]
    raws, keys = [answer.raws[place] for place in places], [answer.keys[place] for place in places]
    return RawPage(answer.number, raws, keys, None, None, linked=False)


def _created(key: CallKeys) -> datetime:
    if key.created_at is None:
        raise ProtocolError(
            f"Call {key.uuid} does not say when it was created, so a call log that moves cannot be read."
        )
    return call_time(key.created_at, "created_at", key.uuid)
