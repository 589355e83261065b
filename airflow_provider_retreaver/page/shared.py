"""What was read, in files that the processes of api-servers share, so that one of them polls for all.

A file has what one poll returned or why it failed: names, caps, hours and sums, without secrets and callers. The
folder belongs to the user of the processes alone. Where it cannot be used each process polls for itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.page.polled import Polled

log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds for which a process waits for the poll of another one; then it polls itself.
PATIENCE = 60.0
_LOOK = 0.1
# Seconds after which a file is removed that nobody has written to.
OLD = 86_400.0


@dataclass(frozen=True, slots=True)
class Saved(Generic[T]):
    """What a process has saved of a poll.

    :param state: what it knew then.
    :param tried_at: when the poll ended.
    """

    state: Polled[T]
    tried_at: datetime


class SharedFile(Generic[T]):
    """The file of one view of an account, while this process has its turn.

    :param path: of the file; None where nothing can be shared.
    :param kind: what a poll returns.
    """

    def __init__(self, path: Path | None, kind: type[T]) -> None:
        self._path = path
        generic: Any = Saved
        self._saved = generic[kind]

    def read(self) -> Saved[T] | None:
        """Return what was saved last.

        :return: None for nothing, or for what another release of this package has written.
        """
        if self._path is None:
            return None
        with suppress(OSError, msgspec.MsgspecError):
            found: Saved[T] = msgspec.json.decode(self._path.read_bytes(), type=self._saved, dec_hook=_made)
            return found
        return None

    def write(self, saved: Saved[T]) -> None:
        """Save what this process knows now.

        :param saved: what it knows.
        """
        if self._path is not None:
            draft = self._path.with_suffix(".part")
            try:
                draft.write_bytes(msgspec.json.encode(saved, enc_hook=_plain))
                draft.replace(self._path)
            except (OSError, msgspec.MsgspecError, TypeError) as error:
                log.warning("Figures of the Retreaver page cannot be shared: %s", one_line(repr(error)))
                draft.unlink(missing_ok=True)


class SharedPolls:
    """The files of all accounts.

    :param folder: of the files; it is made.
    :param patience: seconds for which another process is waited for.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._patience = patience

    @classmethod
    def of_this_machine(cls) -> SharedPolls:
        """Return the files that all processes of this user on this machine share.

        :return: in the folder for temporary files.
        """
        return cls(Path(tempfile.gettempdir()) / f"retreaver-page-{os.getuid()}")

    @contextmanager
    def turn(self, key: Hashable, kind: type[T]) -> Generator[SharedFile[T]]:
        """Wait until no other process polls, and let none begin within the block.

        :param key: of an account and a view.
        :param kind: what a poll returns.
        :yield: the file.
        """
        lock: int | None = None
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
        try:
            self._check_folder()
            lock = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            alone = _locked(lock, self._patience)
            self._remove_old()
        except OSError as error:
            log.warning("Figures of the Retreaver page cannot be shared: %s", one_line(repr(error)))
            alone = False
        try:
            yield SharedFile(self._folder / f"{name}.json" if alone else None, kind)
        finally:
            if lock is not None:
                # This ends the turn.
                os.close(lock)

    def _check_folder(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{self._folder} is not a folder of this user alone")

    def _remove_old(self) -> None:
        oldest = time.time() - OLD
        for file in self._folder.glob("*.json"):
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _locked(lock: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)
        else:
            return True


def _plain(value: Any) -> Any:
    return value.saved()


def _made(kind: type[Any], value: Any) -> Any:
    make: Callable[[Any], Any] = kind.of_saved
    return make(value)
