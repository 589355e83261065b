"""Reading request bodies: JSON, and forms with Rails' nested names."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
FORMS = (FORM, MULTIPART)
# Retreaver's curl examples contain the shell's line continuations inside the quoted body.
_CONTINUATION = re.compile(r"\\[ \t]*\r?\n")
# No documented body is deeper than six.
MAX_DEPTH = 50
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"
_PART = re.compile(r"\[([^\[\]]*)\]")


def read(content_type: str, body: bytes) -> dict[str, Any]:
    """Read a body as an object.

    :param content_type: Value of the ``Content-Type`` header.
    :param body: The body as it was sent.
    :return: The object; empty for an empty body.
    :raises ValueError: If it is neither JSON nor a form, or invalid.
    """
    if not body.strip():
        return {}
    try:
        return _read(content_type, body)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def _read(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type.startswith(FORM):
        return nest(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    if content_type.startswith(MULTIPART):
        return nest(_parts(content_type, body))
    if "json" not in content_type:
        raise ValueError(f"Content-Type {content_type or '(none)'} is neither JSON nor a form")
    return read_json(body)


def _no_number(text: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{text} is not JSON")


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    :param body: The body as it was sent.
    :return: The object.
    :raises ValueError: If it is not a JSON object.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise ValueError("a JSON object was expected")  # noqa: TRY004 - a bad body, not a bad call
    return value


def parse_json(body: bytes) -> Any:
    """Parse JSON of a bounded depth, without numbers and texts that could not be stored.

    :param body: The body as it was sent.
    :return: Any JSON value.
    :raises ValueError: If it is not JSON, or nested too deeply.
    """
    text = body.decode("utf-8")
    try:
        try:
            value = json.loads(text, parse_constant=_no_number)
        except json.JSONDecodeError:
            value = json.loads(_CONTINUATION.sub("\n", text), parse_constant=_no_number)
        # A lone surrogate and an infinite number (1e999) are JSON, but nothing that could be stored.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if _depth(value) > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    return value


def _depth(value: Any) -> int:
    """Return how deep a value is nested, without recursion; counts no further than is allowed."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        children = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        depth, level = depth + 1, children
    return depth


def _parts(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Read a multipart form; ``x[file]`` becomes the two fields that carry a file as Base64."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise ValueError("the multipart body has no parts")
    for part in message.walk():
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        name = str(part.get_param("name", "", header="content-disposition"))
        if part.get_filename() is None:
            yield name, content.decode("utf-8")
        else:
            stem, end = (name[:-1], "]") if name.endswith("]") else (name, "")
            yield f"{stem}_b64_data{end}", base64.b64encode(content).decode()
            yield f"{stem}_b64_filename{end}", str(part.get_filename())


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read the names ``a[b]``, ``a[c][]`` and ``a[d][][e]`` of a form as nested objects and arrays.

    :param pairs: Names and values of the form in their order.
    :return: The nested object.
    :raises ValueError: If a name is used in two ways.
    """
    result: dict[str, Any] = {}
    for name, value in pairs:
        head, _, rest = name.partition("[")
        keys = [head, *_PART.findall("[" + rest if rest else "")]
        if len(keys) > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        _place(result, keys, value)
    return result


def _place(into: dict[str, Any], keys: list[str], value: str) -> None:
    """Set the value of one pair in the nested object."""
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
    """Add to a list; a field that the last object has already starts a new object, as in Rails."""
    if not keys:
        items.append(value)
        return
    if not items or not isinstance(items[-1], dict) or (len(keys) == 1 and keys[0] in items[-1]):
        items.append({})
    _place(items[-1], keys, value)
