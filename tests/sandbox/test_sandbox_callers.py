"""The sandbox serves this machine, not whoever can send it a request: foreign pages, endless bodies, odd times."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.http.server import Application, listen, serving
from airflow_provider_retreaver.transport.downloads import Downloads
from tests.sandbox.client import NOON, SandboxClient

QUERY = "?api_key=sandbox-key&company_id=1"
LIMIT = 1000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve the demo account, also under another name, with a small limit of bodies."""
    sandbox = Sandbox(SandboxOptions(load="demo"))
    listener = listen("127.0.0.1", 0)
    with serving(Application(sandbox, allowed_hosts=["Sandbox.Test"], max_body=LIMIT), listener):
        yield int(listener.getsockname()[1])
    sandbox.close()


def send(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes | Sequence[bytes] | None = None
) -> tuple[int, Any]:
    """Send a request with these headers; return status and JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


@pytest.mark.parametrize("path", [f"/targets.json{QUERY}", "/__sandbox__/clock", "/"])
@pytest.mark.parametrize(
    "host", ["pages.test", "pages.test:8787", "127.0.0.1.pages.test", "192.0.2.5", "[", "a b", ":1"]
)
def test_a_foreign_host_is_refused(port: int, host: str, path: str) -> None:
    """A page whose name was made to resolve to this machine gets nothing, from the API and the control surface."""
    status, answer = send(port, "GET", path, {"Host": host})
    assert status == 403
    assert "--allow-host" in answer["error"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8787", "127.8.9.1", "sandbox.test:80"]
)
def test_this_machine_and_allowed_names_are_served(port: int, host: str) -> None:
    """Loopback names and addresses with any port (of a tunnel), and names that --allow-host gives."""
    assert send(port, "GET", "/__sandbox__/clock", {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://pages.test", "null", "http://127.0.0.1", "http://localhost:{port}", "file://", "http://[", ""]
)
def test_a_foreign_origin_is_refused(port: int, origin: str) -> None:
    """What another page's script sends changes nothing, not even with a key."""
    headers = {"Origin": origin.format(port=port)}
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    for status, answer in (
        send(port, "POST", "/__sandbox__/reset", headers),
        send(port, "POST", f"/targets.json{QUERY}", form, b"target[number]=%2B18668987878"),
        send(port, "DELETE", f"/targets/1.json{QUERY}", headers),
    ):
        assert (status, answer["error"]) == (
            403,
            "The sandbox takes no requests that a web page of another origin sends.",
        )
    assert send(port, "GET", f"/targets/1.json{QUERY}", {})[0] == 200


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "no-cors", 403),
        ("cross-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ],
)
def test_images_and_scripts_of_other_sites_get_nothing(port: int, site: str, mode: str, status: int) -> None:
    """A browser sends no origin with an image or a script, but says where it comes from; a link may be followed."""
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    assert send(port, "GET", "/__sandbox__/requests", headers)[0] == status


def test_its_own_origin_is_served(port: int) -> None:
    """A page that the sandbox itself served may send requests."""
    assert (
        send(port, "POST", "/__sandbox__/clock", {"Origin": f"http://127.0.0.1:{port}"}, b'{"advance": 0}')[0] == 200
    )


def test_a_long_body_is_refused_before_it_is_read(port: int) -> None:
    """By its announced length, or as soon as it is too long; the longest one that is allowed is read."""
    path = f"/targets.json{QUERY}"
    headers = {"Content-Type": "application/json"}
    assert send(port, "POST", path, {**headers, "Content-Length": str(10**12)}) == (
        413, {"error": f"The body has more than {LIMIT} bytes."}
    )  # fmt: skip
    assert send(port, "POST", path, headers, [b" " * 600, b" " * 600])[0] == 413
    assert send(port, "POST", path, headers, b'{"target": {"number": "+18668987878"}}'.ljust(LIMIT))[0] == 200
    assert send(port, "POST", path, headers, b" " * (LIMIT + 1))[0] == 413


def multipart(depth: int) -> bytes:
    """Return a form whose only part is a form, and so on."""
    return b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (at, at + 1) for at in range(depth)
    )


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a":' * 60 + b"1" + b"}" * 60),
        ("application/json", b'{"target": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("application/json", b"[" * 3_000_000),
        ("application/x-www-form-urlencoded", b"target" + b"[a]" * 5000 + b"=1"),
        ("multipart/form-data; boundary=b0", multipart(2000)),
    ],
)
@pytest.mark.parametrize("path", ["/targets.json", "/__sandbox__/calls"])
def test_a_deep_body_is_refused(client: SandboxClient, content_type: str, body: bytes, path: str) -> None:
    """A body that is nested without end is a bad request, not an internal error."""
    assert client.send("POST", path, body, **{"Content-Type": content_type}).status == 400
    assert client.target()["number"] == "+18668987878"


@pytest.mark.parametrize(
    "given",
    [
        {"now": "1970-01-01T00:00:00Z"}, {"now": "9999-12-31T23:59:59-05:00"}, {"now": "0001-01-01"},
        {"advance": 10**30}, {"advance": -(10**30)}, {"advance": 1e300, "hold": True},
        {"now": "9998-12-31T00:00:00Z", "advance": 1}, b'{"advance": 1e999}', b'{"advance": NaN}',
    ],
)  # fmt: skip
def test_the_clock_stays_where_times_can_be_written(client: SandboxClient, given: Any) -> None:
    """A time that no calendar has is refused, and the sandbox goes on at the one that it had."""
    client.error(400, "POST", "/__sandbox__/clock", given, bare=True)
    assert client.control("GET", "clock")["now"] == "2026-01-09T12:00:00.000Z"
    assert client.target()["created_at"].startswith("2026-01-09")


@pytest.mark.parametrize("now", ["1971-01-01T00:00:00Z", "9998-12-31T00:00:00Z"])
def test_the_first_and_the_last_time_of_the_clock(now: str) -> None:
    """There, the demo account is made and everything in it can be listed."""
    client = SandboxClient(Sandbox(SandboxOptions(wall=lambda: NOON)))
    client.control("POST", "clock", {"now": now, "hold": True})
    client.control("POST", "calls", {"count": 2})
    for path in ("targets", "api/v2/calls", "suppressed_numbers", "numbers"):
        client.request("GET", f"/{path}.json")
    assert client.target()["created_at"][:10] == now[:10]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("calls", {"fields": {"created_at": "9999-12-31T23:59:59-05:00"}}),
        ("calls", {"fields": {"end_time": "0001-01-01T00:00:00+05:00"}}),
        ("calls", {"fields": {"total_duration": 10**30}}),
        ("calls", {"fields": {"revenue": 1e300}}),
        ("calls_in_progress", {"target_id": 1, "calls_in_progress": 10**30}),
        ("targets/1/fill", {"filled": 10**30}),
        ("upload_delay", {"seconds": 1e300}),
    ],
)
def test_values_that_could_not_be_stored_or_read_again(client: SandboxClient, path: str, body: Any) -> None:
    """They are refused; nothing that the control surface takes makes a later request fail."""
    client.target()
    client.error(400, "POST", f"/__sandbox__/{path}", body, bare=True)
    assert client.request("GET", "/api/v2/calls.json") == []


def test_a_report_that_ends_at_the_last_second_there_is(client: SandboxClient) -> None:
    """A time that lies beyond the last year in UTC is refused by name."""
    span = "created_at_start=2026-01-01&created_at_end=9999-12-31T23:59:59-05:00"
    path = f"/api/v1/reports.json?domain=calls&facet=daily&{span}"
    assert list(client.error(422, "GET", path)["errors"]) == ["created_at_end"]


def test_recordings_come_from_the_sandbox_itself(port: int) -> None:
    """A recording's URL has the host that was asked and no key; it can be downloaded, and no two are the same."""
    calls = [row["call"] for row in send(port, "GET", f"/api/v2/calls.json{QUERY}&per_page=100", {})[1]]
    urls = [call["recording_url"] for call in calls if "recording_url" in call][:2]
    assert [urlsplit(url).netloc for url in urls] == [f"127.0.0.1:{port}"] * 2
    assert all("key" not in url for url in urls)
    settings = Settings.parse("c", login="1", password="sandbox-key", host=f"http://127.0.0.1:{port}")
    files = [b"", b""]
    downloads = Downloads(settings)
    for at, url in enumerate(urls):
        parts: list[bytes] = []
        assert downloads.fetch(url, "recording", parts.append) > 10_000
        files[at] = b"".join(parts)
    downloads.close()
    assert files[0].startswith(b"\xff\xfb")
    assert files[0] != files[1]


def test_recordings_that_there_are_not(client: SandboxClient) -> None:
    """An unknown call, one without a recording, and another extension; the URL in memory names this machine."""
    for recorded in (0, 1):
        client.control("POST", "calls", {"fields": {"recorded": recorded}})
    by_recording = {
        "recording_url" in row["call"]: row["call"] for row in client.request("GET", "/api/v2/calls.json")
    }
    url = by_recording[True]["recording_url"]
    assert url.startswith("http://127.0.0.1:8787/recordings/")
    path = urlsplit(url).path
    assert dict(client.send("GET", path, bare=True).headers)["Content-Type"] == "audio/mpeg"
    client.error(406, "GET", path.replace(".mp3", ".json"))
    client.error(404, "GET", f"/recordings/{by_recording[False]['uuid'].replace('-', '')}.mp3")
    client.error(404, "GET", "/recordings/x.mp3")
    assert client.request("GET", "/calls.json")[0]["call"]["recording_url"] in (None, url)


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])  # noqa: S104
def test_a_warning_when_other_machines_can_reach_it(host: str, warned: bool) -> None:
    """Listening beyond this machine is said on stderr, with what it means."""
    command = [
        sys.executable,
        "-m",
        "airflow_provider_retreaver.sandbox",
        "--port",
        "0",
        "--load",
        "empty",
        "--host",
        host,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"listening on http://{host}:")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert ("other machines can read and change" in errors) is warned
