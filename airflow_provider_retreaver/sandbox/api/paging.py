"""Pages, Retreaver's ``Link`` header, and fast access to pages far from the first."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from airflow_provider_retreaver.sandbox.http.wire import Request
from airflow_provider_retreaver.sandbox.state.store import Row, Store

PAGE_SIZE = 25
MAX_PAGE_SIZE = 100
# The documented links are on this host although the request went to api.retreaver.com.
LINK_BASE = "https://retreaver.com"
_MAX_CACHED = 64
# No account has so many pages, and SQLite takes only a few more digits.
_MAX_NUMBER = 10**12


@dataclass(frozen=True, slots=True)
class Page:
    """Which page, and how many rows a page has.

    :param page: Number of the page, from 1.
    :param size: Rows a page.
    """

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before the page."""
        return (self.page - 1) * self.size


def requested_page(request: Request, *, accepts_per_page: bool) -> Page:
    """Read ``page`` and, where Retreaver accepts it, ``per_page``; an invalid value is the default.

    :param request: The request.
    :param accepts_per_page: Whether the route accepts ``per_page``.
    :return: The requested page.
    """
    size = _positive(request.param("per_page"), PAGE_SIZE) if accepts_per_page else PAGE_SIZE
    return Page(_positive(request.param("page"), 1), min(size, MAX_PAGE_SIZE))


def _positive(text: str | None, default: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        return default
    return min(int(text), _MAX_NUMBER)


def link_headers(request: Request, at: Page, total: int) -> list[tuple[str, str]]:
    """Write the ``Link`` header as Retreaver does: last, next and prev, on its own host, with the API key.

    :param request: The request.
    :param at: The requested page.
    :param total: How many rows all pages have.
    :return: The header; empty if there is a single page.
    """
    last = max(1, -(-total // at.size))
    relations = []
    if at.page < last:
        relations += [("last", last), ("next", at.page + 1)]
    if at.page > 1:
        relations.append(("prev", min(at.page - 1, last)))
    if not relations:
        return []
    parameters = [(name, value) for name, value in request.query if name != "page"]
    links = (
        f'<{LINK_BASE}{request.path}?{urlencode([*parameters, ("page", str(page))])}>; rel="{relation}"'
        for relation, page in relations
    )
    return [("Link", ", ".join(links))]


_Key = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls, in which order.

    :param where: SQL condition of equalities.
    :param values: Values of its placeholders.
    :param bounds: Bounds of times: column, comparison, milliseconds since the epoch.
    :param sort: Column of the order; the ID decides between equal values.
    :param descending: Whether the newest calls come first.
    """

    where: str
    values: tuple[Any, ...]
    bounds: tuple[tuple[str, str, int], ...] = ()
    sort: str = "created_at"
    descending: bool = True

    def sql(self, start: _Key | None = None) -> tuple[str, tuple[Any, ...]]:
        """Return the condition as SQL, optionally from a known row on.

        A plus before a column keeps SQLite from starting at a bound of the index that lies before ``start``, and from
        stepping through all entries between them.

        :param start: Sort key of the first row to include; None includes all rows.
        :return: SQL and the values of its placeholders.
        """
        parts, values = [self.where], [*self.values]
        for column, comparison, time in self.bounds:
            is_passed = start is not None and column == self.sort and comparison.startswith("<") == self.descending
            parts.append(f"{'+' if is_passed else ''}{column} {comparison} ?")
            values.append(time)
        if start is not None:
            parts.append(f"({self.sort}, id) {'<=' if self.descending else '>='} (?, ?)")
            values += start
        return " AND ".join(parts), tuple(values)

    def reversed(self) -> CallQuery:
        """Return the query of the same calls in the opposite order.

        :return: The query.
        """
        return replace(self, descending=not self.descending)


@dataclass(slots=True)
class _KnownOffsets:
    """Where some pages of a query start: their offsets, and the sort keys there."""

    offsets: list[int] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)

    def before(self, offset: int) -> tuple[int, _Key | None]:
        """Return the nearest known offset at or before ``offset``, and its key."""
        index = bisect_right(self.offsets, offset) - 1
        return (self.offsets[index], self.keys[index]) if index >= 0 else (0, None)

    def add(self, offset: int, key: _Key) -> None:
        """Add where a page begins."""
        place = bisect_right(self.offsets, offset)
        if place == 0 or self.offsets[place - 1] != offset:
            self.offsets.insert(place, offset)
            self.keys.insert(place, key)


class CallPages:
    """Pages of calls. It keeps the sort keys at which pages start until the calls change.

    A page next to one that was read starts from that one's key; any other starts from the nearest known key or from
    the nearer end, and steps over index entries only.

    :param store: The sandbox's database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = store.calls_version
        self._totals: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._offsets: OrderedDict[CallQuery, _KnownOffsets] = OrderedDict()

    def page(self, query: CallQuery, at: Page) -> tuple[int, list[Row]]:
        """Return one page.

        :param query: Which calls.
        :param at: Which page.
        :return: How many calls all pages have, and the rows of the page.
        """
        if self._version != self._store.calls_version:
            self._totals.clear()
            self._offsets.clear()
            self._version = self._store.calls_version
        total = _get_or_create(self._totals, query.sql(), lambda: self._count(query))
        if at.offset >= total:
            return total, []
        offsets = _get_or_create(self._offsets, query, _KnownOffsets)
        known, start = offsets.before(at.offset)
        remaining = total - at.offset
        if remaining < at.offset - known:
            length = min(at.size, remaining)
            found = self._keys(query.reversed(), None, remaining - length, length)[::-1]
        else:
            found = self._keys(query, start, at.offset - known, at.size)
        offsets.add(at.offset, found[0])
        return total, self._rows([row_id for _, row_id in found])

    def _count(self, query: CallQuery) -> int:
        where, values = query.sql()
        return int(self._store.value(f"SELECT count(*) FROM calls WHERE {where}", values))

    def _keys(self, query: CallQuery, start: _Key | None, skip: int, count: int) -> list[_Key]:
        """Return sort keys from `start` (included), after `skip` of them."""
        direction = "DESC" if query.descending else "ASC"
        where, values = query.sql(start)
        rows = self._store.rows(
            f"SELECT {query.sort} AS k, id FROM calls WHERE {where} "
            f"ORDER BY {query.sort} {direction}, id {direction} LIMIT ? OFFSET ?",
            (*values, count, skip),
        )
        return [(row["k"], row["id"]) for row in rows]

    def _rows(self, ids: list[int]) -> list[Row]:
        marks = ",".join("?" * len(ids))
        rows = {row["id"]: row for row in self._store.rows(f"SELECT * FROM calls WHERE id IN ({marks})", ids)}
        return [rows[row_id] for row_id in ids]


_K = TypeVar("_K")
_V = TypeVar("_V")


def _get_or_create(cache: OrderedDict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    """Return the cached value of ``key``, or create it; the least recently used one is dropped."""
    if key not in cache:
        cache[key] = make()
    cache.move_to_end(key)
    while len(cache) > _MAX_CACHED:
        cache.popitem(last=False)
    return cache[key]
