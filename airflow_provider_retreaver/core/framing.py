"""Which bytes are a response's (RFC 9112): read strictly, since what is guessed may be cut off.

The blocking client's library takes `Content-Length: many`, `+15`, or a line without a colon for no header at all, and
chunks that do not end where they say for whole ones. The asynchronous one refuses most of that, but reads past a
space before a header's colon, and takes other versions; both are held against these rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SPACE = re.compile(rb"[^\s:][^:]*[ \t]:")
_VERSION = re.compile(rb"HTTP/1\.[01] ")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9]")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
# Bytes of a line that says how long a chunk is, or of a trailer.
LONGEST_LINE = 8_192


class Misframed(ValueError):
    """A response whose beginning or end is not certain."""


def check_head(headers: Iterable[tuple[str, str]]) -> None:
    """Check the headers of a response.

    :param headers: names and values as they came, repeated ones included.
    :raises Misframed: when a name or value is none, or they do not say for certain how long the body is.
    """
    pairs = list(headers)
    for name, value in pairs:
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise Misframed("a header is malformed")
    check_length(
        [value for name, value in pairs if name.lower() == "content-length"],
        [value for name, value in pairs if name.lower() == "transfer-encoding"],
    )


def check_version(line: bytes) -> None:
    """Check the version that a response begins with.

    :param line: the first line, or its beginning.
    :raises Misframed: when it is none whose heads these rules describe.
    """
    if not _VERSION.match(line):
        raise Misframed("the version is neither HTTP/1.0 nor HTTP/1.1")


def check_length(lengths: Sequence[str], codings: Sequence[str]) -> None:
    """Check what says how long a body is.

    :param lengths: all values of `Content-Length`.
    :param codings: all values of `Transfer-Encoding`.
    :raises Misframed: when there is more than one of them, or one that cannot be read.
    """
    if len(lengths) + len(codings) > 1:
        raise Misframed("the length of the body is said more than once")
    if any(not _LENGTH.fullmatch(length.strip(" \t")) for length in lengths):
        raise Misframed("Content-Length is no length")
    if any(coding.strip(" \t").lower() != "chunked" for coding in codings):
        raise Misframed("Transfer-Encoding is not chunked")


class HeadCheck:
    """Follows the head of a response as it comes, for what a parser does not show afterwards.

    A space before a colon (RFC 9112, 5.1) makes two readers see different headers.
    """

    def __init__(self) -> None:
        self._line = b""
        self._first: bytes | None = None
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; those after the head are not looked at.

        :param data: as they came.
        :raises Misframed: when there is a space before a header's colon, or the version is another one.
        """
        if self.ended:
            return
        came, at = self._line + data, 0
        while (end := came.find(b"\n", at)) >= 0:
            if self._is_end(came[at:end].rstrip(b"\r")):
                self.ended, self._line = True, b""
                return
            at = end + 1
        self._line = came[at:]
        if self._first is not None and b":" in data:
            self._check(self._line)

    def _is_end(self, line: bytes) -> bool:
        if self._first is None:
            if line:
                check_version(line)
                self._first = line
            return False
        if line:
            self._check(line)
            return False
        # After a hint, such as 100, the head of the response itself comes.
        ended = _INTERIM.match(self._first) is None
        self._first = None
        return ended

    @staticmethod
    def _check(line: bytes) -> None:
        if _SPACE.match(line):
            raise Misframed("there is a space before a header's colon")


class ChunkCheck:
    """Follows a chunked body as it comes."""

    def __init__(self) -> None:
        self._line = bytearray()
        # Bytes of the chunk that are still to come, None between chunks.
        self._left: int | None = None
        self._last = False
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        :param data: as they came.
        :raises Misframed: when they are not what a chunked body has there.
        """
        at = 0
        while at < len(data):
            if self.ended:
                raise Misframed("there is something after the body's end")
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left, at = self._left - taken, at + taken
                continue
            end = data.find(b"\n", at)
            until = len(data) if end < 0 else end + 1
            self._line += data[at:until]
            at = until
            if len(self._line) > LONGEST_LINE:
                raise Misframed("a line between chunks is too long")
            if end >= 0:
                self._end_line(bytes(self._line))
                self._line.clear()

    def _end_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise Misframed("a line between chunks does not end with CR and LF")
        text = line[:-2]
        if self._last:
            # Trailers, which nobody reads, until a blank line.
            self.ended = not text
        elif self._left == 0:
            if text:
                raise Misframed("a chunk is longer than it says")
            self._left = None
        else:
            size = _SIZE.fullmatch(text)
            if size is None:
                raise Misframed("the length of a chunk is no length")
            self._left = int(size[1], 16)
            self._last = self._left == 0
