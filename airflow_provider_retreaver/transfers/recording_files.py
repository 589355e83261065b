"""Recordings on object storage: whole files under the names of their calls, and nothing else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.errors import ProtocolError, StorageFailed
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_time
from airflow_provider_retreaver.storage.paths import (
    check_writable,
    destination_errors,
    storage_errors,
    storage_path,
)
from airflow_provider_retreaver.storage.whole_files import TemporaryFolder, replacing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

NOT_STORED = "nothing is in its place, and a retry fetches it."
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


class RecordingFiles:
    """A folder of recordings.

    :param destination: folder URL.
    :param key: names what one task writes below `_temporary/`, so that its next attempt can clean up.
    """

    def __init__(self, destination: str, key: str) -> None:
        self._root = storage_path(destination, "destination")
        self._temporary = TemporaryFolder(self._root, key)

    def prepare(self) -> None:
        """Remove what a killed attempt has left, and see whether the destination can be written to.

        :raises InvalidArgument: when it cannot.
        :raises StorageFailed: when it cannot at the moment.
        """
        with destination_errors(f"destination {self._root} cannot be written to"):
            self._root.fs.invalidate_cache()
            self._temporary.remove_all_attempts()
            check_writable(self._temporary.path)

    def clean(self) -> None:
        """Remove what was not finished, as far as it can be."""
        with suppress(StorageFailed), storage_errors("Cleaning up", NOT_STORED):
            self._temporary.remove()

    def place(self, call: dict[str, Any]) -> ObjectStoragePath:
        """Return where a call's recording belongs: a folder for the day of its creation in UTC, its uuid as name.

        :raises ProtocolError: when the call's uuid or time is none.
        """
        name = str(call.get("uuid"))
        day = None
        with suppress(NotOfKind):
            created = read_time(call.get("created_at"))
            day = None if created is None else created.date()
        if day is None or not _NAME.fullmatch(name):
            raise ProtocolError(
                "A call with a recording has no uuid, or no created_at with an offset: its file has no name."
            )
        suffix = posixpath.splitext(urlsplit(str(call.get("recording_url"))).path)[1].lower()
        return self._root / day.isoformat() / f"{name}{suffix if _SUFFIX.fullmatch(suffix) else '.mp3'}"

    def store(self, place: ObjectStoragePath, fetch: Callable[[Callable[[bytes], object]], int]) -> int:
        """Write a file under a temporary name, check its length, and move it into place.

        :param fetch: hands the bytes to what it is given, and returns how many they must be.
        :return: their number.
        :raises StorageFailed: when the storage fails or holds another number of bytes; nothing is in place then.
        """
        what = f"Writing the recording {place.name} to {self._root}"
        with storage_errors(what, NOT_STORED), replacing(place, self._temporary.new_file()) as draft:
            return self._written(draft, fetch)

    def _written(self, draft: ObjectStoragePath, fetch: Callable[[Callable[[bytes], object]], int]) -> int:
        with draft.fs.open(draft.path, "wb") as file:
            length = fetch(file.write)
        held = draft.fs.info(draft.path)["size"]
        if held != length:
            raise StorageFailed(f"The storage {self._root} holds {held} bytes of {length} that were written to it.")
        return length
