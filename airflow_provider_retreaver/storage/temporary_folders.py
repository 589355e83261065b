"""Temporary folders, each of one attempt, and whether an attempt has ended, so that its folder may be removed.

A folder's name says whose it is: when the attempt began, on which machine, in which process. An attempt has ended
when its process is gone from this machine; of an attempt on another machine nothing is known, and it counts as ended
after a week. Folders of all other attempts are left alone: two attempts side by side never delete each other's files.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_provider_retreaver.storage.paths import make_folder
from airflow_provider_retreaver.storage.whole_files import remove_if_empty

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

TEMPORARY = "_temporary"
# No task runs longer. A storage cannot say whether a process on another machine still runs.
LONGEST_ATTEMPT = timedelta(days=7)
# Another attempt may remove an empty folder just when this one makes a folder in it.
_TRIES = 20

_TIME = "%Y%m%dT%H%M%SZ"
_PROCESS = r"(?P<process>[0-9]{1,19}-[0-9]{1,19})"
_NAME = re.compile(rf"(?P<began>\d{{8}}T\d{{6}}Z)-(?P<machine>[0-9a-f]{{12}})-{_PROCESS}-[0-9a-f]{{12}}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NO_MACHINE = "0" * 12


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a task.

    :param name: of its folder.
    :param began: when it began.
    :param machine: identity of the machine and its space of process IDs.
    :param process: ID and start of the process.
    """

    name: str
    began: datetime
    machine: str
    process: str

    @classmethod
    def new(cls) -> Self:
        """Return the attempt that begins now in this process.

        :return: one that no other attempt equals.
        """
        began, process = datetime.now(UTC).replace(microsecond=0), _process(os.getpid()) or f"{os.getpid()}-0"
        name = f"{began:{_TIME}}-{_machine()}-{process}-{uuid.uuid4().hex[:12]}"
        _running.add(name)
        return cls(name, began, _machine(), process)

    @classmethod
    def of(cls, name: str) -> Self | None:
        """Return the attempt that a folder belongs to.

        :param name: of the folder, as it was listed.
        :return: the attempt; None for a folder that is not one of an attempt.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        with suppress(ValueError):
            began = datetime.strptime(found["began"], _TIME).replace(tzinfo=UTC)
            return cls(name, began, found["machine"], found["process"])
        return None

    def has_ended(self) -> bool:
        """Whether it uses its files no more.

        :return: True when its process is gone or has released it, or when it began more than a week ago on another
            machine.
        """
        if self.machine == _machine() and self.process == _process(os.getpid()):
            return self.name not in _running
        if self.machine == _machine() != _NO_MACHINE:
            return _process(int(self.process.partition("-")[0])) != self.process
        return datetime.now(UTC) - self.began > LONGEST_ATTEMPT

    def release(self) -> None:
        """End the attempt."""
        _running.discard(self.name)


# Names of this process's attempts that have not ended.
_running: set[str] = set()


@cache
def _machine() -> str:
    """Return the identity of this start of the machine and of the container's space of process IDs."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text() + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return _NO_MACHINE
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _process(number: int) -> str | None:
    """Return ID and start of a process; None when it does not run."""
    try:
        # After the program's name, which is in brackets: the state, and as the 20th the start in clock ticks.
        parts = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if parts[0] in "ZX" else f"{number}-{parts[19]}"


class TemporaryFolder:
    """Folder below `_temporary/` for the files of one attempt, until they are moved into place.

    :param root: folder on object storage where the files belong in the end.
    :param owner: name of the piece of work, the same in each of its attempts, e.g. `calls-20260105T120000Z`.
    """

    def __init__(self, root: ObjectStoragePath, owner: str) -> None:
        self._root = root / TEMPORARY
        self._owned = self._root / owner
        self.attempt = Attempt.new()
        self.path = self._owned / self.attempt.name

    def make(self) -> ObjectStoragePath:
        """Make the folder where the storage has folders.

        :return: its path.
        """
        for _ in range(_TRIES - 1):
            with suppress(FileNotFoundError):
                make_folder(self.path)
                return self.path
        make_folder(self.path)
        return self.path

    def new_file(self, name: str | None = None) -> ObjectStoragePath:
        """Return the path of a file in the folder, whose folder exists.

        :param name: of the file; None for one that no other file has.
        :return: the path; the caller writes it and moves it into place.
        """
        return self.make() / (name or uuid.uuid4().hex)

    def others(self) -> Iterator[tuple[Attempt, ObjectStoragePath]]:
        """Yield the other attempts of the same owner that have a folder.

        :return: attempt and folder.
        """
        for attempt, folder in _attempts_in(self._owned):
            if attempt != self.attempt:
                yield attempt, folder

    def ended(self, prefix: str) -> Iterator[tuple[str, ObjectStoragePath]]:
        """Yield what attempts have left that ended without removing it, this owner's and others'.

        :param prefix: of the names of owners.
        :return: owner and folder of the attempt; the caller removes it with `remove_folder`.
        """
        for owner in _names(self._root):
            if owner.startswith(prefix) and _OWNER.fullmatch(owner):
                for attempt, folder in _attempts_in(self._root / owner):
                    if attempt.has_ended():
                        yield owner, folder

    def remove_ended(self, prefix: str) -> None:
        """Remove what attempts have left that ended without removing it.

        :param prefix: of the names of owners.
        """
        for _, folder in self.ended(prefix):
            remove_folder(folder)

    def remove(self) -> None:
        """Remove what is left of this attempt, and the folders above it that are empty."""
        remove_folder(self.path)
        self.release()

    def release(self) -> None:
        """End the attempt, and leave its folder to the next one."""
        self.attempt.release()


def remove_folder(folder: ObjectStoragePath) -> None:
    """Remove the folder of an attempt, and the folders above it that are empty.

    :param folder: as `TemporaryFolder` has it; it need not exist.
    """
    # Another attempt may be removing it at the same time.
    with suppress(FileNotFoundError):
        if folder.exists():
            folder.fs.rm(folder.path, recursive=True)
    remove_if_empty(folder.parent)
    remove_if_empty(folder.parent.parent)


def attempts_of(root: ObjectStoragePath, owner: str) -> Iterator[tuple[Attempt, ObjectStoragePath]]:
    """Yield the attempts of a piece of work that have a temporary folder.

    :param root: see `TemporaryFolder`.
    :param owner: the same.
    :return: attempt and folder.
    """
    return _attempts_in(root / TEMPORARY / owner)


def _attempts_in(owned: ObjectStoragePath) -> Iterator[tuple[Attempt, ObjectStoragePath]]:
    for name in _names(owned):
        attempt = Attempt.of(name)
        if attempt is not None:
            yield attempt, owned / name


def _names(folder: ObjectStoragePath) -> list[str]:
    folder.fs.invalidate_cache()
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path.rstrip("/").rpartition("/")[2] for path in folder.fs.ls(folder.path, detail=False))
    return []
