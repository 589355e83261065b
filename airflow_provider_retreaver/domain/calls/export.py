"""Exporting a window of calls: every call once, in pages, with a check that none is missing.

    export = export_calls(client, CallWindow(start, end, by="created_at"), raw=False)
    for page in export:
        if page.restart:
            ...  # drop all earlier pages: the call log changed, and is read again in another way
        write(page.rows)
    export.completeness  # a Completeness

A settled window, which no further call can enter (`domain.calls.time_window.is_settled`), is read by page numbers. If
its list did not change, which is checked, it is complete; if it did, it is read again by spans of creation
time, which cannot lose a call to such changes, and counted. If Retreaver's count is still greater than the number of
calls delivered, the export ends in `ListingIncomplete`.

A window that has just ended is waited for until it is settled, at most 90 seconds: an hourly DAG that runs right at
the end of its data interval reads it complete. Any other window that is not settled is read as it is, and its
completeness is not proved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ListingIncomplete
from airflow_provider_retreaver.core.operations import ClockReading, Operation, Procedure, ServerTime
from airflow_provider_retreaver.core.paging import rows_of_pages
from airflow_provider_retreaver.domain.calls.export_progress import ExportProgress
from airflow_provider_retreaver.domain.calls.first_pages import Expectation, first_pages
from airflow_provider_retreaver.domain.calls.odd_calls import as_rows, converted
from airflow_provider_retreaver.domain.calls.page import CallKeys, Decode, RawPage
from airflow_provider_retreaver.domain.calls.page_scan import LogChanged, PageOrder, PageScan, page_operation
from airflow_provider_retreaver.domain.calls.span_scan import Span, read_span, spans
from airflow_provider_retreaver.domain.calls.window import CallWindow, Settled, wait_until_settled

log = logging.getLogger(__name__)

T = TypeVar("T")

# How often a window that changes is read by spans before the export fails.
MAX_READINGS = 3
NOT_SETTLED = "the window is not settled: further calls can enter it until a minute after its end"


class Client(Protocol):
    """The part of a client that an export uses."""

    @property
    def settings(self) -> ClientSettings:
        """The settings of the connection."""

    def run(self, work: Operation[T] | Procedure[T]) -> T:
        """Do one operation, or a procedure to its end.

        :param work: the operation or procedure.
        :return: its result.
        """

    def ahead(self, following: Callable[[], Operation[T] | Procedure[T] | None]) -> Generator[T]:
        """Do several operations concurrently, and yield their results in order.

        :param following: returns the next operation or procedure, None when there is none.
        :return: the results.
        """


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of an export.

    :param keys: `uuid`, `created_at`, `updated_at` of each call.
    :param rows: the calls in the order of `keys`: as dictionaries, or with `raw` as bytes-like slices of JSON
        objects without line breaks.
    :param restart: whether all earlier pages must be dropped. A reader that keeps the newest `updated_at` of each
        uuid can ignore it.
    """

    keys: Sequence[CallKeys]
    rows: Sequence[Any]
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether an export that ended is complete.

    :param proved: whether the calls delivered are all calls of the window.
    :param rows: calls delivered (after the last restart).
    :param counted: how many calls Retreaver counts in the window, None for one that is not settled.
    :param readings: how often the window was read.
    :param reason: why it is not proved, or which change made a second reading necessary; else empty.
    :param replaced: how many characters of its calls were no characters (half an emoji), and were replaced.
    """

    proved: bool
    rows: int
    counted: int | None
    readings: int
    reason: str = ""
    replaced: int = 0


class CallExport:
    """An export; iterate over it once, then read its `completeness`.

    :param client: sends the requests.
    :param window: which calls.
    :param raw: whether calls are delivered as bytes instead of dictionaries.
    :param progress: called after every page; None for nothing.
    :param expected: returns how many calls the window may have; None where nothing is known of that.
    :param decode: as for `export_calls`.
    """

    def __init__(
        self,
        client: Client,
        window: CallWindow,
        *,
        raw: bool,
        progress: Callable[[ExportProgress], None] | None,
        expected: Expectation | None,
        decode: Decode | None,
    ) -> None:
        self._client = client
        self._window = window
        self._raw = raw
        self._progress = progress
        self._expected = expected
        self._decode = decode
        self._pages = self._rows = self._replaced = 0
        self.completeness: Completeness | None = None

    def __iter__(self) -> Iterator[CallPage]:
        """Yield the pages; see `export_calls`."""
        clock = self._client.run(_time())
        self._window.check(clock.server_time)
        known = self._client.run(wait_until_settled(self._window, self._client.settings))
        request, full = self._window.request(self._client.settings)
        guess = self._first_pages(clock, known, full)
        # Together with the last page as many as are read again at once.
        again = max(1, self._client.settings.max_concurrency - 1)
        order = PageOrder(request, guess, full, again, settled=known.settled, decode=self._decode)
        scan = PageScan(order, settled=known.settled)
        try:
            yield from self._by_pages(order, scan, settled=known.settled)
        except LogChanged as change:
            log.warning("The call log changed while it was read (%s); reading it again by spans of time", change.what)
            reason = change.what
        else:
            return
        yield from self._by_spans(scan, order.last or 1, reason)

    def _first_pages(self, clock: ClockReading, known: Settled, full: int) -> int:
        length = min(self._window.end or clock.server_time, clock.server_time) - self._window.start
        expected = known.calls
        if expected is None and self._expected is not None:
            expected = self._expected(length)
        most = self._client.settings.max_concurrency
        return first_pages(length, expected, full, most, filtered=self._window.is_filtered)

    def _by_pages(self, order: PageOrder, scan: PageScan, *, settled: bool) -> Iterator[CallPage]:
        newest = self._newest_change() if settled else None
        with closing(self._client.ahead(order.following)) as answers:
            for answer in scan.pages(answers):
                yield self._page(answer, order.last)
        if not (settled and self._is_settled()):
            self._ends(proved=False, rows=scan.rows, counted=None, readings=1, reason=NOT_SETTLED)
            return
        counted, total = self._verify(order, scan)
        # The calls of one response are those of one moment.
        if (order.last or 1) > 1 and newest != self._newest_change():
            raise LogChanged("a call was updated at the same time, so that the filters may apply to other calls")
        if counted != scan.rows:
            raise LogChanged(f"{scan.rows} calls were read and Retreaver counts {counted}")
        if total is not None and total != scan.rows:
            raise LogChanged(f"{scan.rows} calls were read and the header Total says {total}")
        self._ends(proved=True, rows=scan.rows, counted=counted, readings=1)

    def _ends(self, **known: Any) -> None:
        self.completeness = Completeness(**known, replaced=self._replaced)
        if self._replaced:
            log.warning("%d characters of calls were half an emoji or the like, and were replaced", self._replaced)

    def _is_settled(self) -> bool:
        # By now the difference of the clocks is known from the responses' `Date`.
        return self._window.is_settled(self._client.run(_time()).server_time)

    def _newest_change(self) -> list[tuple[str, str | None]] | None:
        request = self._window.newest_change(self._client.settings)
        if request is None:
            return None
        answer = self._client.run(page_operation(request, 1))
        return [(key.uuid, key.updated_at) for key in answer.keys]

    def _verify(self, order: PageOrder, scan: PageScan) -> tuple[int, int | None]:
        """Read the decisive pages again; return Retreaver's count by pages, and that of its header `Total`."""
        before = iter(pages := scan.pages_to_verify())
        request, _ = self._window.request(self._client.settings)
        counted, total = scan.rows, order.total

        def following() -> Operation[RawPage] | None:
            page = next(before, None)
            return None if page is None else page_operation(request, page.number)

        with closing(self._client.ahead(following)) as answers:
            for page, now in zip(pages, answers, strict=True):
                scan.compare(page, now)
                if now.number == order.last:
                    counted, total = scan.count(now), now.total
        return counted, total

    def _by_spans(self, scan: PageScan, pages: int, reason: str) -> Iterator[CallPage]:
        parts = spans(self._window, scan.page_starts, pages)
        for reading in range(2, MAX_READINGS + 2):
            self._pages = self._rows = self._replaced = 0
            left = iter(parts)
            restart = True
            with closing(self._client.ahead(partial(self._next_span, left))) as found:
                for answers in found:
                    for answer in answers:
                        yield self._page(answer, len(parts), restart=restart)
                        restart = False
            counted = self._client.run(_count(self._client.settings, self._window))
            if self._rows >= counted:
                proved = self._is_settled()
                self._ends(
                    proved=proved,
                    rows=self._rows,
                    counted=counted,
                    readings=reading,
                    reason=reason if proved else NOT_SETTLED,
                )
                return
            reason = f"{self._rows} calls were read and Retreaver counts {counted}"
            log.warning("%s; reading the window again", reason.capitalize())
        request, _ = self._window.request(self._client.settings)
        raise ListingIncomplete(
            f"The calls of {request.label} could not be read completely: {reason}, after {reading} readings. The "
            f"calls that were read are not all; try again later.",
            method=request.method,
            path=request.path,
        )

    def _next_span(self, left: Iterator[Span]) -> Procedure[list[RawPage]] | None:
        span = next(left, None)
        return None if span is None else read_span(self._client.settings, self._window, span)

    def _page(self, answer: RawPage, of_pages: int | None, *, restart: bool = False) -> CallPage:
        self._pages += 1
        self._rows += len(answer.keys)
        self._replaced += answer.replaced
        if self._progress is not None:
            self._progress(ExportProgress(self._rows, self._pages, of_pages))
        rows: Sequence[Any] = answer.raws if self._raw else converted(answer.raws, as_rows)
        return CallPage(answer.keys, rows, restart)


def export_calls(
    client: Client,
    window: CallWindow,
    *,
    raw: bool = False,
    progress: Callable[[ExportProgress], None] | None = None,
    expected: Expectation | None = None,
    decode: Decode | None = None,
) -> CallExport:
    """Export the calls of a window, oldest first.

    Retreaver's reference: "Enumerate through all calls in a specific date/time range".

    :param client: of `RetreaverHook.reading()`.
    :param window: which calls.
    :param raw: deliver calls as the bytes that Retreaver sent instead of dictionaries.
    :param progress: called after every page.
    :param expected: returns how many calls a window of this length may have, e.g. by an earlier export; it decides
        how many pages are requested before the first response says how many there are.
    :param decode: decodes whole calls of a page for whoever takes `DecodedCalls`; with `raw` only.
    :return: an iterable of `CallPage`, with its `completeness` at the end.
    :raises InvalidArgument: when iterated, for a wrong window; nothing was sent.
    :raises ListingIncomplete: when iterated, if calls are missing after several readings.
    :raises RetreaverError: when a page cannot be read.
    """
    return CallExport(client, window, raw=raw, progress=progress, expected=expected, decode=decode)


def _time() -> Procedure[ClockReading]:
    clock: ClockReading = yield ServerTime()
    return clock


def _count(settings: ClientSettings, window: CallWindow) -> Procedure[int]:
    """Count a window: by the header `Total`, or in two requests by its first page and its last one."""
    request, full = window.request(settings)
    page: RawPage = yield page_operation(request, 1)
    if page.total is not None:
        return page.total
    number = max(page.last or 1, page.next or 1)
    if number > 1:
        last: RawPage = yield page_operation(request, number)
        return rows_of_pages(len(page.keys), number, len(last.keys))
    counted = len(page.keys)
    while not page.linked and len(page.keys) >= full:
        # A full page without a Link may be followed by another one.
        following: RawPage = yield page_operation(request, page.number + 1)
        if following.uuids == page.uuids:
            raise ListingIncomplete(
                f"{request.label} ignores page, and does not say how many calls there are, so that they cannot be "
                f"counted; check that the connection's host is the API and not a proxy.",
                method=request.method,
                path=request.path,
            )
        page = following
        counted += len(page.keys)
    return counted
