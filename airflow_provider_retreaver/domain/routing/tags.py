"""Tags of targets and contacts as Retreaver returns and takes them (Retreaver's reference: "Tagging a Target").

Retreaver returns tags as objects with an operator, and takes them as one text, `<<<key:value>>>,<<<key:value>>>`,
which replaces all tags and has no operators. Tags that this text cannot express are refused rather than lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError
from airflow_provider_retreaver.core.quoting import quoted

# "There is a limit of 100 tags added in this manner".
MAX_TAGS = 100

# A tag's key and value.
Pair = tuple[str, str]

_ZIPS = re.compile(r"\d{5}(,\d{5})*", re.ASCII)
_FORBIDDEN = re.compile(r"[<>,\x00-\x1f\x7f]")


def tag_text(pair: tuple[str, str | None]) -> str:
    """Return a tag as text.

    :param pair: key and value; without value the key alone.
    :return: e.g. `state:NY`.
    """
    return f"{pair[0]}:{pair[1]}" if pair[1] is not None else pair[0]


def read_tags(row: Mapping[str, object], name: str) -> list[Pair]:
    """Return the tags of an object in its order, whatever their operators.

    Retreaver joins US zip codes of the key `geo` into one tag; they are separated here, as they were added.

    :param row: the object as read.
    :param name: of the object, for the error.
    :return: keys and values.
    :raises ProtocolError: when the object came without tags, or with invalid ones.
    """
    found: list[Pair] = []
    for tag in _tag_values(row, name):
        key, value = str(tag["key"]), "" if tag.get("value") is None else str(tag["value"])
        parts = value.split(",") if key == "geo" and _ZIPS.fullmatch(value) else [value]
        found.extend((key, part) for part in parts)
    return list(dict.fromkeys(found))


def tag_list(row: Mapping[str, object], pairs: Sequence[Pair], name: str) -> str:
    """Return the attribute `tag_list` that gives an object these tags.

    :param row: the object as read.
    :param pairs: keys and values of all tags that it should have.
    :param name: of the object, for the error.
    :return: the text; blank for no tags.
    :raises ChangeRefused: when sending it would lose a part of a tag, which is named.
    """
    for tag in _tag_values(row, name):
        operator = tag.get("operator", "==")
        if operator not in {"==", None}:
            raise ChangeRefused(
                f"{name} has the tag {tag['key']} {operator} {tag.get('value')}, and a tag list has no operator "
                f"{operator!r}: sending the list would make it '=='. Nothing was sent; change it in the portal."
            )
    for pair in pairs:
        reason = reason_not_accepted(*pair)
        if reason:
            raise ChangeRefused(f"{name} has the tag {quoted(tag_text(pair))}, which {reason}. Nothing was sent.")
    if len(pairs) > MAX_TAGS:
        raise ChangeRefused(
            f"{name} would have {len(pairs)} tags, and a tag list holds {MAX_TAGS} at most. Nothing was sent."
        )
    return ",".join(f"<<<{key}:{value}>>>" for key, value in pairs)


def reason_not_accepted(key: str, value: str) -> str | None:
    """Return why a tag list cannot hold a tag.

    :param key: of the tag.
    :param value: of the tag.
    :return: the end of a sentence; None when it can.
    """
    found = _FORBIDDEN.search(key + value)
    if found:
        character = found[0] if found[0].isprintable() else f"character {ord(found[0])}"
        return f"holds {quoted(character)}: a tag list can hold no commas, angle brackets or control characters"
    if ":" in key:
        return "has a colon in its key"
    return None


def _tag_values(row: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    values = row.get("tag_values")
    if not isinstance(values, list):
        raise ProtocolError(f"{name} came without 'tag_values', which Retreaver documents for it.")
    for tag in values:
        if not isinstance(tag, Mapping) or not isinstance(tag.get("key"), str):
            raise ProtocolError(f"{name} came with a tag that has no key: {quoted(tag)}.")
    return values
