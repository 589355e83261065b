"""Batches and claims: each webhook gets into one batch and each batch to one run, whatever is killed in between."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.webhooks.announcing import Announcer
from airflow_provider_retreaver.webhooks.claims import claim, claimed
from airflow_provider_retreaver.webhooks.collector import Collector
from airflow_provider_retreaver.webhooks.reading import claim_batches
from airflow_provider_retreaver.webhooks.spool import Spool
from tests.airflow.support.webhooks import MovedClock, all_calls, batched_calls, keep, settings_for, spool_in, webhook

pytestmark = pytest.mark.airflow
DAY = timedelta(days=1)


@pytest.fixture(params=["file", "memory"])
def spool(request, tmp_path):
    """Return a spool on a disk and one in memory, whose library creates files as those of buckets do."""
    sys.modules[ObjectStoragePath.__module__].attach("memory", fs=MemoryFileSystem())
    return spool_in(tmp_path, spool=f"{request.param}://{tmp_path}/spool")


def collector(spool, clock=None, **options):
    """Return a collector that knows nothing, as after a restart."""
    return Collector(spool, **{"window": DAY, "keep": 7 * DAY, "clock": clock or MovedClock(), **options})


def test_webhooks_get_into_batches(spool):
    """What waits is put into batches of a bounded size, in the order in which it came."""
    for number in range(7):
        keep(spool, webhook(number))
    made = collector(spool, most=3).collect()
    assert [batch.number for batch in made] == [1, 2, 3]
    assert sorted(all_calls(spool)) == [f"call-{number}" for number in range(7)]
    assert [len(calls) for calls in batched_calls(spool)] == [3, 3, 1]
    assert spool.waiting() == []
    assert collector(spool).collect() == []


def test_webhooks_that_are_sent_again(spool):
    """The same call is taken once: in a file, a batch, later batches and after a restart; another event is new."""
    one = collector(spool)
    keep(spool, webhook(1), webhook(1), webhook(2))
    keep(spool, webhook(2))
    one.collect()
    keep(spool, webhook(1), webhook(3))
    one.collect()
    keep(spool, webhook(3), webhook(1, event="90 s"))
    keep(spool, {**webhook(2), "call_uuid": "CALL-2"})
    collector(spool).collect()
    assert batched_calls(spool) == [["call-1", "call-2"], ["call-3"], ["call-1"]]
    assert spool.waiting() == []


def test_the_window(spool):
    """A call that comes again after the window is another webhook."""
    clock = MovedClock()
    one = collector(spool, clock)
    for hours in (0, 23, 25):
        clock.now = MovedClock().now + timedelta(hours=hours)
        keep(spool, webhook(1, at=clock.now))
        one.collect()
    assert batched_calls(spool) == [["call-1"], ["call-1"]]


def test_webhooks_that_waited_long(spool):
    """While no triggerer ran for days, repeats of that time are recognized by the batches of that time."""
    clock = MovedClock()
    keep(spool, webhook(1, at=clock.now))
    collector(spool, clock).collect()
    keep(spool, webhook(1, at=clock.now + timedelta(hours=1)), webhook(2, at=clock.now))
    clock.pass_(days=5)
    collector(spool, clock).collect()
    assert batched_calls(spool) == [["call-1"], ["call-2"]]


@pytest.mark.parametrize("fails", ["remove_waiting", "append"])
def test_a_collector_that_is_killed(spool, monkeypatch, fails):
    """Killed after the batch was made, or before: the next collector finishes the work."""
    keep(spool, webhook(1), webhook(2))
    killed = collector(spool)

    def die(*_):
        if fails == "append" or spool.numbers():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spool, fails, die)
        with pytest.raises(KeyboardInterrupt):
            killed.collect()
    assert len(spool.waiting()) == 1
    keep(spool, webhook(3))
    collector(spool).collect()
    assert all_calls(spool) == ["call-1", "call-2", "call-3"]
    assert spool.waiting() == []


def test_knowledge_that_could_not_be_read(spool, monkeypatch):
    """A collector that could not read all batches at its start reads all of them again."""
    for number in (1, 2):
        keep(spool, webhook(number))
        collector(spool).collect()
    keep(spool, webhook(1))
    one, read = collector(spool), Spool.read

    def fail(self, number):
        if number == 1:
            raise OSError("no")
        return read(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "read", fail)
        with pytest.raises(OSError, match="no"):
            one.collect()
    one.collect()
    assert batched_calls(spool) == [["call-1"], ["call-2"]]


def test_several_collectors_at_once(tmp_path):
    """Collectors and writers side by side: no webhook is lost, and none is in two batches."""
    spools = [spool_in(tmp_path) for _ in range(4)]
    done = threading.Event()
    errors = []

    def write():
        numbers = [number for number in range(60) for _ in range(2)]
        numbers = numbers[::2] + numbers[1::2]
        for number in numbers:
            keep(spools[0], webhook(number))
        done.set()

    def collect(spool):
        one = collector(spool, most=5)
        try:
            while not done.is_set() or spool.waiting():
                one.collect()
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=write), *(threading.Thread(target=collect, args=(one,)) for one in spools)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    calls = all_calls(spools[0])
    assert sorted(calls) == sorted(f"call-{number}" for number in range(60))
    assert spools[0].numbers() == list(range(1, len(spools[0].numbers()) + 1))


def test_damaged_files(spool, caplog):
    """A damaged file that waits is moved away and named; a damaged batch stops everything."""
    keep(spool, webhook(1))
    spool.keep(b'{"id": 1}\n')
    spool.keep(b"\xff\n")
    collector(spool).collect()
    assert batched_calls(spool) == [["call-1"]]
    assert caplog.text.count("is damaged and was moved away") == 2
    assert spool.waiting() == []
    spool.path(1).write_bytes(b"{}\n")
    with pytest.raises(InvalidArgument, match=r"000000000001.jsonl \(a batch of webhooks\) is damaged; restore"):
        collector(spool).collect()


def test_files_of_others_are_left_alone(spool):
    """What is no file of the spool is neither read nor removed."""
    spool.make_folders()
    (spool.folder / "incoming" / "notes.txt").write_bytes(b"x")
    (spool.folder / "batches" / "notes.txt").write_bytes(b"x")
    keep(spool, webhook(1))
    collector(spool).collect()
    assert spool.numbers() == [1]
    assert (spool.folder / "incoming" / "notes.txt").exists()


def test_a_storage_without_conditional_writes(tmp_path):
    """It is refused, since two collectors would overwrite each other's batches."""

    class Careless(MemoryFileSystem):
        """A storage that ignores the condition."""

        def pipe_file(self, path, value, mode="overwrite", **options):
            """Write a file, whether there is one or not."""
            super().pipe_file(path, value, mode="overwrite", **options)

    sys.modules[ObjectStoragePath.__module__].attach("memory", "careless", fs=Careless())
    spool = spool_in(tmp_path, spool=f"memory://careless@spool{tmp_path}")
    with pytest.raises(InvalidArgument, match="does not support conditional writes"):
        collector(spool).collect()


def test_old_batches_are_removed(spool):
    """Batches and claims go when they were kept long enough; the latest stays, so that no number is given again."""
    clock = MovedClock()
    for number in range(3):
        keep(spool, webhook(number, at=clock.now))
        collector(spool, clock).collect()
        claim(spool, number + 1, "dag.task", {"run_id": "r"})
        clock.pass_(days=4)
    assert collector(spool, clock).remove_old() == 2
    assert (spool.numbers(), claimed(spool)) == ([3], {3})
    clock.pass_(days=100)
    assert collector(spool, clock).remove_old() == 0
    keep(spool, webhook(9, at=clock.now))
    assert [batch.number for batch in collector(spool, clock).collect()] == [4]


def test_claims(spool):
    """A batch belongs to the first run that claims it, also when it asks again; each consumer has its own claims."""
    first, second = {"run_id": "first", "map_index": -1}, {"run_id": "second", "map_index": -1}
    assert claim(spool, 1, "dag.task", first) is None
    assert claim(spool, 1, "dag.task", second) == first
    assert claim(spool, 1, "dag.task", first) is None
    assert claim(spool, 1, "other/../dag." + "x" * 300, second) is None
    assert claimed(spool) == {1}
    keep(spool, webhook(1))
    collector(spool).collect()
    assert claim_batches(spool, None, "dag.task", second) == ([], {1: first})
    name = next(path for path in spool.claims.iterdir() if "dag.task" in path.name)
    name.write_bytes(b"{")
    with pytest.raises(StorageFailed, match="delete it, then the batch is handed out again"):
        claim(spool, 1, "dag.task", first)


def test_announcements(spool):
    """New batches are announced at once; those that nobody claims at the start, and every ten minutes."""
    clock = MovedClock()

    def announcer():
        return Announcer(collector(spool, clock), clock.seconds)

    one, events = announcer(), []
    for number in range(2):
        keep(spool, webhook(number))
        events += one.payloads()
    assert events == [{"company": "1", "trigger": "always", "batches": [number]} for number in (1, 2)]
    assert one.payloads() == []
    claim(spool, 1, "dag.task", {"run_id": "r"})
    clock.pass_(minutes=9)
    assert one.payloads() == []
    clock.pass_(minutes=2)
    assert [event["batches"] for event in one.payloads()] == [[2]]
    keep(spool, webhook(3))
    assert [event["batches"] for event in announcer().payloads()] == [[2, 3]]
    claim(spool, 2, "dag.task", {"run_id": "r"})
    claim(spool, 3, "dag.task", {"run_id": "r"})
    clock.pass_(minutes=11)
    assert one.payloads() == []
    assert announcer().payloads() == []


def test_many_announcements(spool, monkeypatch):
    """One event has a bounded number of batches."""
    from airflow_provider_retreaver.webhooks import announcing

    monkeypatch.setattr(announcing, "MOST", 2)
    for number in range(3):
        keep(spool, webhook(number))
    made = Announcer(collector(spool, most=1)).payloads()
    assert [event["batches"] for event in made] == [[1, 2], [3]]


def test_a_storage_that_fails(tmp_path):
    """Making batches ends in one sentence that says that nothing is lost."""
    (tmp_path / "spool").write_text("a file where a folder should be")
    announcer = Announcer.of(settings_for(tmp_path), "always", window=DAY, keep=DAY, most=10)
    with pytest.raises(StorageFailed, match=r"Making batches of webhooks failed \(.*nothing is lost"):
        announcer.payloads()


def test_no_webhook_is_logged(spool, caplog):
    """Making batches logs nothing of a webhook."""
    caplog.set_level(logging.DEBUG)
    keep(spool, webhook(1, caller_number="+19195550123"))
    Announcer(collector(spool)).payloads()
    assert "9195550123" not in caplog.text
    assert "call-1" not in caplog.text
