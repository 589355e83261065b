"""The sandbox over TCP, and its command line."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_retreaver.sandbox import SandboxOptions
from airflow_provider_retreaver.sandbox.__main__ import main
from airflow_provider_retreaver.sandbox.http.server import mask_keys
from airflow_provider_retreaver.sandbox.local_server import RunningSandbox, run_sandbox

QUERY = "?api_key=sandbox-key&company_id=1"


@pytest.fixture(scope="module")
def served() -> Iterator[RunningSandbox]:
    """Serve the demo account on a free port."""
    with run_sandbox(SandboxOptions(load="demo", max_concurrency=2)) as server:
        yield server


def send(port: int, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
    """Send one request over TCP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_requests_arrive_unchanged(served: RunningSandbox) -> None:
    """Encoded and plain phone numbers; links and empty 204 bodies reach the client."""
    for number in ("+13055552000", "%2B13055552000"):
        status, _, body = send(served.port, "GET", f"/contact_numbers/{number}/contact.json{QUERY}")
        assert (status, json.loads(body)["contact"]["id"]) == (200, 1)
    status, headers, _ = send(served.port, "GET", f"/targets.json{QUERY}")
    assert 'rel="next"' in headers["link"]
    status, headers, body = send(served.port, "DELETE", f"/static_caller_numbers/1.json{QUERY}")
    assert (status, body) == (204, b"")


def test_a_dropped_connection_has_no_answer(served: RunningSandbox) -> None:
    """The request is executed, the connection is dropped, and the next request is answered."""
    fault = {"method": "POST", "path": "reset_cap", "cut": True, "then": "done"}
    send(served.port, "POST", "/__sandbox__/faults", fault)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        send(served.port, "POST", f"/targets/1/reset_cap.json{QUERY}")
    status, _, body = send(served.port, "GET", f"/targets/1.json{QUERY}")
    assert status == 200
    assert [row["filled"] for row in json.loads(body)["target"]["caps"] if row["type"] == "Hard"] == [0]


def test_more_than_max_concurrency_are_429(served: RunningSandbox) -> None:
    """With a maximum of two, four of six simultaneous slow requests are answered with 429."""
    send(served.port, "POST", "/__sandbox__/faults", {"path": "company", "times": 2, "delay": 0.4})
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(send(served.port, "GET", f"/company.json{QUERY}")[0]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 429, 429, 429, 429]


def test_the_server_cleans_up() -> None:
    """Its thread ends with the block, and the port is closed."""
    before = set(threading.enumerate())
    with run_sandbox() as server:
        assert send(server.port, "GET", "/")[0] == 200
        port = server.port
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        send(port, "GET", "/")


def test_keys_are_masked_in_log_lines() -> None:
    """API keys and postback keys, anywhere in the query."""
    assert mask_keys("/a.json?api_key=one&x=1&key=two&monkey=3") == "/a.json?api_key=***&x=1&key=***&monkey=3"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """It prints its address, logs one line a request without the key, and exits with 0."""
    command = [
        sys.executable,
        "-m",
        "airflow_provider_retreaver.sandbox",
        "--port",
        "0",
        "--database",
        f"{tmp_path}/a.db",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())
    assert match is not None
    send(int(match[1]), "GET", f"/targets/tid/buyer-001.json{QUERY}")
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert re.fullmatch(r"GET /targets/tid/buyer-001\.json\?api_key=\*\*\*&company_id=1 200 \d+ms\n", errors)


def test_wrong_options_and_ports_in_use(served: RunningSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence on stderr and exit code 2."""
    assert main(["--port", "0", "--fault-rate", "3"]) == 2
    assert "fault_rate" in capsys.readouterr().err
    assert main(["--port", str(served.port)]) == 2
    said = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1 port {served.port} (Address already in use)" in said
    assert "--port" in said


def test_help_has_examples_and_the_control_surface(capsys: pytest.CaptureFixture[str]) -> None:
    """--help has curl lines, the control surface and the options."""
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    result = capsys.readouterr().out
    assert exit_info.value.code == 0
    assert "curl" in result
    assert "/__sandbox__/" in result
    assert all(option in result for option in ("--legacy-routes", "--max-concurrency", "--postback-secret", "--seed"))


def test_the_sandbox_imports_nothing_else() -> None:
    """It starts without Airflow and without the rest of the package."""
    code = (
        "import sys, airflow_provider_retreaver.sandbox.__main__; names = set(sys.modules); "
        "print(sorted(n for n in names if n.split('.')[0] in ('airflow', 'requests', 'aiohttp') or "
        "n.startswith('airflow_provider_retreaver.') and not n.startswith('airflow_provider_retreaver.sandbox')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_missing_uvicorn_is_reported_with_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command names the extra and exits with 2."""
    monkeypatch.setattr("airflow_provider_retreaver.sandbox.__main__.find_spec", lambda _: None)
    from airflow_provider_retreaver.sandbox.__main__ import main

    assert main(["--port", "0"]) == 2
    assert "airflow-provider-retreaver[sandbox]" in capsys.readouterr().err
