"""What storages raise, told in one sentence; what is a mistake of a program or says enough itself, passed on."""

from __future__ import annotations

import errno

import pytest
from airflow.providers.common.compat.sdk import AirflowException, ObjectStoragePath

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed, Unavailable
from airflow_provider_retreaver.storage.line_files import write_jsonl
from airflow_provider_retreaver.storage.places import (
    destination_errors,
    make_folder,
    storage_errors,
    storage_place,
)

pytestmark = pytest.mark.airflow


class LibraryError(Exception):
    """Stands for the base of the errors of a storage's library, which is no `OSError`."""


class Misfit(LibraryError, ValueError):
    """Stands for a library's complaint about what it was given."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LibraryError("no route\nto the store"), r"LibraryError: no route to the store\)"),
        (OSError(errno.ENOSPC, "No space left on device"), r"OSError: No space left on device\)"),
        (LibraryError(f"https://store/{'x' * 200}\nno such right"), r"LibraryError: https:.*x no such right\)"),
        (TimeoutError("too slow"), r"TimeoutError: too slow\)"),
    ],
)
def test_what_a_storage_raises_is_one_sentence(error, said):
    """With the storage's own words in it and its error as the cause; before the first request as well."""
    with pytest.raises(StorageFailed, match=f"^Writing failed .{said}; run it again") as failed, storage_errors(
        "Writing", "run it again."
    ):  # fmt: skip
        raise error
    assert failed.value.__cause__ is error
    with pytest.raises(StorageFailed, match=f"^destination x .{said}; nothing was asked"), destination_errors(
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
        Misfit("no name of a bucket"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_retry_mends_is_an_argument(error):
    """Before the first request a place that cannot be right is a parameter that cannot."""
    with pytest.raises(InvalidArgument, match=f"destination x .{type(error).__name__}: "), destination_errors(
        "destination x"
    ):  # fmt: skip
        raise error


@pytest.mark.parametrize(
    "error",
    [KeyError("no such field"), TypeError("a mistake"), Misfit("a mistake"), Unavailable("The vendor fails."),
     AirflowException("no such connection"), InvalidArgument("window: no.")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_is_not_the_storages_passes(error):
    """Neither a mistake in a program nor an error that says enough is taken for the storage's."""
    with pytest.raises(type(error)) as raised, storage_errors("Writing", "run it again."):
        raise error
    assert raised.value is error


def test_a_folder_of_a_bucket_is_not_made(tmp_path):
    """Local folders are; where names only look like folders nothing is asked for."""
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
def test_a_storage_that_nothing_installed_knows_names_its_provider(url, provider):
    """Before the first request the sentence says which parameter it is and what to install."""
    kind = url.partition(":")[0]
    said = rf"^state_path {url} cannot be used: nothing installed here knows {kind}:// storage; install {provider}\."
    with pytest.raises(InvalidArgument, match=said):
        storage_place(url, "state_path")
    with pytest.raises(InvalidArgument, match=f"^destination {url} cannot be used"):
        write_jsonl(url, [{"id": 1}])


def test_a_storage_that_nobody_knows_is_an_argument():
    """Whether the path or the storage behind it is refused, the parameter is named."""
    with pytest.raises(InvalidArgument, match=r"^source tape://drive/calls cannot be used \(ValueError: .*tape"):
        storage_place("tape://drive/calls", "source")
