"""Exports through the real clients of S3 and Google Cloud Storage to servers of them: run by `make test-storage`.

Not part of the suite, since the providers need an environment of their own; `-k s3` and `-k gcs` choose one.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import logging
from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, PartialFailure, StorageFailed
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import Account
from tests.airflow.support.bucket import NAME, served
from tests.airflow.support.exports import END, START, Calls, export
from tests.airflow.support.gcs_bucket import GcsBucket
from tests.airflow.support.killed_exports import on_demand
from tests.airflow.support.recording_host import recording_host
from tests.airflow.support.s3_bucket import S3Bucket

pytestmark = [
    pytest.mark.airflow,
    # Amazon's own libraries, not ours, on this Python.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    # gcsfs hands parts of files to aiohttp as they are.
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

WINDOW = {"start": START, "end": END}
SINCE = {"start": START, "by": "updated_at", "incremental": True}


@pytest.fixture(scope="module", params=[S3Bucket, GcsBucket], ids=["s3", "gcs"])
def server(request):
    """Give a server for all tests of a kind of storage."""
    bucket = request.param()
    with served(bucket):
        yield bucket


@pytest.fixture
def bucket(server, monkeypatch):
    """Give the bucket with nothing in it, and the connection `store` to it."""
    server.empty()
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(server.connection(server.url)))
    return server


@pytest.fixture
def calls(account: Account) -> Calls:
    """Give the account's call log."""
    return Calls(account)


@pytest.fixture(scope="module")
def program(server):
    """Give the program that runs attempts to be killed; it begins when it is first asked, with `store` as it is."""
    with on_demand() as get:
        yield get


def uuids_in(files):
    """Return the calls of files of any format, in order."""
    found = []
    for name, data in files.items():
        if name.endswith(".jsonl.gz"):
            found += [json.loads(line)["uuid"] for line in gzip.decompress(data).splitlines()]
        elif name.endswith(".jsonl"):
            found += [json.loads(line)["uuid"] for line in data.splitlines()]
        elif name.endswith(".csv"):
            found += [row["uuid"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
        else:
            from pyarrow import parquet

            found += parquet.read_table(io.BytesIO(data)).column("uuid").to_pylist()
    return found


@pytest.mark.parametrize(
    ("format_", "compression"), [("jsonl", "none"), ("jsonl", "gzip"), ("csv", "none"), ("parquet", "zstd")]
)
def test_every_call_of_the_window_once(calls, bucket, format_, compression):
    """The objects that the manifest names hold the window's calls in order, and nothing else is in the bucket."""
    there = calls.add(230)
    result = export(
        destination=f"{bucket.root}/calls", format=format_, compression=compression, partition_by="day",
        max_file_bytes=60_000, **WINDOW,
    )  # fmt: skip
    files = bucket.published(result)
    assert uuids_in(files) == there
    assert result["manifest"].startswith(f"{bucket.root}/calls/calls-created-2026")
    assert set(bucket.tree("calls/")) == {*files, result["manifest"].rpartition("/")[2]}
    assert set(bucket.tree()) == {f"calls/{name}" for name in bucket.tree("calls/")}
    assert result["complete"]


def test_a_rerun_replaces_its_own_window_and_nothing_else(calls, bucket):
    """The objects of the former export of a window go; another window's and a stranger's stay as they are."""
    there = calls.add(50)
    export(destination=f"{bucket.root}/calls", start=END, end="2026-01-07T00:00:00+00:00")
    bucket.put("calls/README", b"ours")
    kept = bucket.tree("calls/")
    first = export(destination=f"{bucket.root}/calls", **WINDOW)
    assert export(destination=f"{bucket.root}/calls", **WINDOW) == first
    calls.update(there[3], revenue=99)
    second = export(destination=f"{bucket.root}/calls", **WINDOW)
    assert uuids_in(bucket.published(second)) == there
    after = bucket.tree("calls/")
    assert {name: after[name] for name in kept} == kept
    assert len(after) == len(kept) + 2


def test_the_cursor_and_the_ledger(calls, bucket):
    """A later run finds what was updated, says what was restated, and writes nothing when nothing was."""
    there = calls.add(40, revenue=10)
    assert export(destination=f"{bucket.root}/calls", **SINCE)["calls"] == 40
    calls.update(there[7], revenue=22.5)
    second = export(destination=f"{bucket.root}/calls", **SINCE)
    assert there[7] in uuids_in(bucket.published(second))
    assert second["restated"] == {"calls": 1, "revenue_change": "12.5", "payout_change": "0"}
    before = bucket.tree()
    assert export(destination=f"{bucket.root}/calls", **SINCE)["manifest"] is None
    assert bucket.tree() == before


def killed(bucket, program, kill_at, folder, **parameters):
    """Run an attempt that is killed before a request of its own to S3, or never; return its status and requests."""
    bucket.clear_requests(kill_at)
    order = {
        "folder": "/nowhere",
        "kill_at": 0,
        "parameters": {"destination": f"{bucket.root}/{folder}", **parameters},
    }
    status = program().run(order, bucket.set_pid)["status"]
    return status, len(bucket.requests)


@pytest.mark.parametrize("parameters", [{**WINDOW, "max_file_bytes": 30_000}, SINCE], ids=["window", "incremental"])
def test_killed_before_any_request_and_retried(calls, bucket, program, parameters):
    """SIGKILL before every fifth request to S3, then a retry: the same objects as if nothing had happened."""
    moment = datetime.fromisoformat("2026-01-07T00:00:00+00:00")
    there = calls.add(60, revenue=1, updated_at=moment.isoformat())
    for folder in ("disturbed", "undisturbed"):
        assert killed(bucket, program, 0, folder, **parameters)[0] == 0
    kill_at, kills, requests = 1, 0, 99
    while kill_at < requests:
        calls.update(there[kill_at % 60], revenue=kill_at, updated_at=(moment + timedelta(hours=kill_at)).isoformat())
        status, requests = killed(bucket, program, 0, "undisturbed", **parameters)
        assert status == 0
        # What one has fewer requests for, because the other was killed, may let it end before.
        status, _ = killed(bucket, program, kill_at, "disturbed", **parameters)
        kills += status == 9
        for name in bucket.objects("disturbed/"):
            if name.endswith(".manifest.json"):
                bucket.published({"manifest": name}, "disturbed/")
        assert killed(bucket, program, 0, "disturbed", **parameters)[0] == 0
        assert bucket.tree("disturbed/") == bucket.tree("undisturbed/"), kill_at
        kill_at += 5
    assert kills > 5


@pytest.mark.parametrize("parameters", [WINDOW, SINCE], ids=["window", "incremental"])
def test_a_bucket_that_is_not_there_is_found_first(account, bucket, parameters):
    """It is named in one sentence, not made, and nothing is asked of the vendor."""
    with pytest.raises(InvalidArgument, match=r"elsewhere/calls cannot be .*there is no bucket elsewhere") as caught:
        export(destination=f"{bucket.scheme}://store@elsewhere/calls", **parameters)
    assert isinstance(caught.value, AirflowFailException)
    assert bucket.names() == [NAME]
    assert account.sent() == []


@pytest.mark.parametrize("parameters", [WINDOW, SINCE], ids=["window", "incremental"])
@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch"])
def test_a_storage_that_refuses_is_found_first(account, bucket, code, parameters):
    """Who may not write there, or has a wrong key, is told so before the vendor is asked; no retry is spent."""
    bucket.refuse = lambda _: (403, code)
    with pytest.raises(
        InvalidArgument,
        match=rf"cannot be (read|written to) \({bucket.library_errors['AccessDenied']}: .*no request was sent",
    ):
        export(destination=f"{bucket.root}/calls", **parameters)
    assert account.sent() == []


def test_a_storage_that_is_down_is_found_first(account, bucket, monkeypatch):
    """Its library's own error becomes one sentence; a retry may find it up again."""
    monkeypatch.setenv("AIRFLOW_CONN_DOWN", json.dumps(bucket.connection("http://127.0.0.1:9")))
    with pytest.raises(
        StorageFailed, match=rf"cannot be written to \({bucket.library_errors['down']}: .*no request was sent"
    ):
        export(destination=f"{bucket.scheme}://down@{NAME}/calls", **WINDOW)
    assert account.sent() == []


def of_export(bucket, asked):
    """Return whether a request writes or moves a part of an export."""
    return bucket.is_write(asked) and "probe" not in asked


@pytest.mark.parametrize(
    ("share", "refusal"),
    [
        (0.0, (403, "AccessDenied")),
        (0.3, (400, "EntityTooLarge")),
        (0.6, (0, None)),
        (1.0, (403, "AccessDenied")),
    ],
)
def test_a_storage_that_fails_later_leaves_the_former_export(calls, bucket, share, refusal):
    """Whichever write fails, from the first to the last, the former export is what a reader of its manifest finds."""
    there = calls.add(120)
    bucket.clear_requests()
    first = export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    last = len([asked for asked in bucket.requests if of_export(bucket, asked)]) - 1
    kept = bucket.published(first)
    calls.update(there[60], revenue=2)
    writes = 0

    def refuse(asked: str) -> tuple[int, str | None] | None:
        nonlocal writes
        writes += of_export(bucket, asked)
        return refusal if of_export(bucket, asked) and writes > last * share else None

    bucket.refuse = refuse
    with pytest.raises(StorageFailed, match=bucket.library_errors[refusal[1]]):
        export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    bucket.refuse = lambda _: None
    assert bucket.published(first) == kept
    second = export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    assert uuids_in(bucket.published(second)) == there
    assert len(bucket.tree()) == second["files"] + 1


def test_credentials_are_in_no_log(calls, bucket, caplog, capsys):
    """Neither key nor session token of the storage is logged or raised, whatever happens, at any level."""
    caplog.set_level(logging.DEBUG)
    calls.add(20)
    export(destination=f"{bucket.root}/calls", **WINDOW)
    bucket.refuse = lambda asked: (403, "AccessDenied") if bucket.is_write(asked) else None
    with pytest.raises(InvalidArgument) as caught:
        export(destination=f"{bucket.root}/calls", **WINDOW)
    told = caplog.text + capsys.readouterr().out + repr(caught.value)
    assert "AccessDenied" in told
    assert [secret for secret in bucket.secrets if secret in told] == []


@pytest.fixture
def host():
    """Give a host of recordings."""
    with recording_host() as running:
        yield running


def fetch(account, bucket, host, places, **parameters):
    """Fetch recordings of calls to the bucket; return the result as JSON."""
    page = [
        {"call": {
            "uuid": uuid, "created_at": "2026-01-05T12:10:00Z", "updated_at": "2026-01-05T12:20:00Z",
            "recording_url": f"{host.url}{place}",
        }}
        for uuid, place in places.items()
    ]  # fmt: skip
    account.clear_faults()
    account.fault("/calls.json", method="GET", times=20, status=200, body=json.dumps(page))
    operator = RetreaverRecordingsToObjectStorageOperator(
        task_id="recordings", destination=f"{bucket.root}/recordings", start="2026-01-05T12:00:00+00:00",
        end="2026-01-05T12:30:00+00:00", **parameters,
    )  # fmt: skip
    return json.loads(json.dumps(operator.execute({})))


def test_recordings_are_whole_and_fetched_once(account, bucket, host, monkeypatch):
    """Large ones (several parts), ones that break off; a second run fetches nothing."""
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection()))
    large = bytes(range(256)) * 240_000
    host.files |= {"/a.mp3": b"sound" * 1_000, "/b.mp3": large}
    host.cuts["/b.mp3"] = [20_000_000, 30_000_000]
    places = {"call-a": "/a.mp3", "call-b": "/b.mp3"}
    result = fetch(account, bucket, host, places)
    assert (result["stored"], result["bytes"], result["failed"]) == (2, len(large) + 5_000, [])
    found = bucket.objects()
    assert set(found) == {"recordings/2026-01-05/call-a.mp3", "recordings/2026-01-05/call-b.mp3"}
    assert hashlib.sha256(found["recordings/2026-01-05/call-b.mp3"]).digest() == hashlib.sha256(large).digest()
    assert len([path for path in host.paths() if path == "/b.mp3"]) == 3
    host.sent.clear()
    assert fetch(account, bucket, host, places)["skipped"] == 2
    assert host.sent == []


def test_a_recording_that_the_storage_refuses_is_named(account, bucket, host):
    """The others are stored, nothing half-written is in place, and a retry fetches only the one."""
    host.files |= {"/a.mp3": b"sound" * 1_000, "/b.mp3": b"voice" * 1_000}
    places = {"call-a": "/a.mp3", "call-b": "/b.mp3"}
    bucket.refuse = lambda asked: (
        (403, "AccessDenied")
        if bucket.is_write(asked) and asked.endswith("/recordings/2026-01-05/call-b.mp3")
        else None
    )
    with pytest.raises(
        PartialFailure, match=r"1 of 2 recordings .* call call-b: Writing the recording call-b\.mp3 to"
    ):
        fetch(account, bucket, host, places)
    assert set(bucket.tree()) == {"recordings/2026-01-05/call-a.mp3"}
    bucket.refuse = lambda _: None
    host.sent.clear()
    assert fetch(account, bucket, host, places)["stored"] == 1
    assert host.paths() == ["/b.mp3"]
    assert set(bucket.tree()) == {"recordings/2026-01-05/call-a.mp3", "recordings/2026-01-05/call-b.mp3"}
