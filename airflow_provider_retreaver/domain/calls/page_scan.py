"""Reading a window of calls by page numbers, and finding out whether its list changed in the meantime.

Retreaver makes the list anew for every request. Oldest first, the list of a settled window hardly ever changes. A
call that enters it late, or leaves it because it is updated, moves every later call to another position; pages that
were read before and after such a change then share a call or leave one out. It is detected by these checks:

* the last page is read early and again at the end: it shows a call that entered or left after it was read first,
  wherever its position is;
* so are all pages that were requested before its first response had come, and may have been read before it: of these,
  one that was read before a change and has its position, or a later one, has other calls at the end;
* every page but the last is full, no call is on two pages, and times do not run backwards from page to page.

If all checks pass, the calls delivered are the calls of the window, as many as Retreaver counts.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from airflow_provider_retreaver.core.errors import ListingIncomplete
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.core.paging import MAX_PAGES, rows_of_pages
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_time
from airflow_provider_retreaver.domain.calls.page import (
    CallKeys,
    Decode,
    RawPage,
    UnreadPage,
    links_and_total,
    read_page,
)

# A call that moves comes again within the pages that are requested concurrently: so many identities are kept at
# least.
KEPT_UUIDS = 10_000


class LogChanged(Exception):
    """The list changed while it was read.

    :param what: the check that failed, as a clause.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def page_operation(request: Request, number: int, decode: Decode | None = None) -> Operation[RawPage]:
    """Return the operation that reads one page.

    :param request: of the listing, without a page number.
    :param number: of the page, counted from 1.
    :param decode: as for `read_page`.
    :return: the operation.
    :raises ListingIncomplete: when the list has too many pages to be one.
    """
    if number > MAX_PAGES:
        raise ListingIncomplete(
            f"{request.label} has more than {MAX_PAGES} pages, which cannot be right; narrow the window.",
            method=request.method,
            path=request.path,
        )

    def read(sent: Request, response: Response) -> RawPage:
        return read_page(number, sent, response, decode)

    return Operation(request.with_query(page=str(number)), read)


class PageOrder:
    """Decides which page is requested next; responses say how many there are. Used from several threads.

    :param request: of the listing, without a page number.
    :param guess: pages that are requested concurrently before the first response says how many there are.
    :param full: calls of a full page.
    :param most: pages that are read again at the end beside the last one; until that has come, no more are requested.
    :param settled: whether the last page is requested as soon as its number is known.
    :param decode: as for `read_page`.
    """

    def __init__(
        self, request: Request, guess: int, full: int, most: int, *, settled: bool, decode: Decode | None = None
    ) -> None:
        self._request = request
        self._decode = decode
        self._guess = guess
        self._most = most
        self._full = full
        self._presumed: int | None = None
        self._settled = settled
        self._lock = threading.Lock()
        self._next = 1
        self._early: int | None = None
        self._early_is_known = False
        # Numbers of the pages that may have been read before the early one.
        self.before_early: set[int] = set()
        self.last: int | None = None
        self.size = 0
        # Retreaver's own count by the header `Total`, None without one.
        self.total: int | None = None

    @property
    def early(self) -> int | None:
        """Number of the page that was requested before its turn."""
        return self._early

    def following(self) -> Operation[RawPage | UnreadPage] | None:
        """Return the operation that requests the next page.

        :return: None when no further page is known.
        """
        with self._lock:
            number = self._next_number()
            if number is not None and self._settled and not self._early_is_known:
                self._note(number)
        if number is None:
            return None
        operation = page_operation(self._request, number, self._decode)

        def read(request: Request, response: Response) -> RawPage | UnreadPage:
            relations, total = links_and_total(response)
            if number > 1 and _following(relations) > number:
                self._learn(number, None, relations, total)
                return UnreadPage(number, request, response, self._decode)
            answer = operation.read(request, response)
            self._learn(number, len(answer.keys), relations, total)
            return answer

        return Operation(operation.request, read)

    def _note(self, number: int) -> None:
        # Without the number of the last page there is no early one, and pages are requested one after the other: of
        # these, no more are kept and read again than of others.
        if len(self.before_early) < max(self._most, self._guess + 1):
            self.before_early.add(number)

    def _next_number(self) -> int | None:
        if self.last is None:
            limit = self._guess
        elif self._settled and self._early is None and self._next < self.last:
            self._early = self.last
            return self._early
        elif self._early is not None and not self._early_is_known and len(self.before_early) >= self._most:
            return None
        else:
            limit = self.last
        if self._next == self._early:
            self._next += 1
        if self._next > limit:
            return None
        self._next += 1
        return self._next - 1

    def _learn(self, number: int, calls: int | None, relations: Mapping[str, int], total: int | None) -> None:
        """Take what a response says; `calls` is None for a page that others follow, and that is not read yet."""
        with self._lock:
            self._early_is_known |= number == self._early
            self.total = total if total is not None else self.total
            if number == 1:
                self.size = calls or 0
            if number == self._presumed and calls == 0:
                self.last = number - 1
                return
            known = max(self.last or 0, _following(relations))
            if calls != 0:
                known = max(known, number)
            if not relations and number == known and (calls or 0) >= self._full:
                # A full page without a Link may be followed by another one.
                known = self._presumed = number + 1
            if self.last is not None or number == 1 or relations.get("last"):
                self.last = max(known, 1)


def _following(relations: Mapping[str, int]) -> int:
    return max(relations.get("next", 0), relations.get("last", 0))


class PageScan:
    """One reading of a window by page numbers: yields its pages and detects changes of the list.

    :param order: decides which pages are requested.
    :param settled: whether no further call can enter the window, so that any change is an error.
    """

    def __init__(self, order: PageOrder, *, settled: bool) -> None:
        self._order = order
        self._settled = settled
        self._seen: set[str] = set()
        self._earlier: set[str] = set()
        self._until: datetime | None = None
        self._held: RawPage | None = None
        self._before_early: list[RawPage] = []
        self._final: RawPage | None = None
        self.rows = 0
        self.dropped = 0
        # Creation time of each page's first call, for reading the window by spans.
        self.page_starts: list[str] = []

    def pages(self, answers: Iterable[RawPage | UnreadPage]) -> Generator[RawPage]:
        """Yield the pages in order, each call once.

        :param answers: pages in the order in which they were requested.
        :return: the pages.
        :raises LogChanged: at the first check of a settled window that fails.
        :raises ProtocolError: when a page cannot be read.
        """
        for page in answers:
            answer = page.read() if isinstance(page, UnreadPage) else page
            if answer.number == self._order.early and answer.number > 1 and self._held is None:
                self._held = answer
                continue
            if answer.number in self._order.before_early and answer.keys:
                # What was decoded of whole calls is not kept.
                self._before_early.append(replace(answer, raws=[], keys=[CallKeys(uuid) for uuid in answer.uuids]))
            yield from self._checked(answer)
            following = answer.number + 1
            if self._held is not None and following == self._held.number:
                yield from self._checked(self._held)

    def _checked(self, answer: RawPage) -> Generator[RawPage]:
        last = self._order.last or 1
        if answer.number > last and not answer.keys:
            return  # requested before the number of pages was known
        if answer.number < last and len(answer.keys) != self._order.size:
            self._changed(
                f"page {answer.number} of {last} has {len(answer.keys)} calls and page 1 has {self._order.size}"
            )
        if answer.number == last:
            self._final = answer
            if not answer.keys and last > 1:
                self._changed(f"page {last} is the last one and has no call")
        answer = self._fresh(answer)
        if answer.keys and answer.keys[0].created_at:
            self.page_starts.append(answer.keys[0].created_at)
        self.rows += len(answer.keys)
        yield answer

    def _changed(self, what: str) -> None:
        if self._settled:
            raise LogChanged(what)

    def _fresh(self, answer: RawPage) -> RawPage:
        uuids = answer.uuids
        if len(set(uuids)) != len(uuids) or not (self._seen.isdisjoint(uuids) and self._earlier.isdisjoint(uuids)):
            self._changed(f"page {answer.number} repeats a call of an earlier page")
            answer = self._without(answer)
        self._seen.update(answer.uuids)
        if len(self._seen) > KEPT_UUIDS:
            self._earlier, self._seen = self._seen, set()
        first, last = (_time(answer.keys[place].created_at) if answer.keys else None for place in (0, -1))
        if first is not None and self._until is not None and first < self._until:
            self._changed(f"page {answer.number} starts earlier than the page before it ends")
        self._until = last or self._until
        return answer

    def _without(self, answer: RawPage) -> RawPage:
        kept: dict[str, int] = {}
        for place, key in enumerate(answer.keys):
            if key.uuid not in self._seen and key.uuid not in self._earlier:
                kept.setdefault(key.uuid, place)
        self.dropped += len(answer.keys) - len(kept)
        places = list(kept.values())
        raws, keys = [answer.raws[place] for place in places], [answer.keys[place] for place in places]
        return replace(answer, raws=raws, keys=keys)

    def pages_to_verify(self) -> list[RawPage]:
        """Return the pages that must be the same when they are read again at the end.

        :return: the pages as they were.
        """
        if (self._order.last or 1) <= 1:
            return []  # one response has the whole list: no change can lie between its calls
        decisive = (*self._before_early, self._held, self._final)
        found = {page.number: page for page in decisive if page is not None}
        return list(found.values())

    def compare(self, before: RawPage, now: RawPage) -> None:
        """Check that a page is the same as before.

        :param before: as it was.
        :param now: as it is at the end.
        :raises LogChanged: when it has other calls.
        """
        if before.uuids != now.uuids:
            raise LogChanged(f"page {before.number} has other calls at the end than before")

    def count(self, last: RawPage) -> int:
        """Return how many calls the window has according to its last page.

        :param last: the last page, read at the end.
        :return: Retreaver's count.
        :raises LogChanged: when it is not the last page any more.
        """
        if last.next is not None or (last.last or 0) > last.number:
            raise LogChanged(f"page {last.number} is no longer the last one")
        return rows_of_pages(self._order.size, last.number, len(last.keys))


def _time(text: str | None) -> datetime | None:
    with suppress(NotOfKind):
        return None if text is None else read_time(text)
    return None
