"""A running api-server of Airflow 3 with this package's plugin, and its users."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

# Names of users with their roles: only OP and ADMIN may read connections, USER may run DAGs, VIEWER may read them.
USERS = {"olga": "OP", "oscar": "USER", "vera": "VIEWER"}
PASSWORD = "a-password-of-tests"
PLUGIN = "from airflow_provider_retreaver.plugins.retreaver_plugin import RetreaverPlugin\n"
START = 120.0


class _Stay(HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Page:
    """An answer of the api-server."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class ApiServer:
    """A running api-server.

    :param url: its address.
    :param home: its AIRFLOW_HOME.
    :param environment: of its process, for other components of the same Airflow.
    """

    url: str
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def token(self, user: str) -> str:
        """Log a user in and return the token of the session."""
        body = json.dumps({"username": user, "password": PASSWORD}).encode()
        request = Request(f"{self.url}/auth/token", body, {"Content-Type": "application/json"})
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return str(json.load(answer)["access_token"])

    def get(self, path: str, token: str | None = None, method: str = "GET", **query: object) -> Page:
        """Open a path as a browser does, with the session in a cookie."""
        address = f"{self.url}{path}{f'?{urlencode(query)}' if query else ''}"
        headers = {"Cookie": f"_token={token}"} if token else {}
        opener = build_opener(ProxyHandler({}), _Stay())
        try:
            with opener.open(Request(address, headers=headers, method=method), timeout=60) as answer:
                return Page(answer.status, dict(answer.headers), answer.read().decode())
        except HTTPError as error:
            with error:
                return Page(error.code, dict(error.headers), error.read().decode())

    def add_connection(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """Add a connection, by Airflow's API."""
        body = {"connection_id": conn_id, **fields}
        self.api("POST", "/api/v2/connections", body)

    def api(self, method: str, path: str, body: object = None, user: str = "olga") -> Any:
        """Call Airflow's API as a user; olga may do everything."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token(user)}"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", data, headers, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def free_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def api_server(home: Path, environment: Mapping[str, str], python: str = sys.executable) -> Iterator[ApiServer]:
    """Run an api-server with a migrated database until the block ends.

    :param home: its AIRFLOW_HOME.
    :param environment: of the process.
    :param python: which has Airflow and this package.
    """
    port = free_port()
    # Airflow takes the plugin once, also where the environment has its entry point.
    (home / "plugins").mkdir(exist_ok=True)
    (home / "plugins" / "retreaver.py").write_text(PLUGIN, encoding="utf-8")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict.fromkeys(USERS, PASSWORD)), encoding="utf-8")
    settings = {
        **environment,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__SECRET_KEY": "of-the-tests-0123456789abcdef",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of-the-tests-0123456789abcdef-0123456789abcdef-0123456789abcdef",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__RETREAVER__PAGE": "True",
        "NO_PROXY": "*",
    }
    log = home / "api-server.log"
    command = [python, "-m", "airflow", "api-server", "--port", str(port), "--host", "127.0.0.1"]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, env=settings, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            server = ApiServer(f"http://127.0.0.1:{port}", home, settings)
            _wait(server, process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: ApiServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if server.get("/api/v2/monitor/health").status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))
