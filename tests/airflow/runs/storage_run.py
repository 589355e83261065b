"""Exports with the real clients of S3 and Google Cloud Storage to temporary servers: run by `make test-storage`.

Not part of the test suite, because the providers need a separate environment; `-k s3` and `-k gcs` select one.
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
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_retreaver.core.errors import InvalidArgument, PartialFailure, RunUnderWay, StorageFailed
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import Account, TaskInstance
from tests.airflow.support.bucket import NAME, served
from tests.airflow.support.exports import END, START, Calls, export
from tests.airflow.support.gcs_bucket import GcsBucket
from tests.airflow.support.killed_exports import on_demand
from tests.airflow.support.recording_host import recording_host
from tests.airflow.support.s3_bucket import S3Bucket

pytestmark = [
    pytest.mark.airflow,
    # From Amazon's libraries.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    # gcsfs passes parts of files to aiohttp unchanged.
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

WINDOW = {"start": START, "end": END}
SINCE = {"start": START, "by": "updated_at", "incremental": True}


@pytest.fixture(scope="module", params=[S3Bucket, GcsBucket], ids=["s3", "gcs"])
def server(request):
    """Start one server for all tests of a kind of storage."""
    bucket = request.param()
    with served(bucket):
        yield bucket


@pytest.fixture
def bucket(server, monkeypatch):
    """Return the empty bucket, with the connection `store` to it."""
    server.empty()
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(server.connection(server.url)))
    return server


@pytest.fixture
def calls(account: Account) -> Calls:
    """Return the account's call log."""
    return Calls(account)


@pytest.fixture(scope="module")
def program(server):
    """Return a function that returns the program of killed attempts, which is started by the first call."""
    with on_demand() as get:
        yield get


def uuids_in(files):
    """Return the calls of files of any format, in order."""
    uuids = []
    for name, data in files.items():
        if name.endswith(".jsonl.gz"):
            uuids += [json.loads(line)["uuid"] for line in gzip.decompress(data).splitlines()]
        elif name.endswith(".jsonl"):
            uuids += [json.loads(line)["uuid"] for line in data.splitlines()]
        elif name.endswith(".csv"):
            uuids += [row["uuid"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
        else:
            from pyarrow import parquet

            uuids += parquet.read_table(io.BytesIO(data)).column("uuid").to_pylist()
    return uuids


@pytest.mark.parametrize(
    ("format_", "compression"), [("jsonl", "none"), ("jsonl", "gzip"), ("csv", "none"), ("parquet", "zstd")]
)
def test_every_call_of_the_window_is_exported_once(calls, bucket, format_, compression):
    """The objects of the manifest have the window's calls in order, and the bucket has no other objects."""
    uuids = calls.add(230)
    result = export(
        destination=f"{bucket.root}/calls", format=format_, compression=compression, partition_by="day",
        max_file_bytes=60_000, **WINDOW,
    )  # fmt: skip
    files = bucket.published(result)
    assert uuids_in(files) == uuids
    assert result["manifest"].startswith(f"{bucket.root}/calls/calls-created-2026")
    assert set(bucket.tree("calls/")) == {*files, result["manifest"].rpartition("/")[2]}
    assert set(bucket.tree()) == {f"calls/{name}" for name in bucket.tree("calls/")}
    assert result["complete"]


def test_a_rerun_replaces_its_own_window_and_nothing_else(calls, bucket):
    """The objects of the previous export of the window are deleted; those of other windows and other files stay."""
    uuids = calls.add(50)
    export(destination=f"{bucket.root}/calls", start=END, end="2026-01-07T00:00:00+00:00")
    bucket.put("calls/README", b"ours")
    kept = bucket.tree("calls/")
    first = export(destination=f"{bucket.root}/calls", **WINDOW)
    assert export(destination=f"{bucket.root}/calls", **WINDOW) == first
    calls.update(uuids[3], revenue=99)
    second = export(destination=f"{bucket.root}/calls", **WINDOW)
    assert uuids_in(bucket.published(second)) == uuids
    after = bucket.tree("calls/")
    assert {name: after[name] for name in kept} == kept
    assert len(after) == len(kept) + 2


def test_the_cursor_and_the_ledger(calls, bucket):
    """A later run exports updated calls and reports restated ones; without updates it writes nothing."""
    uuids = calls.add(40, revenue=10)
    assert export(destination=f"{bucket.root}/calls", **SINCE)["calls"] == 40
    calls.update(uuids[7], revenue=22.5)
    second = export(destination=f"{bucket.root}/calls", **SINCE)
    assert uuids[7] in uuids_in(bucket.published(second))
    assert second["restated"] == {"calls": 1, "revenue_change": "12.5", "payout_change": "0"}
    before = bucket.tree()
    assert export(destination=f"{bucket.root}/calls", **SINCE)["manifest"] is None
    assert bucket.tree() == before


def killed(bucket, program, kill_at, folder, **parameters):
    """Run an attempt that is killed before a given request to the storage, or never; return status and requests."""
    bucket.clear_requests(kill_at)
    attempt = {
        "folder": "/nowhere",
        "kill_at": 0,
        "parameters": {"destination": f"{bucket.root}/{folder}", **parameters},
    }
    status = program().run(attempt, bucket.set_pid)["status"]
    return status, len(bucket.requests)


@pytest.mark.parametrize("parameters", [{**WINDOW, "max_file_bytes": 30_000}, SINCE], ids=["window", "incremental"])
def test_killed_before_any_request_and_retried(calls, bucket, program, parameters):
    """After SIGKILL before every fifth request to the storage and a retry, the objects are those of a normal run."""
    start = datetime.fromisoformat("2026-01-07T00:00:00+00:00")
    uuids = calls.add(60, revenue=1, updated_at=start.isoformat())
    for folder in ("disturbed", "undisturbed"):
        assert killed(bucket, program, 0, folder, **parameters)[0] == 0
    kill_at, kills, requests = 1, 0, 99
    while kill_at < requests:
        calls.update(uuids[kill_at % 60], revenue=kill_at, updated_at=(start + timedelta(hours=kill_at)).isoformat())
        status, requests = killed(bucket, program, 0, "undisturbed", **parameters)
        assert status == 0
        # The attempt may end before, because it can have fewer requests than the normal run.
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
def test_a_missing_bucket_is_detected_first(account, bucket, parameters):
    """The error names it; it is not created, and no request is sent to Retreaver."""
    with pytest.raises(InvalidArgument, match=r"elsewhere/calls cannot be .*there is no bucket elsewhere") as raised:
        export(destination=f"{bucket.scheme}://store@elsewhere/calls", **parameters)
    assert isinstance(raised.value, AirflowFailException)
    assert bucket.names() == [NAME]
    assert account.sent() == []


@pytest.mark.parametrize("parameters", [WINDOW, SINCE], ids=["window", "incremental"])
@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch"])
def test_missing_permissions_are_detected_first(account, bucket, code, parameters):
    """Without permission or with a wrong key the task fails before a request to Retreaver, without retries."""
    bucket.refuse = lambda _: (403, code)
    with pytest.raises(
        InvalidArgument,
        match=rf"cannot be (read|written to) \({bucket.library_errors['AccessDenied']}: .*no request was sent",
    ):
        export(destination=f"{bucket.root}/calls", **parameters)
    assert account.sent() == []


def test_a_storage_that_does_not_run_is_detected_first(account, bucket, monkeypatch):
    """The error of the library becomes one sentence; the task can be retried."""
    monkeypatch.setenv("AIRFLOW_CONN_DOWN", json.dumps(bucket.connection("http://127.0.0.1:9")))
    with pytest.raises(
        StorageFailed, match=rf"cannot be written to \({bucket.library_errors['down']}: .*no request was sent"
    ):
        export(destination=f"{bucket.scheme}://down@{NAME}/calls", **WINDOW)
    assert account.sent() == []


def of_export(bucket, request):
    """Return whether a request writes or moves a part of an export."""
    return bucket.is_write(request) and "probe" not in request


@pytest.mark.parametrize(
    ("share", "refusal"),
    [
        (0.0, (403, "AccessDenied")),
        (0.3, (400, "EntityTooLarge")),
        (0.6, (0, None)),
        (1.0, (403, "AccessDenied")),
    ],
)
def test_a_failed_write_leaves_the_previous_export(calls, bucket, share, refusal):
    """Whichever write fails, from the first to the last, the files of the previous manifest are unchanged."""
    uuids = calls.add(120)
    bucket.clear_requests()
    first = export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    last = len([request for request in bucket.requests if of_export(bucket, request)]) - 1
    kept = bucket.published(first)
    calls.update(uuids[60], revenue=2)
    writes = 0

    def refuse(request: str) -> tuple[int, str | None] | None:
        nonlocal writes
        writes += of_export(bucket, request)
        return refusal if of_export(bucket, request) and writes > last * share else None

    bucket.refuse = refuse
    with pytest.raises(StorageFailed, match=bucket.library_errors[refusal[1]]):
        export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    bucket.refuse = lambda _: None
    assert bucket.published(first) == kept
    second = export(destination=f"{bucket.root}/calls", max_file_bytes=40_000, **WINDOW)
    assert uuids_in(bucket.published(second)) == uuids
    assert len(bucket.tree()) == second["files"] + 1


def test_credentials_are_in_no_log(calls, bucket, caplog, capsys):
    """Neither key nor session token of the storage is logged or in an error, at any log level."""
    caplog.set_level(logging.DEBUG)
    calls.add(20)
    export(destination=f"{bucket.root}/calls", **WINDOW)
    bucket.refuse = lambda request: (403, "AccessDenied") if bucket.is_write(request) else None
    with pytest.raises(InvalidArgument) as raised:
        export(destination=f"{bucket.root}/calls", **WINDOW)
    output = caplog.text + capsys.readouterr().out + repr(raised.value)
    assert "AccessDenied" in output
    assert [secret for secret in bucket.secrets if secret in output] == []


@pytest.fixture
def host(account, monkeypatch):
    """Start a server of recordings, which the connection allows although its address is a private one."""
    with recording_host() as running:
        connection = account.connection(extra={"download_hosts": running.url.removeprefix("http://")})
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
        yield running


def fetch(account, bucket, host, paths, **parameters):
    """Copy recordings of calls to the bucket and return the result as JSON."""
    page = [
        {"call": {
            "uuid": uuid, "created_at": "2026-01-05T12:10:00Z", "updated_at": "2026-01-05T12:20:00Z",
            "recording_url": f"{host.url}{path}",
        }}
        for uuid, path in paths.items()
    ]  # fmt: skip
    account.clear_faults()
    account.fault("/calls.json", method="GET", times=20, status=200, body=json.dumps(page))
    operator = RetreaverRecordingsToObjectStorageOperator(
        task_id="recordings", destination=f"{bucket.root}/recordings", start="2026-01-05T12:00:00+00:00",
        end="2026-01-05T12:30:00+00:00", **parameters,
    )  # fmt: skip
    return json.loads(json.dumps(operator.execute({})))


def test_recordings_are_complete_and_copied_once(account, bucket, host):
    """Also large ones of several parts and interrupted downloads; a second run downloads nothing."""
    large = bytes(range(256)) * 240_000
    host.files |= {"/a.mp3": b"sound" * 1_000, "/b.mp3": large}
    host.cuts["/b.mp3"] = [20_000_000, 30_000_000]
    paths = {"call-a": "/a.mp3", "call-b": "/b.mp3"}
    result = fetch(account, bucket, host, paths)
    assert (result["stored"], result["bytes"], result["failed"]) == (2, len(large) + 5_000, [])
    objects = bucket.objects()
    assert set(objects) == {"recordings/2026-01-05/call-a.mp3", "recordings/2026-01-05/call-b.mp3"}
    assert hashlib.sha256(objects["recordings/2026-01-05/call-b.mp3"]).digest() == hashlib.sha256(large).digest()
    assert len([path for path in host.paths() if path == "/b.mp3"]) == 3
    host.sent.clear()
    assert fetch(account, bucket, host, paths)["skipped"] == 2
    assert host.sent == []


def test_a_recording_that_cannot_be_written_is_reported(account, bucket, host):
    """The others are stored, no incomplete file remains, and a retry downloads only the failed one."""
    host.files |= {"/a.mp3": b"sound" * 1_000, "/b.mp3": b"voice" * 1_000}
    paths = {"call-a": "/a.mp3", "call-b": "/b.mp3"}
    bucket.refuse = lambda request: (
        (403, "AccessDenied")
        if bucket.is_write(request) and request.endswith("/recordings/2026-01-05/call-b.mp3")
        else None
    )
    with pytest.raises(
        PartialFailure, match=r"1 of 2 recordings .* call call-b: Writing the recording call-b\.mp3 to"
    ):
        fetch(account, bucket, host, paths)
    assert set(bucket.tree()) == {"recordings/2026-01-05/call-a.mp3"}
    bucket.refuse = lambda _: None
    host.sent.clear()
    assert fetch(account, bucket, host, paths)["stored"] == 1
    assert host.paths() == ["/b.mp3"]
    assert set(bucket.tree()) == {"recordings/2026-01-05/call-a.mp3", "recordings/2026-01-05/call-b.mp3"}


def test_one_of_two_runs_holds_the_lease(bucket):
    """A lease is made with conditional writes: a second run is refused, and a slow one finds that it was replaced."""
    from airflow_provider_retreaver.storage.lease import HOLDS, Lease

    folder, now = ObjectStoragePath(f"{bucket.root}/state"), [1_800_000_000.0]

    def lease(run: str) -> Lease:
        return Lease({"ti": TaskInstance(run_id=run)}, folder, "list", lambda: now[0])

    with lease("first") as first:
        assert first.is_exclusive
        with pytest.raises(RunUnderWay, match="run first"):
            lease("second").__enter__()
        now[0] += HOLDS / 2
        first.confirm()
        now[0] += HOLDS
        with lease("second"), pytest.raises(RunUnderWay, match="taken over"):
            first.confirm()
        with lease("third") as third:
            third.confirm()
    assert [key for key in bucket.objects("state/") if key.endswith(".json")] == ["list.lease/00000003.json"]
