"""Pages, Retreaver's `Link` header, and deep pages of calls without counting from the start each time."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from airflow_provider_retreaver.sandbox.http.wire import Request
from airflow_provider_retreaver.sandbox.state.store import Row, Store

PAGE = 25
LARGEST = 100
# The documented links are on this host although the request went to api.retreaver.com.
LINK_BASE = "https://retreaver.com"
_MAX_KEPT = 64
# No account has so many pages, and SQLite takes only a few more digits.
_MAX_NUMBER = 10**12


@dataclass(frozen=True, slots=True)
class Window:
    """One page of a list.

    :param page: number of the page, counted from 1.
    :param size: number of rows of a page.
    """

    page: int
    size: int

    @property
    def offset(self) -> int:
        """Number of rows before this page."""
        return (self.page - 1) * self.size


def window(request: Request, *, sizable: bool) -> Window:
    """Read `page`, and `per_page` where Retreaver takes it; invalid values mean the default.

    :param request: the request.
    :param sizable: whether `per_page` is taken.
    :return: the page.
    """
    size = _positive(request.param("per_page"), PAGE) if sizable else PAGE
    return Window(_positive(request.param("page"), 1), min(size, LARGEST))


def _positive(text: str | None, default: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        return default
    return min(int(text), _MAX_NUMBER)


def link_headers(request: Request, at: Window, total: int) -> list[tuple[str, str]]:
    """Return a `Link` header as Retreaver writes it: last, next and prev, on its own host, with the key repeated.

    :param request: the request.
    :param at: the page.
    :param total: number of rows of the list.
    :return: the header, or none.
    """
    last = max(1, -(-total // at.size))
    relations = []
    if at.page < last:
        relations += [("last", last), ("next", at.page + 1)]
    if at.page > 1:
        relations.append(("prev", min(at.page - 1, last)))
    if not relations:
        return []
    kept = [(name, value) for name, value in request.query if name != "page"]
    links = (
        f'<{LINK_BASE}{request.path}?{urlencode([*kept, ("page", str(page))])}>; rel="{relation}"'
        for relation, page in relations
    )
    return [("Link", ", ".join(links))]


_Key = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls, in which order.

    :param where: SQL condition of equalities.
    :param values: its values.
    :param bounds: limits as column, comparison and milliseconds.
    :param sort: column of the order.
    :param descending: whether the order is descending.
    """

    where: str
    values: tuple[Any, ...]
    bounds: tuple[tuple[str, str, int], ...] = ()
    sort: str = "created_at"
    descending: bool = True

    def sql(self, start: _Key | None = None) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL condition.

        A plus before a column keeps SQLite from using the index for a limit that lies before `start`, and from
        reading all
        entries from there.

        :param start: sort key of the first row to read, None for the beginning.
        :return: the condition and its values.
        """
        parts, values = [self.where], [*self.values]
        for column, comparison, moment in self.bounds:
            behind = start is not None and column == self.sort and comparison.startswith("<") == self.descending
            parts.append(f"{'+' if behind else ''}{column} {comparison} ?")
            values.append(moment)
        if start is not None:
            parts.append(f"({self.sort}, id) {'<=' if self.descending else '>='} (?, ?)")
            values += start
        return " AND ".join(parts), tuple(values)

    def reversed(self) -> CallQuery:
        """Return the query for the same calls in the opposite order.

        :return: the query.
        """
        return replace(self, descending=not self.descending)


@dataclass(slots=True)
class _Track:
    """Where some pages of a query begin: offsets and their sort keys."""

    offsets: list[int] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)

    def before(self, offset: int) -> tuple[int, _Key | None]:
        """Return the nearest known place at or before an offset."""
        index = bisect_right(self.offsets, offset) - 1
        return (self.offsets[index], self.keys[index]) if index >= 0 else (0, None)

    def add(self, offset: int, key: _Key) -> None:
        """Add where a page begins."""
        place = bisect_right(self.offsets, offset)
        if place == 0 or self.offsets[place - 1] != offset:
            self.offsets.insert(place, offset)
            self.keys.insert(place, key)


class Anchors:
    """Pages of calls in the order of their keys; where pages begin is kept until the calls change.

    A page next to one that was read starts from its key; any other starts from the nearest known place or from the
    nearer end,
    reading only index entries.

    :param store: the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = store.calls_version
        self._totals: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._tracks: OrderedDict[CallQuery, _Track] = OrderedDict()

    def page(self, query: CallQuery, at: Window) -> tuple[int, list[Row]]:
        """Return one page of a query.

        :param query: the query.
        :param at: the page.
        :return: number of all rows, and the rows of the page.
        """
        if self._version != self._store.calls_version:
            self._totals.clear()
            self._tracks.clear()
            self._version = self._store.calls_version
        total = _kept(self._totals, query.sql(), lambda: self._count(query))
        if at.offset >= total:
            return total, []
        track = _kept(self._tracks, query, _Track)
        known, start = track.before(at.offset)
        behind = total - at.offset
        if behind < at.offset - known:
            length = min(at.size, behind)
            found = self._keys(query.reversed(), None, behind - length, length)[::-1]
        else:
            found = self._keys(query, start, at.offset - known, at.size)
        track.add(at.offset, found[0])
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


def _kept(kept: OrderedDict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    """Return what is kept for a key, made if necessary; the least used value is dropped."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    while len(kept) > _MAX_KEPT:
        kept.popitem(last=False)
    return kept[key]
