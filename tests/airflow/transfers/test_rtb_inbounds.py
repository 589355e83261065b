"""The export of the RTB log: one job, one whole file, held against the filters, whatever happens in between."""

from __future__ import annotations

import csv
import gzip
import hmac
import io
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    ExportFailed,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
    StorageFailed,
)
from airflow_provider_retreaver.operators.trigger_events import UnexpectedEvent
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator
from tests.airflow.support.account import KEY, StateStore, context_of
from tests.airflow.support.killed_attempts import kill_when, kill_while_asking
from tests.airflow.support.recording_host import recording_host

pytestmark = pytest.mark.airflow
DAY = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-06T00:00:00+00:00"}
JOBS = "POST /api/v5/exports/rtb_inbounds.json"
SPAN = {"created_at_start": DAY["start"], "created_at_end": DAY["end"]}
UNKNOWN_JOB = "Retreaver has no list of jobs to look it up in"
UNKNOWN_OUTCOME = "There may be an export job or not: .*no list of export jobs.*on_unknown_job"


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the destination."""
    return tmp_path / "rtb"


@pytest.fixture
def logged(account):
    """Provide an account with 250 rows of two campaigns, whose jobs end at once."""
    for cid in ("1", "0044"):
        account._handle("POST", "/campaigns.json", {"campaign": {"cid": cid, "name": cid}})
    for campaign_id, count in ((1, 200), (2, 50)):
        add(account, count, campaign_id=campaign_id)
    account._control("POST", "exports", {"seconds": 0})
    return account


def add(account, count, **fields):
    """Add rows of 5 January 2026."""
    account._control("POST", "rtb_inbounds", {"count": count, "fields": {**SPAN, **fields}})


def operator(folder, **parameters):
    """Make the operator."""
    given = {"destination": folder.as_uri(), "poll_interval": 0.05, "timeout": 20, **DAY, **parameters}
    return RetreaverRtbInboundsToObjectStorageOperator(task_id="export", **given)


def export(folder, context=None, **parameters) -> dict[str, Any]:
    """Execute an export, and return its result as XCom keeps it."""
    return json.loads(
        json.dumps(operator(folder, **parameters).execute(context_of() if context is None else context))
    )


def files(folder):
    """Return the files below the destination."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def rows_of(path):
    """Return the rows of a file."""
    data = Path(str(path).removeprefix("file://")).read_bytes()
    text = gzip.decompress(data) if str(path).endswith(".gz") else data
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def test_a_window_becomes_one_file(logged, folder):
    """All rows of the window are in one gzip CSV, whose name has the window; nothing else is left behind."""
    result = export(folder)
    name = "rtb_inbounds-20260105T000000Z-20260106T000000Z.csv.gz"
    path = folder / name
    assert result == {
        "path": f"file://{path}",
        "rows": 250,
        "bytes": path.stat().st_size,
        "job_id": 1,
        "window": {"start": DAY["start"], "end": DAY["end"]},
    }
    rows = rows_of(path)
    assert len({row["UUID"] for row in rows}) == 250
    assert {"Call UUID", "Status", "Campaign ID", "Source ID", "Revenue", "Payout"} <= set(rows[0])
    assert files(folder) == [path]
    (created,) = [entry for entry in logged.entries() if entry["method"] == "POST"]
    assert json.loads(created["body"]) == {"export": {"format": "csv", "params": SPAN}}


def test_the_key_is_not_sent_to_the_host_of_the_file(logged, folder, caplog, capfd):
    """The redirect is followed without the key, and its address stands in no log, result or file."""
    with caplog.at_level("DEBUG"):
        result = export(folder)
    (asked,) = [entry for entry in logged.entries() if entry["path"].startswith("/exports/")]
    assert [name for name, _ in asked["query"]] == ["X-Amz-Signature"]
    assert KEY not in json.dumps(asked)
    signature = asked["query"][0][1]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    written = "".join([*ours, *capfd.readouterr(), json.dumps(result)])
    assert signature not in written
    assert signature[::-1] not in written


@pytest.mark.parametrize(("compression", "ending"), [("gzip", ".csv.gz"), ("none", ".csv"), ("zstd", ".csv.zst")])
def test_compressions(logged, folder, compression, ending):
    """The file is compressed as asked for, and always holds the same rows."""
    result = export(folder, compression=compression)
    assert result["path"].endswith(ending)
    if compression == "zstd":
        import pyarrow as pa

        with pa.input_stream(result["path"].removeprefix("file://"), compression="zstd") as stream:
            assert stream.read().count(b"\n") == 251
    else:
        assert len(rows_of(result["path"])) == 250


def test_the_window_is_the_runs(logged, folder):
    """Without start and end it is the run's data interval; the same window replaces its file."""
    import pendulum

    interval = {f"data_interval_{name}": pendulum.datetime(2026, 1, day) for name, day in (("start", 5), ("end", 6))}
    for job_id in (1, 2):
        result = export(folder, context_of(**interval), start=None, end=None)
        assert (result["rows"], result["job_id"]) == (250, job_id)
    assert len(files(folder)) == 1


def test_filters_have_a_file_of_their_own(logged, folder):
    """Filters are part of the file's name, so that exports of one window do not replace each other."""
    first, second = export(folder), export(folder, filters="{'campaign_id': [2], 'status': 'claimed'}")
    assert first["path"] != second["path"]
    rows = rows_of(second["path"])
    assert rows
    assert {(row["Campaign ID"], row["Status"]) for row in rows} == {("2", "claimed")}


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"start": "2026-01-05"}, "start"),
        ({"start": "2025-01-01T00:00:00Z"}, "split_window"),
        ({"end": "2026-01-04T00:00:00Z"}, "end"),
        ({"filters": {"campaign_ids": 1}}, "did you mean 'campaign_id'"),
        ({"filters": {"status": "sold"}}, "status"),
        ({"filters": {"created_at": "last_7d"}}, "created_at"),
        ({"compression": "zip"}, "compression"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"timeout": "long"}, "timeout"),
        ({"destination": " "}, "destination"),
        ({"allow_unknown": "maybe"}, "allow_unknown"),
        ({"csv_escape_formulas": "maybe"}, "csv_escape_formulas"),
        ({"on_unknown_job": "wait"}, "on_unknown_job"),
        ({"phone_numbers": "drop"}, "phone_numbers"),
        ({"phone_numbers": "hash"}, "phone_numbers_conn_id"),
        ({"state_path": "nowhere://x"}, "state_path"),
    ],
)
def test_wrong_parameters_are_refused(logged, folder, parameters, name):
    """A wrong parameter is refused by name before the first request, and the task is not retried."""
    if parameters == {"start": "2026-01-05"}:
        parameters = {"start": "2026-01-05", "end": None}
    task = operator(folder, **parameters)
    with pytest.raises(InvalidArgument, match=name) as raised:
        task.execute(context_of())
    assert isinstance(raised.value, AirflowFailException)
    assert task.lineage_datasets() == ([], [])
    assert logged.sent() == []


@pytest.mark.parametrize(
    ("filters", "title"),
    [({"campaign_id": [1, 99]}, "campaign"), ({"affiliate_id": 9}, "affiliate"), ({"target_id": 9}, "target")],
)
def test_an_object_that_does_not_exist_creates_no_job(logged, folder, filters, title):
    """Retreaver would drop the ID and export others, so it is looked up first; the task is not retried."""
    with pytest.raises(NotFound, match=f"there is no {title} with ID 9") as raised:
        export(folder, filters=filters)
    assert isinstance(raised.value, AirflowFailException)
    assert logged.sent("POST") == []
    assert files(folder) == []


@pytest.mark.parametrize("filters", [{"campaign_id": 99}, {"postback_key_id": 99}])
def test_rows_of_others_create_no_job(logged, folder, filters):
    """What cannot be looked up, or need not exist, shows on the first page of the log: the filter was dropped."""
    with pytest.raises(ProtocolError, match="does not match the filter"):
        export(folder, filters=filters, allow_unknown=True)
    assert logged.sent("POST") == []


def with_file(folder, text, job=None, data=None, **parameters):
    """Export with a job whose file has another content."""
    packed = gzip.compress(text.encode()) if data is None else data
    with requests_mock.Mocker(real_http=True) as mock:
        mock.get(requests_mock.ANY, real_http=True)
        mock.get(
            f"{parameters.pop('url')}/v2/reports/rtb_inbounds/1/download",
            status_code=302,
            headers={"Location": "/file.csv.gz"},
        )
        mock.get("/file.csv.gz", content=packed, headers={"Content-Length": str(len(packed))})
        if job is not None:
            mock.get("/api/v5/exports/rtb_inbounds/1.json", json=job)
        return export(folder, **parameters)


DONE = {
    "id": 1,
    "in_progress": False,
    "errors": {},
    "export_count": 1,
    "file_upload_url": "/v2/reports/rtb_inbounds/1/download",
}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Status,Campaign ID", "claimed,1"),
        ("Status,Campaign ID", "expired,2"),
        ("Status,Source ID", "claimed,5"),
        ("Status,Publisher ID", "claimed,5"),
        ("Status,Created At", "claimed,2026-01-07T00:00:00Z"),
        ("Status,Caller State", "claimed,TX"),
    ],
)
def test_rows_of_the_file_are_held_against_the_filters(logged, folder, header, row):
    """A row that was not asked for leaves no file; the next try makes a new job."""
    logged._handle("POST", "/affiliates.json", {"affiliate": {"afid": "pub"}})
    add(logged, 1, campaign_id=2, affiliate_id=1, status="claimed", caller_state="NY")
    filters = {"campaign_id": 2, "affiliate_id": 1, "status": "claimed", "caller_state": "NY"}
    store = StateStore()
    context = context_of(task_state_store=store)
    with pytest.raises(ProtocolError, match=r"Row 1 of the file does not match") as raised:
        with_file(folder, f"{header}\n{row}\n", DONE, context=context, filters=filters, url=logged.url)
    assert not isinstance(raised.value, AirflowFailException)
    assert files(folder) == []
    assert list(store.values.values()) == ['"{}"']


@pytest.mark.parametrize(
    ("label", "cell"), [("Campaign ID", "2"), ("Campaign ID", "2.0"), ("Campaign ID", "0044"), ("Buyer ID", "")]
)
def test_a_file_may_show_customer_ids(logged, folder, label, cell):
    """Whether columns have Retreaver's IDs or the customer's (which may be none) is not said: both are taken."""
    filters = {"campaign_id": 2} if label == "Campaign ID" else {"target_id": logged.target()}
    result = with_file(folder, f"{label},x\n{cell},=1+1\n", DONE, filters=filters, url=logged.url)
    assert result["rows"] == 1


def test_callers_are_hidden(logged, folder, monkeypatch, caplog, capsys):
    """With `hash` no number of a caller is in a file, and one caller has one hash, as in exports of calls."""
    caplog.set_level("DEBUG")
    secret = "a pepper of sufficient length"
    monkeypatch.setenv("AIRFLOW_CONN_PEPPER", json.dumps({"conn_type": "generic", "password": secret}))
    add(logged, 5, campaign_id=2, caller_number="+17195220377")
    plain = export(folder, filters={"campaign_id": 2})
    numbers = [row["Caller Number"] for row in rows_of(plain["path"])]
    hashed = export(folder, filters={"campaign_id": 2}, phone_numbers="hash", phone_numbers_conn_id="pepper")
    assert [row["Caller Number"] for row in rows_of(hashed["path"])] == [
        hmac.new(secret.encode(), number.encode(), "sha256").hexdigest() for number in numbers
    ]
    masked = export(folder, filters={"campaign_id": 2}, phone_numbers="mask")
    assert [row["Caller Number"] for row in rows_of(masked["path"])] == [f"+1…{number[-2:]}" for number in numbers]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert not any(number[2:] in "".join([*ours, capsys.readouterr().out]) for number in numbers)


def test_a_file_without_a_column_of_callers(logged, folder):
    """A number that cannot be hidden is not stored."""
    with pytest.raises(
        ProtocolError, match=r"No column .*\(Call UUID, Status\), so that phone_numbers cannot hide it"
    ):
        with_file(folder, "Call UUID,Status\nu-1,claimed\n", DONE, phone_numbers="mask", url=logged.url)
    assert files(folder) == []


def test_filters_that_a_file_does_not_show_are_told(logged, folder, caplog, capsys):
    """What cannot be compared is said."""
    with_file(folder, "Campaign ID\n2\n", DONE, filters={"campaign_id": 2, "duplicate": False}, url=logged.url)
    assert (
        "no column that is known to show created_at, duplicate_original_uuid" in caplog.text + capsys.readouterr().out
    )


@pytest.mark.parametrize(("escape", "cell"), [(False, "=1+1"), ("true", "'=1+1")])
def test_cells_of_the_file(logged, folder, escape, cell):
    """A key that a cell holds is masked, formulas are escaped by choice, and everything else stays as it came."""
    text = f'\ufeffCall UUID,note\nu-1,"a ""quoted""\ncell"\nu-2,x?api_key={KEY}\nu-3,=1+1\n'
    job = {**DONE, "export_count": 3}
    rows = rows_of(with_file(folder, text, job, csv_escape_formulas=escape, url=logged.url)["path"])
    assert [row["Call UUID"] for row in rows] == ["u-1", "u-2", "u-3"]
    assert (rows[0]["note"], rows[2]["note"]) == ('a "quoted"\ncell', cell)
    assert KEY.split("+")[0] not in rows[1]["note"]


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        ("a,b\n1,2\n", gzip.compress(b"a,b\n" + b"1,2\n" * 9, mtime=0)[:-9], "damaged or cut off"),
        ("", b"<html>sign in</html>", "is no gzip file"),
        ("a,b\n1\n", None, "Row 1 of the file has 1 cells"),
        ("a,b\n1,2\n3,4\n", None, "has 2 rows, and the job reports 1"),
        ("a,b\n", None, "has 0 rows, and the job reports 1"),
        ("", None, "has 0 rows"),
        (f"a\n{'x' * 1_000_001}\n", None, "a line of more than"),
        (f"a\n{'x' * 200_000}\n", None, "is no CSV"),
    ],
)
def test_a_file_that_is_not_whole(logged, folder, text, data, message):
    """A damaged file, or one with another number of rows than the job reports, is not stored."""
    with pytest.raises((ExportFailed, ProtocolError), match=message):
        with_file(folder, text, DONE, data, url=logged.url)
    assert files(folder) == []


def test_a_file_larger_than_allowed(logged, folder, monkeypatch):
    """What is unpacked has the bound of a download, so that a small file cannot become a huge one."""
    connection = logged.connection(extra={"max_download_mb": 0.01})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    with pytest.raises(
        ExportFailed, match=r"more than 0\.01 MB unpacked; raise the connection's extra max_download_mb"
    ):
        with_file(folder, "a\n" + "1\n" * 20_000, {**DONE, "export_count": 20_000}, url=logged.url)
    assert files(folder) == []


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("errors", "ended with errors: .*could not be generated"),
        ("no_file", "without errors and without a file"),
        ("gone", "is gone .*a new job is made on the next try"),
    ],
)
def test_a_job_that_fails_is_made_anew_by_the_next_try(logged, folder, outcome, message):
    """The task fails with what is wrong and may be retried; the retry creates another job, whose file is stored."""
    logged._control("POST", "exports", {"seconds": 0, "outcome": outcome})
    with pytest.raises(ExportFailed, match=message) as raised:
        export(folder)
    assert not isinstance(raised.value, AirflowFailException)
    assert files(folder) == []
    logged._control("POST", "exports", {"seconds": 0})
    assert export(folder)["job_id"] == 2


def test_a_job_that_is_gone(logged, folder):
    """A job that Retreaver does not know any more is forgotten."""
    logged._control("POST", "exports", {"seconds": 3600})
    with pytest.raises(ExportFailed, match="still in progress"):
        export(folder, timeout=0.1)
    logged.fault("/api/v5/exports/rtb_inbounds/1", status=404)
    with pytest.raises(ExportFailed, match="Export job 1 is gone"):
        export(folder)
    logged._control("POST", "exports", {"seconds": 0})
    assert export(folder)["job_id"] == 2


def test_the_worker_waits_for_the_job(logged, folder):
    """A job that takes its time is looked at again and again."""
    logged._control("POST", "exports", {"seconds": 0.3})
    assert export(folder)["rows"] == 250
    assert logged.sent().count("GET /api/v5/exports/rtb_inbounds/1.json") > 2


@pytest.mark.parametrize("memory", ["store", "file", "destination"])
def test_the_next_try_goes_on_with_the_job(logged, folder, tmp_path, memory):
    """A try that ends while the job is in progress, or while its file is fetched, leaves the job to the next one."""
    store = StateStore()
    parts = {"task_state_store": store} if memory == "store" else {}
    parameters = {"state_path": f"file://{tmp_path}/state"} if memory == "file" else {}
    logged._control("POST", "exports", {"seconds": 3600})
    with pytest.raises(ExportFailed, match=r"Export job 1 is still in progress after 0\.1 s"):
        export(folder, context_of(**parts), timeout=0.1, **parameters)
    logged._control("POST", "clock", {"advance": 3600})
    logged.fault("/exports/.*gz", method="GET", status=500, times=None)
    with pytest.raises(RetreaverError):
        export(folder, context_of(**parts), **parameters)
    logged.clear_faults()
    logged.fault("/v2/reports", method="GET", status=401)
    with pytest.raises(RetreaverError):
        export(folder, context_of(**parts), **parameters)
    result = export(folder, context_of(**parts), **parameters)
    assert (result["job_id"], result["rows"]) == (1, 250)
    assert logged.sent("POST") == [JOBS]
    assert len(files(tmp_path)) == 1, "the state is removed"


def test_other_filters_are_another_job(logged, folder):
    """A run that was changed between its tries does not get the file of the former filters."""
    logged._control("POST", "exports", {"seconds": 3600})
    for filters in ({}, {"campaign_id": 2}):
        with pytest.raises(ExportFailed, match="still in progress"):
            export(folder, timeout=0.1, filters=filters)
    assert logged.sent("POST") == [JOBS, JOBS]


def test_a_creation_whose_answer_is_lost(logged, folder, caplog, capsys):
    """There may be a job: none is made again, not by a later try either, unless the DAG's author allows it."""
    logged.fault("exports", method="POST", status=500, then="done")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=UNKNOWN_OUTCOME) as raised:
            export(folder)
        assert isinstance(raised.value, AirflowFailException)
    assert logged.sent("POST") == [JOBS]
    assert all("_state" in path.parts for path in files(folder))
    assert export(folder, on_unknown_job="create")["job_id"] == 2
    # Airflow 3 writes tasks' logs to stdout where there is no task runner.
    assert UNKNOWN_JOB in caplog.text + capsys.readouterr().out


def test_a_second_job_by_choice(logged, folder):
    """Where the author allows a second job, a try whose answer is lost is retried, and makes one to wait for."""
    logged.fault("exports", method="POST", status=500, then="done")
    with pytest.raises(OutcomeUnknown) as raised:
        export(folder, on_unknown_job="create")
    assert not isinstance(raised.value, AirflowFailException)
    assert export(folder, on_unknown_job="create")["job_id"] == 2


def test_a_creation_whose_answer_cannot_be_read(logged, folder):
    """A page instead of the job's ID is a lost answer too."""
    logged.fault("exports", method="POST", status=200, body="<html>")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=UNKNOWN_OUTCOME):
            export(folder)
    assert logged.sent("POST") == [JOBS]


def test_a_creation_that_was_refused(logged, folder, caplog, capsys):
    """There is no job then, and the next try does not say that there may be one."""
    logged.fault("exports", method="POST", status=422)
    with pytest.raises(InvalidRequest):
        export(folder)
    assert export(folder)["job_id"] == 1
    assert UNKNOWN_JOB not in caplog.text + capsys.readouterr().out


def test_a_storage_that_fails_keeps_the_job(logged, folder, monkeypatch):
    """A full disk is no fault of the job: the next try fetches the same file."""
    from fsspec.implementations.local import LocalFileSystem

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(LocalFileSystem, "mv", full)
        with pytest.raises(StorageFailed, match="No space left"):
            export(folder, context_of(task_state_store=(store := StateStore())))
    assert [path for path in files(folder) if "_state" not in path.parts] == []
    assert export(folder, context_of(task_state_store=store))["job_id"] == 1


def test_a_worker_without_space_keeps_the_job(logged, folder, monkeypatch):
    """A full disk of the worker is one sentence, and the next try fetches the same file."""

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    store = StateStore()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(StorageFailed, match=r"the worker's folder for temporary files failed .*No space left"):
            export(folder, context_of(task_state_store=store))
    assert export(folder, context_of(task_state_store=store))["job_id"] == 1


def deferred(folder, context, **parameters):
    """Execute an export that defers, and return the deferral."""
    with pytest.raises(TaskDeferred) as raised:
        export(folder, context, deferrable=True, timeout=timedelta(minutes=5), **parameters)
    return raised.value


def test_a_deferred_export(logged, folder):
    """It defers with the job's ID, and goes on from the saved job when the trigger says that it has ended."""
    logged._control("POST", "exports", {"seconds": 60})
    context = context_of()
    wait = deferred(folder, context)
    _, trigger = wait.trigger.serialize()
    assert (trigger["kind"], trigger["options"], trigger["poke_interval"]) == ("export_job", {"job_id": 1}, 0.05)
    assert wait.kwargs["deadline"] == trigger["deadline"]
    logged._control("POST", "clock", {"advance": 60})
    result = operator(folder, deferrable=True).execute_complete(context, {"status": "met", "value": 1}, **wait.kwargs)
    assert (result["job_id"], result["rows"]) == (1, 250)
    assert logged.sent("POST") == [JOBS]


def test_a_deferred_export_that_does_not_end(logged, folder):
    """The trigger's timeout and errors end the try; an event of another shape is an error."""
    logged._control("POST", "exports", {"seconds": 3600})
    context = context_of()
    wait = deferred(folder, context)
    resumed = operator(folder, deferrable=True)
    past = {"deadline": "2026-01-01T00:00:00+00:00"}
    with pytest.raises(ExportFailed, match="still in progress"):
        resumed.execute_complete(context, {"status": "timeout", "message": "x"}, **past)
    event: Any = {"status": "error", "kind": "ConnectionFailed", "message": "no route"}
    with pytest.raises(ConnectionFailed, match="no route"):
        resumed.execute_complete(context, event, **wait.kwargs)
    for event in (None, {"status": "due"}):
        with pytest.raises(UnexpectedEvent):
            resumed.execute_complete(context, event, **wait.kwargs)
    assert logged.sent("POST") == [JOBS]


def test_without_a_task_instance_the_worker_waits(logged, folder):
    """Where nothing can be kept, a deferral would lose the job."""
    logged._control("POST", "exports", {"seconds": 0.2})
    assert export(folder, {}, deferrable=True)["rows"] == 250


def test_an_empty_log(account, folder):
    """A window without rows has a file with the header alone."""
    account._control("POST", "exports", {"seconds": 0})
    result = export(folder, compression="none")
    assert result["rows"] == 0
    assert Path(result["path"].removeprefix("file://")).read_text().startswith("Call UUID,UUID,")


# An attempt that kills itself right before its file is moved into place, if it is told so.
ATTEMPT = """
import json, os, signal, sys
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator
from tests.airflow.support.account import context_of

def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("Z.csv.gz"):
        os.kill(os.getpid(), signal.SIGKILL)

parameters = json.loads(sys.argv[1])
if parameters.pop("kill_before_store", False):
    sys.addaudithook(watch)
RetreaverRtbInboundsToObjectStorageOperator(task_id="export", **parameters).execute(context_of())
"""


def kill_at(account, parameters, asked, **fault):
    """Kill an attempt that waits for the answer to a request."""
    method, _, path = asked.partition(" ")
    account.fault(f"^{path}", method=method, **fault)
    kill_while_asking(account, ATTEMPT, parameters, asked)
    account.clear_faults()


def test_killed_between_its_steps(logged, folder, tmp_path, monkeypatch):
    """Killed with SIGKILL at each step, and each time no part of a file is in place; at the end it is whole."""
    parameters = {"destination": folder.as_uri(), "poll_interval": 0.05, "timeout": 60, **DAY}

    def nothing_stored():
        return [path for path in files(folder) if path.name.startswith("rtb_inbounds")] == []

    # While it is created: the request is refused for now, and the attempt waits to send it again.
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(logged.connection()))
    kill_at(logged, parameters, JOBS, status=503, headers={"Retry-After": "30"})
    assert nothing_stored()
    with pytest.raises(OutcomeUnknown, match=UNKNOWN_OUTCOME):
        export(folder)
    parameters["on_unknown_job"] = "create"
    for asked in ("GET /api/v5/exports/rtb_inbounds/1", "GET /v2/reports/rtb_inbounds/1"):
        kill_at(logged, parameters, asked, delay=20)
        assert nothing_stored()
    with recording_host() as host:
        # Its file has begun to come.
        host.files["/held.csv.gz"] = b"x" * 1000
        host.held.add("/held.csv.gz")
        allowed = logged.connection(extra={"download_hosts": host.url.removeprefix("http://")})
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(allowed))
        logged.fault("^/v2/reports", status=302, headers={"Location": f"{host.url}/held.csv.gz"})
        kill_when(lambda: bool(host.sent), ATTEMPT, parameters, "the file")
        assert KEY not in json.dumps(host.sent)
    assert nothing_stored()
    kill_when(None, ATTEMPT, {**parameters, "kill_before_store": True}, "storing the file")
    assert nothing_stored()
    result = export(folder)
    assert (result["job_id"], result["rows"]) == (1, 250)
    assert logged.sent("POST") == [JOBS, JOBS], "the first one was refused"
    assert files(tmp_path) == [Path(result["path"].removeprefix("file://"))]
    assert len(rows_of(result["path"])) == 250


def test_killed_before_a_job_was_to_be_created(logged, folder):
    """An attempt that only looked at the filters has created nothing, so the next one creates the job."""
    parameters = {"destination": folder.as_uri(), "filters": {"campaign_id": 1}, **DAY}
    kill_at(logged, parameters, "GET /campaigns", delay=20)
    assert export(folder, filters={"campaign_id": 1})["rows"] == 200
    assert logged.sent("POST") == [JOBS]


def test_killed_before_the_id_was_known(logged, folder, tmp_path, caplog, capsys):
    """A job whose answer was never read cannot be found: no other one is made, unless the DAG's author allows it."""
    parameters = {"destination": folder.as_uri(), "state_path": f"file://{tmp_path}/state", **DAY}
    kill_at(logged, parameters, JOBS, delay=20)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match=UNKNOWN_OUTCOME) as raised:
            export(folder, state_path=parameters["state_path"])
        assert isinstance(raised.value, AirflowFailException)
    assert logged.sent("POST") == [JOBS]
    result = export(folder, state_path=parameters["state_path"], on_unknown_job="create")
    assert (result["job_id"], result["rows"]) == (2, 250)
    assert logged.sent("POST") == [JOBS, JOBS]
    assert UNKNOWN_JOB in caplog.text + capsys.readouterr().out
    assert files(tmp_path) == [Path(result["path"].removeprefix("file://"))]
