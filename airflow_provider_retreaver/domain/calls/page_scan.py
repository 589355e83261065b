"""Reading a window of calls by page numbers, and knowing whether it stood still meanwhile.

Pages are positions in a list that the vendor makes anew for every request. Oldest first, the list of a settled window
stands still as a rule; a call that comes late into it, or leaves it because it is updated, moves every later call to
another page, and a page read before and one read after then share a call or leave one out. What is looked at:

* the last page is read early and again at the end: a call that came or left in between shows there, wherever it was;
* so is the last of the pages that were asked for before the last one was known;
* every page but the last is full, no call is on two pages, and times do not run backwards from page to page.

If all of it holds, the calls delivered are the window's calls, as many as the vendor counts.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from datetime import datetime

from airflow_provider_retreaver.core.errors import ListingIncomplete
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.core.paging import MAX_PAGES, rows_of_pages
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_time
from airflow_provider_retreaver.domain.calls.page import RawPage, read_page

# A call that moved shows within as many pages as are under way; so many identities at least are remembered for it.
REMEMBERED = 10_000


class LogChanged(Exception):
    """The list did not stand still.

    :param what: the sign of it, as the end of a sentence.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def page_operation(request: Request, number: int) -> Operation[RawPage]:
    """Return the operation that reads one page."""
    if number > MAX_PAGES:
        raise ListingIncomplete(
            f"{request.label} has more than {MAX_PAGES} pages, which cannot be right; narrow the window.",
            method=request.method,
            path=request.path,
        )

    def read(sent: Request, response: Response) -> RawPage:
        return read_page(number, sent, response)

    return Operation(request.with_query(page=str(number)), read)


class PageOrder:
    """Which page is asked for next; answers teach how many there are. Used from several threads.

    :param request: of the listing, without a page.
    :param guess: pages that are asked for at once before the first answer has told how many there are.
    :param full: calls of a full page, as it is asked for.
    :param settled: whether the last page is asked for as soon as it is known.
    """

    def __init__(self, request: Request, guess: int, full: int, *, settled: bool) -> None:
        self._request = request
        self._guess = guess
        self._full = full
        self._presumed: int | None = None
        self._settled = settled
        self._lock = threading.Lock()
        self._next = 1
        self._early: int | None = None
        self.last: int | None = None
        self.size = 0

    @property
    def early(self) -> int | None:
        """Number of the page that was asked for out of its turn."""
        return self._early

    def following(self) -> Operation[RawPage] | None:
        """Return what to ask for next, None when nothing is known to be left."""
        with self._lock:
            number = self._chosen()
        if number is None:
            return None
        operation = page_operation(self._request, number)

        def read(request: Request, response: Response) -> RawPage:
            answer = operation.read(request, response)
            self._learn(answer)
            return answer

        return Operation(operation.request, read)

    def _chosen(self) -> int | None:
        if self.last is None:
            limit = self._guess
        elif self._settled and self._early is None and self._next < self.last:
            self._early = self.last
            return self._early
        else:
            limit = self.last
        if self._next == self._early:
            self._next += 1
        if self._next > limit:
            return None
        self._next += 1
        return self._next - 1

    def _learn(self, answer: RawPage) -> None:
        with self._lock:
            if answer.number == 1:
                self.size = len(answer.keys)
            if answer.number == self._presumed and not answer.keys:
                self.last = answer.number - 1
                return
            known = max(self.last or 0, answer.last or 0, answer.next or 0)
            if answer.keys:
                known = max(known, answer.number)
            if not answer.linked and answer.number == known and len(answer.keys) >= self._full:
                # A full page that says nothing about others may have one behind it.
                known = self._presumed = answer.number + 1
            if self.last is not None or answer.number == 1 or answer.last:
                self.last = max(known, 1)


class PageScan:
    """One reading of a window by page numbers: hands out its pages and says at the end whether it stood still.

    :param order: which pages are asked for.
    :param settled: whether nothing can come into the window any more.
    """

    def __init__(self, order: PageOrder, *, settled: bool) -> None:
        self._order = order
        self._settled = settled
        self._seen: set[str] = set()
        self._earlier: set[str] = set()
        self._until: datetime | None = None
        self._held: RawPage | None = None
        self._at_guess: RawPage | None = None
        self._final: RawPage | None = None
        self.rows = 0
        self.dropped = 0
        # Where pages begin, for reading the window in another way.
        self.page_starts: list[str] = []

    def pages(self, answers: Iterable[RawPage], guess: int) -> Generator[RawPage]:
        """Yield the pages in order, as they are to be passed on.

        :param answers: in the order in which they were asked for.
        :raises LogChanged: at the first sign that the window did not stand still.
        """
        for answer in answers:
            if answer.number == self._order.early and answer.number > 1 and self._held is None:
                self._held = answer
                continue
            if answer.number <= guess and answer.keys:
                self._at_guess = answer
            yield from self._passed_on(answer)
            following = answer.number + 1
            if self._held is not None and following == self._held.number:
                yield from self._passed_on(self._held)

    def _passed_on(self, answer: RawPage) -> Generator[RawPage]:
        last = self._order.last or 1
        if answer.number > last and not answer.keys:
            return  # asked for before it was known where the list ends
        if answer.number < last and len(answer.keys) != self._order.size:
            self._moved(
                f"page {answer.number} of {last} held {len(answer.keys)} calls where page 1 held {self._order.size}"
            )
        if answer.number == last:
            self._final = answer
            if not answer.keys and last > 1:
                self._moved(f"page {last} was the last one and held no call")
        answer = self._fresh(answer)
        if answer.keys and answer.keys[0].created_at:
            self.page_starts.append(answer.keys[0].created_at)
        self.rows += len(answer.keys)
        yield answer

    def _moved(self, what: str) -> None:
        if self._settled:
            raise LogChanged(what)

    def _fresh(self, answer: RawPage) -> RawPage:
        uuids = answer.uuids
        if len(set(uuids)) != len(uuids) or not (self._seen.isdisjoint(uuids) and self._earlier.isdisjoint(uuids)):
            self._moved(f"page {answer.number} repeated a call of an earlier page")
            answer = self._without(answer)
        self._seen.update(answer.uuids)
        if len(self._seen) > REMEMBERED:
            self._earlier, self._seen = self._seen, set()
        first, last = (_moment(answer.keys[place].created_at) if answer.keys else None for place in (0, -1))
        if first is not None and self._until is not None and first < self._until:
            self._moved(f"page {answer.number} began earlier than the page before it ended")
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
        return RawPage(answer.number, raws, keys, answer.next, answer.last, answer.linked)

    def pages_to_verify(self) -> list[RawPage]:
        """Return the pages, as they were, that must be found unchanged at the end."""
        if (self._order.last or 1) <= 1:
            return []  # one answer holds everything: nothing can have happened between its calls
        found = {page.number: page for page in (self._at_guess, self._held, self._final) if page is not None}
        return list(found.values())

    def compare(self, before: RawPage, now: RawPage) -> None:
        """Compare a page with what it was.

        :raises LogChanged: when it is not the same.
        """
        if before.uuids != now.uuids:
            raise LogChanged(f"page {before.number} held other calls at the end than before")

    def counted(self, last: RawPage) -> int:
        """Return how many calls the window has according to its last page.

        :raises LogChanged: when it is not the last page any more.
        """
        if last.next is not None or (last.last or 0) > last.number:
            raise LogChanged(f"page {last.number} was the last one and is not any more")
        return rows_of_pages(self._order.size, last.number, len(last.keys))


def _moment(text: str | None) -> datetime | None:
    with suppress(NotOfKind):
        return None if text is None else read_time(text)
    return None
