"""Rows that hang on an object (hours, timers, menu options, …): which of them a given row means.

The vendor changes a nested row when its `id` is sent and adds one when it is not, so a row that is given without an
id is matched by what tells rows apart for a human: the day, the key to press, the phone number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.resources.equality import same


@dataclass(frozen=True, slots=True)
class Nested:
    """One kind of nested rows.

    :param read: field in which the vendor returns them.
    :param envelope: name that may wrap each of them.
    :param key: field by which a row without an id is recognised.
    :param children: rows that hang on each of them, by the attribute that changes them.
    """

    read: str
    envelope: str
    key: str
    children: Mapping[str, Nested] = field(default_factory=dict)

    def present(self, row: Mapping[str, Any]) -> list[Row] | None:
        """Return an object's own rows, without those it inherits; None where the answer does not hold them."""
        rows = row.get(self.read)
        if not isinstance(rows, list):
            return None
        bare = [item.get(self.envelope, item) for item in rows if isinstance(item, Mapping)]
        return [dict(item) for item in bare if isinstance(item, Mapping) and not item.get("inherited")]


NESTED: Mapping[str, Nested] = {
    "business_hours_attributes": Nested("business_hours", "business_hour", "day_of_week"),
    "timers_attributes": Nested("timers", "timer", "seconds"),
    "menu_options_attributes": Nested("menu_options", "menu_option", "option"),
    "contact_numbers_attributes": Nested("contact_numbers", "contact_number", "number"),
    "conversion_groups_attributes": Nested(
        "conversion_groups",
        "conversion_group",
        "name",
        {"conversions_attributes": Nested("conversions", "conversion", "seconds")},
    ),
}


@dataclass(slots=True)
class Matched:
    """What is to be done to rows: those to send, and the ones concerned before and after.

    :param unclear: why a row cannot be told from others, as sentences.
    """

    send: list[Row] = field(default_factory=list)
    before: list[Row] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def match(kind: Nested, wanted: Sequence[Mapping[str, Any]], present: Sequence[Row]) -> Matched:
    """Compare rows as they are wanted with those that there are; rows that are not mentioned stay."""
    found, left, owns = Matched(), list(present), dict[int, Row | None]()
    for index in sorted(range(len(wanted)), key=lambda index: _certainty(kind, wanted[index], present)):
        owns[index] = own = _own(kind, wanted[index], left, found)
        if own is not None:
            left.remove(own)
    for index, row in enumerate(wanted):
        _compare(kind, row, owns[index], found)
    return found


def _certainty(kind: Nested, row: Mapping[str, Any], present: Sequence[Row]) -> int:
    """Rows with an id find theirs first, then those that are as wanted already, then the others."""
    if "id" in row:
        return 0
    return 1 if any(_differing(kind, row, own) == [] for own in present) else 2


def _own(kind: Nested, row: Mapping[str, Any], left: Sequence[Row], found: Matched) -> Row | None:
    if "id" in row:
        return next((own for own in left if same(own.get("id"), row["id"])), None)
    alike = [own for own in left if same(own.get(kind.key), row.get(kind.key), kind.key)]
    equal = [own for own in alike if not _differing(kind, row, own)]
    if not equal and len(alike) > 1:
        ids = ", ".join(str(own.get("id")) for own in alike)
        found.unclear.append(
            f"{kind.read} has {len(alike)} rows with {kind.key} {row.get(kind.key)} (ids {ids}): give the id of the "
            f"one to change"
        )
    return next(iter(equal or alike), None)


def _compare(kind: Nested, row: Mapping[str, Any], own: Row | None, found: Matched) -> None:
    if row.get("_destroy"):
        if own is not None:
            found.send.append({"id": own["id"], "_destroy": True})
            found.before.append(own)
        return
    if own is None:
        found.send.append(dict(row))
        found.after.append(dict(row))
        return
    differing = _differing(kind, row, own)
    if not differing:
        return
    sent = {**row, "id": own.get("id")}
    for attribute, child in kind.children.items():
        if attribute in row:
            inner = match(child, row[attribute], child.present(own) or [])
            found.unclear.extend(inner.unclear)
            sent[attribute] = inner.send
    found.send.append(sent)
    names = [kind.key, *(name for name in differing if name != kind.key)]
    found.before.append({_read_name(kind, name): own.get(_read_name(kind, name)) for name in names})
    found.after.append({_read_name(kind, name): row[name] for name in names if name in row})


def _differing(kind: Nested, row: Mapping[str, Any], own: Row) -> list[str]:
    """Return the fields of a given row that are not as they are in the row that there is."""
    names = []
    for name, value in row.items():
        child = kind.children.get(name)
        if child is not None:
            inner = match(child, value, child.present(own) or [])
            if inner.send:
                names.append(name)
        elif name == "_destroy":
            names.extend([name] if value else [])
        elif not same(own.get(_read_name(kind, name)), value, name):
            names.append(name)
    return names


def _read_name(kind: Nested, name: str) -> str:
    return kind.children[name].read if name in kind.children else name
