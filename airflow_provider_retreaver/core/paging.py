"""Reading paged lists: which page is next, when the list ends, which rows were read before.

A `Link` header is read for its page numbers only: its URLs contain the key and may name another host, so pages are
always requested from the connection's own base URL.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import cast

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.links import link_relations
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import DEFAULT_PAGE_SIZE, Listing, Row
from airflow_provider_retreaver.core.quoting import quoted

# A row that moved to a later page while pages were read comes again within a few pages: keeping this many keys finds
# it, and memory does not grow with the list.
KEPT_KEYS = 20_000
# Rows that are added at the front of a list while it is read shift whole pages back; with more repeated pages than
# this in a row, the server ignores `page`.
MAX_REPEATED_PAGES = 1_000
# The same for an API without `Link`, where each one more is requested on suspicion only.
MAX_REPEATED_WITHOUT_LINK = 20
# No list has more pages: the server never ends it.
MAX_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    :param number: counted from 1.
    :param rows: its rows, unwrapped.
    :param next: number of the following page, None when this is the last one.
    :param last: number of the last page, None when the response does not contain it.
    :param total: number of rows of the whole list, None when the response does not contain it.
    :param linked: whether the response has a `Link` to other pages.
    """

    number: int
    rows: list[Row]
    next: int | None
    last: int | None
    total: int | None
    linked: bool = False


def paged_request(listing: Listing, settings: ClientSettings) -> tuple[Request, int]:
    """Return the request for the pages of a list, without a page number.

    :param listing: the listing.
    :param settings: the connection's settings (routes, page size).
    :return: the request, with `per_page` where its route takes it, and the rows of a full page.
    """
    request = listing.request_for(settings.routes)
    if listing.page_size is None and not (settings.routes.legacy and isinstance(listing.legacy, Request)):
        return request.with_query(per_page=str(settings.per_page)), settings.per_page
    return request, listing.page_size or DEFAULT_PAGE_SIZE


class Pages:
    """The rules of reading one listing; sends nothing itself.

    :param listing: the listing.
    :param settings: the connection's settings (routes, page size).
    """

    def __init__(self, listing: Listing, settings: ClientSettings) -> None:
        self._request, self.page_size = paged_request(listing, settings)
        self._listing = listing
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._received = self._repeats = self._last = self._rows = self._longest = 0
        self._totals: set[int] = set()
        self._requested = 1

    def request(self, number: int) -> Request:
        """Return the request for one page.

        :param number: of the page, counted from 1.
        :return: the request.
        :raises ListingIncomplete: when the list has too many pages to be one.
        """
        if number > MAX_PAGES:
            raise ListingIncomplete(
                f"{self._request.label} has more than {MAX_PAGES} pages, which cannot be right; narrow the filters.",
                method=self._request.method,
                path=self._request.path,
            )
        return self._request.with_query(page=str(number))

    def read(self, number: int, response: Response) -> Page:
        """Read one page.

        :param number: of the page, counted from 1.
        :param response: the response to its request.
        :return: the page.
        :raises ProtocolError: when the response is not a list of wrapped rows.
        :raises ListingIncomplete: when its `Link` is that of another page.
        """
        rows, total = self._listing.read(self._request, response, self._listing.envelope)
        total = total if total is not None else total_rows(response)
        relations = link_relations(response.headers.get("link", ""))
        last = relations.get("last")
        following = relations.get("next")
        if following is not None and following <= number:
            raise self._incomplete(f"answered the request for page {number} with the page before page {following}")
        if following is None and ("next" in relations or (last is not None and last > number)):
            following = number + 1
        return Page(number, rows, following, last, total, linked=bool(relations))

    def fresh(self, page: Page) -> Page | None:
        """Return a page without the rows of earlier pages, and with what earlier pages contain about the next one.

        :param page: the page that follows the one of the call before.
        :return: the page; None when it and all that follow repeat earlier rows (a server that ignores `page`).
        :raises ListingIncomplete: when the list does not end, or ends too early.
        """
        rows = [row for row in page.rows if self._is_new(self._identity(row, page.number))]
        repeated = bool(page.rows) and not rows
        self._received += len(page.rows)
        self._longest = max(self._longest, len(page.rows))
        if page.total is not None:
            self._totals.add(page.total)
        self._repeats = self._repeats + 1 if repeated else 0
        most = MAX_REPEATED_PAGES if self._listing.linked else MAX_REPEATED_WITHOUT_LINK
        if self._repeats > most:
            raise self._incomplete(f"repeats its rows over {most} pages")
        if page.linked:
            self._last = page.last or page.next or 0
        elif page.number < self._last:
            # A response without its Link, in the middle of a list whose last page is known.
            page = replace(page, next=page.number + 1, last=self._last)
        elif repeated and self._listing.linked:
            self._check_total()
            return None
        elif self._continues_without_link(page):
            page = replace(page, next=page.number + 1, last=self._last_by_total(page))
        self._rows += len(rows)
        if page.next is None:
            self._check_total()
        return replace(page, rows=rows)

    def _check_total(self) -> None:
        """Check at the end of the list that it has as many rows as the server says.

        The least total counts: what is added at the front while the list is read is not part of it.
        """
        if self._totals and self._rows < (least := min(self._totals)):
            raise self._incomplete(f"ended after {self._rows} of the {least} rows that the response reports")

    def _continues_without_link(self, page: Page) -> bool:
        if page.total is not None and self._received < page.total:
            return bool(page.rows)
        # A full page without a Link may be the only one or not: request the next one.
        return self._is_full(page) and (page.total is None or not self._listing.linked)

    def _last_by_total(self, page: Page) -> int | None:
        """Return the last page that must exist for all rows, by the longest page so far; None where none must."""
        left = (page.total or 0) - self._received
        return page.number + math.ceil(left / self._longest) if left > 0 else None

    def _is_full(self, page: Page) -> bool:
        """Return whether another page may follow one that has no Link.

        Where no `Link` is documented, nothing says either how many rows a page has at most: until one was as long as
        requested, one of the default length counts as full.
        """
        size = self.page_size
        if not self._listing.linked and max(self._longest, len(page.rows)) < size:
            size = min(size, DEFAULT_PAGE_SIZE)
        return len(page.rows) >= size

    def must_be_read(self, first: Page) -> bool:
        """Return whether the rows can be counted only by reading the list.

        :param first: its first page.
        :return: True when there may be more pages and the first one does not have their number.
        """
        if first.last is not None:
            return False
        if first.total is not None and (self._listing.linked or first.total > len(first.rows)):
            return False
        return first.next is not None or (not first.linked and self._is_full(first))

    def _incomplete(self, what: str) -> ListingIncomplete:
        return ListingIncomplete(
            f"{self._request.label} {what}; try again later.",
            method=self._request.method,
            path=self._request.path,
        )

    def _identity(self, row: Row, number: int) -> Hashable:
        """Return what a row is recognized by, None when it has nothing of it."""
        key = self._listing.key
        if isinstance(key, str):
            return self._part(row, key, number)
        parts = tuple(self._part(row, name, number) for name in key)
        return parts if any(part is not None for part in parts) else None

    def _part(self, row: Row, name: str, number: int) -> Hashable:
        part = row.get(name)
        if isinstance(part, (list, dict)):
            raise ProtocolError(
                f"Page {number} of {self._request.label} has a row whose {name} ({quoted(part)}) is a list or an "
                f"object, and not an ID; check that the connection's host is the API.",
                method=self._request.method,
                path=self._request.path,
            )
        return cast("Hashable", part)

    def _is_new(self, identity: Hashable) -> bool:
        if identity is None:
            return True
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > KEPT_KEYS:
            self._seen.popitem(last=False)
        return True

    def to_request(self, page: Page, pending: int, most: int) -> range:
        """Return the numbers of the pages to request now, which count as requested from then on.

        :param page: the page read last.
        :param pending: number of pages that were requested and not read.
        :param most: the largest number of pending pages.
        :return: page numbers.
        """
        numbers = self.ahead(page, self._requested + 1, pending, most)
        self._requested += len(numbers)
        return numbers

    @staticmethod
    def ahead(page: Page, following: int, pending: int, most: int) -> range:
        """Return the numbers of the pages to request now.

        :param page: the page read last.
        :param following: the first page that was not requested yet.
        :param pending: number of pages that were requested and not read.
        :param most: the largest number of pending pages.
        :return: page numbers.
        """
        if page.next is None:
            return range(0)
        end = following + most - pending
        last = page.last or page.next
        # Beyond what is known to exist, one page at a time.
        stop = max(min(end, last + 1), following + 1 if pending == 0 else following)
        return range(following, stop)

    def incomplete(self, pending: int, error: RetreaverError) -> RetreaverError:
        """Return the error of a page with the state of the list added to its message.

        :param pending: number of pages that were requested after the one that failed.
        :param error: the error of that page.
        :return: the same error.
        """
        error.message = (
            f"{error.message} This was page {self._requested - pending} of {self._request.path}: the "
            f"{self._rows} rows read before it are not the whole list."
        )
        return error


def last_to_count(first: Page) -> int | None:
    """Return the number of the page that must be read to count a list.

    :param first: the first page.
    :return: number of the last page, None when the first one is enough.
    """
    return first.last if first.total is None and first.last is not None and first.last > 1 else None


def count_from(first: Page, last: Page | None) -> int:
    """Return the number of rows of a list from its first and its last page.

    The server's own `Total`, or page size × (last page − 1) + rows of the last page. The page size is that of the
    first page, since the server may return fewer rows than requested.

    :param first: the first page.
    :param last: the last page, None when it was not needed.
    :return: the number of rows.
    """
    if first.total is not None:
        return first.total
    if last is None:
        return len(first.rows)
    return rows_of_pages(len(first.rows), last.number, len(last.rows))


def rows_of_pages(size: int, pages: int, on_last: int) -> int:
    """Return the number of rows of a list all of whose pages but the last are full.

    :param size: rows of its first page.
    :param pages: number of its pages.
    :param on_last: rows of its last page.
    :return: the number of rows.
    """
    return size * (pages - 1) + on_last


def total_rows(response: Response) -> int | None:
    """Return how many rows a whole list has, by the header `Total` of one of its pages.

    :param response: with the page.
    :return: the number, None without such a header.
    """
    text = response.headers.get("total", "")
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None
