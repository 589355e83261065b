"""Reading paged lists: which page next, when it is over, which rows were seen already.

A `Link` header is read for its page numbers only: the URLs in it carry the key and may name another host, so a
page is always asked for at our own base URL.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_retreaver.core.errors import ListingIncomplete, RetreaverError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Listing, Row
from airflow_provider_retreaver.core.settings import Settings

# A row that moved to a later page while pages were read comes back within a few pages; remembering this many
# keys catches it and keeps memory flat however long the list is.
REMEMBERED_KEYS = 20_000
# Rows that were added at the front while the list was read push whole pages that were read already before the rest;
# beyond this many of them in a row it is a server that ignores `page`.
MOST_REPEATS = 1_000
# A list that never ends is a fault, not a list.
LAST_POSSIBLE_PAGE = 1_000_000

_LINK = re.compile(r"<(?P<url>[^>]*)>(?P<parameters>[^<]*)")
_REL = re.compile(r"""(?:^|;)\s*rel\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<token>[^\s;,"]+))""", re.IGNORECASE)


def link_pages(header: str) -> dict[str, int]:
    """Return the page number of each relation (`next`, `prev`, `last`, `first`) of a `Link` header.

    Relations may come in any order, on any host, with or without spaces; what cannot be read is left out.
    """
    return {name: page for name, page in _relations(header).items() if page is not None}


def _relations(header: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for link in _LINK.finditer(header):
        relation = _REL.search(link["parameters"])
        if relation is not None:
            for name in (relation["quoted"] or relation["token"] or "").lower().split():
                found[name] = found.get(name) or _page_of(link["url"])
    return found


def _page_of(url: str) -> int | None:
    try:
        values = [value for name, value in parse_qsl(urlsplit(url).query) if name == "page"]
    except ValueError:
        return None
    # A repeated parameter counts as the server reads it: the last one wins.
    if not values or not (values[-1].isascii() and values[-1].isdecimal()) or len(values[-1]) > 9:
        return None
    return int(values[-1]) or None


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came.

    :param number: counted from 1.
    :param rows: its rows, unwrapped.
    :param next: number of the page that follows, None when this is the last one.
    :param last: number of the last page, as far as the answer says it.
    :param total: number of rows of the whole list, as far as the answer says it.
    :param linked: whether the answer's `Link` told about other pages.
    """

    number: int
    rows: list[Row]
    next: int | None
    last: int | None
    total: int | None
    linked: bool = False


def _identity(row: Row, key: str | tuple[str, ...]) -> Hashable:
    """Return what a row is recognised by, None when it has nothing of it."""
    if isinstance(key, str):
        return cast("Hashable", row.get(key))
    parts = tuple(row.get(name) for name in key)
    return parts if any(part is not None for part in parts) else None


class Pages:
    """The rules of reading one listing; carries no request itself.

    :param listing: what is listed.
    :param settings: the connection's settings (edition, page size).
    """

    def __init__(self, listing: Listing, settings: Settings) -> None:
        request = listing.request_for(settings.routes)
        sizable = listing.page_size is None and not (settings.routes.legacy and isinstance(listing.legacy, Request))
        self.page_size = settings.per_page if sizable else listing.page_size or 25
        if sizable:
            request = request.with_query(per_page=str(settings.per_page))
        self._listing = listing
        self._request = request
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._received = self._repeats = self._last = 0

    def request(self, number: int) -> Request:
        """Return the request for one page."""
        if number > LAST_POSSIBLE_PAGE:
            raise ListingIncomplete(
                f"{self._request.label} has more than {LAST_POSSIBLE_PAGE} pages, which cannot be right; narrow it.",
                method=self._request.method,
                path=self._request.path,
            )
        return self._request.with_query(page=str(number))

    def read(self, number: int, response: Response) -> Page:
        """Read one page.

        :raises ProtocolError: when the answer is not a list of wrapped rows.
        :raises ListingIncomplete: when its `Link` is another page's.
        """
        rows, total = self._listing.read(self._request, response, self._listing.envelope)
        total = total if total is not None else _whole(response.headers.get("total"))
        relations = _relations(response.headers.get("link", ""))
        last = relations.get("last")
        following = relations.get("next")
        if following is not None and following <= number:
            raise self._incomplete(f"was asked for page {number} and answered with the one before page {following}")
        if following is None and ("next" in relations or (last is not None and last > number)):
            following = number + 1
        return Page(number, rows, following, last, total, linked=bool(relations))

    def fresh(self, page: Page) -> Page | None:
        """Return the page without the rows of earlier pages, and with what earlier pages say about the next one.

        Called for the pages in order. None when the page and all that follow hold nothing else: a server that
        ignores `page` repeats its rows forever.

        :raises ListingIncomplete: when the list does not end, or ends before its end.
        """
        rows = [row for row in page.rows if self._is_new(_identity(row, self._listing.key))]
        repeated = bool(page.rows) and not rows
        self._received += len(page.rows)
        self._repeats = self._repeats + 1 if repeated else 0
        if self._repeats > MOST_REPEATS:
            raise self._incomplete(f"repeats its rows over {MOST_REPEATS} pages")
        if page.linked:
            self._last = page.last or page.next or 0
        elif page.number < self._last:
            # An answer that lost its Link, in the middle of a list whose end is known.
            page = replace(page, next=page.number + 1, last=self._last)
        elif repeated:
            return None
        elif self._unlinked_goes_on(page):
            page = replace(page, next=page.number + 1)
        return replace(page, rows=rows)

    def _unlinked_goes_on(self, page: Page) -> bool:
        if page.total is None:
            # A full page without any Link may be the only one, or a list that does not say: look.
            return len(page.rows) >= self.page_size
        if page.rows:
            return self._received < page.total
        if self._received < page.total:
            raise self._incomplete(f"ended after {self._received} of the {page.total} rows that it says it has")
        return False

    def must_be_read(self, first: Page) -> bool:
        """Whether the list is counted only by reading it: there may be more, and page 1 does not say how much."""
        if first.total is not None or first.last is not None:
            return False
        return first.next is not None or (not first.linked and len(first.rows) >= self.page_size)

    def _incomplete(self, what: str) -> ListingIncomplete:
        return ListingIncomplete(
            f"{self._request.label} {what}; try again later.",
            method=self._request.method,
            path=self._request.path,
        )

    def _is_new(self, identity: Hashable) -> bool:
        if identity is None:
            return True
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED_KEYS:
            self._seen.popitem(last=False)
        return True

    @staticmethod
    def ahead(page: Page, following: int, under_way: int, most: int) -> range:
        """Return the numbers of the pages to ask for now.

        :param page: the page read last.
        :param following: the first page that was not asked for yet.
        :param under_way: how many were asked for and not read.
        :param most: how many may be.
        """
        if page.next is None:
            return range(0)
        end = following + most - under_way
        last = page.last or page.next
        # Beyond what is known to exist, one page at a time.
        stop = max(min(end, last + 1), following + 1 if under_way == 0 else following)
        return range(following, stop)

    def broken_off(self, number: int, rows: int, error: RetreaverError) -> RetreaverError:
        """Return the error of a page with the state of the list added: a part is never passed off as the whole."""
        error.message = (
            f"{error.message} This was page {number} of {self._request.path}: the {rows} rows read before it are not "
            f"the whole list."
        )
        return error


def last_to_count(first: Page) -> int | None:
    """Return the number of the page that must be read to count a list, None when the first one is enough."""
    return first.last if first.total is None and first.last is not None and first.last > 1 else None


def count_from(first: Page, last: Page | None) -> int:
    """Return the number of rows of a list from its first and its last page.

    Page size × (last page − 1) + rows on the last page, or the vendor's own `Total`. The size is the first page's,
    since the vendor may give fewer rows than were asked for.
    """
    if first.total is not None:
        return first.total
    if last is None:
        return len(first.rows)
    return len(first.rows) * (last.number - 1) + len(last.rows)


def _whole(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,12}", text) else None
