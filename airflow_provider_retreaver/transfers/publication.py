"""Moving the files of one export into place so that a reader of its manifest sees a whole export or none.

Files are written below `_temporary/` and moved when all of them are whole. Their names contain their digest, so
another export of the same window has the same names only for the same bytes. The manifest lists them and is moved
last; then the files that it no longer lists are removed.

Attempts of one export may overlap (a retry whose former attempt still runs, two DAGs with the same window). Each
announces, in its own temporary folder, which files it is about to have (`moving.json`, until its manifest is written)
before it looks at what others remove, and which files it is about to remove (`removing.json`) before it looks at what
others have. So of two attempts at least one sees the other: a file that another attempt has is not removed, and a
file that another attempt removes gets another name. The manifest that is written last therefore lists files that are
there, whoever writes it. An attempt that ends while another one runs leaves a list of its files (`left.json`), by
which those that no manifest lists are removed when its process is gone.

Paths that are read from manifests and announcements are not trusted: only files that have the name of this export's
files are removed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
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
from airflow_provider_retreaver.storage.temporary_folders import TemporaryFolder, attempts_of, remove_folder
from airflow_provider_retreaver.storage.whole_files import replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

NOTHING_HALF = "a manifest in place lists whole files only. Repair the storage and run the task again."
# Beginning of the names of all exports of calls.
CALLS = "calls-"
# What an attempt announces to others; see above.
MOVING, REMOVING, LEFT = "moving.json", "removing.json", "left.json"


class ExportFiles:
    """The files in place of one export, those that attempts moved there and no manifest lists included.

    :param root: the destination.
    :param key: name of the export.
    """

    def __init__(self, root: ObjectStoragePath, key: str) -> None:
        self._root = root
        self.key = key
        self.manifest = root / f"{key}.manifest.json"
        # Folders of `partition_by`, then what `Parts` and `Publication` name a file.
        self._own = re.compile(
            rf"(?:day=[\w-]+/(?:hour=\d\d/)?)?{re.escape(key)}-\d+-[0-9a-f]{{12}}(?:-[0-9a-f]{{12}})?\.[a-z.]+"
        )

    def listed(self, file: ObjectStoragePath | None = None) -> set[str] | None:
        """Return the paths of this export's files that a manifest or an announcement lists.

        :param file: None for the export's manifest.
        :return: paths below the destination; a path that cannot be one of the export's files is left out. None when
            the file exists and cannot be read, so that what it lists is not known.
        """
        file = self.manifest if file is None else file
        file.fs.invalidate_cache()
        try:
            rows = json.loads(file.read_text())["files"]
            paths = [row["path"] for row in rows]
        except FileNotFoundError:
            return set()
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        own = {path for path in paths if isinstance(path, str) and self._own.fullmatch(path)}
        if len(own) != len(paths):
            log.warning("%s lists files that are not those of %s; they are left alone", file, self.key)
        return own

    def remove_unused(self, candidates: Iterable[str], attempt: TemporaryFolder) -> None:
        """Remove the files that neither the manifest nor another attempt has.

        :param candidates: paths below the destination.
        :param attempt: the attempt that removes them, of this export or of another one.
        """
        listed = self.listed()
        unused = set() if listed is None else set(candidates) - listed
        if not unused:
            return
        # The order matters: see the module's docstring.
        write_paths(attempt, REMOVING, unused)
        retract(attempt, MOVING)
        for folder in self.running(attempt):
            moving = self.listed(folder / MOVING)
            unused = set() if moving is None else unused - moving
        # Last, since an attempt that has ended in the meantime leaves its manifest.
        listed = self.listed()
        for path in () if listed is None else sorted(unused - listed):
            with suppress(FileNotFoundError):
                (self._root / path).unlink()
        retract(attempt, REMOVING)

    def remove_left(self, folder: ObjectStoragePath, attempt: TemporaryFolder) -> None:
        """Remove what an attempt has left that ended: the files that it had moved, and its folder.

        While other attempts run, the folder stays: they may replace the manifest that lists those files.

        :param folder: of the attempt that ended.
        :param attempt: the attempt that removes it.
        """
        left = [self.listed(folder / name) or () for name in (MOVING, REMOVING, LEFT)]
        self.remove_unused({path for paths in left for path in paths}, attempt)
        if not any(self.running(attempt)):
            remove_folder(folder)

    def running(self, attempt: TemporaryFolder) -> Iterator[ObjectStoragePath]:
        """Yield the folders of the other attempts of this export that have not ended.

        :param attempt: this one, which is left out.
        :return: folders.
        """
        for other, folder in attempts_of(self._root, self.key):
            if other != attempt.attempt and not other.has_ended():
                yield folder


def write_paths(attempt: TemporaryFolder, name: str, paths: Iterable[str]) -> None:
    """Announce paths to other attempts.

    :param attempt: the attempt that announces.
    :param name: `MOVING`, `REMOVING` or `LEFT`.
    :param paths: below the destination.
    """
    value = {"files": [{"path": path} for path in sorted(paths)]}
    replace_text(attempt.make() / name, json.dumps(value), attempt.new_file())


def retract(attempt: TemporaryFolder, name: str) -> None:
    """Take an announcement back.

    :param attempt: the attempt that announced.
    :param name: see `write_paths`.
    """
    with suppress(FileNotFoundError):
        (attempt.path / name).unlink()


class Publication:
    """The files of one attempt of an export on object storage.

    :param destination: folder URL.
    :param key: name of the export, the same whenever the same window is exported.
    """

    def __init__(self, destination: str, key: str) -> None:
        self._root = storage_path(destination, "destination")
        self._files = ExportFiles(self._root, key)
        self._temporary = TemporaryFolder(self._root, key)
        self._finished: list[tuple[ObjectStoragePath, str]] = []
        self._leaves_list = False
        self.manifest = self._files.manifest

    def prepare(self) -> None:
        """Check that the destination can be written to, and remove what killed attempts have left.

        :raises InvalidArgument: when the destination is wrong or may not be written to.
        :raises StorageFailed: when the storage cannot be reached or is full.
        """
        with destination_errors(f"destination {self._root} cannot be written to"):
            # This process may have cached the folder before another attempt changed it.
            self._root.fs.invalidate_cache()
            check_writable(self._temporary.make())
            self._remove_left()
            shared = any(self._files.running(self._temporary))
        if shared:
            log.warning(
                "Another attempt is exporting the same window to %s; of both exports the one that ends last stays",
                self._root,
            )

    def _remove_left(self) -> None:
        for owner, folder in self._temporary.ended(CALLS):
            ExportFiles(self._root, owner).remove_left(folder, self._temporary)

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
        key = self._files.key
        path = f"{folder}/{key}-{name}" if folder else f"{key}-{name}"
        self._finished.append((draft, path))
        return path

    def remove_finished(self) -> None:
        """Remove all files that were finished so far."""
        for draft, _ in self._finished:
            with suppress(FileNotFoundError):
                draft.unlink()
        self._finished.clear()

    def publish(self, manifest: Mapping[str, Any]) -> None:
        """Move the files into place, then the manifest; then remove the former files.

        :param manifest: plain JSON that lists the files.
        :raises StorageFailed: when the storage fails.
        """
        with storage_errors(f"Moving the files of {self.manifest.name} into place", NOTHING_HALF):
            former = self._files.listed() or set()
            # From now on another attempt can remove what this one has moved, if it does not end.
            self._leaves_list = True
            names = self._announced(former)
            for draft, path in self._finished:
                target = self._root / names[path]
                make_folder(target.parent)
                draft.fs.mv(draft.path, target.path)
            # Another attempt may have published in the meantime.
            former |= self._files.listed() or set()
            files = [{**file, "path": names[file["path"]]} for file in manifest["files"]]
            self._write(self.manifest, {**manifest, "files": files})
            mine = former.union(names.values())
            # Another attempt may be about to replace the manifest, without knowing what it lists now.
            self._leaves_list = any(self._files.running(self._temporary))
            if self._leaves_list:
                write_paths(self._temporary, LEFT, mine)
            self._files.remove_unused(mine, self._temporary)
            retract(self._temporary, MOVING)
            self._remove_left()
        self.clean()

    def _announced(self, former: set[str]) -> dict[str, str]:
        """Return the path for each finished file: its own, or another one where an attempt removes that."""
        names = {path: path for _, path in self._finished}
        write_paths(self._temporary, MOVING, former.union(names))
        removed: set[str] = set()
        for _, folder in self._temporary.others():
            removing = self._files.listed(folder / REMOVING)
            removed |= set(names) if removing is None else removing
        if not removed.isdisjoint(names):
            names = {path: self._renamed(path) if path in removed else path for path in names}
            write_paths(self._temporary, MOVING, former.union(names.values()))
        return names

    def _renamed(self, path: str) -> str:
        key = self._files.key
        ending = path.index(".", path.rindex(key) + len(key))
        return f"{path[:ending]}-{self._temporary.attempt.name[-12:]}{path[ending:]}"

    def clean(self) -> None:
        """Remove the temporary files, but for a list that is left; an error of the storage is ignored."""
        with suppress(StorageFailed), storage_errors("Cleaning up", NOTHING_HALF):
            if self._leaves_list:
                self.remove_finished()
            else:
                self._temporary.remove()
        self._temporary.release()

    def _write(self, path: ObjectStoragePath, value: Mapping[str, Any]) -> None:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        replace_text(path, text, self._temporary.new_file())
