"""Rows inside an object (hours, timers, menu options, …): which of them a requested row means.

Retreaver changes a nested row when its `id` is sent and adds one when it is not, so a requested row without an id is
matched by what identifies a row to people: the day, the key to press, the phone number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.resources.equality import same_value

RequestedRow = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NestedRows:
    """One kind of nested rows.

    :param read_name: field in which Retreaver returns them.
    :param envelope: name that may wrap each of them.
    :param key: field by which a row without an id is recognized.
    :param aliases: fields that are read under another name than the one given here: `{name: name it is read under}`.
    :param children: rows inside each of them, by the attribute that changes them.
    """

    read_name: str
    envelope: str
    key: str
    children: Mapping[str, NestedRows] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def present(self, row: Mapping[str, object]) -> list[Row] | None:
        """Return an object's own rows, without those that it inherits.

        :param row: the object as Retreaver returns it.
        :return: the rows without envelope; None where the answer does not hold them.
        """
        rows = row.get(self.read_name)
        if not isinstance(rows, list):
            return None
        bare = [item.get(self.envelope, item) for item in rows if isinstance(item, Mapping)]
        return [dict(item) for item in bare if isinstance(item, Mapping) and not item.get("inherited")]


NESTED: Mapping[str, NestedRows] = {
    "business_hours_attributes": NestedRows(
        "business_hours", "business_hour", "day_of_week", aliases={"inverted": "invert"}
    ),
    "timers_attributes": NestedRows("timers", "timer", "seconds"),
    "menu_options_attributes": NestedRows("menu_options", "menu_option", "option"),
    "contact_numbers_attributes": NestedRows("contact_numbers", "contact_number", "number"),
    "conversion_groups_attributes": NestedRows(
        "conversion_groups",
        "conversion_group",
        "name",
        {"conversions_attributes": NestedRows("conversions", "conversion", "seconds")},
    ),
}


@dataclass(slots=True)
class RowChanges:
    """What must change in rows.

    :param send: rows to send.
    :param before: the rows concerned as they are.
    :param after: the rows concerned as they should be.
    :param ambiguous: why a requested row fits several, as sentences.
    """

    send: list[Row] = field(default_factory=list)
    before: list[Row] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)


def match_rows(kind: NestedRows, requested: Sequence[RequestedRow], present: Sequence[Row]) -> RowChanges:
    """Compare requested rows with those that exist; rows that are not mentioned stay.

    :param kind: of the rows.
    :param requested: rows as they should be; `_destroy` removes one.
    :param present: rows as they are.
    :return: what must change.
    """
    changes, unmatched = RowChanges(), list(present)
    matches: dict[int, Row | None] = {}
    for index in sorted(range(len(requested)), key=lambda index: _rank(kind, requested[index], present)):
        matches[index] = match = _find_match(kind, requested[index], unmatched, changes)
        if match is not None:
            unmatched.remove(match)
    for index, row in enumerate(requested):
        _add_changes(kind, row, matches[index], changes)
    return changes


def _rank(kind: NestedRows, row: RequestedRow, present: Sequence[Row]) -> int:
    """Rows with an id are matched first, then those that are equal to one that exists, then the others."""
    if "id" in row:
        return 0
    return 1 if any(_differing_fields(kind, row, existing) == [] for existing in present) else 2


def _find_match(kind: NestedRows, row: RequestedRow, unmatched: Sequence[Row], changes: RowChanges) -> Row | None:
    if "id" in row:
        return next((existing for existing in unmatched if same_value(existing.get("id"), row["id"])), None)
    candidates = [
        existing for existing in unmatched if same_value(existing.get(kind.key), row.get(kind.key), kind.key)
    ]
    equal = [existing for existing in candidates if not _differing_fields(kind, row, existing)]
    if not equal and len(candidates) > 1:
        ids = ", ".join(str(existing.get("id")) for existing in candidates)
        changes.ambiguous.append(
            f"{kind.read_name} has {len(candidates)} rows with {kind.key} {row.get(kind.key)} (ids {ids}): give the "
            f"id of the one to change"
        )
    return next(iter(equal or candidates), None)


def _add_changes(kind: NestedRows, row: RequestedRow, existing: Row | None, changes: RowChanges) -> None:
    if row.get("_destroy"):
        if existing is not None:
            changes.send.append({"id": existing["id"], "_destroy": True})
            changes.before.append(existing)
        return
    if existing is None:
        changes.send.append(dict(row))
        changes.after.append(dict(row))
        return
    differing = _differing_fields(kind, row, existing)
    if not differing:
        return
    sent: Row = {**row, "id": existing.get("id")}
    for attribute, child in kind.children.items():
        if attribute in row:
            inner = _match_children(child, row[attribute], existing)
            changes.ambiguous.extend(inner.ambiguous)
            sent[attribute] = inner.send
    changes.send.append(sent)
    names = [kind.key, *(name for name in differing if name != kind.key)]
    changes.before.append({_read_name(kind, name): _existing_value(kind, name, existing) for name in names})
    changes.after.append({_read_name(kind, name): row[name] for name in names if name in row})


def _differing_fields(kind: NestedRows, row: RequestedRow, existing: Row) -> list[str]:
    """Return the fields of a requested row that differ in the row that exists."""
    names = []
    for name, value in row.items():
        child = kind.children.get(name)
        if child is not None:
            if _match_children(child, value, existing).send:
                names.append(name)
        elif name == "_destroy":
            names.extend([name] if value else [])
        elif not same_value(_existing_value(kind, name, existing), value, name):
            names.append(name)
    return names


def _match_children(child: NestedRows, requested: object, existing: Row) -> RowChanges:
    # The check of the attribute has refused anything but rows.
    rows = requested if isinstance(requested, Sequence) else ()
    return match_rows(child, rows, child.present(existing) or [])


def _read_name(kind: NestedRows, name: str) -> str:
    return kind.children[name].read_name if name in kind.children else kind.aliases.get(name, name)


def _existing_value(kind: NestedRows, name: str, existing: Row) -> object:
    """Return a field of a row that exists, under whichever of its names it has there."""
    read_name = _read_name(kind, name)
    names = (read_name, *(other for other, same in kind.aliases.items() if same == read_name))
    return next((existing[other] for other in names if other in existing), None)
