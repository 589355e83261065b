"""The sandbox answers every example of the references over HTTP, with every documented key."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_retreaver.sandbox import SandboxOptions
from airflow_provider_retreaver.sandbox.local_server import RunningSandbox, run_sandbox
from airflow_provider_retreaver.sandbox.options import (
    POSTBACK_KEY,
    POSTBACK_SECRET,
)
from tests.documents.account import KEY, KEY_PAIR, Account
from tests.documents.examples import EXAMPLES, Example, differences


class Documented:
    """The account of the reference behind a server; it is built again after a request that may have changed it."""

    def __init__(self, server: RunningSandbox) -> None:
        self._server = server
        self._account = Account(server.sandbox)
        self._changed = True

    def prepare(self) -> None:
        """Build the account again if it was changed."""
        if self._changed:
            self._account.request("POST", "/__sandbox__/reset", {"load": "empty"})
            self._account.fill()
            self._changed = False

    def send(self, example: Example) -> tuple[int, dict[str, str], bytes]:
        """Send an example over TCP, with the key that it takes."""
        for request in example.first:
            method, url, *body = request.split(" ", 2)
            json_type = {"Content-Type": "application/json"}
            credentials = "" if example.key_in_request else f"api_key={KEY}&company_id=1"
            self._send(method, url, body[0] if body else None, json_type, credentials)
        headers = {"Content-Type": example.content_type}
        credentials = f"api_key={KEY}&company_id=1"
        if example.uses_postback_key:
            headers["Authorization"] = f"Bearer {POSTBACK_SECRET}"
            credentials = f"key={POSTBACK_KEY}"
        elif example.uses_key_pair:
            headers["Authorization"] = KEY_PAIR
            credentials = ""
        elif example.key_in_request:
            credentials = ""
        self._changed = self._changed or "data_writing" in example.url
        return self._send(example.method, example.url, example.body, headers, credentials)

    def _send(
        self, method: str, url: str, body: str | None, headers: dict[str, str], credentials: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        self._changed = self._changed or method != "GET"
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=120)
        try:
            url += f"{'&' if '?' in url else '?'}{credentials}" if credentials else ""
            connection.request(method, url, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Documented]:
    """Serve the account of the reference on a free port."""
    with run_sandbox(SandboxOptions(api_key=KEY)) as server:
        yield Documented(server)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.edition}: {example.request[:60]}")
def test_the_sandbox_answers_as_documented(served: Documented, example: Example) -> None:
    """A request of the reference, sent over TCP, succeeds; the answer has all keys, of the documented kinds."""
    served.prepare()
    status, headers, body = served.send(example)
    assert status in ({302} if "Location" in example.headers else {200, 201, 204}), body
    if example.answer is not None:
        answer: Any = json.loads(body)
        assert differences(answer, example.answer) == []
    assert {name.lower() for name in example.headers} <= {name.lower() for name in headers}


def test_differences_are_found() -> None:
    """The comparison notices a missing key, another kind, an empty list, and a row that no documented one is like."""
    documented = [{"timer": {"id": 1, "url": "x", "tags": {"a": "b"}}}, {"timer": {"id": 1, "url": "x"}}]
    fine = {"timer": {"id": 1, "url": None, "more": 2, "tags": {"other": "text"}}}
    assert differences([fine], documented) == []
    assert differences([{"timer": {"id": 1, "url": "x"}}], documented) == ["answer[].timer.tags is missing"]
    assert differences([{"timer": {"id": "1", "url": "x", "tags": {}}}], documented[:1]) == [
        "answer[].timer.id is a text, documented as a number"
    ]
    assert differences([fine, {"timer": 1}], documented[1:]) == [
        "answer[].timer is a number, documented as an object"
    ]
    assert differences([], documented) == ["answer is empty"]
    assert differences({}, documented) == ["answer is a object, documented as a list"]
    assert differences([], {}) == ["answer is a list, documented as an object"]
    assert differences({"tags": {"a": 1}}, {"tags": {}}) == ["answer.tags.a is a number, documented as a text"]
