"""Object storage: folders, what storages raise, and rows written so that a reader sees a whole file or none."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.answers import excerpt
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, StorageFailed

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# Storages without folders. Asked to make one, their libraries make the bucket that it names, if it is not there.
BUCKETS = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "wasb", "wasbs", "oss"})
# What no retry mends: there is no such bucket, nobody may write there, a file is in the way, a library is missing.
_WRONG = (
    FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError, ValueError,
    ImportError,
)  # fmt: skip


# Who knows a storage, where it is not built in.
_PROVIDERS = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl", "wasb", "wasbs"), "apache-airflow-providers-microsoft-azure"),
}


def storage_place(url: str, parameter: str) -> ObjectStoragePath:
    """Return a place on object storage, whose kind this Airflow knows.

    :param url: e.g. `s3://conn@bucket/calls`.
    :param parameter: the name under which the DAG gives it.
    :raises InvalidArgument: when no installed provider knows such storages, or its library is missing.
    :raises StorageFailed: when the storage's library cannot begin.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    with destination_errors(f"{parameter} {url} cannot be used"):
        place = ObjectStoragePath(url)
        try:
            _ = place.fs
        except ValueError as error:
            provider = _PROVIDERS.get(place.protocol)
            if provider is None or "No filesystem registered" not in str(error):
                raise
            raise InvalidArgument(
                f"{parameter} {url} cannot be used: nothing installed here knows {place.protocol}:// storage; "
                f"install {provider}. Nothing was asked of the vendor."
            ) from error
    return place


def make_folder(folder: ObjectStoragePath) -> None:
    """Make a folder where the storage has such; a bucket is never made."""
    if folder.protocol not in BUCKETS:
        folder.mkdir(parents=True, exist_ok=True)


def try_to_write(folder: ObjectStoragePath) -> None:
    """Write an empty file into a folder, which is made where the storage has such, and remove it.

    :raises FileNotFoundError: naming the bucket that is not there; not every storage's library says so.
    """
    make_folder(folder)
    probe = folder / "probe"
    try:
        probe.write_bytes(b"")
    except FileNotFoundError as error:
        if folder.protocol not in BUCKETS:
            raise
        raise FileNotFoundError(f"there is no bucket {folder.path.lstrip('/').partition('/')[0]}") from error
    probe.unlink()


@contextmanager
def storage_errors(what: str, then: str) -> Generator[None]:
    """Say in one sentence what the storage did not do.

    Not every storage raises `OSError`: many of their libraries have a tree of errors of their own. Those are told
    from mistakes in a program by what they are not: an error of Python, of this package or of Airflow.

    :param what: was tried, as the beginning of the sentence.
    :param then: what follows for whoever reads it.
    :raises StorageFailed: from what the storage raised; anything else passes.
    """
    try:
        yield
    except Exception as error:
        if not _from_storage(error):
            raise
        raise StorageFailed(f"{what} failed ({_told(error)}); {then}") from error


@contextmanager
def destination_errors(what: str) -> Generator[None]:
    """Say in one sentence, before the first request, why a place on object storage cannot be used.

    :param what: names parameter and place, and says what cannot be done.
    :raises InvalidArgument: when the place cannot be right, or may not be used.
    :raises StorageFailed: when the storage cannot be reached or is full: it may be mended by the next attempt.
    """
    try:
        yield
    except Exception as error:
        wrong = _no_retry_mends(error)
        if isinstance(error, RetreaverError) or not (wrong or _from_storage(error)):
            raise
        kind = InvalidArgument if wrong else StorageFailed
        raise kind(f"{what} ({_told(error)}); nothing was asked of the vendor.") from error


def _no_retry_mends(error: Exception) -> bool:
    if isinstance(error, _WRONG) or (isinstance(error, OSError) and error.errno == errno.EROFS):
        return True
    # All that gcsfs makes of the 403 of Google Cloud Storage.
    return type(error) is OSError and str(error).startswith("Forbidden:")


def _from_storage(error: Exception) -> bool:
    from airflow.providers.common.compat.sdk import AirflowException

    if isinstance(error, OSError):
        return True
    pythons = any(base.__module__ == "builtins" for base in type(error).__mro__[:-3])
    return not (pythons or isinstance(error, (RetreaverError, AirflowException)))


def _told(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # Long enough for a library that begins with a whole URL and says why after it.
    return f"{type(error).__name__}: {excerpt(said, 400).rstrip('.')}"
