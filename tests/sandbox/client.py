"""A client of a sandbox in memory, without HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_retreaver.sandbox import Answer, Sandbox

NOON = 1_767_960_000.0  # 2026-01-09T12:00:00Z, a Friday


class SandboxClient:
    """Sends requests to a sandbox; the key and the company are added unless ``bare``."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def send(self, method: str, target: str, body: Any = None, *, bare: bool = False, **headers: str) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if not bare:
            query = [("api_key", "sandbox-key"), ("company_id", "1"), *query]
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        all_headers = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return self.sandbox.handle(method, parts.path, query, all_headers, content)

    def request(self, method: str, target: str, body: Any = None, **headers: str) -> Any:
        """Send a request that must succeed; return the JSON of the answer."""
        answer = self.send(method, target, body, **headers)
        assert 200 <= answer.status < 300, (answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def error(
        self, status: int, method: str, target: str, body: Any = None, *, bare: bool = False, **headers: str
    ) -> Any:
        """Send a request that must be answered with the error ``status``; return the JSON of the answer."""
        answer = self.send(method, target, body, bare=bare, **headers)
        assert answer.status == status, (answer.status, answer.body)
        return json.loads(answer.body)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the control surface; return the JSON of the answer."""
        answer = self.send(method, f"/__sandbox__/{path}", body, bare=True)
        assert answer.status in (200, 204), answer.body
        return json.loads(answer.body) if answer.body else None

    def target(self, **attributes: Any) -> dict[str, Any]:
        """Create a target."""
        created = self.request("POST", "/targets.json", {"target": {"number": "+18668987878", **attributes}})
        return dict(created["target"])


def cap(owner: dict[str, Any], kind: str) -> tuple[int, int | None]:
    """Return how much of a cap is filled, and its limit."""
    (row,) = [row for row in owner["caps"] if row["type"] == kind]
    return row["filled"], row["cap"]


def links(answer: Answer) -> dict[str, str]:
    """Parse a Link header: URLs by relation."""
    text = dict(answer.headers).get("Link", "")
    pairs = [row.split("; rel=") for row in text.split(", ") if row]
    return {relation.strip('"'): url.strip("<>") for url, relation in pairs}
