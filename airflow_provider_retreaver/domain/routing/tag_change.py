"""Changing the tags of targets and contacts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.changes.differences import View
from airflow_provider_retreaver.domain.changes.edit import Aim, owner
from airflow_provider_retreaver.domain.routing.tags import Pair, read_tags, reason_not_accepted, tag_list, tag_text

_LISTED = re.compile(r"<<<([^<>:]+):([^<>]*)>>>")


@dataclass(frozen=True, slots=True)
class TagEdit:
    """What is to be done to the tags of an object.

    :param add: tags to put on.
    :param remove: tags to take off, a value of None for whatever value the key has.
    :param replace: the tags to have instead of all others, None to keep others.
    """

    add: tuple[Pair, ...] = ()
    remove: tuple[tuple[str, str | None], ...] = ()
    replace: tuple[Pair, ...] | None = None

    @classmethod
    def parse(cls, add: Any = None, remove: Any = None, replace: Any = None) -> TagEdit:
        """Read what an operator was given.

        :param add: a mapping of keys to a value or a list of values, a list of `"key:value"`, such texts separated by
            commas, or the vendor's own `<<<key:value>>>,…`.
        :param remove: the same; `"key"` alone, or a value of None, takes off whatever value it has.
        :param replace: the same as `add`; an empty one takes off all. Not beside the other two.
        :raises InvalidArgument: naming the parameter and the tag.
        """
        if replace is not None and not (add is None and remove is None):
            raise InvalidArgument("replace says all the tags there are to be: give it alone, or add and remove.")
        if replace is add is remove:
            raise InvalidArgument("Nothing says which tags to change: give add, remove or replace.")
        edit = cls(
            tuple(_valued(_pairs(add, "add"), "add")),
            tuple(_pairs(remove, "remove")),
            None if replace is None else tuple(_valued(_pairs(replace, "replace"), "replace")),
        )
        for pair in edit.add:
            if pair in edit.remove:
                raise InvalidArgument(f"The tag {tag_text(pair)!r} is to be added and removed; say one of the two.")
        return edit

    def applied(self, present: Sequence[Pair]) -> list[Pair]:
        """Return the tags that there are to be, those that stay first and in their order."""
        if self.replace is not None:
            return list(dict.fromkeys(self.replace))
        kept = [pair for pair in present if pair not in self.remove and (pair[0], None) not in self.remove]
        return list(dict.fromkeys([*kept, *self.add]))


class TagsAim(Aim):
    """Tags of a target or contact.

    :param edit: what is to be done to them.
    :param kind: `target` or `contact`, for errors.
    """

    replaces = True

    def __init__(self, edit: TagEdit, kind: str) -> None:
        self._edit = edit
        self._kind = kind

    def view(self, row: Row) -> View:
        """Return the tags in alphabetical order; the vendor does not promise one."""
        return {"tags": _texts(read_tags(row, owner(row, self._kind)))}

    def want(self, row: Row) -> View:
        """Return the tags it is to have."""
        return {"tags": _texts(self._wanted(row))}

    def body(self, row: Row, _wanted: View) -> dict[str, Any]:
        """Return the list that replaces the tags.

        :raises ChangeRefused: when it cannot carry them.
        """
        return {"tag_list": tag_list(row, self._wanted(row), owner(row, self._kind))}

    def _wanted(self, row: Row) -> list[Pair]:
        return self._edit.applied(read_tags(row, owner(row, self._kind)))


def _texts(pairs: Sequence[Pair]) -> list[str]:
    return sorted(map(tag_text, pairs))


def _pairs(given: Any, name: str) -> Iterable[tuple[str, str | None]]:
    for key, value in _given(given, name):
        pair = (key.strip(), None if value is None else str(value).strip())
        wrong = reason_not_accepted(pair[0], pair[1] or "")
        if not pair[0] or pair[1] == "":
            wrong = "needs a key and a value"
        if wrong:
            raise InvalidArgument(f"{name} holds the tag {tag_text(pair)!r}, which {wrong}.")
        yield pair


def _given(given: Any, name: str) -> Iterable[tuple[str, Any]]:
    given = read_rendered(given, name)
    if given is None:
        return
    if isinstance(given, Mapping):
        for key, values in given.items():
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
    text = given.strip()
    if "<<<" not in text:
        return [part for part in text.split(",") if part.strip()]
    found = [f"{key}:{value}" for key, value in _LISTED.findall(text)]
    if not found or _LISTED.sub("", text).replace(",", "").strip():
        raise InvalidArgument(
            f"{name} is {text[:80]!r}, which is no tag list like '<<<key:value>>>,<<<key:value>>>'."
        )
    return found


def _text(item: Any, name: str) -> str:
    if not isinstance(item, str):
        raise InvalidArgument(f"{name} holds {item!r}, which is no tag; tags are texts like 'key:value'.")
    return item


def _valued(pairs: Iterable[tuple[str, str | None]], name: str) -> Iterable[Pair]:
    for key, value in pairs:
        if value is None:
            raise InvalidArgument(f"{name} holds the tag {key!r} without a value; write 'key:value'.")
        yield key, value
