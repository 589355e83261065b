"""Calls as the rows of files: values by column, a row for every tag, and names of ours beside Retreaver's.

Versions 3 and 4 put number and campaign into objects; their parts have the same columns in all versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.calls.fields import OTHER

# Objects whose parts have columns of their own in files, by the column of each part.
OBJECTS = {
    "target_group": {"id": "target_group_id", "name": "target_group_name"},
    "campaign": {"id": "campaign_id", "name": "campaign_name"},
    "number": {"number": "number", "name": "number_name"},
}
# Names of columns that are not fields of a call: a field of the same name is kept below `other`.
_OURS = frozenset({OTHER, "tag_key", "tag_value"})


def set_aside(row: Row, names: frozenset[str]) -> Row:
    """Put fields that have a name of ours below `other`, so that neither is lost.

    :param row: a call.
    :param names: that are ours; `other` is one of them.
    :return: the same row when it has no such field.
    """
    taken = {name: value for name, value in row.items() if name in names}
    return {**{name: row[name] for name in row if name not in taken}, OTHER: taken} if taken else row


def flat(rows: Iterable[Row], names: frozenset[str]) -> Iterator[Row]:
    """Yield calls with a value for each column that they have; all other values are put into the last column.

    :param rows: calls as dictionaries.
    :param names: of the columns.
    :return: one dictionary a call, from column to value; `tags` are in it for `split_tags`, if they have no column.
    """
    for row in rows:
        made: Row = {}
        other: Row = {}
        objects: list[tuple[str, Mapping[str, object]]] = []
        for name, value in row.items():
            if name in OBJECTS and isinstance(value, Mapping):
                objects.append((name, value))
            elif (name in names and name not in _OURS) or (name == "tags" and _are_tags(value)):
                made[name] = value
            else:
                other[name] = value
        for name, parts in objects:
            rest = _spread(parts, OBJECTS[name], made)
            other.update({name: rest} if rest else {})
        if other:
            made[OTHER] = other
        yield made


def _spread(parts: Mapping[str, object], columns: Mapping[str, str], made: Row) -> Row:
    """Put an object's parts into their columns; return those without one, and those whose column says otherwise."""
    rest: Row = {}
    for part, item in parts.items():
        column = columns.get(part)
        if column is not None and made.get(column) is None:
            made[column] = item
        elif column is None or (item is not None and item != made[column]):
            rest[part] = item
    return rest


def _are_tags(value: object) -> bool:
    return value is None or value == "" or isinstance(value, Mapping)


def tag_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a row for every tag of every call; a call without tags has one row.

    Several values of a tag come joined by commas (Retreaver's reference: "Calls", version 2) and stay so: a comma may
    be part of a value.

    :param rows: calls as dictionaries.
    :return: calls without `tags`, with `tag_key` and `tag_value`; fields of these names are below `other`.
    """
    return split_tags(set_aside(row, _OURS) for row in rows)


def split_tags(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a row for every tag, as `tag_rows`, of calls that have no field of these names.

    :param rows: calls as dictionaries.
    :return: calls without `tags`, with `tag_key` and `tag_value`.
    """
    for row in rows:
        tags = row.get("tags")
        rest = {name: value for name, value in row.items() if name != "tags" or not _are_tags(value)}
        for key, value in tags.items() if isinstance(tags, Mapping) and tags else ((None, None),):
            yield {**rest, "tag_key": key, "tag_value": value}
