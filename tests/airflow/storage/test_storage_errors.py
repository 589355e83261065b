"""Errors of storages become one sentence; mistakes in a program and errors of this package pass."""

from __future__ import annotations

import errno

import pytest
from airflow.providers.common.compat.sdk import AirflowException, ObjectStoragePath

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed, Unavailable
from airflow_provider_retreaver.storage.line_files import write_jsonl
from airflow_provider_retreaver.storage.paths import (
    destination_errors,
    make_folder,
    storage_errors,
    storage_path,
)

pytestmark = pytest.mark.airflow


class LibraryError(Exception):
    """Stands for the base of the errors of a storage's library, which is no `OSError`."""


class LibraryValueError(LibraryError, ValueError):
    """Stands for a library's error about a wrong value."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LibraryError("no route\nto the store"), r"LibraryError: no route to the store\)"),
        (OSError(errno.ENOSPC, "No space left on device"), r"OSError: No space left on device\)"),
        (LibraryError(f"https://store/{'x' * 200}\nno such right"), r"LibraryError: https:.*x no such right\)"),
        (TimeoutError("too slow"), r"TimeoutError: too slow\)"),
    ],
)
def test_an_error_of_a_storage_is_one_sentence(error, message):
    """It contains the storage's message and has its error as the cause; before the first request as well."""
    with pytest.raises(StorageFailed, match=f"^Writing failed .{message}; run it again") as failed, storage_errors(
        "Writing", "run it again."
    ):  # fmt: skip
        raise error
    assert failed.value.__cause__ is error
    with pytest.raises(StorageFailed, match=f"^destination x .{message}; no request was sent"), destination_errors(
        "destination x"
    ):  # fmt: skip
        raise error


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("The specified bucket does not exist"),
        PermissionError("Forbidden"),
        OSError("Forbidden: b/warehouse/o\nno such right"),
        OSError(errno.EROFS, "Read-only file system"),
        ImportError("s3fs is not installed"),
        LibraryValueError("no name of a bucket"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_no_retry_fixes_is_an_invalid_argument(error):
    """Before the first request, a path that cannot be used is a wrong parameter."""
    with pytest.raises(InvalidArgument, match=f"destination x .{type(error).__name__}: "), destination_errors(
        "destination x"
    ):  # fmt: skip
        raise error


@pytest.mark.parametrize(
    "error",
    [KeyError("no such field"), TypeError("a mistake"), LibraryValueError("a mistake"), Unavailable("It fails."),
     AirflowException("no such connection"), InvalidArgument("window: no.")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_other_errors_pass(error):
    """A mistake in a program, or an error of this package or Airflow, is not taken for the storage's."""
    with pytest.raises(type(error)) as raised, storage_errors("Writing", "run it again."):
        raise error
    assert raised.value is error


def test_a_folder_of_a_bucket_is_not_made(tmp_path):
    """A local folder is made; where names only look like folders no request is sent."""
    make_folder(ObjectStoragePath(f"file://{tmp_path}/a/b"))
    assert (tmp_path / "a" / "b").is_dir()
    make_folder(ObjectStoragePath("s3://store@bucket/a/b"))


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("gs://warehouse/calls", "apache-airflow-providers-google"),
        ("abfs://container/calls", "apache-airflow-providers-microsoft-azure"),
    ],
)
def test_the_error_for_an_unsupported_storage_names_the_provider(url, provider):
    """Before the first request, the error names the parameter and the package to install."""
    kind = url.partition(":")[0]
    message = (
        rf"^state_path {url} cannot be used: no installed package supports {kind}:// storage; install {provider}\."
    )
    with pytest.raises(InvalidArgument, match=message):
        storage_path(url, "state_path")
    with pytest.raises(InvalidArgument, match=f"^destination {url} cannot be used"):
        write_jsonl(url, [{"id": 1}])


def test_an_unknown_storage_is_an_invalid_argument():
    """The error names the parameter."""
    with pytest.raises(InvalidArgument, match=r"^source tape://drive/calls cannot be used \(ValueError: .*tape"):
        storage_path("tape://drive/calls", "source")


@pytest.mark.parametrize(
    "url",
    [
        "file://srv/calls",
        "file:////srv/calls",
        "file://localhost/srv",
        "calls",
        "./calls",
        "file:calls",
        "//srv/calls",
    ],
)
def test_a_path_below_the_folder_of_the_worker_is_refused(url, tmp_path, monkeypatch):
    """It would be another place on every worker; nothing is written there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match="is not an absolute path"):
        storage_path(url, "destination")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["file:///srv/calls", "/srv/calls", "file:/srv/calls"])
def test_an_absolute_path(url):
    """It is the same place wherever the task runs."""
    assert str(storage_path(url, "destination").path) == "/srv/calls"
