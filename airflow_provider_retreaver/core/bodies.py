"""The body of a response within bounds: decompressed piece by piece, never more than the limit."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

# What is requested, and what `Body` decompresses.
ACCEPT_ENCODING = "gzip, deflate"
# Bytes of an error response that are read: it is only looked at for the server's message.
ERROR_BYTES = 65_536
# Headers of a response (`http.client` reads no more), and characters of each with its name.
MAX_HEADERS = 99
MAX_HEADER = 32_768
# Members of a gzip stream; each one more costs a copy of what follows it.
MAX_MEMBERS = 1_000

_NESTED = frozenset({dict, list})
# An escape of JSON: two halves of a character, one half alone (group 1), or anything else.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class BodyTooLarge(Exception):
    """A body with more bytes than the limit, decompressed."""


class Body:
    """The body of one response.

    :param status: of the response.
    :param headers: header values by name in lower case.
    :param lines: number of its headers, each line counted.
    :param limit: bytes of the body at most, decompressed.
    :raises ValueError: when the headers are too many or too long, or name an encoding that was not requested.
    """

    def __init__(self, status: int, headers: Mapping[str, str], lines: int, limit: int) -> None:
        if lines > MAX_HEADERS or any(len(name) + len(value) > MAX_HEADER for name, value in headers.items()):
            raise ValueError("too many or too long headers")
        self._is_error = status >= 300
        self._limit = min(limit, ERROR_BYTES) if self._is_error else limit
        self._pieces: list[bytes] = []
        self._size = 0
        name = headers.get("content-encoding", "").strip().lower()
        self._gzip = name in {"gzip", "x-gzip"}
        self._begun = False
        self._members = 1
        self._unzip = zlib.decompressobj(31) if self._gzip else zlib.decompressobj() if name == "deflate" else None
        if self._unzip is None and name not in {"", "identity"}:
            raise ValueError("the encoding was not requested")

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the response.

        :param data: the bytes, as they were sent.
        :return: True while more are needed, False when the rest does not matter (an error response).
        :raises BodyTooLarge: when the body is larger than the limit.
        :raises ValueError: when it cannot be decompressed.
        """
        if self._unzip is None:
            return self._take(data)
        try:
            more = self._decompress(data)
        except zlib.error:
            more = None
        if more is None:
            raise ValueError("the body cannot be decompressed")
        return more

    def _decompress(self, data: bytes) -> bool:
        while data and self._unzip is not None:
            if self._unzip.eof:
                # Some servers send several members one after the other, as files have them.
                if not self._gzip or not data.startswith(b"\x1f\x8b"):
                    return True
                self._members += 1
                if self._members > MAX_MEMBERS:
                    raise zlib.error("too many members")
                self._unzip = zlib.decompressobj(31)
            elif not self._gzip and not self._begun and data[0] & 0x0F != 8:
                # "deflate" without the header of zlib, as some servers send it.
                self._unzip = zlib.decompressobj(-15)
            self._begun = True
            piece = self._unzip.decompress(data, self._limit - self._size + 1)
            if not self._take(piece):
                return False
            data = self._unzip.unconsumed_tail or self._unzip.unused_data
        return True

    def _take(self, piece: bytes) -> bool:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size <= self._limit:
            return True
        if self._is_error:
            return False
        raise BodyTooLarge

    def content(self) -> bytes:
        """Return the body.

        :return: what was received of it.
        :raises ValueError: when it ends in the middle of its compression.
        """
        if self._unzip is not None and self._begun and self._size <= self._limit and not self._unzip.eof:
            raise ValueError("the compressed body is not complete")
        return b"".join(self._pieces)[: self._limit]


def repaired(body: bytes) -> tuple[bytes, int]:
    """Return JSON whose halves of characters are replaced by U+FFFD, so that one odd text does not spoil the rest.

    :param body: JSON in UTF-8, which may have bytes that are no UTF-8, and escapes of half an emoji.
    :return: the body, and the number of replacements.
    """
    count = 0
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            text = body.decode("utf-8", "replace")
            count = text.count("\ufffd") - body.count("\ufffd".encode())
            body = text.encode()
    if b"\\" not in body or (b"\\ud" not in body and b"\\uD" not in body):
        return body, count

    def whole(found: re.Match[bytes]) -> bytes:
        nonlocal count
        if found[1] is None:
            return found[0]
        count += 1
        return b"\\ufffd"

    return _ESCAPE.sub(whole, body), count


def too_deep(value: Any, depth: int) -> str | None:
    """Return where a JSON value has more levels of lists and objects within each other than it may have.

    :param value: the JSON value.
    :param depth: levels at most.
    :return: the place in its topmost list or object, None when it is within the limit.
    """
    if not _is_deeper(value, depth):
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return next((f"{name!s:.40}" for name, item in items if _is_deeper(item, depth - 1)), "")


def _is_deeper(value: Any, depth: int) -> bool:
    """Return whether a value has more levels; level by level, so that no depth exhausts the stack."""
    level = [value]
    for _ in range(depth):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return True


def _inner(outer: Any) -> list[Any]:
    """Return the lists and objects directly within one; most have none, which is found without a loop."""
    values = outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
    if _NESTED.isdisjoint(map(type, values)):
        return []
    return [inner for inner in values if type(inner) in _NESTED]
