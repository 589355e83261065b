"""What a blocking transport receives: bounded in time and size, and held against the rules of framing."""

from __future__ import annotations

import http.client
import io
import socket
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.framing import ChunkCheck, Misframed, check_head

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

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
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
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Wire(raw, connected, running), io.DEFAULT_BUFFER_SIZE)

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
            self.fp = io.BufferedReader(_Chunks(self.fp))
