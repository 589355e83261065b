"""Temporary folders are removed when their attempt has ended, and never before."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_retreaver.storage.temporary_folders import Attempt, TemporaryFolder
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow
PROGRAM = """
import sys
from airflow_provider_retreaver.storage.temporary_folders import Attempt
print(Attempt.new().name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path):
    """Return a local folder as object storage."""
    return ObjectStoragePath(f"file://{tmp_path}")


def names(folder):
    """Return the names of everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_an_attempt_removes_its_own_temporary_files_only(root, tmp_path):
    """Files of another attempt or another owner stay, and with them the folders above."""
    mine, other = TemporaryFolder(root, "calls-1"), TemporaryFolder(root, "calls-1")
    elsewhere = TemporaryFolder(root, "calls-2")
    for folder in (mine, other, elsewhere):
        folder.new_file("part").write_text("half")
    mine.remove_ended("calls-")
    assert (mine.path / "part").exists()
    mine.remove()
    assert not mine.path.exists()
    assert [attempt for attempt, _ in mine.others()] == [other.attempt]
    for folder in (other, elsewhere):
        assert (folder.path / "part").read_text() == "half"
        folder.remove()
    assert names(tmp_path) == []


def test_a_process_that_runs_keeps_its_folder(root, tmp_path):
    """What another process of this machine has is removed when the process is gone, not before."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        attempt = Attempt.of(process.stdout.readline().strip())
        folder = tmp_path / "_temporary" / "calls-1" / attempt.name
        folder.mkdir(parents=True)
        (folder / "part").write_text("half")
        TemporaryFolder(root, "calls-2").remove_ended("calls-")
        assert not attempt.has_ended()
        assert (folder / "part").exists()
        process.stdin.close()
    TemporaryFolder(root, "calls-2").remove_ended("recordings-")
    assert attempt.has_ended()
    assert (folder / "part").exists()
    TemporaryFolder(root, "calls-2").remove_ended("calls-")
    assert names(tmp_path) == []


def test_an_attempt_that_was_released_has_ended(root, tmp_path):
    """A process that runs many tasks does not keep the folders of those that ended."""
    mine = TemporaryFolder(root, "calls-1")
    mine.new_file("part").write_text("half")
    TemporaryFolder(root, "calls-1").remove_ended("calls-")
    assert mine.path.exists()
    mine.release()
    TemporaryFolder(root, "calls-1").remove_ended("calls-")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("days", "ended"), [(0, False), (6.9, False), (7.1, True)])
def test_another_machine_is_given_a_week(days, ended):
    """Of a process on another machine nothing is known: its folder is left alone for a week."""
    began = datetime.now(UTC) - timedelta(days=days)
    attempt = Attempt.of(f"{began:%Y%m%dT%H%M%SZ}-{'a' * 12}-{os.getpid()}-5-{'b' * 12}")
    assert attempt.has_ended() is ended


def test_a_later_process_of_the_same_id_is_another_one():
    """A process ID that was given again does not keep a dead attempt alive."""
    mine = Attempt.new()
    process, start = mine.process.split("-")
    dead = Attempt.of(mine.name.replace(mine.process, f"{process}-{int(start) - 1}"))
    assert dead.has_ended()
    assert not mine.has_ended()


@pytest.mark.parametrize(
    "name",
    ["", "..", "0123456789abcdef0123456789abcdef", "20261399T000000Z-aaaaaaaaaaaa-1-1-bbbbbbbbbbbb", "a/b", "README"],
)
def test_other_names_are_no_attempts(root, tmp_path, name):
    """Files and folders that are not those of an attempt are left alone."""
    assert Attempt.of(name) is None
    if name and name != "..":
        (tmp_path / "_temporary" / "calls-1" / name).mkdir(parents=True)
        TemporaryFolder(root, "calls-2").remove_ended("calls-")
        assert (tmp_path / "_temporary" / "calls-1" / name).is_dir()
