"""Packed files: read by their content whatever their name, or refused as what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.lists.number_sources import format_of, read_file

NUMBERS = [f"+1919{number:07d}" for number in range(5_000)]
TEXT = "\n".join(NUMBERS).encode()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def read(content: bytes, kind: str | None = "txt", **how) -> list[object]:
    """Return the values of a file."""
    return [value for _, value in read_file(io.BytesIO(content), "numbers.x", kind, **how)]


PACKED = {
    "gzip": gzip.compress(TEXT),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zip": zipped({"919.txt": TEXT}),
    "zip that is not compressed": zipped({"919.txt": TEXT}, zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)
def test_a_packed_file_is_read(content):
    """Each kind is recognized by its content."""
    assert read(content) == NUMBERS


@pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("damage", ["cut off", "changed"])
def test_a_damaged_file_is_refused(content, damage):
    """A part of a list is never the list."""
    middle = len(content) // 2
    broken = content[:middle] if damage == "cut off" else content[:middle] + b"\0" * 60 + content[middle + 60 :]
    with pytest.raises(InvalidArgument, match=r"numbers\.x is an? (gzip|packed|bzip2|xz|zip) file that is damaged"):
        read(broken)


def test_a_zip_file_with_what_file_managers_add():
    """Folders and hidden files do not count, and the name inside shows the format."""
    files = {"list/": b"", "list/dnc.csv": b"phone\n1\n", "__MACOSX/._dnc.csv": b"x", "list/.DS_Store": b"y"}
    assert read(zipped(files), None) == ["1"]
    assert read(zipped({"dnc.jsonl": b'{"phone": "1"}'}), None) == ["1"]
    assert read(zipped({"dnc.txt.gz": gzip.compress(b"1")}), None) == ["1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped({"a.txt": b"1", "b.txt": b"2"}), "a zip file of 2 files"),
        (zipped({}), "a zip file of 0 files"),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "a workbook.*save the sheet as csv"),
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "a workbook"),
        (zipped({"dnc.dat": b"1"}), "no known ending; set source_format"),
        (gzip.compress(gzip.compress(gzip.compress(TEXT))), "packed more than 2 times"),
        (b"(\xb5/\xfd\x04\0", "a Zstandard file; pack it with gzip"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        (b"Rar!\x1a\7\0", "a RAR archive"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook"),
        (b"SQLite format 3\0\x10", "a SQLite database"),
        (b"%PDF-1.7\n", "a PDF"),
    ],
)
def test_other_files_are_refused_as_what_they_are(content, message):
    """The error names the kind of the file instead of an encoding."""
    with pytest.raises(InvalidArgument, match=message):
        read(content, None)


def test_a_zip_file_with_a_password_is_refused():
    """The password has no parameter."""
    content = bytearray(zipped({"a.txt": b"1"}, zipfile.ZIP_STORED))
    directory = content.index(b"PK\1\2")
    content[directory + 8] |= 1
    with pytest.raises(InvalidArgument, match="zip file with a password"):
        read(bytes(content))


class Failing(io.BytesIO):
    """A file whose storage fails after the beginning."""

    def read(self, size: int | None = -1) -> bytes:
        """Return the beginning only."""
        if self.tell() > 0:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_an_error_of_the_storage_is_not_damage():
    """What the storage raises is retried by Airflow, so it stays what it is."""
    with pytest.raises(OSError, match="Input/output error") as error:
        list(read_file(Failing(PACKED["bzip2"]), "numbers.x", "txt"))
    assert error.value.errno == 5


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("dnc.csv.bz2", "csv"), ("dnc.txt.xz", "txt"), ("dnc.txt.zip", "txt"), ("dnc.zip", None), ("dnc.tsv", "csv"),
        ("dnc.tab", "csv"), ("dnc.psv.gz", "csv"),
    ],
)  # fmt: skip
def test_the_format_behind_the_ending_of_a_packed_file(path, kind):
    """Only a zip file may leave the format to the name inside."""
    assert format_of(path, None) == kind


@pytest.mark.parametrize("path", ["dnc.gz", "dnc.xz", "dnc.dat.bz2"])
def test_a_packed_file_without_a_format_is_refused(path):
    """The error names the parameter."""
    with pytest.raises(InvalidArgument, match="source_format"):
        format_of(path, None)
