"""The vendor in memory: the sandbox behind the client's transport, with other people at work between two requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ConnectionFailed
from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from airflow_provider_retreaver.transport.client import RetreaverClient


class SimulatedRetreaver:
    """An account, filled and read behind the client's back; also the client's transport.

    `sent` has the requests that came through the client; `meanwhile` acts just before a request.
    """

    def __init__(self, load: str = "empty") -> None:
        self._sandbox = Sandbox(SandboxOptions(load=load))
        self.postback_key = self._sandbox.options.rtb_key
        self._acts: list[tuple[str, str, Callable[[], Any]]] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.client = RetreaverClient(self.settings(), transport=self, sleep=lambda seconds: None)

    def settings(self) -> ClientSettings:
        """Return the connection's settings."""
        return Settings.parse(
            "test",
            login="1",
            password="sandbox-key",
            host="http://127.0.0.1:1",
            extra={"max_concurrency": 1, "postback_key": self.postback_key},
        )

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Carry a request of the client."""
        for act in list(self._acts):
            if (request.method, request.path) == act[:2]:
                self._acts.remove(act)
                act[2]()
        self.sent.append((request.method, request.path, request.body))
        parts = urlsplit(wire.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        answer = self._sandbox.handle(wire.method, parts.path, query, dict(wire.headers), wire.body or b"")
        if answer.cut:
            raise ConnectionFailed("cut", method=request.method, path=request.path)
        return Response(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    def interrupt(self, threads: object) -> None:
        """Do nothing: a request in memory takes no time."""

    def close(self) -> None:
        """Nothing is kept open."""

    def ask(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        """Do something behind the client's back."""
        pairs = [("api_key", "sandbox-key"), ("company_id", "1"), *(query or {}).items()]
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self._sandbox.handle(method, path, pairs, {"content-type": "application/json"}, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body) if answer.body.strip() else None

    def before_next(self, method: str, path: str, act: Callable[[], Any]) -> None:
        """Act just before the next such request, as someone else."""
        self._acts.append((method, path, act))

    def fault(self, path: str, **fault: Any) -> None:
        """Script what the next matching request gets."""
        self.ask("POST", "/__sandbox__/faults", {"path": path, **fault})

    def target(self, **attributes: Any) -> int:
        """Add a target and return its ID."""
        body = {"number": "+19195550000", "name": "Acme", "hard_cap_attributes": {"cap": 100}, **attributes}
        return int(self.ask("POST", "/targets.json", {"target": body})["target"]["id"])

    def group(self, members: list[int], **attributes: Any) -> int:
        """Add a group and return its ID."""
        body = {"name": "Roofers", "target_ids": members, **attributes}
        return int(self.ask("POST", "/target_groups.json", {"target_group": body})["target_group"]["id"])

    def contact(self, number: str, **attributes: Any) -> int:
        """Add a contact and return its ID."""
        body = {"contact_numbers_attributes": [{"number": number}], **attributes}
        return int(self.ask("POST", "/contacts.json", {"contact": body})["contact"]["id"])

    def read(self, id_: int, kind: str = "target") -> Any:
        """Return an object as it is."""
        return self.ask("GET", f"/{kind}s/{id_}.json")[kind]

    def change(self, id_: int, kind: str = "target", **attributes: Any) -> None:
        """Change an object as someone else would."""
        self.ask("PUT", f"/{kind}s/{id_}.json", {kind: attributes})

    def writes(self) -> list[tuple[str, Any]]:
        """Return path and inner body of the client's PUTs."""
        return [(path, next(iter(body.values()))) for method, path, body in self.sent if method == "PUT"]

    def caps(self, id_: int, kind: str = "target") -> dict[str, int | None]:
        """Return the four caps and the concurrency cap."""
        row = self.read(id_, kind)
        return {cap["type"].lower(): cap["cap"] for cap in row["caps"]} | {"concurrency": row["concurrency_cap"]}
