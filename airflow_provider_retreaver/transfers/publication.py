"""Putting the files of one export in place so that whoever follows its manifest sees a whole export or none.

Files are written below `_temporary/`, and moved when all of them are whole, under names that hold their digest:
another export of the same window has the same names only where it has the same bytes. The manifest, moved last, names
them; only then are the files of the former manifest removed. Both are written down before, so that the next attempt
can remove what one that was killed had moved, or had not removed yet.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

TEMPORARY = "_temporary"


@contextmanager
def storage_errors(what: str) -> Generator[None]:
    """Say in one sentence what the storage did not do.

    :raises StorageFailed: from an `OSError`, which is what file systems raise.
    """
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"{what} failed ({type(error).__name__}: {error.strerror or error}); nothing of this export was put in "
            f"place that its manifest does not name. Mend the storage and run the task again."
        ) from error


class Publication:
    """One export's place on object storage.

    :param destination: folder URL.
    :param key: name of the export, the same whenever the same window is exported.
    """

    def __init__(self, destination: str, key: str) -> None:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        self._root: ObjectStoragePath = ObjectStoragePath(destination)
        self._key = key
        self._drafts = self._root / TEMPORARY / key
        self._own = self._drafts / uuid.uuid4().hex
        self._pending = self._drafts.with_name(f"{key}.pending.json")
        self._finished: list[tuple[ObjectStoragePath, str]] = []
        self.manifest = self._root / f"{key}.manifest.json"

    def prepare(self) -> None:
        """Remove what attempts that were killed have left, and see whether the destination can be written to.

        :raises InvalidArgument: when it cannot.
        """
        try:
            former = self._former_files()
            for path in self._listed(self._pending):
                if path not in former:
                    self._remove(self._root / path)
            self._remove(self._pending)
            if self._drafts.exists():
                self._drafts.fs.rm(self._drafts.path, recursive=True)
            self._own.mkdir(parents=True, exist_ok=True)
            probe = self._own / "probe"
            probe.write_bytes(b"")
            probe.unlink()
        except (OSError, ValueError) as error:
            raise InvalidArgument(
                f"destination {self._root} cannot be written to ({type(error).__name__}: {error}); nothing was asked "
                f"of the vendor."
            ) from None

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
        path = self._own / uuid.uuid4().hex
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
        with storage_errors(f"Moving the files of {self.manifest.name} into place"):
            former = self._former_files()
            now = [path for _, path in self._finished]
            self._write(self._pending, {"files": [{"path": path} for path in sorted(former.union(now))]})
            for draft, path in self._finished:
                target = self._root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                draft.fs.mv(draft.path, target.path)
            self._write(self.manifest, manifest)
            for path in former.difference(now):
                self._remove(self._root / path)
            self._remove(self._pending)
        self.clean()

    def clean(self) -> None:
        """Remove what is temporary, as far as it can be."""
        with suppress(OSError):
            if self._own.exists():
                self._own.fs.rm(self._own.path, recursive=True)
            remove_if_empty(self._drafts)
            remove_if_empty(self._drafts.parent)

    def _write(self, path: ObjectStoragePath, value: Mapping[str, Any]) -> None:
        write_whole(path, self._own / uuid.uuid4().hex, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def _listed(self, path: ObjectStoragePath) -> list[str]:
        with suppress(FileNotFoundError, ValueError):
            return [str(file["path"]) for file in json.loads(path.read_text())["files"]]
        return []

    @staticmethod
    def _remove(path: ObjectStoragePath) -> None:
        with suppress(FileNotFoundError):
            path.unlink()


def remove_if_empty(folder: ObjectStoragePath) -> None:
    """Remove a folder that holds nothing, where the storage has such folders."""
    if folder.exists() and not any(folder.iterdir()):
        folder.fs.rm(folder.path, recursive=True)


def write_whole(path: ObjectStoragePath, draft: ObjectStoragePath, text: str) -> None:
    """Write a small file so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(text)
    draft.fs.mv(draft.path, path.path)
