"""A task over TCP that is killed at random and resumed, with every request logged by the sandbox."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_retreaver.sandbox.local_server import RunningSandbox
from tests.paths import PROJECT

# Seconds without a request after which an attempt hangs; how long a whole one takes depends on the machine.
TIMEOUT = 300

ATTEMPT = """
import json, sys
from tests.airflow.support.suppression import attempt_context, sync
print("RESULT " + json.dumps(sync(attempt_context(), **json.loads(sys.argv[1]))))
"""


@dataclass
class KilledSync:
    """The attempts of one task, each in a separate process.

    `entries` has every request that the sandbox got; `code` runs an attempt, by default one of a suppression sync.
    """

    running: RunningSandbox
    folder: Path
    parameters: dict[str, Any]
    extra: dict[str, Any]
    entries: list[dict[str, Any]] = field(default_factory=list)
    code: str = ATTEMPT

    def attempt(self, kill_after: int | None = None) -> dict[str, Any] | None:
        """Run an attempt and return its result, or kill it after `kill_after` changes and return None."""
        connection = {
            "conn_type": "retreaver",
            "login": "1",
            "password": self.running.sandbox.options.api_key,
            "host": self.running.url,
            "extra": self.extra,
        }
        env = {
            **os.environ,
            "PYTHONPATH": str(PROJECT),
            "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(connection),
        }
        log = self.folder / "attempts.log"
        deadline = time.monotonic() + TIMEOUT
        with log.open("ab") as output:
            arguments = [sys.executable, "-c", self.code, json.dumps(self.parameters)]
            with subprocess.Popen(arguments, env=env, stdout=output, stderr=subprocess.STDOUT) as process:
                try:
                    while process.poll() is None:
                        assert time.monotonic() < deadline, "the attempt sends nothing any more"
                        if self.fetch_entries():
                            deadline = time.monotonic() + TIMEOUT
                        if kill_after is not None and self.writes() >= kill_after:
                            break
                        time.sleep(0.02)
                finally:
                    process.kill()
        self.fetch_entries()
        lines = [line for line in log.read_text().splitlines() if line.startswith("RESULT ")]
        return json.loads(lines[-1].removeprefix("RESULT ")) if lines else None

    def fetch_entries(self) -> bool:
        """Fetch the new entries of the sandbox's log, and return whether there are any."""
        since = str(self.entries[-1]["n"]) if self.entries else "0"
        answer = self.running.sandbox.handle("GET", "/__sandbox__/requests", [("since", since)], {}, b"")
        new = json.loads(answer.body)
        self.entries += new
        return bool(new)

    def send(self, method: str, path: str, page: int = 1) -> Any:
        """Send a request to the sandbox directly, without random faults."""
        sandbox = self.running.sandbox
        query = [("api_key", sandbox.options.api_key), ("company_id", "1"), ("page", str(page))]
        headers = {"content-type": "application/json"}
        sandbox.handle("POST", "/__sandbox__/faults", [], {}, b'{"times": null}')
        answer = sandbox.handle(method, path, query, headers, b'{"can_resubscribe": false}')
        sandbox.handle("DELETE", "/__sandbox__/faults", [], {}, b"")
        assert answer.status < 300, answer
        return json.loads(answer.body)

    def suppress(self, numbers: list[str]) -> None:
        """Suppress numbers as another client, before the first attempt."""
        for number in numbers:
            self.send("POST", f"/suppressed_numbers/{number}.json")
        self.running.sandbox.handle("DELETE", "/__sandbox__/requests", [], {}, b"")

    def suppressed(self) -> dict[str, bool]:
        """Return every suppressed number with its `can_resubscribe`."""
        numbers: dict[str, bool] = {}
        page = 1
        while rows := self.send("GET", "/suppressed_numbers.json", page):
            numbers |= {
                row["suppressed_number"]["number"]: row["suppressed_number"]["can_resubscribe"] for row in rows
            }
            page += 1
        return numbers

    def writes(self) -> int:
        """Return how many additions and removals were requested."""
        return sum(entry["method"] in {"POST", "DELETE"} for entry in self.entries)

    def repeated_changes(self) -> list[str]:
        """Return the additions and removals of a number that succeeded more than once."""
        successes = Counter(
            f"{entry['method']} {entry['path']}"
            for entry in self.entries
            if entry["method"] in {"POST", "DELETE"} and 200 <= entry["status"] < 300
        )
        return sorted(request for request, times in successes.items() if times > 1)


def kill_and_resume(sync: KilledSync, count: int, seed: int) -> dict[str, Any]:
    """Kill two attempts at random points, let the third finish, and return its result."""
    rng = random.Random(seed)  # noqa: S311 - the same points every time
    for share in (rng.uniform(0.15, 0.35), rng.uniform(0.5, 0.8)):
        assert sync.attempt(kill_after=round(share * count)) is None
    # A number whose every request failed is left to a retry, as in Airflow.
    for _ in range(3):
        result = sync.attempt()
        if result is not None:
            return result
    raise AssertionError((sync.folder / "attempts.log").read_text()[-3000:])
