"""Work in the background is done in order, and what becomes of it is told; files are stored that way."""

from __future__ import annotations

import hashlib
import io
import threading

import pytest

from airflow_provider_retreaver.storage.background_work import BackgroundWork
from airflow_provider_retreaver.transfers import digested
from airflow_provider_retreaver.transfers.digested import Digested

FULL = OSError(28, "No space left on device")


class File(io.BytesIO):
    """A file that takes bytes when it is told to, and fails on request."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Write bytes."""
        assert self.free.wait(10)
        if self.error is not None:
            raise self.error
        self.written.append(bytes(data))
        return len(data)


def test_work_is_done_in_order():
    """Each piece begins when the one before has ended."""
    done: list[int] = []
    work = BackgroundWork("test")
    for number in range(20):
        work.start(lambda number=number: done.append(number))
    work.wait()
    work.wait()
    assert done == list(range(20))


def test_the_caller_goes_on():
    """What is begun is not waited for, until the next work or the end."""
    free, work = threading.Event(), BackgroundWork("test")
    work.start(lambda: free.wait(10))
    assert not free.is_set()
    free.set()
    work.drop()


@pytest.mark.parametrize("end", ["start", "wait"])
def test_an_error_is_raised_once(end):
    """The next one who waits gets it; what is dropped has none."""
    work = BackgroundWork("test")

    def fails():
        raise FULL

    work.start(fails)
    with pytest.raises(OSError, match="No space left"):
        work.start(fails) if end == "start" else work.wait()
    work.wait()
    work.start(fails)
    work.drop()
    work.wait()


@pytest.fixture
def small(monkeypatch):
    """Store ten bytes at once."""
    monkeypatch.setattr(digested, "CHUNK", 10)


@pytest.mark.usefixtures("small")
def test_a_file_has_all_bytes_in_order():
    """Digest and length are those of everything written, however it came."""
    file = File()
    sink = Digested(file)
    pieces = [bytes([65 + place]) * (place % 13) for place in range(26)]
    assert [sink.write(piece) for piece in pieces] == [len(piece) for piece in pieces]
    whole = b"".join(pieces)
    assert sink.length == len(whole)
    sink.close()
    sink.close()
    assert b"".join(file.written) == whole
    assert sink.hexdigest() == hashlib.sha256(whole).hexdigest()
    assert file.closed


@pytest.mark.usefixtures("small")
def test_bytes_are_stored_while_others_are_made():
    """A slow file holds the caller only at the second chunk."""
    file = File()
    sink = Digested(file)
    file.free.clear()
    sink.write(b"x" * 10)
    sink.write(b"y" * 5)
    assert file.written == []
    file.free.set()
    sink.close()
    assert file.written == [b"x" * 10, b"y" * 5]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("end", ["write", "close"])
def test_a_full_disk_is_told(end):
    """The file's own error is raised by the next call; the file is then closed without another one."""
    file = File()
    sink = Digested(file)
    file.error = FULL
    sink.write(b"x" * 10)
    with pytest.raises(OSError, match="No space left"):
        sink.write(b"y" * 10) if end == "write" else sink.close()
    sink.discarding = True
    assert sink.write(b"z") == 1
    sink.close()
    assert file.closed
    assert file.written == []
