"""Row groups are written in the background, and what becomes of them is told."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_provider_retreaver.transfers.row_groups import RowGroups

SCHEMA = pa.schema([("x", pa.int64())])


def table(first: int) -> pa.Table:
    """Return a row group of three rows."""
    return pa.table({"x": [first, first + 1, first + 2]}, schema=SCHEMA)


class Sink(io.BytesIO):
    """A file that fails on request."""

    error: Exception | None = None

    def write(self, data: bytes) -> int:
        """Write bytes."""
        if self.error is not None:
            raise self.error
        return super().write(data)


def test_row_groups_are_written_in_order():
    """A file has all of them, and stays open."""
    sink = Sink()
    groups = RowGroups(sink, SCHEMA)
    for first in (1, 4, 7):
        groups.add(table(first))
    groups.close()
    groups.close()
    del groups
    assert parquet.read_table(io.BytesIO(sink.getvalue()))["x"].to_pylist() == list(range(1, 10))
    assert parquet.ParquetFile(io.BytesIO(sink.getvalue())).num_row_groups == 3


@pytest.mark.parametrize("end", ["add", "wait", "close"])
def test_what_failed_is_raised_when_it_is_waited_for(end):
    """The error is the file's own, once; what is dropped afterwards has none."""
    sink = Sink()
    groups = RowGroups(sink, SCHEMA)
    sink.error = OSError(28, "No space left on device")
    groups.add(table(1))
    with pytest.raises(OSError, match="No space left"):
        groups.add(table(4)) if end == "add" else getattr(groups, end)()
    groups.drop()
    sink.error = None
    groups.close()
