"""Pages, the vendor's Link header, and deep pages without counting from the start each time."""

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
# The seeds show links on this host although api.retreaver.com was called.
LINK_BASE = "https://retreaver.com"
_REMEMBERED = 64
# No account has so many pages; SQLite counts no further than a few digits more.
_FURTHEST = 10**12


@dataclass(frozen=True, slots=True)
class Window:
    """Which page, and how many rows a page has."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.size


def window(request: Request, *, sizable: bool) -> Window:
    """Read ``page`` and, where the vendor takes it, ``per_page``; nonsense means the default."""
    size = _positive(request.param("per_page"), PAGE) if sizable else PAGE
    return Window(_positive(request.param("page"), 1), min(size, LARGEST))


def _positive(text: str | None, default: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        return default
    return min(int(text), _FURTHEST)


def link_headers(request: Request, at: Window, total: int) -> list[tuple[str, str]]:
    """Write ``Link`` as the vendor does: last, next, prev, on its own host, the key repeated."""
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
    """Which calls, in which order: equalities in ``where``, and bounds as column, comparison, milliseconds."""

    where: str
    values: tuple[Any, ...]
    bounds: tuple[tuple[str, str, int], ...] = ()
    sort: str = "created_at"
    descending: bool = True

    def sql(self, start: _Key | None = None) -> tuple[str, tuple[Any, ...]]:
        """Write the condition, from ``start`` (included) on where that is known.

        A plus before a column keeps SQLite from entering the index at a bound that ``start`` has
        left behind, and from stepping all the way from there.
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
        """Read the same calls from the other end."""
        return replace(self, descending=not self.descending)


@dataclass(slots=True)
class _Track:
    """Where some pages of a query begin: offsets, and the sort keys found there."""

    offsets: list[int] = field(default_factory=list)
    keys: list[_Key] = field(default_factory=list)

    def before(self, offset: int) -> tuple[int, _Key | None]:
        """Give the nearest known place at or before ``offset``."""
        index = bisect_right(self.offsets, offset) - 1
        return (self.offsets[index], self.keys[index]) if index >= 0 else (0, None)

    def remember(self, offset: int, key: _Key) -> None:
        """Note where a page begins."""
        place = bisect_right(self.offsets, offset)
        if place == 0 or self.offsets[place - 1] != offset:
            self.offsets.insert(place, offset)
            self.keys.insert(place, key)


class Anchors:
    """Pages of ``calls`` in key order, remembering where pages begin until the calls change.

    A page next to one that was read starts from that one's key; any other starts from the nearest
    known place or from the nearer end, stepping over index entries only.
    """

    def __init__(self, store: Store) -> None:
        """Begin with nothing known."""
        self._store = store
        self._version = store.calls_version
        self._totals: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._tracks: OrderedDict[CallQuery, _Track] = OrderedDict()

    def page(self, query: CallQuery, at: Window) -> tuple[int, list[Row]]:
        """Give the count of all rows and the rows of one page."""
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
        track.remember(at.offset, found[0])
        return total, self._rows([row_id for _, row_id in found])

    def _count(self, query: CallQuery) -> int:
        where, values = query.sql()
        return int(self._store.value(f"SELECT count(*) FROM calls WHERE {where}", values))

    def _keys(self, query: CallQuery, start: _Key | None, skip: int, count: int) -> list[_Key]:
        """Read sort keys from ``start`` (included) on, after ``skip`` of them."""
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
    """Give what is kept under ``key``, making it when it is not; the least used is let go."""
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
    return kept[key]
