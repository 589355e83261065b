"""Text files of a run on object storage, with or without gzip, that a reader sees whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import logging
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, TypedDict, cast

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.storage.paths import storage_path
from airflow_provider_retreaver.storage.run_state import run_path
from airflow_provider_retreaver.storage.whole_files import replacing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)

# Bytes that are passed to a storage at once.
PIECE = 1 << 18


class WrittenFile(TypedDict):
    """A file that was written.

    :param path: of the file on object storage.
    :param rows: number of rows in it.
    :param bytes: its size.
    """

    path: str
    rows: int
    bytes: int


def run_folder(context: Context, name: str) -> str:
    """Return the folder of a run's files below a state path.

    :param context: the task's context.
    :param name: what the files are, e.g. `suppression`.
    :return: see `run_path`; without a task instance `manual/<name>`.
    """
    instance = context.get("ti")
    return f"manual/{name}" if instance is None else run_path(instance, name)


def write_jsonl(destination: str, rows: Iterable[Mapping[str, object]]) -> WrittenFile:
    """Write one JSON object a line; a file that is there is replaced when all rows are written.

    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/targets.jsonl`.
    :param rows: read one after the other, so that memory does not grow with them.
    :return: path, number of rows and size in bytes.
    :raises InvalidArgument: when the destination is a folder, or no installed provider knows the storage.
    """
    if destination.endswith("/"):
        raise InvalidArgument(f"destination must be a file, like {destination}rows.jsonl, not a folder.")
    count = size = 0
    with replacing(storage_path(destination, "destination")) as draft, draft.fs.open(draft.path, "wb") as file:
        waiting = bytearray()
        for row in rows:
            line = _utf8(_json(row)) + b"\n"
            waiting += line
            count, size = count + 1, size + len(line)
            if len(waiting) >= PIECE:
                file.write(bytes(waiting))
                waiting.clear()
        file.write(bytes(waiting))
    log.info("Wrote %d rows (%d bytes) to %s", count, size, destination)
    return {"path": destination, "rows": count, "bytes": size}


def _json(row: Mapping[str, object]) -> str:
    """Return a row as JSON; NaN and Infinity, which it has no numbers for and Python reads all the same, as texts."""
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(json.loads(text, parse_constant=str), ensure_ascii=False, separators=(",", ":"))


def _utf8(text: str) -> bytes:
    """Return a text in UTF-8; half an emoji, which UTF-8 has no bytes for, is replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class Folder:
    """A folder of text files.

    :param path: of the folder on object storage.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self.path = path

    @contextmanager
    def writing(self, name: str) -> Generator[io.TextIOWrapper]:
        """Write a text file; it is in place when the block ends without an error.

        :param name: of the file; one that ends with `.gz` is compressed.
        :yield: the open file, UTF-8; lines are written with their ends.
        """
        with replacing(self.path / name) as draft, draft.open("wb") as raw, _text(raw, name) as file:
            yield file

    def write(self, name: str, lines: Iterable[str]) -> str:
        """Write a file of lines.

        :param name: see `writing`.
        :param lines: without their ends.
        :return: path of the file.
        """
        with self.writing(name) as file:
            file.writelines(f"{line}\n" for line in lines)
        return str(self.path / name)

    @contextmanager
    def reading(self, name: str) -> Generator[Iterator[str]]:
        """Read the lines of a gzip file lazily.

        :param name: of the file.
        :yield: the lines with their ends.
        :raises InvalidArgument: when the file is missing or damaged.
        """
        file = self.path / name
        damaged = not file.is_file()
        if not damaged:
            with file.open("rb") as raw, gzip.GzipFile(fileobj=raw) as unpacked:
                lines = io.TextIOWrapper(unpacked, encoding="utf-8")
                try:
                    yield lines
                except (OSError, EOFError, UnicodeError, zlib.error):
                    damaged = True
                finally:
                    lines.detach()
        if damaged:
            raise InvalidArgument(
                f"{file} is missing or damaged, so which numbers were sent is not known; check Retreaver's "
                f"list, then remove the file's folder to start over."
            )


@contextmanager
def _text(raw: IO[bytes], name: str) -> Generator[io.TextIOWrapper]:
    packed = gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=4) if name.endswith(".gz") else None
    # The files below are closed by their own context managers.
    with packed or nullcontext():
        # A rejected line may hold half an emoji.
        file = io.TextIOWrapper(
            cast("IO[bytes]", packed or raw), encoding="utf-8", errors="backslashreplace", newline=""
        )
        yield file
        file.flush()
        file.detach()
