"""Row groups of a Parquet file, each encoded and compressed while the next one is prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.storage.background_work import BackgroundWork

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_retreaver.transfers.file_formats import Sink

# Bytes of a row group that are handed to the file at once: a write needs Python's lock. A larger group is divided.
_BUFFER = 2**20


class RowGroups:
    """Writes tables into a Parquet file, one at a time in the background.

    :param sink: the file.
    :param schema: of the tables.
    :param options: of `pyarrow.parquet.ParquetWriter`.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, **options: Any) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._file = pa.BufferedOutputStream(pa.PythonFile(sink, mode="w"), _BUFFER)
        self._writer = parquet.ParquetWriter(self._file, schema, **options)
        self._writing = BackgroundWork("parquet")

    def add(self, table: pa.Table) -> None:
        """Start to write a row group, when the one before is written.

        :param table: its rows.
        :raises OSError: when the one before could not be written, as the sink's own error.
        """

        def write() -> None:
            self._writer.write_table(table)
            self._file.flush()

        self._writing.start(write)

    def wait(self) -> None:
        """Wait until the file has all row groups.

        :raises OSError: when the last one could not be written, as the sink's own error.
        """
        self._writing.wait()

    def close(self) -> None:
        """Write the end of the file; the sink stays open."""
        self.wait()
        self._writer.close()
        # Else the sink is closed with it.
        self._file.detach()

    def drop(self) -> None:
        """Wait until nothing is being written, whatever has come of it.

        :raises StorageFailed: when the storage does not answer in the time that a stopped task has.
        """
        self._writing.drop()
