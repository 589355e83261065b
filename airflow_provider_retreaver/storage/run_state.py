"""Where a run keeps what it has done, so that its next attempt finds it.

Airflow clears a task's XComs before every attempt. Airflow 3.3 has a task state store that survives; on older ones,
or when a state path is given, a small JSON file per task of a run does the same on any object storage.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.storage.places import storage_place
from airflow_provider_retreaver.storage.whole_files import replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)


class RunMemory:
    """A JSON value that belongs to one task of one run, and outlives its attempts.

    :param context: the task's context; without a task instance nothing is kept.
    :param name: what the value is, e.g. `reset_caps`.
    :param state_path: folder on object storage, e.g. `s3://conn@bucket/airflow-state`; None for Airflow's own store.
    """

    def __init__(self, context: Context, name: str, state_path: str | None = None) -> None:
        self._name = f"retreaver_{name}"
        self._store = context.get("task_state_store")
        self._file = _file(context, self._name, state_path) if state_path else None

    @property
    def lasting(self) -> bool:
        """Whether what is saved survives the attempt."""
        return self._file is not None or self._store is not None

    def load(self) -> dict[str, Any] | None:
        """Return what an earlier attempt of this run saved, None when there is nothing.

        :raises InvalidArgument: when there is something that cannot be read.
        """
        if self._file is not None:
            return decoded(self._file.read_text(), f"{self._file} (state_path)") if self._file.exists() else None
        kept = self._store.get(self._name) if self._store is not None else None
        return None if kept is None else decoded(kept, f"{self._name} of Airflow's task state store")

    def save(self, value: Mapping[str, Any]) -> None:
        """Replace the value; a reader never sees half of it."""
        text = json.dumps(value, separators=(",", ":"))
        if self._file is not None:
            replace_text(self._file, text)
        elif self._store is not None:
            self._store.set(self._name, text)


def _file(context: Context, name: str, state_path: str) -> ObjectStoragePath | None:
    instance = context.get("ti")
    if instance is None:
        return None
    return storage_place(state_path, "state_path") / f"{run_place(instance, name)}.json"


def run_place(instance: Any, name: str) -> str:
    """Return where below a state path a thing is that belongs to one task of one run.

    :param instance: Airflow's task instance.
    """
    parts = (instance.dag_id, instance.run_id, instance.task_id, f"{name}.{instance.map_index}")
    return "/".join(quote(str(part), safe=" +-_.") for part in parts)


def decoded(text: Any, where: str, look: str = "the targets") -> dict[str, Any]:
    """Read a memory that was kept as JSON.

    :param where: names it.
    :param look: where to look before it is thrown away.
    :raises InvalidArgument: when it is damaged.
    """
    # A damaged memory is not an empty one: what was done would be done again.
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise InvalidArgument(
            f"What earlier attempts of this run have done cannot be read from {where}; look at {look}, then "
            f"delete it to start over."
        )
    return value
