"""Recordings to object storage: whole files, each once, without the API key, continued where they broke off."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, PartialFailure
from airflow_provider_retreaver.storage.temporary_folders import Attempt
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import KEY, TaskInstance
from tests.airflow.support.recording_host import recording_host
from tests.stopping import until_told_to_stop

pytestmark = pytest.mark.airflow

# Shorter than an hour: one page is asked for.
START, END = "2026-01-05T12:00:00+00:00", "2026-01-05T12:30:00+00:00"
SOUND = bytes(range(256)) * 4_000


@pytest.fixture
def host():
    """Give a host of recordings."""
    with recording_host() as running:
        yield running


@pytest.fixture
def calls(account, host, monkeypatch):
    """Let the call log hold calls whose recordings lie on the host: a function of uuids to paths or URLs."""
    connection = account.connection(extra={"max_wait": 0, "download_hosts": f"{host.url[7:]}, 127.0.0.1:9"})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))

    def log_of(places):
        page = [
            {"call": {
                "caller": "+17195220377", "uuid": uuid, "created_at": "2026-01-05T12:10:00Z",
                "updated_at": "2026-01-05T12:20:00Z",
                "recording_url": f"{host.url}{place}" if place and place[0] == "/" else place,
            }}
            for uuid, place in places.items()
        ]  # fmt: skip
        account.fault("/calls.json", method="GET", times=20, status=200, body=json.dumps(page))

    return log_of


def fetch(folder, context=None, **parameters):
    """Execute the operator as a worker would after rendering, and return its result as JSON."""
    given = {"destination": folder.as_uri(), "start": START, "end": END, **parameters}
    operator = RetreaverRecordingsToObjectStorageOperator(task_id="recordings", **given)
    return json.loads(json.dumps(operator.execute({} if context is None else context)))


def held(folder):
    """Return what lies in a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_recordings_are_stored_under_their_calls(calls, host, tmp_path):
    """Each recording is one file in the folder of its day; calls without one are left out."""
    host.files |= {"/a.mp3": SOUND, "/b.wav": b"short"}
    calls({"call-a": "/a.mp3", "call-b": "/b.wav?x=1", "call-c": None})
    result = fetch(tmp_path)
    assert held(tmp_path) == {"2026-01-05/call-a.mp3": SOUND, "2026-01-05/call-b.wav": b"short"}
    assert result == {
        "destination": tmp_path.as_uri(), "calls": 3, "recordings": 2, "stored": 2, "skipped": 0,
        "bytes": len(SOUND) + 5, "missing": [], "failed": [], "complete": True,
    }  # fmt: skip


def test_recordings_of_the_sandbox_come_from_the_sandbox(account, tmp_path, monkeypatch):
    """The sandbox serves the recordings of its calls itself: nothing leaves the machine, and no extra is needed."""
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection()))
    uuids = account.calls(2, recorded=1, created_at="2026-01-05T12:10:00Z")
    result = fetch(tmp_path)
    assert (result["stored"], result["failed"], result["complete"]) == (2, [], True)
    files = held(tmp_path)
    assert sorted(files) == sorted(f"2026-01-05/{uuid}.mp3" for uuid in uuids)
    assert len(set(files.values())) == 2


def test_what_is_there_is_not_fetched_again(calls, host, tmp_path):
    """A second run asks the host for nothing but what is new."""
    host.files |= {"/a.mp3": SOUND, "/b.mp3": SOUND}
    calls({"call-a": "/a.mp3"})
    fetch(tmp_path)
    calls({"call-a": "/a.mp3", "call-b": "/b.mp3"})
    host.sent.clear()
    result = fetch(tmp_path)
    again = fetch(tmp_path)
    assert (result["skipped"] + result["stored"], again["skipped"], again["stored"]) == (
        result["recordings"],
        again["recordings"],
        0,
    )
    assert "/a.mp3" not in host.paths()


def test_the_key_is_never_sent(calls, host, tmp_path, monkeypatch):
    """Not as a parameter that Retreaver put into the URL, not after a redirect; no cookie and no login either."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    host.files["/moved.mp3"] = SOUND
    host.redirects["/a.mp3"] = f"{host.url}/moved.mp3?signed=1"
    calls({"call-a": "/a.mp3?api_key=whatever&part=1"})
    fetch(tmp_path / "out")
    assert host.paths() == ["/a.mp3?part=1", "/moved.mp3?signed=1"]
    for path, headers in host.sent:
        assert KEY not in path + json.dumps(headers)
        assert not {"authorization", "cookie"} & headers.keys()


def test_a_url_that_holds_the_key_elsewhere_is_refused(calls, host, tmp_path):
    """A key that cannot be taken out safely is not sent: the recording fails, and the sentence does not show it."""
    calls({"call-a": "/a.mp3?token=s3cr3t%2Bkey%2Fwith%3Dsigns%26more"})
    with pytest.raises(PartialFailure, match="contains a secret of the connection") as failed:
        fetch(tmp_path)
    assert KEY not in str(failed.value)
    assert host.sent == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Content-Length": None, "Connection": "close"}, "does not contain its length"),
        ({"Content-Encoding": "gzip"}, "is compressed although"),
        ({"Content-Length": "2000000", "Connection": "close"}, "was cut off after"),
    ],
)
def test_a_length_that_cannot_be_verified_fails(calls, host, tmp_path, headers, message):
    """A file that may be half of one is not stored."""
    host.files["/a.mp3"] = SOUND
    host.headers["/a.mp3"] = headers
    host.cuts["/a.mp3"] = [1_000] * 20 if "2000000" in headers.values() else []
    calls({"call-a": "/a.mp3"})
    with pytest.raises(PartialFailure, match=message):
        fetch(tmp_path)
    assert held(tmp_path) == {}


def test_failures_are_named_and_a_retry_fetches_only_those(calls, host, tmp_path):
    """One recording that is gone and one that is refused: the others are stored, the result is published."""
    host.files |= {"/a.mp3": SOUND, "/d.mp3": SOUND}
    host.statuses["/c.mp3"] = [403]
    places = {"call-a": "/a.mp3", "call-b": "/gone.mp3", "call-c": "/c.mp3", "call-d": "/d.mp3"}
    calls(places)
    instance = TaskInstance()
    with pytest.raises(
        PartialFailure, match=r"2 of 4 recordings were not stored: call call-c: .* answered 403"
    ) as failed:
        fetch(tmp_path, {"ti": instance})
    assert instance.pushed["return_value"]["stored"] == 2
    assert [row["uuid"] for row in failed.value.result["missing"]] == ["call-b"]
    host.files["/c.mp3"] = SOUND
    host.sent.clear()
    result = fetch(tmp_path, missing_ok=True)
    assert sorted(host.paths()) == ["/c.mp3", "/gone.mp3"]
    assert (result["stored"], result["skipped"], len(result["missing"])) == (1, 2, 1)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://files.test/a.mp3", "not a plain http"),
        ("http://user:pass@127.0.0.1/a.mp3", "not a plain http"),
        ("not a url", "not a plain http"),
    ],
)
def test_addresses_that_are_not_asked(calls, tmp_path, place, message):
    """An address that is not a plain URL is refused, and its password is not quoted."""
    calls({"call-a": place})
    with pytest.raises(PartialFailure, match=message) as failed:
        fetch(tmp_path)
    assert "pass" not in str(failed.value)


def test_redirects_have_an_end(calls, host, tmp_path):
    """A circle of redirects is left after five of them."""
    host.redirects |= {"/a.mp3": "/b.mp3", "/b.mp3": "/a.mp3"}
    calls({"call-a": "/a.mp3"})
    with pytest.raises(PartialFailure, match="redirected more than 5 times"):
        fetch(tmp_path)
    assert len(host.sent) == 6


def test_nothing_personal_is_logged(calls, host, tmp_path, caplog, capsys):
    """Neither the recording's address nor the caller's number nor the key stands in a log or a failure."""
    caplog.set_level(logging.DEBUG)
    host.statuses["/call_17195220377.mp3"] = [500] * 20
    calls({"call-a": "/call_17195220377.mp3"})
    with pytest.raises(PartialFailure) as failed:
        fetch(tmp_path)
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("airflow_provider_retreaver")]
    ours += [line for line in capsys.readouterr().out.splitlines() if "airflow_provider_retreaver" in line]
    assert ours
    assert "5220377" not in "\n".join(ours) + str(failed.value)
    assert KEY not in "\n".join(ours)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a/b"])
def test_a_uuid_that_is_no_name_is_no_path(calls, host, tmp_path, name):
    """A uuid with a path does not lead out of the folder."""
    host.files["/a.mp3"] = SOUND
    calls({name: "/a.mp3"})
    with pytest.raises(PartialFailure, match="its file has no name"):
        fetch(tmp_path / "out")
    assert held(tmp_path) == {}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"end": START}, "end .* must be after start"),
        ({"start": "2099-01-01", "end": "2099-01-02"}, "start .* is in the future"),
        ({"downloads": 0}, "downloads must be a whole number from 1 to 32"),
        ({"missing_ok": "maybe"}, "missing_ok must be true or false"),
        ({"destination": " "}, "destination must be a folder URL"),
        ({"destination": "file:///dev/null/recordings"}, "cannot be written to"),
        ({"filters": {"buyer": 1}}, "'buyer' is not a documented filter"),
    ],
)
def test_bad_input_is_refused_before_the_first_request(account, tmp_path, parameters, named):
    """Wrong input is named, and nothing is sent."""
    with pytest.raises(InvalidArgument, match=named) as refused:
        fetch(tmp_path, **parameters)
    assert isinstance(refused.value, AirflowFailException)
    assert account.sent() == []


def test_what_a_killed_attempt_left_is_removed(calls, host, tmp_path):
    """Temporary files of an attempt whose process is gone do not stay."""
    mine = Attempt.new()
    ended = mine.name.replace(mine.process, "1-1")  # a process that has another start
    left = tmp_path / "_temporary" / "recordings-20260105T120000Z-20260105T123000Z" / ended
    left.mkdir(parents=True)
    (left / "0123").write_bytes(b"half")
    host.files["/a.mp3"] = SOUND
    calls({"call-a": "/a.mp3"})
    fetch(tmp_path)
    assert held(tmp_path) == {"2026-01-05/call-a.mp3": SOUND}


def test_told_to_stop(calls, host, tmp_path):
    """Downloads whose host sends no more end with the task; what was stored stays, the next attempt has the rest."""
    host.files |= {f"/{name}.mp3": SOUND for name in "abcdef"}
    host.held |= {"/c.mp3", "/d.mp3", "/e.mp3"}
    calls({f"call-{name}": f"/{name}.mp3" for name in "abcdef"})
    assert until_told_to_stop(1.5, lambda: fetch(tmp_path)) is None
    stored = set(held(tmp_path))
    assert stored == {f"2026-01-05/call-{name}.mp3" for name in "abf"}
    host.held.clear()
    assert fetch(tmp_path)["stored"] == 3
    assert set(held(tmp_path).values()) == {SOUND}
