"""Putting the files of one export in place so that whoever follows its manifest sees a whole export or none.

Files are written below `_temporary/`, and moved when all of them are whole, under names that hold their digest:
another export of the same window has the same names only where it has the same bytes. The manifest, moved last, names
them; only then are the files of the former manifest removed. Both are written down before, so that the next attempt
can remove what one that was killed had moved, or had not removed yet.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.storage.paths import (
    check_writable,
    destination_errors,
    make_folder,
    storage_errors,
    storage_path,
)
from airflow_provider_retreaver.storage.whole_files import TEMPORARY, TemporaryFolder, replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

NOTHING_HALF = (
    "nothing of this export was put in place that its manifest does not name. Mend the storage and run the task "
    "again."
)


class Publication:
    """One export's place on object storage.

    :param destination: folder URL.
    :param key: name of the export, the same whenever the same window is exported.
    """

    def __init__(self, destination: str, key: str) -> None:
        self._root = storage_path(destination, "destination")
        self._key = key
        self._temporary = TemporaryFolder(self._root, key)
        self._pending = self._root / TEMPORARY / f"{key}.pending.json"
        self._finished: list[tuple[ObjectStoragePath, str]] = []
        self.manifest = self._root / f"{key}.manifest.json"

    def prepare(self) -> None:
        """Remove what attempts that were killed have left, and see whether the destination can be written to.

        :raises InvalidArgument: when it cannot.
        :raises StorageFailed: when it cannot at the moment.
        """
        with destination_errors(f"destination {self._root} cannot be written to"):
            # What this process has seen of the folder may be older than what another attempt did to it.
            self._root.fs.invalidate_cache()
            former = self._former_files()
            for path in self._listed(self._pending):
                if path not in former:
                    self._remove(self._root / path)
            self._remove(self._pending)
            self._temporary.remove_all_attempts()
            check_writable(self._temporary.path)

    def former(self) -> dict[str, Any] | None:
        """Return the manifest of the former export of this window, None when there is none or it is no manifest."""
        with suppress(FileNotFoundError, ValueError):
            found = json.loads(self.manifest.read_text())
            return found if isinstance(found, dict) and isinstance(found.get("files"), list) else None
        return None

    def _former_files(self) -> set[str]:
        former = self.former()
        return {str(file["path"]) for file in former["files"]} if former else set()

    def draft(self) -> tuple[ObjectStoragePath, Any]:
        """Return a new temporary file and the file object to write it."""
        path = self._temporary.new_file()
        return path, path.fs.open(path.path, "wb")

    def finished(self, draft: ObjectStoragePath, folder: str, name: str) -> str:
        """Note where a temporary file belongs; return its path below the destination."""
        path = f"{folder}/{self._key}-{name}" if folder else f"{self._key}-{name}"
        self._finished.append((draft, path))
        return path

    def forget_drafts(self) -> None:
        """Make everything that was written so far void."""
        for draft, _ in self._finished:
            self._remove(draft)
        self._finished.clear()

    def publish(self, manifest: Mapping[str, Any]) -> None:
        """Move the files into place, then the manifest; then remove what it replaces.

        :raises StorageFailed: when the storage fails.
        """
        with storage_errors(f"Moving the files of {self.manifest.name} into place", NOTHING_HALF):
            former = self._former_files()
            now = [path for _, path in self._finished]
            self._write(self._pending, {"files": [{"path": path} for path in sorted(former.union(now))]})
            for draft, path in self._finished:
                target = self._root / path
                make_folder(target.parent)
                draft.fs.mv(draft.path, target.path)
            self._write(self.manifest, manifest)
            for path in former.difference(now):
                self._remove(self._root / path)
            self._remove(self._pending)
        self.clean()

    def clean(self) -> None:
        """Remove what is temporary, as far as it can be."""
        with suppress(StorageFailed), storage_errors("Cleaning up", NOTHING_HALF):
            self._temporary.remove()

    def _write(self, path: ObjectStoragePath, value: Mapping[str, Any]) -> None:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        replace_text(path, text, self._temporary.new_file())

    def _listed(self, path: ObjectStoragePath) -> list[str]:
        with suppress(FileNotFoundError, ValueError):
            return [str(file["path"]) for file in json.loads(path.read_text())["files"]]
        return []

    @staticmethod
    def _remove(path: ObjectStoragePath) -> None:
        with suppress(FileNotFoundError):
            path.unlink()
