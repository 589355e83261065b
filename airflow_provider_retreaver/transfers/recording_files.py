"""Recordings on object storage: whole files, named after their calls."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.errors import ProtocolError, StorageFailed
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_time
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

    from airflow_provider_retreaver.core.operations import Row

# Beginning of the names of all tasks' folders.
RECORDINGS = "recordings-"
NOT_STORED = "the recording is not in place, and a retry fetches it."
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


class RecordingFiles:
    """A folder of recordings.

    :param destination: folder URL.
    :param key: name of the task's folder below `_temporary/`, the same in every attempt.
    """

    def __init__(self, destination: str, key: str) -> None:
        self._root = storage_path(destination, "destination")
        self._temporary = TemporaryFolder(self._root, key)

    def prepare(self) -> None:
        """Check that the destination can be written to, and remove the files that killed attempts have left.

        :raises InvalidArgument: when the destination is wrong or may not be written to.
        :raises StorageFailed: when the storage cannot be reached or is full.
        """
        with destination_errors(f"destination {self._root} cannot be written to"):
            self._root.fs.invalidate_cache()
            check_writable(self._temporary.make())
            self._temporary.remove_ended(RECORDINGS)

    def clean(self) -> None:
        """Remove the temporary files; an error of the storage is ignored."""
        with suppress(StorageFailed), storage_errors("Cleaning up", NOT_STORED):
            self._temporary.remove()

    def path_of(self, call: Row) -> ObjectStoragePath:
        """Return the path of a call's recording: a folder for its day of creation in UTC, its uuid as name.

        :param call: with `uuid`, `created_at` and `recording_url`.
        :return: e.g. `…/2026-01-05/<uuid>.mp3`.
        :raises ProtocolError: when the uuid or the time cannot be read.
        """
        name = str(call.get("uuid"))
        day = None
        with suppress(NotOfKind):
            created = read_time(call.get("created_at"))
            day = None if created is None else created.date()
        if day is None or not _NAME.fullmatch(name):
            raise ProtocolError(
                "A call with a recording has no valid uuid, or no created_at with an offset: its file has no name. "
                "Report the call to Retreaver."
            )
        suffix = ""
        with suppress(ValueError):  # an address that is none is refused when it is fetched
            suffix = posixpath.splitext(urlsplit(str(call.get("recording_url"))).path)[1].lower()
        return self._root / day.isoformat() / f"{name}{suffix if _SUFFIX.fullmatch(suffix) else '.mp3'}"

    def store(self, path: ObjectStoragePath, fetch: Callable[[Callable[[bytes], object]], int]) -> int:
        """Write a file under a temporary name, check its length, and move it into place.

        :param path: of the recording.
        :param fetch: calls its argument with the bytes in parts, and returns the number of bytes.
        :return: the number of bytes.
        :raises StorageFailed: when the storage fails or has another number of bytes; no file is in place then.
        """
        what = f"Writing the recording {path.name} to {self._root}"
        with storage_errors(what, NOT_STORED), replacing(path, self._temporary.new_file()) as draft:
            return self._written(draft, fetch)

    def _written(self, draft: ObjectStoragePath, fetch: Callable[[Callable[[bytes], object]], int]) -> int:
        with draft.fs.open(draft.path, "wb") as file:
            length = fetch(file.write)
        stored = draft.fs.info(draft.path)["size"]
        if stored != length:
            raise StorageFailed(
                f"The storage {self._root} has {stored} of the {length} bytes that were written; {NOT_STORED}"
            )
        return length
