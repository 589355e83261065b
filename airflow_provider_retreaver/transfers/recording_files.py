"""Recordings on object storage: whole files, named after their calls."""

from __future__ import annotations

import posixpath
import re
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, read_time
from airflow_provider_retreaver.transfers.task_files import TaskFiles

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.core.operations import Row

# Beginning of the names of all tasks' folders.
RECORDINGS = "recordings-"
NOT_STORED = "the recording is not in place, and a retry fetches it."
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


class RecordingFiles(TaskFiles):
    """A folder of recordings.

    :param destination: folder URL.
    :param key: name of the task's folder below `_temporary/`, the same in every attempt.
    """

    def __init__(self, destination: str, key: str) -> None:
        super().__init__(destination, key, RECORDINGS, NOT_STORED)

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
        return self.root / day.isoformat() / f"{name}{suffix if _SUFFIX.fullmatch(suffix) else '.mp3'}"
