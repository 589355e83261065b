"""Tags of targets and contacts (vendor's reference: "Tagging a Target").

The vendor reads tags as objects with an operator and takes them as one text, `<<<key:value>>>,<<<key:value>>>`, which
replaces all of them and can say no operator. What that text cannot carry is refused rather than lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError

# "There is a limit of 100 tags added in this manner".
MOST = 100

Pair = tuple[str, str]

_ZIPS = re.compile(r"\d{5}(,\d{5})*", re.ASCII)
_FORBIDDEN = re.compile(r"[<>,\x00-\x1f\x7f]")


def tag_text(pair: tuple[str, str | None]) -> str:
    """Write a tag as `key:value`."""
    return f"{pair[0]}:{pair[1]}" if pair[1] is not None else pair[0]


def read_tags(row: Mapping[str, Any], owner: str) -> list[Pair]:
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
        wrong = reason_not_accepted(*pair)
        if wrong:
            raise ChangeRefused(f"{owner} has the tag {tag_text(pair)!r}, which {wrong}. Nothing was sent.")
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


def reason_not_accepted(key: str, value: str) -> str | None:
    """Return why a tag list cannot carry a tag, None when it can."""
    found = _FORBIDDEN.search(key + value)
    if found:
        shown = found[0] if found[0].isprintable() else f"character {ord(found[0])}"
        return f"holds {shown!r}: a tag list can carry no commas, angle brackets or control characters"
    if ":" in key:
        return "has a colon in its key"
    return None
