"""A sandbox in a process of its own, prepared and inspected over HTTP."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.account import KEY, Account
from tests.paths import PROJECT


class _Remote:
    """Answers as a sandbox in this process does, and holds a sandbox's place for `Account`.

    :param url: of the sandbox.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.sandbox = self
        self.options = SandboxOptions(api_key=KEY)

    def handle(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Send a request, and return the answer."""
        url = f"{self.url}{path}?{urlencode(query)}"
        request = urllib.request.Request(url, body or None, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _answer(response)
        except HTTPError as error:
            with error:
                return _answer(error)


def _answer(response: HTTPResponse | HTTPError) -> Answer:
    return Answer(response.status or 0, list(response.headers.items()), response.read())


@contextmanager
def remote_account(*options: str) -> Iterator[Account]:
    """Start a sandbox, and end it with the block.

    :param options: of its command line.
    :yield: its account.
    """
    command = [sys.executable, "-m", "airflow_provider_retreaver.sandbox", "--port", "0", "--load", "empty"]
    with subprocess.Popen(
        [*command, "--api-key", KEY, *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            running: Any = _Remote(next(line for line in process.stdout if "listening on" in line).split()[-1])
            yield Account(running)
        finally:
            process.terminate()
