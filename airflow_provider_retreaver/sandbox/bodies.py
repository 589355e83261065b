"""Reading request bodies: JSON, and forms with Rails' nested names."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"
# The vendor's curl examples carry the shell's line continuations inside the quoted body.
_CONTINUATION = re.compile(r"\\[ \t]*\r?\n")
_PART = re.compile(r"\[([^\[\]]*)\]")


def read(content_type: str, body: bytes) -> dict[str, Any]:
    """Read a body as an object; ValueError says what is wrong with it."""
    if not body.strip():
        return {}
    if content_type.startswith(FORM):
        return read_form(body.decode("utf-8"))
    if "json" not in content_type:
        raise ValueError(f"Content-Type {content_type or '(none)'} is neither JSON nor a form")
    return read_json(body)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    text = body.decode("utf-8")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = json.loads(_CONTINUATION.sub("\n", text))
    # A lone surrogate is JSON, but no text that could be stored.
    json.dumps(value, ensure_ascii=False).encode()
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")  # noqa: TRY004 - a bad body, not a bad call
    return value


def read_form(text: str) -> dict[str, Any]:
    """Read ``a[b]=1&a[c][]=2&a[d][][e]=3`` as nested objects and arrays."""
    result: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = name.partition("[")
        _place(result, [head, *_PART.findall("[" + rest if rest else "")], value)
    return result


def _place(into: dict[str, Any], keys: list[str], value: str) -> None:
    """Put one pair where its name says."""
    key, *rest = keys
    if not rest:
        into[key] = value
    elif rest[0] == "":
        items = into.setdefault(key, [])
        if not isinstance(items, list):
            raise ValueError(f"{key} is used both as a list and as something else")
        _append(items, rest[1:], value)
    else:
        inner = into.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{key} is used both as an object and as something else")
        _place(inner, rest, value)


def _append(items: list[Any], keys: list[str], value: str) -> None:
    """Add to a list; a field that the last object already has begins the next object, as in Rails."""
    if not keys:
        items.append(value)
        return
    if not items or not isinstance(items[-1], dict) or (len(keys) == 1 and keys[0] in items[-1]):
        items.append({})
    _place(items[-1], keys, value)
