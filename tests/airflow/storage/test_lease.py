"""A lease on object storage: one holder at a time, also after kills, slow holders and storages without conditions."""

from __future__ import annotations

import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_retreaver.core.errors import InvalidArgument, RunUnderWay, StorageFailed
from tests.airflow.support.account import StateStore, TaskInstance

pytestmark = pytest.mark.airflow
TAKEN_OVER = "This run takes over from"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock():
    """Return a clock that stands still."""
    return Clock()


def in_memory(tmp_path):
    """Return a folder on a storage in memory."""
    # Its place differs between lines of Airflow.
    sys.modules[ObjectStoragePath.__module__].attach("memory", fs=MemoryFileSystem())
    return ObjectStoragePath(f"memory://lease{tmp_path}")


@pytest.fixture(params=["file", "memory"])
def folder(request, tmp_path):
    """Return a folder on a disk and one in memory, whose library creates files as those of buckets do."""
    return ObjectStoragePath(f"file://{tmp_path}") if request.param == "file" else in_memory(tmp_path)


def lease(folder, clock, run="first", **parts):
    """Return the lease of a run."""
    from airflow_provider_retreaver.storage.lease import Lease

    return Lease({"ti": TaskInstance(run_id=run, task_id="sync", **parts)}, folder, "list", clock)


def numbers(folder):
    """Return the names of the files of the lease."""
    return sorted(path.name for path in (folder / "list.lease").iterdir())


def test_a_second_run_waits_for_the_end_of_the_first(folder, clock):
    """The error names the run that holds the lease, and when it ends by itself; afterwards the next one gets it."""
    with lease(folder, clock) as first:
        assert first.is_exclusive
        with (
            pytest.raises(
                RunUnderWay, match=r"run first of nightly.sync holds .*nothing was sent.* from 2027-01-15 08:15"
            ),
            lease(folder, clock, "second"),
        ):
            raise AssertionError
        first.confirm()
    with lease(folder, clock, "second") as second:
        second.confirm()
        assert numbers(folder) == ["00000002.json"]


def test_a_killed_run_is_followed_when_its_lease_has_ended(folder, clock, caplog):
    """Nothing gives it back; another run waits a quarter of an hour, another attempt of the same task does not."""
    lease(folder, clock).__enter__()
    clock.now += 899
    with pytest.raises(RunUnderWay):
        lease(folder, clock, "second").__enter__()
    with lease(folder, clock, try_number=2) as retry:
        retry.confirm()
    lease(folder, clock).__enter__()
    clock.now += 900
    with lease(folder, clock, "second") as second:
        second.confirm()
    assert f"{TAKEN_OVER} run first of nightly.sync, which has not ended" in caplog.text


def test_a_mapped_task_is_another_holder(folder, clock):
    """Two tasks of one run do not take each other's lease."""
    with lease(folder, clock, map_index=0), pytest.raises(RunUnderWay):
        lease(folder, clock, map_index=1).__enter__()


def test_a_slow_holder_stops(folder, clock):
    """It finds out before its next batch that another one has taken over, and does not end that one's lease."""
    with lease(folder, clock) as slow:
        clock.now += 900
        second = lease(folder, clock, "second")
        second.__enter__()
        with pytest.raises(RunUnderWay, match="taken over the lease"):
            slow.confirm()
    second.confirm()
    with pytest.raises(RunUnderWay):
        lease(folder, clock, "third").__enter__()


def test_a_holder_that_works_keeps_the_lease(folder, clock):
    """It moves the end on, at most once a minute."""
    with lease(folder, clock) as first:
        for _ in range(40):
            clock.now += 59
            first.renew()
        with pytest.raises(RunUnderWay):
            lease(folder, clock, "second").__enter__()
        before = (folder / "list.lease" / "00000001.json").read_text()
        clock.now += 59
        first.confirm()
        assert json.loads(before)["lease"]["until"] <= clock.now + 900


@pytest.mark.parametrize("difference", [-300, 300], ids=["behind", "ahead"])
def test_clocks_of_workers_five_minutes_apart(folder, clock, difference):
    """A holder that works is not taken over by a worker with another clock, and one that was killed is followed."""
    other = Clock()
    with lease(folder, clock) as first:
        for _ in range(20):
            clock.now += 60
            first.renew()
            other.now = clock.now + 59 + difference
            with pytest.raises(RunUnderWay):
                lease(folder, other, "second").__enter__()
        first.confirm()
    with lease(folder, other, "second") as second:
        clock.now = other.now - difference
        with pytest.raises(RunUnderWay):
            lease(folder, clock, "third").__enter__()
        second.confirm()
    lease(folder, clock, "killed").__enter__()
    other.now = clock.now + 899
    with pytest.raises(RunUnderWay):
        lease(folder, other, "next").__enter__()
    other.now += 1
    with lease(folder, other, "next") as following:
        following.confirm()


def test_of_many_that_start_at_once_one_gets_it(folder, clock):
    """Whatever the order, no two are inside at the same time."""
    start = Barrier(8)

    def run(name):
        entered = lease(folder, clock, f"run {name}")
        start.wait()
        try:
            entered.__enter__()
        except RunUnderWay:
            return 0
        return 1

    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(run, range(8))) == 1
        clock.now += 900


def test_a_storage_without_conditions_is_noticed(tmp_path, clock, monkeypatch, caplog):
    """A bucket that overwrites is told in the log; of two holders the one that lost its file stops."""

    def pipe_file(self, path, value, mode="overwrite", **_):
        with self.open(path, "wb") as file:
            file.write(value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    folder = in_memory(tmp_path)
    first = lease(folder, clock)
    first.__enter__()
    assert not first.is_exclusive
    assert "does not support conditional writes" in caplog.text
    # As another run would that started at the same moment.
    content = (folder / "list.lease" / "00000001.json").read_text().replace(first._token, "of another run")
    (folder / "list.lease" / "00000001.json").write_text(content)
    with pytest.raises(RunUnderWay, match="taken over"):
        first.confirm()


def test_a_disk_without_links(tmp_path, clock, monkeypatch):
    """There a file is created without its content first; an empty one is held until its writer is long gone."""

    def link(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    folder = ObjectStoragePath(f"file://{tmp_path}")
    with lease(folder, clock) as first:
        assert first.is_exclusive
        with pytest.raises(RunUnderWay):
            lease(folder, clock, "second").__enter__()
    empty = tmp_path / "list.lease" / "00000002.json"
    empty.touch()
    os.utime(empty, (clock.now, clock.now))
    with pytest.raises(RunUnderWay):
        lease(folder, clock, "second").__enter__()
    clock.now += 900
    with lease(folder, clock, "second") as second:
        second.confirm()
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"lease": {}}',
        '{"lease": {"until": "tomorrow"}}',
        '{"lease": {"until": 1e400}}',
        '{"lease": {"until": NaN}}',
        '{"lease": {"until": -1}}',
        '{"lease": {"until": true}}',
        '{"lease": {"until": 999999999999}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_lease_is_refused(folder, clock, content):
    """It is neither taken for a free one, nor does it end in an error of its own."""
    lease(folder, clock).__enter__()
    (folder / "list.lease" / "00000001.json").write_text(content)
    with pytest.raises(InvalidArgument, match=r"00000001.json \(lease\) cannot be read; check that no other run"):
        lease(folder, clock, "second").__enter__()


def test_names_from_storage_do_not_forge_log_lines(folder, clock):
    """What stands in the file of another run is quoted on one line."""
    lease(folder, clock, run="first\nERROR - all is lost\x1b[0m").__enter__()
    with pytest.raises(RunUnderWay) as raised:
        lease(folder, clock, "second").__enter__()
    assert str(raised.value).isprintable()


def test_a_place_that_cannot_be_used_is_named(tmp_path, clock):
    """A file where the folder should be is refused by name before the first request; a retry does not help."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(
        InvalidArgument, match=r"The lease in .*list.lease \(below state_path\) cannot be taken .*no request"
    ):
        lease(ObjectStoragePath(f"file://{tmp_path}/state"), clock).__enter__()


def test_a_storage_that_fails_later_stops_the_run(tmp_path, clock, monkeypatch):
    """Whether the lease is held is not known then, so nothing more may be sent; a retry continues."""
    folder = in_memory(tmp_path)
    with lease(folder, clock) as first:

        def ls(self, path, **_):
            raise OSError("the store is down")

        monkeypatch.setattr(MemoryFileSystem, "ls", ls)
        with pytest.raises(StorageFailed, match=r"Holding the lease in .*the store is down.*a retry continues"):
            first.confirm()


def test_files_that_are_no_leases_do_not_matter(folder, clock):
    """Someone else's file in the folder is neither read nor removed."""
    with lease(folder, clock):
        (folder / "list.lease" / "notes.json").write_text("x")
        (folder / "list.lease" / "٣.json").write_text("x")
    with lease(folder, clock, "second") as second:
        second.confirm()
    assert numbers(folder) == ["00000002.json", "notes.json", "٣.json"]


def test_airflows_store_shows_newer_attempts(caplog):
    """Without a folder an older attempt that was taken for dead stops; the log says that other runs are not seen."""
    from airflow_provider_retreaver.storage.lease import lease_for

    store = StateStore()
    with caplog.at_level(logging.INFO), lease_for({"task_state_store": store}, None, "list") as old:
        old.confirm()
        old.renew()
        assert "runs that overlap do not see each other" in caplog.text
        with lease_for({"task_state_store": store}, None, "list") as new:
            with pytest.raises(RunUnderWay, match="newer attempt"):
                old.confirm()
            new.confirm()
            assert not new.is_exclusive


@pytest.mark.parametrize("place", ["folder", "store"])
def test_an_attempt_that_may_still_send_is_waited_for(folder, clock, place, caplog):
    """The next attempt of the same task begins when the former has ended, or has given no sign for five minutes.

    The log then says that the two may meet.
    """
    caplog.set_level(logging.INFO)
    from airflow_provider_retreaver.storage.attempt_lease import AttemptLease
    from airflow_provider_retreaver.storage.lease import Lease

    store, context = StateStore(), {"ti": TaskInstance(task_id="reset")}

    def attempt():
        if place == "store":
            return AttemptLease(store, 300.0, clock)
        return Lease(context, folder, "list", clock, patience=300.0)

    with attempt() as first:
        clock.now += 250
        first.confirm()
        clock.now += 299
        with pytest.raises(RunUnderWay) as raised:
            attempt().__enter__()
        assert raised.value.holder in {
            "an earlier attempt of this task",
            f"run {context['ti'].run_id} of nightly.reset",
        }
    with attempt() as second:
        second.confirm()
        with pytest.raises(RunUnderWay):
            first.confirm()
        assert TAKEN_OVER not in caplog.text, "the first one has ended"
        clock.now += 300
        with attempt() as third:
            (said,) = [record for record in caplog.records if TAKEN_OVER in record.getMessage()]
            assert said.levelname == "WARNING"
            assert (
                "an earlier attempt of this task, which has not ended and gave its last sign 300 s"
                in said.getMessage()
            )
            assert "may meet" in said.getMessage()
            third.confirm()
            with pytest.raises(RunUnderWay, match=r"newer attempt|older attempt"):
                second.confirm()


@pytest.mark.parametrize("place", ["folder", "store"])
def test_a_process_that_is_gone_is_not_waited_for(folder, clock, place, caplog):
    """Where it is seen that a killed holder's process is gone from this machine, another one takes over at once."""
    caplog.set_level(logging.INFO)
    from airflow_provider_retreaver.storage.attempt_lease import AttemptLease

    def enter(run):
        return (AttemptLease(store, 300.0, clock) if place == "store" else lease(folder, clock, run)).__enter__()

    store = StateStore()
    killed = enter("first")
    with pytest.raises(RunUnderWay):
        enter("second")
    killed._attempt.release()
    assert TAKEN_OVER not in caplog.text
    enter("second").confirm()
    assert "whose process is gone" in caplog.text
    assert "may meet" not in caplog.text


def test_a_holder_that_no_machine_has_is_waited_for(folder, clock):
    """What stands in the file of a lease is not trusted to name a process."""
    from airflow_provider_retreaver.storage.temporary_folders import Attempt

    token = Attempt.new().name.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0]
    for odd in (f"{token}-{'9' * 5000}-1-{'0' * 12}", f"{token}-٣-1-{'0' * 12}", 7, None, ["x"]):
        lease(folder, clock).__enter__()
        file = max((folder / "list.lease").iterdir(), key=lambda path: path.name)
        content = json.loads(file.read_text())
        content["lease"]["token"] = odd
        file.write_text(json.dumps(content))
        with pytest.raises(RunUnderWay):
            lease(folder, clock, "second").__enter__()
        clock.now += 900


def test_without_any_place_there_is_no_lease(caplog):
    """Nothing is checked then, and the log says so."""
    from airflow_provider_retreaver.storage.lease import lease_for

    with caplog.at_level(logging.INFO), lease_for({}, None, "list") as none:
        none.confirm()
        none.renew()
    assert not none.is_exclusive
    assert caplog.text.count("in the time of one request others may still do the same. Let runs not overlap") == 1
