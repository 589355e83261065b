"""Files that are packed: recognized by their content, and unpacked while they are read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from airflow_provider_retreaver.core.errors import InvalidArgument

# Archives within archives that are opened.
DEEPEST = 3
PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zip")
_GZIP, _BZIP2, _XZ, _ZIP = "gzip", "bzip2", "xz", "zip"
_BEGINNINGS = {b"\x1f\x8b": _GZIP, b"\xfd7zXZ\0": _XZ, b"PK\3\4": _ZIP, b"PK\5\6": _ZIP}
# What nobody means by a file of phone numbers, with what to do instead.
_REFUSED = {
    b"(\xb5/\xfd": "a Zstandard file; pack it with gzip",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; pack the one file with gzip or zip",
    b"Rar!\x1a": "a RAR archive; pack the one file with gzip or zip",
    b"PAR1\x15": "a Parquet file; write it as csv or jsonl, or query it with sql",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as csv",
    b"SQLite format 3\0": "a SQLite database; query it with sql and sql_conn_id",
    b"%PDF-": "a PDF; save the numbers as csv or txt",
}
_OPENERS: dict[str, Callable[[BinaryIO], object]] = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}
_LONGEST = max(map(len, (*_BEGINNINGS, *_REFUSED, b"BZh91AY&SY")))
# Of a zip file's directory: the bit of members that need a password.
_ENCRYPTED = 0x1


def unpacked(stream: BinaryIO, where: str) -> tuple[BinaryIO, str | None]:
    """Return a file's content.

    :param stream: buffered, at its beginning.
    :param where: name of the file.
    :return: the content without gzip, bzip2, xz or zip, and the name that a zip file gives to its only file.
    :raises InvalidArgument: when it is of another kind that is not text, or holds several files.
    """
    name = None
    for _ in range(DEEPEST):
        kind = _kind(stream, where)
        if kind is None:
            return stream, name
        if kind == _ZIP:
            stream, name = _only_member(stream, where)
        else:
            stream = cast("BinaryIO", _OPENERS[kind](stream))
    raise InvalidArgument(f"{where} is packed more than {DEEPEST - 1} times; nothing was sent.")


def _kind(stream: BinaryIO, where: str) -> str | None:
    begin = stream.read(_LONGEST)
    stream.seek(0)
    for beginning, what in _REFUSED.items():
        if begin.startswith(beginning):
            raise InvalidArgument(f"{where} is {what}; nothing was sent.")
    if begin.startswith(b"BZh") and begin[4:10] == b"1AY&SY":
        return _BZIP2
    return next((kind for beginning, kind in _BEGINNINGS.items() if begin.startswith(beginning)), None)


def _only_member(stream: BinaryIO, where: str) -> tuple[BinaryIO, str]:
    archive = zipfile.ZipFile(stream)
    members = [member for member in archive.infolist() if not _is_hidden(member)]
    names = {member.filename for member in members}
    problem = ""
    if "[Content_Types].xml" in names or "mimetype" in names:
        problem = "is a workbook of a spreadsheet program; save the sheet as csv"
    elif len(members) != 1:
        problem = f"is a zip file of {len(members)} files; pack the one with the numbers alone"
    elif members[0].flag_bits & _ENCRYPTED:
        problem = "is a zip file with a password; store it without one"
    if problem:
        raise InvalidArgument(f"{where} {problem}; nothing was sent.")
    return cast("BinaryIO", archive.open(members[0])), members[0].filename


def _is_hidden(member: zipfile.ZipInfo) -> bool:
    """Return whether a member is a folder, or what a file manager has added."""
    name = member.filename
    return member.is_dir() or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


@contextmanager
def damage_refused(where: str) -> Iterator[None]:
    """Raise one sentence for a packed file that is damaged or cut off.

    :param where: name of the file.
    :raises InvalidArgument: when it cannot be unpacked completely.
    """
    problem = ""
    try:
        yield
    except gzip.BadGzipFile:
        problem = "a gzip file that is damaged or cut off"
    except (EOFError, zlib.error):
        problem = "a packed file that is damaged or cut off"
    except lzma.LZMAError:
        problem = "an xz file that is damaged or cut off"
    except (zipfile.BadZipFile, NotImplementedError):
        problem = "a zip file that is damaged or cut off, or packed in an unusual way"
    except OSError as error:
        # What bz2 raises has no number; an error of the storage is not about the content.
        if type(error) is not OSError or error.errno is not None or error.args != ("Invalid data stream",):
            raise
        problem = "a bzip2 file that is damaged or cut off"
    if problem:
        raise InvalidArgument(f"{where} is {problem}; nothing was sent.")
