"""Paths on object storage, and what storages raise as errors of this package."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, StorageFailed
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import excerpt, quoted
from airflow_provider_retreaver.storage.stoppable import StoppablePath, stoppable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# Storages without folders. Asked to make one, their libraries create the bucket that it names if it does not exist.
BUCKETS = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "wasb", "wasbs", "oss"})
# Errors that a retry cannot fix: no such bucket, no permission, a file where a folder should be, no library.
_PERMANENT = (
    FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError, ValueError,
    ImportError,
)  # fmt: skip


# Any other storage than files of the worker, or an absolute path; `file://folder` and `file:////folder` are none.
_ABSOLUTE = re.compile(r"(?!file:)[a-zA-Z][a-zA-Z0-9+.-]*://|(?:file:(?://)?)?/(?!/)")
# Package to install for a storage that is not built in.
_PROVIDERS = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "apache-airflow-providers-amazon[s3fs]"),
    **dict.fromkeys(("gs", "gcs"), "apache-airflow-providers-google"),
    **dict.fromkeys(("abfs", "abfss", "adl", "wasb", "wasbs"), "apache-airflow-providers-microsoft-azure"),
}


def storage_path(url: object, parameter: str) -> ObjectStoragePath:
    """Return a path on object storage whose kind of storage is installed.

    :param url: of a file or folder, e.g. `s3://conn@bucket/calls`.
    :param parameter: name of the DAG author's parameter, for errors.
    :return: the path; the storage was not contacted.
    :raises InvalidArgument: when no installed provider supports the storage, or its library is missing.
    :raises StorageFailed: when the storage's library cannot be set up.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if (
        not isinstance(url, (str, ObjectStoragePath, StoppablePath))
        or not is_given(url)
        or not str(url).isprintable()
    ):
        raise InvalidArgument(f"{parameter} must be a path on object storage, like s3://bucket/x, not {quoted(url)}.")
    if not _ABSOLUTE.match(str(url)):
        raise InvalidArgument(
            f"{parameter} {url} is not an absolute path: it would lie below whatever folder the worker runs in; "
            f"write a local one as file:///folder/x."
        )
    with destination_errors(f"{parameter} {url} cannot be used"):
        path = ObjectStoragePath(str(url))
        try:
            _ = path.fs
        except ValueError as error:
            provider = _PROVIDERS.get(path.protocol)
            if provider is None or "No filesystem registered" not in str(error):
                raise
            raise InvalidArgument(
                f"{parameter} {url} cannot be used: no installed package supports {path.protocol}:// storage; "
                f"install {provider}. No request was sent to Retreaver."
            ) from error
    return stoppable(path)


def has_other_endpoint(path: ObjectStoragePath) -> bool:
    """Return whether a storage is not at its own vendor's public address, such as a MinIO server or a region apart.

    :param path: on the storage, which is not contacted.
    :return: True when its settings say so.
    """
    storage = path.fs
    options = getattr(storage, "client_kwargs", None) or {}
    region = str(options.get("region_name") or "")
    environment = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST")
    return bool(
        getattr(storage, "endpoint_url", None)
        or options.get("endpoint_url")
        or region.startswith(("cn-", "us-gov-", "us-iso"))
        or any(os.environ.get(name) for name in environment)
    )


def make_folder(folder: ObjectStoragePath) -> None:
    """Make a folder and those above it where the storage has folders; a bucket is never created.

    :param folder: may exist already.
    """
    if folder.protocol not in BUCKETS:
        folder.mkdir(parents=True, exist_ok=True)


def check_writable(folder: ObjectStoragePath) -> None:
    """Write an empty file into a folder and remove it.

    :param folder: is made where the storage has folders.
    :raises FileNotFoundError: naming the bucket that does not exist; not every storage's library names it.
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
    """Turn errors of the storage into one sentence.

    Not every storage raises `OSError`: many libraries have errors of their own. An error counts as the storage's when
    it is neither one of Python, nor of this package, nor of Airflow.

    :param what: the beginning of the sentence: what was tried, e.g. `Writing the snapshot`.
    :param then: the end of the sentence: what follows for the user.
    :raises StorageFailed: from the storage's error; anything else passes.
    """
    try:
        yield
    except Exception as error:
        if not _is_from_storage(error):
            raise
        raise StorageFailed(f"{what} failed ({_message(error)}); {then}") from error


@contextmanager
def destination_errors(what: str) -> Generator[None]:
    """Say in one sentence, before the first request, why a path on object storage cannot be used.

    :param what: names parameter and path, and says what cannot be done.
    :raises InvalidArgument: when the path is wrong or access is denied.
    :raises StorageFailed: when the storage cannot be reached or is full, which a retry may fix.
    """
    try:
        yield
    except Exception as error:
        permanent = _is_permanent(error)
        if isinstance(error, RetreaverError) or not (permanent or _is_from_storage(error)):
            raise
        kind = InvalidArgument if permanent else StorageFailed
        raise kind(f"{what} ({_message(error)}); no request was sent to Retreaver.") from error


def _is_permanent(error: Exception) -> bool:
    read_only_or_long = isinstance(error, OSError) and error.errno in {errno.EROFS, errno.ENAMETOOLONG}
    if isinstance(error, _PERMANENT) or read_only_or_long:
        return True
    # gcsfs raises a plain OSError for a 403 of Google Cloud Storage.
    return type(error) is OSError and str(error).startswith("Forbidden:")


def _is_from_storage(error: Exception) -> bool:
    from airflow.providers.common.compat.sdk import AirflowException

    if isinstance(error, OSError):
        return True
    is_builtin = any(base.__module__ == "builtins" for base in type(error).__mro__[:-3])
    return not (is_builtin or isinstance(error, (RetreaverError, AirflowException)))


def _message(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    # Long enough for a library that begins with a whole URL and gives the reason after it.
    return f"{type(error).__name__}: {excerpt(text, 400).rstrip('.')}"
