"""Tags of targets and contacts (vendor's reference: "Tagging a Target").

The vendor reads tags as objects with an operator and takes them as one text, `<<<key:value>>>,<<<key:value>>>`, which
replaces all of them and can say no operator. What that text cannot carry is refused rather than lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.rendered import read_rendered

# "There is a limit of 100 tags added in this manner".
MOST = 100

Pair = tuple[str, str]

_LISTED = re.compile(r"<<<([^<>:]+):([^<>]*)>>>")
_ZIPS = re.compile(r"\d{5}(,\d{5})*", re.ASCII)
_FORBIDDEN = re.compile(r"[<>,\x00-\x1f\x7f]")


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
                raise InvalidArgument(f"The tag {text_of(pair)!r} is to be added and removed; say one of the two.")
        return edit

    def applied(self, present: Sequence[Pair]) -> list[Pair]:
        """Return the tags that there are to be, those that stay first and in their order."""
        if self.replace is not None:
            return list(dict.fromkeys(self.replace))
        kept = [pair for pair in present if pair not in self.remove and (pair[0], None) not in self.remove]
        return list(dict.fromkeys([*kept, *self.add]))


def text_of(pair: tuple[str, str | None]) -> str:
    """Write a tag as `key:value`."""
    return f"{pair[0]}:{pair[1]}" if pair[1] is not None else pair[0]


def read(row: Mapping[str, Any], owner: str) -> list[Pair]:
    """Return the tags of an object in its order, whatever their operators.

    The vendor joins US zip codes of the key `geo` into one tag; they come apart here, as they were put on.

    :raises ProtocolError: when the object came without tags, or with odd ones.
    """
    found: list[Pair] = []
    for tag in _values(row, owner):
        key, value = tag["key"], "" if tag.get("value") is None else str(tag["value"])
        parts = value.split(",") if key == "geo" and _ZIPS.fullmatch(value) else [value]
        found.extend((key, part) for part in parts)
    return list(dict.fromkeys(found))


def tag_list(row: Mapping[str, Any], wanted: Sequence[Pair], owner: str) -> str:
    """Return the text that gives an object the tags wanted, blank for none.

    :param row: the object as it is.
    :raises ChangeRefused: when rewriting the object's tags would lose something, naming the tag.
    """
    for tag in _values(row, owner):
        operator = tag.get("operator", "==")
        if operator not in {"==", None}:
            raise ChangeRefused(
                f"{owner} has the tag {tag['key']} {operator} {tag.get('value')}, and a tag list cannot say "
                f"{operator!r}: rewriting it would make it '=='. Nothing was sent; change it in the portal."
            )
    for pair in wanted:
        wrong = _uncarried(*pair)
        if wrong:
            raise ChangeRefused(f"{owner} has the tag {text_of(pair)!r}, which {wrong}. Nothing was sent.")
    if len(wanted) > MOST:
        raise ChangeRefused(
            f"{owner} would have {len(wanted)} tags, and a tag list holds {MOST} at most. Nothing was sent."
        )
    return ",".join(f"<<<{key}:{value}>>>" for key, value in wanted)


def _values(row: Mapping[str, Any], owner: str) -> list[Mapping[str, Any]]:
    values = row.get("tag_values")
    if not isinstance(values, list):
        raise ProtocolError(f"{owner} came without 'tag_values', which the vendor documents for it.")
    for tag in values:
        if not isinstance(tag, Mapping) or not isinstance(tag.get("key"), str):
            raise ProtocolError(f"{owner} came with a tag that has no key: {tag!r}.")
    return values


def _pairs(given: Any, name: str) -> Iterable[tuple[str, str | None]]:
    for key, value in _given(given, name):
        pair = (key.strip(), None if value is None else str(value).strip())
        wrong = _uncarried(pair[0], pair[1] or "")
        if not pair[0] or pair[1] == "":
            wrong = "needs a key and a value"
        if wrong:
            raise InvalidArgument(f"{name} holds the tag {text_of(pair)!r}, which {wrong}.")
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


def _uncarried(key: str, value: str) -> str | None:
    """Return why a tag list cannot carry a tag, None when it can."""
    found = _FORBIDDEN.search(key + value)
    if found:
        shown = found[0] if found[0].isprintable() else f"character {ord(found[0])}"
        return f"holds {shown!r}: a tag list can carry no commas, angle brackets or control characters"
    if ":" in key:
        return "has a colon in its key"
    return None
