"""The account of a sandbox that serves over TCP, and contexts of tasks, for tests with Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.sandbox.local_server import RunningSandbox
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY

KEY = "s3cr3t+key/with=signs&more"
# Marks the requests of the test itself in the sandbox's log; tasks send others at the same time.
OWN = "x-own"


class Account:
    """Prepares and inspects the account of a running sandbox.

    The requests of this class are not in `sent`.
    """

    def __init__(self, running: RunningSandbox) -> None:
        self.url = running.url
        self._sandbox = running.sandbox

    def _handle(self, method: str, path: str, body: Any = None, page: int = 1) -> Any:
        query = [("api_key", self._sandbox.options.api_key), ("company_id", "1"), ("page", str(page))]
        raw = b"" if body is None else json.dumps(body).encode()
        answer = self._sandbox.handle(method, path, query, {"content-type": "application/json", OWN: "1"}, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body) if answer.body.strip() else None

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        return self._handle(method, f"/__sandbox__/{path}", body)

    def _log(self) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self._control("GET", "requests")
        return log

    def reset(self, load: str = "empty") -> None:
        """Reset the account: no faults, no log, and the given data."""
        self._control("POST", "reset", {"load": load})

    def target(self, name: str = "Acme", *, cap: int | None = 10, filled: int = 0, **attributes: Any) -> int:
        """Add a target and return its ID."""
        body = {"number": "+19195550000", "name": name, "hard_cap_attributes": {"cap": cap}, **attributes}
        id_ = int(self._handle("POST", "/targets.json", {"target": body})["target"]["id"])
        self.fill(id_, filled)
        return id_

    def advance(self, seconds: float) -> None:
        """Move the clock of the account on."""
        self._control("POST", "clock", {"advance": seconds})

    def change_target(self, id_: int, **attributes: Any) -> None:
        """Change a target as somebody else."""
        self._handle("PUT", f"/targets/{id_}.json", {"target": attributes})

    def delete_target(self, id_: int) -> None:
        """Delete a target."""
        self._handle("DELETE", f"/targets/{id_}.json")

    def targets(self, count: int, *, cap: int = 10, filled: int = 10) -> list[int]:
        """Add equal targets and return their IDs."""
        return [self.target(f"Target {index}", cap=cap, filled=filled) for index in range(count)]

    def group(self, members: list[int], *, cap: int | None = None, filled: int = 0) -> int:
        """Add a target group and return its ID."""
        body = {"name": "Roofers", "target_ids": members, "hard_cap_attributes": {"cap": cap}}
        id_ = int(self._handle("POST", "/target_groups.json", {"target_group": body})["target_group"]["id"])
        self._control("POST", f"target_groups/{id_}/fill", {"filled": filled})
        return id_

    def fill(self, id_: int, filled: int) -> None:
        """Set how many calls a target's hard cap has counted."""
        self._control("POST", f"targets/{id_}/fill", {"filled": filled})

    def calls(self, count: int, **fields: Any) -> list[str]:
        """Add calls with these fields and return their UUIDs."""
        return list(self._control("POST", "calls", {"count": count, "fields": fields})["uuids"])

    def fault(self, path: str, **fault: Any) -> None:
        """Script a fault for the next matching request; see the sandbox's control surface."""
        self._control("POST", "faults", {"path": path, **fault})

    def clear_faults(self) -> None:
        """Remove all scripted faults."""
        self._control("DELETE", "faults")

    def filled(self, id_: int, kind: str = "target") -> int:
        """Return how many calls the hard cap of a target or group has counted."""
        row = self._handle("GET", f"/{kind}s/{id_}.json")[kind]
        return int(next(cap["filled"] for cap in row["caps"] if cap["type"] == "Hard"))

    def list_targets(self, page: int) -> list[dict[str, Any]]:
        """Return a page of the list of targets."""
        return [row["target"] for row in self._handle("GET", "/targets.json", page=page)]

    def entries(self) -> list[dict[str, Any]]:
        """Return the log of requests that were not sent by this class."""
        return [entry for entry in self._log() if OWN not in entry["headers"]]

    def sent(self, *methods: str) -> list[str]:
        """Return `"METHOD /path"` of the requests, or of those with the given methods."""
        return [f"{e['method']} {e['path']}" for e in self.entries() if not methods or e["method"] in methods]

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Return an Airflow connection to this account, with some fields changed."""
        parts = {"conn_type": "retreaver", "login": "1", "password": KEY, "host": self.url}
        return {**parts, **changes}

    def trackdrive_connection(self, **changes: Any) -> dict[str, Any]:
        """Return an Airflow connection to the TrackDrive account of the sandbox, with some fields changed."""
        keys = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY}
        return {"conn_type": "trackdrive", **keys, "host": self.url, **changes}


class StateStore:
    """A replacement of Airflow's task state store: values are stored as JSON."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return a stored value."""
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        """Store a value."""
        self.values[key] = json.dumps(value)
        self.writes += 1


@dataclass
class TaskInstance:
    """A replacement of a task instance: identifies the task of a run, and stores pushed XComs."""

    dag_id: str = "nightly"
    run_id: str = "scheduled__2026-11-20T05:00:00+00:00"
    task_id: str = "reset"
    map_index: int = -1
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """Store a pushed value, as the JSON that Airflow would store."""
        self.pushed[key] = json.loads(json.dumps(value))


def context_of(**parts: Any) -> Mapping[str, Any]:
    """Return the context of an attempt: a task instance and the given entries."""
    return {"ti": TaskInstance(), **parts}


def reset_caps(context: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Execute a `RetreaverResetCapOperator` as a worker would after rendering, and return its result as JSON."""
    from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator

    operator = RetreaverResetCapOperator(task_id="reset", **parameters)
    result: dict[str, Any] = json.loads(json.dumps(operator.execute({} if context is None else context)))
    return result
