"""Changing the tags of targets and contacts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.parameters import text
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState
from airflow_provider_retreaver.domain.objects.key import ObjectKind
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.routing.tags import Pair, read_tags, reason_not_accepted, tag_list, tag_text

ZIP_DIGITS = 5
_LISTED = re.compile(r"<<<([^<>:]+):([^<>]*)>>>")


@dataclass(frozen=True, slots=True)
class TagEdit:
    """A change of the tags of an object.

    :param add: tags to add.
    :param remove: tags to remove; a value of None removes any value of the key.
    :param replace: the tags to have instead of all others; None to keep others.
    """

    add: tuple[Pair, ...] = ()
    remove: tuple[tuple[str, str | None], ...] = ()
    replace: tuple[Pair, ...] | None = None

    @classmethod
    def parse(cls, add: object = None, remove: object = None, replace: object = None) -> TagEdit:
        """Read the parameters of an operator.

        :param add: a mapping of keys to a value or a list of values, a list of `"key:value"`, such texts separated by
            commas, or Retreaver's own `<<<key:value>>>,…`.
        :param remove: the same; `"key"` alone, or a value of None, removes any value of the key.
        :param replace: the same as `add`; an empty one removes all tags. Not beside the other two.
        :return: the change.
        :raises InvalidArgument: naming the parameter and the tag.
        """
        # A template that renders None for `replace` must not remove every tag.
        add, remove, replace = (
            read_rendered(given, name) for given, name in ((add, "add"), (remove, "remove"), (replace, "replace"))
        )
        if replace is not None and not (add is None and remove is None):
            raise InvalidArgument("replace sets all tags: give it alone, or give add and remove.")
        if replace is add is remove:
            raise InvalidArgument("There is no tag to change: give add, remove or replace.")
        edit = cls(
            tuple(_with_values(_pairs(add, "add"), "add")),
            tuple(_pairs(remove, "remove")),
            None if replace is None else tuple(_with_values(_pairs(replace, "replace"), "replace")),
        )
        for pair in edit.add:
            if pair in edit.remove:
                raise InvalidArgument(
                    f"The tag {quoted(tag_text(pair))} is in add and in remove; give it in one of them."
                )
        return edit

    def applied(self, present: Sequence[Pair]) -> list[Pair]:
        """Return the tags of an object after the change.

        :param present: its tags before.
        :return: its tags after, those that stay first and in their order.
        """
        if self.replace is not None:
            return list(dict.fromkeys(self.replace))
        kept = [pair for pair in present if pair not in self.remove and (pair[0], None) not in self.remove]
        return list(dict.fromkeys([*kept, *self.add]))


class DesiredTags(DesiredState):
    """Tags of a target or contact.

    :param edit: the change of its tags.
    :param kind: `target` or `contact`, for errors.
    """

    replaces = True

    def __init__(self, edit: TagEdit, kind: ObjectKind) -> None:
        self._edit = edit
        self._kind = kind

    def current(self, row: Row) -> Fields:
        """Return the tags in alphabetical order, since Retreaver documents none."""
        return {"tags": _texts(read_tags(row, object_name(row, self._kind)))}

    def desired(self, row: Row) -> Fields:
        """Return the tags that the object should have."""
        return {"tags": _texts(self._pairs(row))}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return the list that replaces the tags."""
        return {"tag_list": tag_list(row, self._pairs(row), object_name(row, self._kind))}

    def _pairs(self, row: Row) -> list[Pair]:
        return self._edit.applied(read_tags(row, object_name(row, self._kind)))


def _texts(pairs: Sequence[Pair]) -> list[str]:
    return sorted(map(tag_text, pairs))


def _pairs(given: object, name: str) -> Iterable[tuple[str, str | None]]:
    for key, value in _items(given, name):
        pair = (key.strip(), _value(key, value, name))
        reason = reason_not_accepted(pair[0], pair[1] or "")
        if not pair[0] or pair[1] == "":
            reason = "needs a key and a value"
        if reason:
            raise InvalidArgument(f"{name} holds the tag {quoted(tag_text(pair))}, which {reason}.")
        yield pair


def _value(key: str, value: object, name: str) -> str | None:
    """Return a tag's value as text; None where there is none."""
    if value is None or isinstance(value, str):
        return None if value is None else value.strip()
    found = text(value, f"{name}: the value of {quoted(key)}", decimals=True)
    if key.strip() == "geo" and len(found) < ZIP_DIGITS:
        raise InvalidArgument(
            f"{name} holds the number {found} under geo, which is either a zip code without its leading zeros or "
            f"none; write it as a text, like {found.zfill(ZIP_DIGITS)!r}."
        )
    return found


def _items(given: object, name: str) -> Iterable[tuple[str, object]]:
    given = read_rendered(given, name)
    if given is None:
        return
    if isinstance(given, Mapping):
        for key, written in given.items():
            values = read_rendered(written, f"{name}: the value of {quoted(key)}")
            several = isinstance(values, (list, tuple, set, frozenset))
            for value in sorted(values, key=str) if several else [values]:
                yield _text(key, name), value
        return
    if isinstance(given, str):
        given = _split(given, name)
    if not isinstance(given, Iterable):
        raise InvalidArgument(f"{name} must hold tags like 'key:value', not {type(given).__name__}.")
    for item in given:
        key, colon, value = _text(item, name).partition(":")
        yield key, value if colon else None


def _split(given: str, name: str) -> list[str]:
    tags = given.strip()
    if "<<<" not in tags:
        return [part for part in tags.split(",") if part.strip()]
    found = [f"{key}:{value}" for key, value in _LISTED.findall(tags)]
    if not found or _LISTED.sub("", tags).replace(",", "").strip():
        raise InvalidArgument(
            f"{name} is {quoted(tags)}, which is no tag list like '<<<key:value>>>,<<<key:value>>>'."
        )
    return found


def _text(item: object, name: str) -> str:
    if not isinstance(item, str):
        raise InvalidArgument(f"{name} holds {quoted(item)}, which is no tag; tags are texts like 'key:value'.")
    return item


def _with_values(pairs: Iterable[tuple[str, str | None]], name: str) -> Iterable[Pair]:
    for key, value in pairs:
        if value is None:
            raise InvalidArgument(f"{name} holds the tag {quoted(key)} without a value; write 'key:value'.")
        yield key, value
