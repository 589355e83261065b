"""State of a run, which its next attempt reads.

Airflow clears a task's XComs before every attempt. Airflow 3.3 has a task state store that survives; on older
versions, or when a state path is given, a small JSON file per task of a run does the same on any object storage.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.storage.paths import destination_errors, storage_errors, storage_path
from airflow_provider_retreaver.storage.whole_files import remove_if_empty, replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)

LONGEST_PART = 200
# Folders of a file below its state path: of the DAG, the run and the task.
LEVELS = 3


class RunState:
    """A JSON value that belongs to one task of one run and survives its attempts.

    :param context: the task's context; without a task instance no file is written.
    :param name: what the value is, e.g. `reset_caps`.
    :param state_path: folder on object storage, e.g. `s3://conn@bucket/airflow-state`; None for Airflow's task state
        store.
    """

    def __init__(self, context: Context, name: str, state_path: str | None = None) -> None:
        self._name = f"retreaver_{name}"
        self._store = context.get("task_state_store")
        self._file = _file(context, self._name, state_path)
        self._is_later = (getattr(context.get("ti"), "try_number", None) or 1) > 1

    @property
    def lasting(self) -> bool:
        """Whether what is saved survives the attempt."""
        return self._file is not None or self._store is not None

    @property
    def may_be_new(self) -> bool:
        """Whether an earlier attempt may have run without it: it does not last, or `state_path` may be new."""
        return self._is_later and (self._file is not None or self._store is None)

    def load(self) -> dict[str, Any] | None:
        """Read what an earlier attempt of this run saved.

        :return: the value; None when nothing was saved.
        :raises InvalidArgument: when the value is damaged.
        """
        if self._file is not None:
            with destination_errors(f"state_path: {one_line(self._file)} cannot be read"):
                stored = self._file.read_text() if self._file.exists() else None
            return None if stored is None else read_state(stored, f"{self._file} (state_path)")
        text = self._store.get(self._name) if self._store is not None else None
        return None if text is None else read_state(text, f"{self._name} of Airflow's task state store")

    def save(self, value: Mapping[str, object]) -> None:
        """Replace the value; a reader never sees half of it.

        :param value: JSON values; those at the top level are mappings, as `read_state` requires.
        :raises StorageFailed: when it cannot be written.
        """
        text = json.dumps(value, separators=(",", ":"))
        if self._file is not None:
            with storage_errors(
                f"Writing {one_line(self._file)} (state_path)", "what was done until now may be unknown."
            ):
                replace_text(self._file, text)
        elif self._store is not None:
            self._store.set(self._name, text)

    def forget(self) -> None:
        """Remove what was saved, so that a task that is cleared starts over.

        :raises StorageFailed: when a file cannot be removed.
        """
        if self._file is None:
            self.save({})
            return
        with storage_errors(f"Removing {one_line(self._file)} (state_path)", "remove it to start over."):
            with suppress(FileNotFoundError):
                self._file.unlink()
            for folder in list(self._file.parents)[:LEVELS]:
                remove_if_empty(folder)


def _file(context: Context, name: str, state_path: str | None) -> ObjectStoragePath | None:
    instance = context.get("ti")
    if instance is None or state_path is None or not is_given(state_path):
        return None
    return storage_path(state_path, "state_path") / f"{run_path(instance, name)}.json"


def run_path(instance: Any, name: str) -> str:
    """Return the path, below a state path, of a file or folder that belongs to one task of one run.

    :param instance: Airflow's task instance.
    :param name: of the file or folder, without an ending.
    :return: `<dag_id>/<run_id>/<task_id>/<name>.<map_index>`, each part percent-encoded.
    """
    parts = (instance.dag_id, instance.run_id, instance.task_id, f"{name}.{instance.map_index}")
    return "/".join(path_part(str(part)) for part in parts)


def path_part(text: str) -> str:
    """Return a text as a part of a path.

    :param text: any text.
    :return: another part for each text, percent-encoded, and none that leads out of its folder.
    """
    part = quote(text, safe=" +-_.", errors="surrogatepass")
    if not part.strip("."):
        # `.` and `..` are the folder itself and the one above it.
        part = part.replace(".", "%2E") or "%"
    if len(part) > LONGEST_PART:
        # Most storages take 255 bytes; the digest keeps long names apart.
        part = f"{part[:LONGEST_PART]}%{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return part


def read_state(text: Any, where: str, check: str = "the targets") -> dict[str, Any]:
    """Read state that was saved as JSON.

    :param text: the JSON text.
    :param where: where it is stored, for the error.
    :param check: what to check before the state is deleted, for the error.
    :return: an object whose values are objects.
    :raises InvalidArgument: when it is damaged; it is not taken for empty, since changes would then be made again.
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise damaged_state(where, check)
    return value


def damaged_state(where: str, check: str) -> InvalidArgument:
    """Return the error of a saved state that is damaged.

    :param where: where it is stored.
    :param check: what to check before the state is deleted.
    :return: the error.
    """
    return InvalidArgument(
        f"The state that earlier attempts of this run saved in {where} cannot be read; check {check}, then delete it "
        f"to start over."
    )
