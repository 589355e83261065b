"""Files that a task writes one by one to a folder on object storage, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, cast

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.storage.paths import (
    check_writable,
    destination_errors,
    storage_errors,
    storage_path,
)
from airflow_provider_retreaver.storage.temporary_folders import TemporaryFolder
from airflow_provider_retreaver.storage.whole_files import replacing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


class TaskFiles:
    """A folder that a task writes files to.

    :param destination: folder URL.
    :param key: name of the task's folder below `_temporary/`, the same in every attempt.
    :param prefix: beginning of the names of all such folders.
    :param not_stored: the end of an error's sentence: what follows for the user.
    """

    def __init__(self, destination: str, key: str, prefix: str, not_stored: str) -> None:
        self.root = storage_path(destination, "destination")
        self._temporary = TemporaryFolder(self.root, key)
        self._prefix = prefix
        self._not_stored = not_stored

    def prepare(self) -> None:
        """Check that the destination can be written to, and remove the files that killed attempts have left.

        :raises InvalidArgument: when the destination is wrong or may not be written to.
        :raises StorageFailed: when the storage cannot be reached or is full.
        """
        with destination_errors(f"destination {self.root} cannot be written to"):
            self.root.fs.invalidate_cache()
            check_writable(self._temporary.make())
            self._temporary.remove_ended(self._prefix)

    def clean(self) -> None:
        """Remove the temporary files; an error of the storage is ignored."""
        with suppress(StorageFailed), storage_errors("Cleaning up", self._not_stored):
            self._temporary.remove()

    @contextmanager
    def _draft(self, path: ObjectStoragePath, what: str) -> Generator[ObjectStoragePath]:
        writing = storage_errors(f"Writing {what} to {self.root}", self._not_stored)
        with writing, replacing(path, self._temporary.new_file()) as draft:
            yield draft

    def store(self, path: ObjectStoragePath, what: str, write: Callable[[IO[bytes]], int]) -> int:
        """Write a file under a temporary name, check its length, and move it into place.

        :param path: of the file.
        :param what: the file, for errors, e.g. `the recording x.mp3`.
        :param write: writes to its argument, and returns the number of bytes.
        :return: the number of bytes.
        :raises StorageFailed: when the storage fails or has another number of bytes; no file is in place then.
        """
        with self._draft(path, what) as draft:
            with draft.fs.open(draft.path, "wb") as file:
                length = write(cast("IO[bytes]", file))
            stored = draft.fs.info(draft.path)["size"]
            if stored != length:
                raise StorageFailed(
                    f"The storage {self.root} has {stored} of the {length} bytes that were written; "
                    f"{self._not_stored}"
                )
        return length
