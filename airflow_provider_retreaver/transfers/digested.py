"""A file that is open for writing, with the digest and the length of what is written."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from typing import Any

from airflow_provider_retreaver.storage.background_work import BackgroundWork

# Bytes that are stored at once, in the background: before and after that Python's lock is needed.
CHUNK = 2**20


class Digested:
    """A file that is open for writing, with digest and length of the bytes written.

    :param file: the file.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._storing = BackgroundWork("file")
        self._waiting = io.BytesIO()
        self.length = 0
        self.closed = False
        self.discarding = False

    def write(self, data: bytes) -> int:
        """Write bytes, or drop them when it is discarding.

        :param data: the bytes.
        :return: their number.
        :raises OSError: when earlier bytes could not be written, as the file's own error.
        """
        if self.discarding:
            return len(data)
        self.length += len(data)
        self._waiting.write(data)
        if self._waiting.tell() >= CHUNK:
            self._storing.start(partial(self._store, self._taken()))
        return len(data)

    def _taken(self) -> bytes:
        waiting, self._waiting = self._waiting, io.BytesIO()
        return waiting.getvalue()

    def _store(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def flush(self) -> None:
        """Do nothing: what is not stored yet is few bytes, and stored on `close`."""

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything written, once it is closed.

        :return: 64 hexadecimal digits.
        """
        return self._digest.hexdigest()

    def close(self) -> None:
        """Store the rest, unless it is discarding, and close the file.

        :raises OSError: when something could not be written, as the file's own error.
        """
        if self.closed:
            return
        if self.discarding:
            self._storing.drop()
        else:
            self._storing.wait()
            self._store(self._taken())
        self.closed = True
        self._file.close()
