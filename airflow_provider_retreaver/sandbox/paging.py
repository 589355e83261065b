"""Pages, the vendor's Link header, and deep pages without counting from the start each time."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from airflow_provider_retreaver.sandbox.state import Row, Store
from airflow_provider_retreaver.sandbox.wire import Request

PAGE = 25
LARGEST = 100
# The seeds show links on this host although api.retreaver.com was called.
LINK_BASE = "https://retreaver.com"
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Window:
    """Which page, and how many rows a page has."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.size


def window(request: Request, sizable: bool) -> Window:
    """Read ``page`` and, where the vendor takes it, ``per_page``; nonsense means the default."""
    size = _positive(request.param("per_page"), PAGE) if sizable else PAGE
    return Window(_positive(request.param("page"), 1), min(size, LARGEST))


def _positive(text: str | None, default: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        return default
    return int(text)


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


@dataclass(slots=True)
class _Track:
    """What is known of one query's rows: how many, and the sort key found at some offsets."""

    version: int
    total: int
    offsets: list[int] = field(default_factory=list)
    keys: list[tuple[Any, int]] = field(default_factory=list)


class Anchors:
    """Pages of ``calls`` in key order, remembering where pages began until the calls change.

    A page next to one that was read starts from that one's key; any other starts from the nearest
    known place or from the nearer end, stepping over index entries only.
    """

    def __init__(self, store: Store) -> None:
        """Begin with nothing known."""
        self._store = store
        self._tracks: OrderedDict[Hashable, _Track] = OrderedDict()

    def total(self, where: str, values: Sequence[Any]) -> int:
        """Count the rows that match."""
        return self._track(where, values, "", False).total

    def page(self, where: str, values: Sequence[Any], sort: str, descending: bool, at: Window) -> tuple[int, list[Row]]:
        """Give the count of all rows and the rows of one page."""
        track = self._track(where, values, sort, descending)
        if at.offset >= track.total:
            return track.total, []
        index = bisect_right(track.offsets, at.offset) - 1
        known = track.offsets[index] if index >= 0 else 0
        behind = track.total - at.offset
        if behind < at.offset - known:
            length = min(at.size, behind)
            found = self._keys(where, values, sort, not descending, None, behind - length, length)[::-1]
        else:
            start = track.keys[index] if index >= 0 else None
            found = self._keys(where, values, sort, descending, start, at.offset - known, at.size)
        self._remember(track, at.offset, found[0])
        ids = [row_id for _, row_id in found]
        marks = ",".join("?" * len(ids))
        rows = {row["id"]: row for row in self._store.rows(f"SELECT * FROM calls WHERE id IN ({marks})", ids)}
        return track.total, [rows[row_id] for row_id in ids]

    def _track(self, where: str, values: Sequence[Any], sort: str, descending: bool) -> _Track:
        signature = (where, tuple(values), sort, descending)
        track = self._tracks.get(signature)
        if track is None or track.version != self._store.calls_version:
            twin = next((t for s, t in self._tracks.items() if self._same_rows(s, t, where, values)), None)
            total = twin.total if twin else self._store.value(f"SELECT count(*) FROM calls WHERE {where}", values)
            track = self._tracks[signature] = _Track(self._store.calls_version, total)
        self._tracks.move_to_end(signature)
        while len(self._tracks) > _REMEMBERED:
            self._tracks.popitem(last=False)
        return track

    def _same_rows(self, signature: Hashable, track: _Track, where: str, values: Sequence[Any]) -> bool:
        """Say whether a track counts the same rows, whatever their order."""
        assert isinstance(signature, tuple)
        return track.version == self._store.calls_version and signature[:2] == (where, tuple(values))

    def _keys(
        self, where: str, values: Sequence[Any], sort: str, descending: bool,
        start: tuple[Any, int] | None, skip: int, count: int,
    ) -> list[tuple[Any, int]]:  # fmt: skip
        """Read sort keys from ``start`` (included) on, after ``skip`` of them."""
        direction, compare = ("DESC", "<=") if descending else ("ASC", ">=")
        begin = f" AND ({sort}, id) {compare} (?, ?)" if start else ""
        rows = self._store.rows(
            f"SELECT {sort} AS k, id FROM calls WHERE {where}{begin} ORDER BY {sort} {direction}, id {direction} LIMIT ? OFFSET ?",
            (*values, *(start or ()), count, skip),
        )
        return [(row["k"], row["id"]) for row in rows]

    @staticmethod
    def _remember(track: _Track, offset: int, key: tuple[Any, int]) -> None:
        place = bisect_right(track.offsets, offset)
        if place == 0 or track.offsets[place - 1] != offset:
            track.offsets.insert(place, offset)
            track.keys.insert(place, key)
