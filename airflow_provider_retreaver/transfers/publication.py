"""Moving the files of one export into place so that a reader of its manifest sees a whole export or none.

Files are written below `_temporary/` and moved when all of them are whole. Their names contain their digest, so
another export of the same window has the same names only for the same bytes. The manifest lists them and is moved
last; then the files of the former manifest are removed. Both lists are saved before the first move, so that the next
attempt can remove the files that a killed attempt had moved, or had not removed yet.
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

NOTHING_HALF = "a manifest in place lists whole files only. Repair the storage and run the task again."


class Publication:
    """The files of one export on object storage.

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
        """Remove the files that killed attempts left, and check that the destination can be written to.

        :raises InvalidArgument: when the destination is wrong or may not be written to.
        :raises StorageFailed: when the storage cannot be reached or is full.
        """
        with destination_errors(f"destination {self._root} cannot be written to"):
            # This process may have cached the folder before another attempt changed it.
            self._root.fs.invalidate_cache()
            former = self._former_files()
            for path in self._files_of(self._pending):
                if path not in former:
                    self._remove(self._root / path)
            self._remove(self._pending)
            self._temporary.remove_all_attempts()
            check_writable(self._temporary.path)

    def former(self) -> dict[str, Any] | None:
        """Return the manifest of the former export of this window.

        :return: the manifest, None when there is none or it cannot be read.
        """
        with suppress(FileNotFoundError, ValueError):
            found = json.loads(self.manifest.read_text())
            return found if isinstance(found, dict) and isinstance(found.get("files"), list) else None
        return None

    def _former_files(self) -> set[str]:
        former = self.former()
        return {str(file["path"]) for file in former["files"]} if former else set()

    def draft(self) -> tuple[ObjectStoragePath, Any]:
        """Open a new temporary file.

        :return: its path, and the file object to write to.
        """
        path = self._temporary.new_file()
        return path, path.fs.open(path.path, "wb")

    def finished(self, draft: ObjectStoragePath, folder: str, name: str) -> str:
        """Add a whole temporary file to those that `publish` moves.

        :param draft: path of the temporary file.
        :param folder: below the destination, e.g. `day=2026-01-05`; empty for none.
        :param name: of the file, after the export's name.
        :return: the path below the destination.
        """
        path = f"{folder}/{self._key}-{name}" if folder else f"{self._key}-{name}"
        self._finished.append((draft, path))
        return path

    def remove_finished(self) -> None:
        """Remove all files that were finished so far."""
        for draft, _ in self._finished:
            self._remove(draft)
        self._finished.clear()

    def publish(self, manifest: Mapping[str, Any]) -> None:
        """Move the files into place, then the manifest; then remove the former files.

        :param manifest: plain JSON that lists the files.
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
        """Remove the temporary files; an error of the storage is ignored."""
        with suppress(StorageFailed), storage_errors("Cleaning up", NOTHING_HALF):
            self._temporary.remove()

    def _write(self, path: ObjectStoragePath, value: Mapping[str, Any]) -> None:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        replace_text(path, text, self._temporary.new_file())

    def _files_of(self, path: ObjectStoragePath) -> list[str]:
        with suppress(FileNotFoundError, ValueError):
            return [str(file["path"]) for file in json.loads(path.read_text())["files"]]
        return []

    @staticmethod
    def _remove(path: ObjectStoragePath) -> None:
        with suppress(FileNotFoundError):
            path.unlink()
