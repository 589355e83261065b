"""What a blocking transport receives: bounded in time and size, and held against the rules of framing."""

from __future__ import annotations

import http.client
import io
import socket
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.framing import ChunkCheck, Misframed, check_head, check_version

if TYPE_CHECKING:
    from airflow_provider_retreaver.transport.connections import Running


class TooLarge(Exception):
    """A response with more bytes than are read."""


class _Wire(io.RawIOBase):
    """What is received for one response, with its bounds."""

    def __init__(self, raw: io.RawIOBase, connected: socket.socket, running: Running) -> None:
        self._raw = raw
        self._socket = connected
        self._clock = running.clock
        self._request = running.current()
        self._timeout = connected.gettimeout()
        # Whether nothing more is received, since the response has ended.
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.ended:
            return None
        left = self._request.deadline - self._clock()
        if left <= 0:
            raise TimeoutError("the response takes too long")
        if self._timeout is None or left < self._timeout:
            self._socket.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        self._request.size -= count or 0
        if self._request.size < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Chunks(io.RawIOBase):
    """A chunked body as it is sent, held against the rules of its chunks."""

    def __init__(self, sent: io.BufferedReader) -> None:
        self._sent = sent
        self._check = ChunkCheck()

    @property
    def ended(self) -> bool:
        """Whether the body has ended."""
        return self._check.ended

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._sent.read1(len(buffer))
        fault = not data and not self._check.ended
        try:
            self._check.feed(data)
        except Misframed:
            fault = True
        if fault:
            raise http.client.HTTPException("the chunks of the response are malformed")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._sent.close()
        super().close()


class BoundedResponse(http.client.HTTPResponse):
    """A response that is read within its bounds, and only where it is certain which bytes are its own.

    :param connected: the connection.
    :param arguments: of `http.client`.
    :param running: the transport's running requests.
    :param options: of `http.client`.
    """

    def __init__(self, connected: socket.socket, *arguments: Any, running: Running, **options: Any) -> None:
        super().__init__(connected, *arguments, **options)
        self._socket = connected
        self._wire = _Wire(self.fp.detach(), connected, running)
        self._sent = self.fp = io.BufferedReader(self._wire, io.DEFAULT_BUFFER_SIZE)
        self._chunks: _Chunks | None = None

    def _read_status(self) -> tuple[str, int, str]:
        """Read the first line; what is only a hint (RFC 9110, 15.2) is passed over as `http.client` does with 100.

        :raises HTTPException: when the version is another one.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc]
        fault = False
        try:
            check_version(f"{version} ".encode())
        except Misframed:
            fault = True
        if fault:
            raise http.client.HTTPException("the head of the response is malformed")
        hint = status in range(100, 200) and status != http.client.SWITCHING_PROTOCOLS
        return version, http.client.CONTINUE if hint else status, reason

    def begin(self) -> None:
        """Read the head of the response.

        :raises HTTPException: when it is malformed.
        """
        super().begin()
        fault = bool(self.msg.defects)
        try:
            check_head(self.msg.items())
        except Misframed:
            fault = True
        if fault:
            raise http.client.HTTPException("the head of the response is malformed")
        if self.chunked:
            self._chunks = _Chunks(self.fp)
            self.fp = io.BufferedReader(self._chunks)

    def _close_conn(self) -> None:
        """Close what is read from; called by `http.client` at the end of the body, and when it is given up.

        :raises HTTPException: when bytes of nobody have come after the end.
        """
        more = self._has_ended() and self._has_more()
        super()._close_conn()  # type: ignore[misc]
        if more:
            raise http.client.HTTPException("there is something after the end of the response")

    def _has_ended(self) -> bool:
        return self.length == 0 if self._chunks is None else self._chunks.ended

    def _has_more(self) -> bool:
        self._wire.ended = True
        # What TLS has decrypted already is seen by no `select`, which tells other bytes before the next request.
        pending = getattr(self._socket, "pending", None)
        # A blank line before the next response is read past (RFC 9112, 2.2).
        return bool(self._sent.peek(1).strip(b"\r\n")) or (pending is not None and pending() > 0)
