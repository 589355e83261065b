"""Row groups of a Parquet file, each encoded and compressed while the next one is prepared.

Arrow does this without Python's lock, so on a second processor it takes no time of the export.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.futures import fill
from airflow_provider_retreaver.storage.stoppable import call

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from airflow_provider_retreaver.transfers.file_formats import Sink

# Bytes of a row group that are handed to the file at once: a write needs Python's lock. A larger group is divided.
_BUFFER = 2**20


class RowGroups:
    """Writes tables into a Parquet file, one at a time on a thread of its own.

    :param sink: the file.
    :param schema: of the tables.
    :param options: of `pyarrow.parquet.ParquetWriter`.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, **options: Any) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._file = pa.BufferedOutputStream(pa.PythonFile(sink, mode="w"), _BUFFER)
        self._writer = parquet.ParquetWriter(self._file, schema, **options)
        self._writing: Future[None] | None = None

    def add(self, table: pa.Table) -> None:
        """Begin to write a row group, when the one before is written.

        :param table: its rows.
        :raises OSError: when the one before could not be written, as the sink's own error.
        """
        self.settle()
        self._writing = Future()
        # A daemon, so that a storage that hangs does not keep a task that is told to stop.
        threading.Thread(
            target=copy_context().run,
            args=(fill, self._writing, self._writes(table)),
            name="retreaver-storage-parquet",
            daemon=True,
        ).start()

    def _writes(self, table: pa.Table) -> Callable[[], None]:
        def write() -> None:
            self._writer.write_table(table)
            self._file.flush()

        return write

    def settle(self) -> None:
        """Wait until the file has all row groups.

        :raises OSError: when the last one could not be written, as the sink's own error.
        """
        if self._writing is not None:
            # A signal may end the wait: then `drop` still has to wait.
            self._writing.exception()
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Write the end of the file; the sink stays open."""
        self.settle()
        self._writer.close()
        # Else the sink is closed with it.
        self._file.detach()

    def drop(self) -> None:
        """Wait until nothing is being written, whatever has come of it.

        :raises StorageFailed: when the storage does not answer in the time that a stopped task has.
        """
        if self._writing is not None:
            call(self._writing.exception)
            self._writing = None
