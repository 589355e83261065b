"""The file of an export job: fetched, unpacked, held against the filters, and stored whole or not at all."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import logging
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin

from airflow_provider_retreaver.core.errors import ExportFailed, Gone, NotFound, RetreaverError
from airflow_provider_retreaver.core.limits import MEGABYTE
from airflow_provider_retreaver.core.messages import Host
from airflow_provider_retreaver.core.time_parameters import instant
from airflow_provider_retreaver.domain.bidding.inbound_export import InboundTable, Spellings
from airflow_provider_retreaver.resources.rtb_inbounds import ExportJob, locate_rtb_inbound_file
from airflow_provider_retreaver.storage.csv_cells import escape_formulas
from airflow_provider_retreaver.storage.paths import storage_errors
from airflow_provider_retreaver.transfers.digested import Digested
from airflow_provider_retreaver.transfers.file_parts import ENDINGS, packed, utc_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.domain.calls.caller_privacy import Transform
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.resources.rtb_inbound_filters import InboundFilters, InboundWindow
    from airflow_provider_retreaver.transfers.file_formats import Compression
    from airflow_provider_retreaver.transfers.task_files import TaskFiles

# Rows in memory at once.
CHUNK = 2_000
# Bytes of a line, which has about 300; a longer one is no row.
MAX_LINE = 1_000_000
AGAIN = "a new job is made on the next try"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InboundSelection:
    """What an export of the log contains, and how it is written.

    :param filters: of its rows.
    :param window: of their times.
    :param compression: of the file.
    :param escape: whether cells that a spreadsheet would run are escaped.
    :param hide: hides the caller's number in a row, None to keep it; see `InboundTable`.
    """

    filters: InboundFilters
    window: InboundWindow
    compression: Compression
    escape: bool
    hide: Transform | None = None

    @property
    def name(self) -> str:
        """Name of the export, the same whenever the same window is exported with the same filters."""
        ends = [utc_name(instant(end)) for end in (self.window.start, self.window.end)]
        name = "-".join(["rtb_inbounds", *ends])
        filters = self.filters.as_dict()
        if not filters:
            return name
        return f"{name}-{hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def ending(self) -> str:
        """End of the file's name."""
        return f".csv{ENDINGS[self.compression]}"


class InboundFile:
    """The file of a job that has ended well.

    :param hook: of the connection.
    :param job: the job.
    :param selection: what was asked for.
    :param spellings: see `InboundTable`.
    """

    def __init__(
        self, hook: RetreaverHook, job: ExportJob, selection: InboundSelection, spellings: Spellings
    ) -> None:
        self._hook = hook
        self._job = job
        self._selection = selection
        self._spellings = spellings
        self._what = f"file of export job {job['id']}"
        self.rows = 0

    def store(self, files: TaskFiles, path: ObjectStoragePath) -> int:
        """Fetch the file and store it.

        :param files: of the task.
        :param path: where the file belongs.
        :return: bytes of the stored file; `rows` then has the number of rows.
        :raises ExportFailed: when the file is gone, damaged, or has not as many rows as the job says.
        :raises ProtocolError: when a row was not asked for.
        :raises StorageFailed: when the storage fails.
        """
        local = storage_errors(
            f"Keeping the {self._what} in the worker's folder for temporary files", "the next try fetches it again."
        )
        with local, tempfile.TemporaryFile() as fetched:
            self._fetch(fetched.write)
            fetched.seek(0)
            return files.store(path, f"the {self._what}", lambda file: self._write(fetched, file))

    def _fetch(self, sink: Callable[[bytes], object]) -> None:
        from airflow_provider_retreaver.transport.downloads import Downloads

        gone: RetreaverError | None = None
        try:
            operation = locate_rtb_inbound_file(self._job)
            location = self._hook.run(operation)
            base = self._hook.settings.urls[Host.API]
            with closing(Downloads(self._hook.settings)) as downloads:
                downloads.fetch(urljoin(f"{base}/", location.url), self._what, sink)
        except (NotFound, Gone) as error:
            gone = error
        if gone is not None:
            raise ExportFailed(f"The {self._what} is gone ({gone.message.rstrip('.')}); {AGAIN}.")

    def _write(self, fetched: IO[bytes], file: IO[bytes]) -> int:
        sink = Digested(file)
        with closing(sink), closing(packed(sink, self._selection.compression)) as target:
            try:
                for text in self._texts(fetched):
                    target.write(text)
            except BaseException:
                sink.discarding = True
                raise
        return sink.length

    def _texts(self, fetched: IO[bytes]) -> Iterator[bytes]:
        damage = ""
        try:
            with gzip.open(fetched) as unpacked:
                yield from self._chunks(csv.reader(self._lines(unpacked)))
        except (gzip.BadGzipFile, EOFError, zlib.error):
            damage = "is no gzip file, or one that is damaged or cut off"
        except csv.Error:
            damage = "is no CSV"
        if damage:
            raise ExportFailed(f"The {self._what} {damage}; {AGAIN}.")
        count = self._job.get("export_count")
        if count is not None and count != self.rows:
            raise ExportFailed(f"The {self._what} has {self.rows} rows, and the job reports {count}; {AGAIN}.")

    def _chunks(self, source: Iterator[list[str]]) -> Iterator[bytes]:
        header = next(source, None)
        if header is None:
            return
        chosen = self._selection
        table = InboundTable(header, chosen.filters, chosen.window, self._spellings, chosen.hide)
        if table.not_shown:
            log.warning(
                "The %s has no column that is known to show %s: its rows are not compared with that",
                self._what, ", ".join(table.not_shown),
            )  # fmt: skip
        yield self._csv([header])
        rows = table.rows(source)
        while chunk := list(islice(rows, CHUNK)):
            self.rows += len(chunk)
            yield self._csv(chunk)

    def _csv(self, rows: list[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(map(escape_formulas, rows) if self._selection.escape else rows)
        return text.getvalue().encode()

    def _lines(self, unpacked: gzip.GzipFile) -> Iterator[str]:
        most = self._hook.settings.limits.download_bytes
        size, encoding = 0, "utf-8-sig"
        while line := unpacked.readline(MAX_LINE + 1):
            size += len(line)
            if len(line) > MAX_LINE or size > most:
                raise ExportFailed(
                    f"The {self._what} has a line of more than {MAX_LINE} bytes, or more than {most / MEGABYTE:g} MB "
                    f"unpacked; raise the connection's extra max_download_mb if that is right, and {AGAIN}."
                )
            yield line.decode(encoding, "replace")
            encoding = "utf-8"
