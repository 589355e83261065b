"""Tasks that are told to stop while a storage's library hangs, in whichever call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.storage.line_files import write_jsonl
from airflow_provider_retreaver.storage.paths import storage_path
from airflow_provider_retreaver.storage.table_files import write_table
from airflow_provider_retreaver.storage.whole_files import replace_text
from tests.airflow.support.exports import END, START, Calls, export
from tests.airflow.support.slow_storage import URL, slow_storage
from tests.paths import PROJECT
from tests.stopping import TimeIsUp, until_told_to_stop

pytestmark = pytest.mark.airflow

LIBRARY = "retreaver-storage"


def manifest_is_whole(storage):
    """Assert that what a manifest names is there with its size."""
    for path, content in storage.files.items():
        if path.endswith(".manifest.json"):
            for file in json.loads(content)["files"]:
                assert len(storage.files[f"bucket/calls/{file['path']}"]) == file["bytes"]


@pytest.fixture
def calls(account):
    """Give an account with calls."""
    found = Calls(account)
    found.add(60)
    return found


@pytest.mark.parametrize(
    ("hanging", "where"),
    [
        *((call, where) for call in ("open", "mv") for where in ("/calls-", "manifest", "_temporary")),
        *((call, where) for call in ("upload", "ls", "rm") for where in ("/calls-", "_temporary")),
    ],
)
def test_an_export_ends(calls, hanging, where):
    """It ends at once, no later call is waited for either, and no manifest names what is not there."""
    begun = threading.Event()

    def hangs(call, path):
        found = where in path.removeprefix("bucket/calls") and call == hanging
        # From the first call that hangs on, all do: what cleans up meets them too.
        if found:
            begun.set()
        return begun.is_set()

    with slow_storage() as storage:
        export(destination=f"{URL}/calls", start=START, end=END)
        storage.hangs = staticmethod(hangs)
        calls.add(5)
        until_told_to_stop(2, lambda: export(destination=f"{URL}/calls", start=START, end=END), LIBRARY)
        assert storage.hung
        assert all(name.startswith(LIBRARY) for _, name in storage.hung)
        manifest_is_whole(storage)
    manifest_is_whole(storage)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_ends_while_a_file_is_stored_in_the_background(calls, monkeypatch, kind):
    """Neither what hangs nor what waits for it is waited for."""
    monkeypatch.setattr("airflow_provider_retreaver.transfers.parquet_calls.ROW_GROUP", 20)
    monkeypatch.setattr("airflow_provider_retreaver.transfers.digested.CHUNK", 1_000)
    monkeypatch.setattr("fsspec.spec.AbstractBufferedFile.DEFAULT_BLOCK_SIZE", 1_000)
    exporting = partial(export, destination=f"{URL}/calls", start=START, end=END, format=kind)
    with slow_storage() as storage:
        exporting()
        before = dict(storage.files)
        calls.add(5)
        storage.hangs = staticmethod(lambda call, path: call == "upload" and not path.endswith("/probe"))
        assert until_told_to_stop(3, exporting, LIBRARY) is None
        assert [name for _, name in storage.hung] == [f"{LIBRARY}-file"]
        assert storage.files == before


def test_reading_a_source_ends():
    """A file that is read is not waited for."""
    with slow_storage(lambda call, _: call == "read") as storage:
        storage.files["bucket/numbers.csv"] = b"number\n+19195550123\n"
        path = storage_path(f"{URL}/numbers.csv", "source")

        def read():
            with path.open("rb") as file:
                return file.read()

        assert until_told_to_stop(0.3, read, LIBRARY) is None
        assert storage.hung == [("read", LIBRARY)]


def test_a_file_that_was_being_written_is_given_up():
    """Closing it, also when it is collected, does not store a part of it under the name that readers look for."""
    with slow_storage() as storage:

        def rows():
            yield {"id": 1}
            threading.Event().wait(30)

        assert until_told_to_stop(0.3, lambda: write_jsonl(f"{URL}/rows.jsonl", rows())) is None
        assert storage.files == {}


def test_what_was_done_can_be_noted_after_the_signal():
    """State files are written in the time that is left, and only in that."""
    with slow_storage() as storage:
        state = storage_path(f"{URL}/state.json", "state_path")
        with pytest.raises(TimeIsUp):
            _noted(state, "{}")
        assert storage.files == {"bucket/state.json": b"{}"}
        storage.hangs = staticmethod(lambda *_: True)
        with pytest.raises(StorageFailed, match="told to stop"):
            _noted(state, "[]")
        assert storage.files == {"bucket/state.json": b"{}"}


def _noted(state, text):
    try:
        raise TimeIsUp
    finally:
        replace_text(state, text)


def test_everything_works_as_before(calls):
    """Without a signal the stand-ins do what the storage does."""
    with slow_storage() as storage:
        first = export(destination=f"{URL}/calls", start=START, end=END, compression="gzip")
        second = export(destination=f"{URL}/calls", start=START, end=END, compression="gzip")
        assert (first["rows"], second["rows"]) == (60, 60)
        manifest_is_whole(storage)
        assert write_jsonl(f"{URL}/rows.jsonl", [{"id": n} for n in range(3)])["bytes"] == 27
        for kind in ("csv", "parquet"):
            written = write_table(f"{URL}/rows.{kind}", [{"id": n} for n in range(3)], {"id": int}, kind)
            assert written["bytes"] == len(storage.files[f"bucket/rows.{kind}"])
        path = storage_path(f"{URL}/rows.jsonl", "source")
        with path.open("rb") as file:
            assert list(file) == [b'{"id":0}\n', b'{"id":1}\n', b'{"id":2}\n']
        assert path == storage_path(path, "source")
        assert path.parent / path.name == path
        assert len({path, storage_path(path, "source")}) == 1
        with pytest.raises(FileNotFoundError):
            path.with_name("other").read_text()


# What hangs swallows every exception, as a library in C does until it returns.
HANGS = """
import signal, time

class Stop(BaseException):
    "What Airflow raises in a task's main thread."

def stop(*_):
    raise Stop

def hang(*_, **__):
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""
WORK = {
    "the lookup of a name": """
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.targets import get_target
from airflow_provider_retreaver.transport.blocking import RequestsTransport
from airflow_provider_retreaver.transport.client import RetreaverClient
settings = Settings.parse("x", password="key-of-the-api", host="http://hangs.test:80", extra={"allow_http": True})
with RetreaverClient(settings, transport=RequestsTransport(settings, resolver=hang)) as client:
    READY()
    client.run(get_target(id=1))
""",
    "a write to a storage": """
from airflow_provider_retreaver.storage.stoppable import call
READY()
call(hang)
""",
    "a statement": """
from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread
class Connection:
    cursor = close = hang
with DatabaseThread(Connection) as thread:
    READY()
    thread.run(lambda connection: connection.cursor())
""",
}


@pytest.mark.parametrize("what", WORK)
def test_what_hangs_keeps_no_process(what):
    """After SIGTERM the process of a task ends by itself, although a call of a library never returns."""
    ready = "signal.signal(signal.SIGTERM, stop); print('READY', flush=True)"
    program = f"{HANGS}\ndef READY():\n    {ready}\n{WORK[what]}"
    command = [sys.executable, "-c", program]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as task:
        assert task.stdout.readline() == b"READY\n"
        time.sleep(0.3)
        assert task.poll() is None
        started = time.monotonic()
        task.terminate()
        try:
            said = task.communicate(timeout=60)[1].decode()
        finally:
            task.kill()
        print(f"{what}: {time.monotonic() - started:.2f} s after SIGTERM")
    assert said.rstrip().endswith("Stop"), said
    assert task.returncode == 1
