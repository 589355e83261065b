"""Talking to a sandbox in memory as a client would."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_retreaver.sandbox import Answer, Sandbox

NOON = 1_767_960_000.0  # 2026-01-09T12:00:00Z, a Friday


class Vendor:
    """Talks to a sandbox as a client would; the key and company are added unless ``bare``."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Talk to ``sandbox``."""
        self.sandbox = sandbox

    def ask(self, method: str, target: str, body: Any = None, *, bare: bool = False, **headers: str) -> Answer:
        """Send one request; a body that is not bytes goes as JSON."""
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if not bare:
            query = [("api_key", "sandbox-key"), ("company_id", "1"), *query]
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return self.sandbox.handle(method, parts.path, query, given, sent)

    def ok(self, method: str, target: str, body: Any = None, **headers: str) -> Any:
        """Send a request that must succeed; give the answer's JSON."""
        answer = self.ask(method, target, body, **headers)
        assert 200 <= answer.status < 300, (answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def no(
        self, status: int, method: str, target: str, body: Any = None, *, bare: bool = False, **headers: str
    ) -> Any:
        """Send a request that must be refused with ``status``; give the answer's JSON."""
        answer = self.ask(method, target, body, bare=bare, **headers)
        assert answer.status == status, (answer.status, answer.body)
        return json.loads(answer.body)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Use the control surface."""
        answer = self.ask(method, f"/__sandbox__/{path}", body, bare=True)
        assert answer.status in (200, 204), answer.body
        return json.loads(answer.body) if answer.body else None

    def target(self, **attributes: Any) -> dict[str, Any]:
        """Make a target."""
        made = self.ok("POST", "/targets.json", {"target": {"number": "+18668987878", **attributes}})
        return dict(made["target"])


def cap(thing: dict[str, Any], kind: str) -> tuple[int, int | None]:
    """Give how far a cap is filled, and the cap."""
    (found,) = [one for one in thing["caps"] if one["type"] == kind]
    return found["filled"], found["cap"]


def links(answer: Answer) -> dict[str, str]:
    """Read a Link header as the documents show it."""
    text = dict(answer.headers).get("Link", "")
    pairs = [one.split("; rel=") for one in text.split(", ") if one]
    return {relation.strip('"'): url.strip("<>") for url, relation in pairs}
