"""Files on object storage that a reader sees whole or not at all: written under a temporary name, then moved."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.storage.paths import BUCKETS, make_folder, storage_errors

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


@contextmanager
def replacing(file: ObjectStoragePath, temporary: ObjectStoragePath | None = None) -> Generator[ObjectStoragePath]:
    """Write a file and move it into place when the block ends without an error.

    When the block fails, the temporary file is removed and a file that is already there stays as it is. Two writers
    of one file do not disturb each other: the last one to finish wins.

    :param file: where the file belongs; its folder is made.
    :param temporary: where to write it, on the same storage; None for a name of its own beside `file`.
    :yield: the path of the temporary file, for the block to write.
    :raises StorageFailed: when its folder cannot be made.
    """
    draft = temporary or file.with_name(f".{file.name}.{uuid.uuid4().hex}.part")
    with storage_errors(f"Making the folder {draft.parent}", "nothing was written."):
        make_folder(draft.parent)
    moved = False
    try:
        yield draft
        make_folder(file.parent)
        draft.fs.mv(draft.path, file.path)
        moved = True
    finally:
        if not moved:
            # An error here must not hide the one that stopped the block.
            with suppress(StorageFailed), storage_errors(f"Removing {draft}", "it may be deleted."):
                if draft.exists():
                    draft.unlink()


def replace_text(file: ObjectStoragePath, text: str, temporary: ObjectStoragePath | None = None) -> None:
    """Write a small file; a reader sees the old text or the new one.

    :param file: where the file belongs; its folder is made.
    :param text: the whole content.
    :param temporary: see `replacing`.
    """
    with replacing(file, temporary) as draft:
        draft.write_text(text)


def create_file(file: ObjectStoragePath, content: bytes) -> bool:
    """Create a file, which no reader sees without its content, unless it exists (a conditional write).

    :param file: on object storage; its folder exists.
    :param content: of the file.
    :return: False when it exists; then nothing was written. A storage that ignores the condition returns True.
    """
    try:
        if file.protocol == "file":
            _link(file, content)
        else:
            file.fs.pipe_file(file.path, content, mode="create")
    except FileExistsError:
        return False
    return True


def _link(file: ObjectStoragePath, content: bytes) -> None:
    draft = Path(file.path).with_name(f".{uuid.uuid4().hex}.part")
    try:
        with draft.open("xb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file.path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links; who reads the file before its content is there starts later.
            with Path(file.path).open("xb") as opened:
                opened.write(content)
                os.fsync(opened.fileno())
    finally:
        draft.unlink(missing_ok=True)


def file_names(folder: ObjectStoragePath) -> list[str]:
    """Return the names of what is directly in a folder now.

    :param folder: on object storage.
    :return: names in no order; none when there is no such folder.
    """
    fs = folder.fs
    # Listings of buckets are cached.
    fs.invalidate_cache(folder.path)
    try:
        return [str(entry).rstrip("/").rpartition("/")[2] for entry in fs.ls(folder.path, detail=False)]
    except FileNotFoundError:
        return []


def remove_if_empty(folder: ObjectStoragePath) -> None:
    """Remove a folder that holds nothing, where the storage has folders.

    :param folder: it need not exist.
    """
    # rmdir refuses a folder that another attempt has just written to; buckets only seem to have folders.
    if folder.protocol not in BUCKETS:
        with suppress(OSError):
            folder.fs.rmdir(folder.path)
