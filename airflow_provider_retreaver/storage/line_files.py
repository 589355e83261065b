"""Files of a run on object storage: lines that people read, packed or not, whole or not there."""

from __future__ import annotations

import gzip
import io
import json
import logging
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.storage.places import storage_place
from airflow_provider_retreaver.storage.run_state import run_place
from airflow_provider_retreaver.storage.whole_files import replacing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)


class WrittenFile(TypedDict):
    """A file that was written: its path, number of rows, size in bytes."""

    path: str
    rows: int
    bytes: int


def place_of(context: Context, name: str) -> str:
    """Return where below a state path the files of a run are; without a task instance below `manual`."""
    instance = context.get("ti")
    return f"manual/{name}" if instance is None else run_place(instance, name)


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
    with replacing(storage_place(destination, "destination")) as draft, draft.fs.open(draft.path, "wb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            file.write(line)
            count, size = count + 1, size + len(line)
    log.info("Wrote %d rows (%d bytes) to %s", count, size, destination)
    return {"path": destination, "rows": count, "bytes": size}


class Folder:
    """A folder of files of lines.

    :param path: on object storage.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self.path = path

    @contextmanager
    def writing(self, name: str) -> Generator[io.TextIOWrapper]:
        """Write a text file, packed when its name says so; it is there when the block ends without an error."""
        with replacing(self.path / name) as draft, draft.open("wb") as raw, _text(raw, name) as file:
            yield file

    def write(self, name: str, lines: Iterable[str]) -> str:
        """Write a file of lines and return where it is."""
        with self.writing(name) as file:
            file.writelines(f"{line}\n" for line in lines)
        return str(self.path / name)

    @contextmanager
    def reading(self, name: str) -> Generator[Iterator[str]]:
        """Provide the lines of a packed file, lazily.

        :raises InvalidArgument: when the file is not there, or damaged.
        """
        file = self.path / name
        damaged = not file.is_file()
        if not damaged:
            with file.open("rb") as raw, gzip.GzipFile(fileobj=raw) as packed:
                lines = io.TextIOWrapper(packed, encoding="utf-8")
                try:
                    yield lines
                except (OSError, EOFError, UnicodeError, zlib.error):
                    damaged = True
                finally:
                    lines.detach()
        if damaged:
            raise InvalidArgument(
                f"{file} is missing or damaged, so what was sent is not known; look at the vendor's list, then "
                f"remove its folder to start over."
            )


@contextmanager
def _text(raw: Any, name: str) -> Generator[io.TextIOWrapper]:
    if not name.endswith(".gz"):
        file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield file
        file.flush()
        file.detach()
        return
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=4) as packed:
        file = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        yield file
        file.flush()
        file.detach()
