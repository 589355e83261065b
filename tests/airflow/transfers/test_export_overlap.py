"""Exports side by side: the manifest names files that are there, and no strange file is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_retreaver.transfers.recording_files import RecordingFiles
from tests.airflow.support.exports import END, START, export, manifest_of, tree
from tests.airflow.support.killed_exports import on_demand
from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

KEY = "calls-created-20260105T000000Z-20260106T000000Z"
SHAPE = {"start": START, "end": END, "partition_by": "day", "max_file_bytes": 30_000}
SINCE = {"start": START, "by": "updated_at", "incremental": True}


@pytest.fixture(scope="module")
def programs():
    """Give two programs that run attempts side by side; they begin when they are first asked."""
    with ExitStack() as stack:
        yield [stack.enter_context(on_demand()) for _ in range(2)]


def whole(folder: Path) -> set[str]:
    """Assert that the manifest names whole files, and return their paths."""
    (path,) = folder.glob("*.manifest.json")
    return {file["path"] for file in manifest_of({"manifest": str(path)})["files"]}


def nothing_else(folder: Path) -> None:
    """Assert that the folder holds the manifest and its files only."""
    files = {name for name in tree(folder) if not name.endswith(".manifest.json")}
    assert files == whole(folder)


@pytest.mark.parametrize("changed", [False, True], ids=["same calls", "changed calls"])
def test_an_attempt_is_stopped_while_another_one_runs(calls, tmp_path, programs, changed):
    """Wherever an attempt stands still while another one exports the window, both manifests name whole files."""
    first, second = (program() for program in programs)
    there = calls.add(80)
    assert first.attempt(tmp_path, **SHAPE)["status"] == 0
    stopped = 1
    for stop_at in range(2, 99, 5):
        calls.update(there[stop_at % 80], revenue=stop_at)
        pid = first.begin(tmp_path, stop_at, **SHAPE)
        if pid is None:
            break
        stopped += 1
        if changed:
            calls.update(there[(stop_at + 40) % 80], revenue=stop_at)
        assert second.attempt(tmp_path, **SHAPE)["status"] == 0
        whole(tmp_path)
        assert first.finish(pid) == 0
        whole(tmp_path)
        assert second.attempt(tmp_path, **SHAPE)["status"] == 0
        nothing_else(tmp_path)
    assert stopped > 5


def test_two_attempts_stop_and_go_on_in_turn(calls, tmp_path, programs):
    """Two attempts that stand still at different places and end one after the other leave one whole export."""
    first, second = (program() for program in programs)
    there = calls.add(80)
    events = first.attempt(tmp_path, **SHAPE)["events"]
    for turn in range(8):
        calls.update(there[turn], revenue=turn)
        one = first.begin(tmp_path, events - 1 - turn, **SHAPE)
        calls.update(there[turn + 40], revenue=turn)
        other = second.begin(tmp_path, events - 1 - (turn * 5) % 8, **SHAPE)
        for program, pid in ((first, one), (second, other)):
            if pid is not None:
                assert program.finish(pid) == 0
                whole(tmp_path)
    assert first.attempt(tmp_path, **SHAPE)["status"] == 0
    nothing_else(tmp_path)


def test_incremental_exports_side_by_side(calls, tmp_path, programs):
    """An incremental export whose cursor another one has moved publishes nothing, and state and files stay right."""
    first, second = (program() for program in programs)
    base = datetime.fromisoformat("2026-01-07T00:00:00+00:00")
    there = calls.add(30, revenue=10, updated_at=base.isoformat())
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    for place in (disturbed, undisturbed):
        assert first.attempt(place, **SINCE)["status"] == 0
    statuses = set()
    for turn in range(1, 9):
        time = base + timedelta(hours=turn)
        calls.update(there[turn], revenue=10 + turn, updated_at=time.isoformat())
        events = first.attempt(undisturbed, **SINCE)["events"]
        pid = first.begin(disturbed, 1 + (turn * 11) % events, **SINCE)
        assert second.attempt(disturbed, **SINCE)["status"] == 0
        statuses.add(first.finish(pid))
        assert second.attempt(disturbed, **SINCE)["status"] == 0
        assert tree(disturbed) == tree(undisturbed), turn
    assert len(statuses) == 2  # some were refused


def test_recordings_with_other_filters_are_left_alone(tmp_path):
    """A task that begins with the same window while another one downloads does not remove its files."""
    one = RecordingFiles(tmp_path.as_uri(), "recordings-a")
    one.prepare()

    def fetch(file) -> int:
        file.write(b"half, ")
        other = RecordingFiles(tmp_path.as_uri(), "recordings-a")
        other.prepare()
        other.clean()
        file.write(b"whole")
        return 11

    call = {"uuid": "call-a", "created_at": "2026-01-05T12:10:00Z", "recording_url": "http://127.0.0.1/a.mp3"}
    path = one.path_of(call)
    assert one.store(path, "the recording", fetch) == 11
    one.clean()
    assert path.read_bytes() == b"half, whole"
    assert list(tree(tmp_path)) == ["2026-01-05/call-a.mp3"]


TWO_DAGS = """
import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator

with DAG("one_window", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
    RetreaverCallsToObjectStorageOperator(
        task_id="export",
        destination={destination!r},
        start={start!r},
        end={end!r},
        partition_by="day",
        max_file_bytes=30_000,
    )
"""


def test_two_dag_runs_of_one_window(airflow_lab, calls, tmp_path):
    """Two DAG runs that export one window at the same time both succeed, and leave one whole export."""
    there = calls.add(300)
    source = TWO_DAGS.format(destination=tmp_path.as_uri(), start=START, end=END)
    connections = {"retreaver_default": calls.account.connection()}
    calls.account.fault("/calls.json", method="GET", times=8, delay=1)  # so that both have begun
    homes = [airflow_lab.new_home() for _ in range(2)]
    run_dag = partial(airflow_lab.run_dag, source, connections=connections, anew=True)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda home: run_dag(home=home), homes))
    for run in runs:
        assert run.exit_code == 0, run.output
        assert run.xcoms["export"]["return_value"]["calls"] == 300
    whole(tmp_path)
    calls.update(there[0], revenue=3)
    export(destination=tmp_path.as_uri(), **SHAPE)
    nothing_else(tmp_path)


OUTSIDE = [
    "../victim.txt",
    "{root}/victim.txt",
    "calls/../../victim.txt",
    "README",
    f"x/{KEY}-00000-{'a' * 12}.jsonl",
]


def left_by_a_killed_attempt(folder: Path, files: dict[str, str]) -> Path:
    """Make the temporary folder of an attempt whose process has ended."""
    source = "from airflow_provider_retreaver.storage.temporary_folders import Attempt; print(Attempt.new().name)"
    command = [sys.executable, "-W", "ignore", "-c", source]
    name = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()[-1]
    left = folder / "_temporary" / KEY / name
    left.mkdir(parents=True)
    for file, text in files.items():
        (left / file).write_text(text)
    return left


@pytest.mark.parametrize("place", ["manifest", "moving.json", "removing.json", "left.json"])
@pytest.mark.parametrize("path", [*OUTSIDE, 5, None, ["a"]])
def test_paths_that_come_back_from_storage_are_not_trusted(calls, tmp_path, path, place):
    """A manifest, or what a killed attempt has announced, can have none but files of its own export removed."""
    calls.add(3)
    folder = tmp_path / "calls"
    (folder / "x").mkdir(parents=True)
    kept = [tmp_path / "victim.txt", folder / "README", folder / OUTSIDE[-1]]
    for file in kept:
        file.write_text("kept")
    named = path.format(root=tmp_path) if isinstance(path, str) else path
    text = json.dumps({"files": [{"path": named}]})
    if place == "manifest":
        (folder / f"{KEY}.manifest.json").write_text(text)
    else:
        left_by_a_killed_attempt(folder, {place: text})
    result = export(destination=folder.as_uri(), start=START, end=END)
    assert [file.read_text() for file in kept] == ["kept"] * 3
    assert len(tree(folder)) == 2 + result["files"] + 1
    manifest_of(result)


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": [3]}', '{"files": [{}]}', "[" * 9_999])
def test_a_manifest_that_cannot_be_read_removes_nothing(calls, tmp_path, text):
    """A damaged manifest is replaced, and what it may have listed stays."""
    calls.add(3)
    former = tmp_path / f"{KEY}-00000-{'a' * 12}.jsonl"
    former.write_text("former")
    (tmp_path / f"{KEY}.manifest.json").write_text(text)
    result = export(destination=tmp_path.as_uri(), start=START, end=END)
    manifest_of(result)
    assert former.read_text() == "former"


def test_a_storage_that_fails_between_two_files(calls, tmp_path, programs):
    """What was moved before the storage failed is in no manifest, and the next attempt removes it."""
    first, _ = (program() for program in programs)
    two_days = {"start": "2026-01-05T12:00:00Z", "end": "2026-01-06T12:00:00Z", "partition_by": "day"}
    there = calls.add(20, "2026-01-05T12:00:00Z", "2026-01-06T12:00:00Z")
    obstacle = tmp_path / "day=2026-01-06"
    obstacle.write_text("in the way")
    assert first.attempt(tmp_path, **two_days)["status"] != 0
    assert list(tmp_path.glob("*.manifest.json")) == []
    assert list((tmp_path / "day=2026-01-05").iterdir()) != []
    obstacle.unlink()
    calls.update(there[0], revenue=5)  # so that the files of the next attempt have other names
    assert first.attempt(tmp_path, **two_days)["status"] == 0
    nothing_else(tmp_path)


def test_a_killed_attempt_leaves_nothing(calls, tmp_path):
    """The next export removes what a killed attempt had moved into place, also one of another window."""
    calls.add(3)
    moved = tmp_path / f"{KEY}-00000-{'a' * 12}.jsonl"
    moved.write_text("moved")
    text = json.dumps({"files": [{"path": moved.name}]})
    left_by_a_killed_attempt(tmp_path, {"moving.json": text, "draft": "half"})
    export(destination=tmp_path.as_uri(), start=END, end="2026-01-06T12:00:00Z")
    assert (
        sorted(name.partition("Z-20260106T12")[0] for name in tree(tmp_path)) == ["calls-created-20260106T000000"] * 2
    )
