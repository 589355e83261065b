"""Reading the manifest of an export again, to load its files elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.storage.paths import storage_errors, storage_path
from airflow_provider_retreaver.transfers.publication import CALLS, ExportFiles

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

AGAIN = "run the task again when the storage answers; nothing was loaded."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, checked.

    :param path: of the manifest.
    :param folder: the destination of the export.
    :param files: paths of its files below the folder, in the order of the export.
    :param calls: number of its calls.
    :param digest: of its files' contents.
    :param account: host and company of its calls, None where it does not have them.
    """

    path: str
    folder: ObjectStoragePath
    files: Sequence[str]
    calls: int
    digest: str
    account: str | None


def read_manifest(path: str, *, allow_incomplete: bool) -> Manifest:
    """Read the manifest of an export of calls to Parquet, and check that its files are there.

    :param path: of the manifest, as the export's result has it.
    :param allow_incomplete: whether the export may be one that could not be proved complete.
    :return: the manifest.
    :raises InvalidArgument: when it is gone, damaged, of another kind of export, or not complete.
    :raises StorageFailed: when a file that it lists is gone or has another size, or the storage cannot be read.
    """
    file = storage_path(path, "manifest")
    with storage_errors(f"Reading the manifest {path}", AGAIN):
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            content = None
    if content is None:
        raise InvalidArgument(f"manifest: there is no file {path}; give the manifest of an export that has ended.")
    found = _parsed(path, content)
    if not found["complete"] and not allow_incomplete:
        raise InvalidArgument(
            f"manifest: {path} is of an export that is not complete ({quoted(found.get('reason') or 'no reason')}); "
            f"export the window again, or set allow_incomplete=True."
        )
    rows: list[dict[str, Any]] = found["files"]
    paths = [row["path"] for row in rows]
    if (ExportFiles(file.parent, found["export"]).listed(file) or set()) != set(paths):
        raise InvalidArgument(f"manifest: {path} lists files that are not those of its export; export it again.")
    _check_files(path, file.parent, {row["path"]: row["bytes"] for row in rows})
    digested = json.dumps([found["export"], *(row["sha256"] for row in rows)])
    return Manifest(
        path, file.parent, paths, found["calls"], hashlib.sha256(digested.encode()).hexdigest(), found.get("account")
    )


def _parsed(path: str, content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
        kinds = {
            "export": str, "format": str, "tags": str, "complete": bool, "calls": int, "files": list,
        }  # fmt: skip
        whole = all(isinstance(found[name], kind) for name, kind in kinds.items()) and all(
            isinstance(row["path"], str) and isinstance(row["sha256"], str) and isinstance(row["bytes"], int)
            for row in found["files"]
        )
        # One that lost a file, or has one twice, must not be noted as loaded.
        whole = whole and found["calls"] == sum([row["calls"] for row in found["files"]])
        whole = whole and len({row["path"] for row in found["files"]}) == len(found["files"])
        account = found.get("account")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        whole, account = False, None
    if not whole or not found["export"].startswith(CALLS) or not isinstance(account, (str, type(None))):
        raise InvalidArgument(f"manifest: {path} is not the manifest of an export of calls; export the window again.")
    if (found["format"], found["tags"]) != ("parquet", "map"):
        raise InvalidArgument(
            f"manifest: {path} is of an export with format {quoted(found['format'])} and tags "
            f"{quoted(found['tags'])}; only format='parquet' with tags='map' can be merged."
        )
    return dict(found)


def _check_files(path: str, folder: ObjectStoragePath, sizes: Mapping[str, int]) -> None:
    missing, changed = [], []
    with storage_errors(f"Looking at the files of the manifest {path}", AGAIN):
        for name, size in sizes.items():
            try:
                there = (folder / name).stat().st_size
            except FileNotFoundError:
                missing.append(name)
            else:
                changed += [] if there == size else [name]
    for what, names in (("are gone", missing), ("have another size than it says", changed)):
        if names:
            raise StorageFailed(
                f"{len(names)} files of the manifest {path} {what}, first {names[0]}; export the window again."
            )
