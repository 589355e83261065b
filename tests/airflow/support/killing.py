"""A suppression sync over TCP, killed at random and resumed, with every request counted at the vendor's."""

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

from airflow_provider_retreaver.sandbox.http.server import RunningSandbox
from tests.paths import PROJECT

PATIENCE = 900

ATTEMPT = """
import json, sys
from tests.airflow.support.blocking import run_of, sync
print("RESULT " + json.dumps(sync(run_of(), **json.loads(sys.argv[1]))))
"""


@dataclass
class Siege:
    """Attempts at one sync of a run, each in a process of its own.

    `entries` holds every request that the vendor got.
    """

    running: RunningSandbox
    folder: Path
    parameters: dict[str, Any]
    extra: dict[str, Any]
    entries: list[dict[str, Any]] = field(default_factory=list)

    def attempt(self, kill_after: int | None = None) -> dict[str, Any] | None:
        """Run an attempt to its end and return its result, or kill it after so many additions and removals."""
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
        ends = time.monotonic() + PATIENCE
        with log.open("ab") as output:
            arguments = [sys.executable, "-c", ATTEMPT, json.dumps(self.parameters)]
            with subprocess.Popen(arguments, env=env, stdout=output, stderr=subprocess.STDOUT) as process:
                try:
                    while process.poll() is None:
                        assert time.monotonic() < ends, "the attempt takes too long"
                        self.gather()
                        if kill_after is not None and self.writes() >= kill_after:
                            break
                        time.sleep(0.02)
                finally:
                    process.kill()
        self.gather()
        lines = [line for line in log.read_text().splitlines() if line.startswith("RESULT ")]
        return json.loads(lines[-1].removeprefix("RESULT ")) if lines else None

    def gather(self) -> None:
        """Fetch what the vendor has logged since."""
        since = str(self.entries[-1]["n"]) if self.entries else "0"
        answer = self.running.sandbox.handle("GET", "/__sandbox__/requests", [("since", since)], {}, b"")
        self.entries += json.loads(answer.body)

    def ask(self, method: str, path: str, page: int = 1) -> Any:
        """Ask the vendor behind the client's back, in good weather."""
        sandbox = self.running.sandbox
        query = [("api_key", sandbox.options.api_key), ("company_id", "1"), ("page", str(page))]
        headers = {"content-type": "application/json"}
        sandbox.handle("POST", "/__sandbox__/faults", [], {}, b'{"times": null}')
        answer = sandbox.handle(method, path, query, headers, b'{"can_resubscribe": false}')
        sandbox.handle("DELETE", "/__sandbox__/faults", [], {}, b"")
        assert answer.status < 300, answer
        return json.loads(answer.body)

    def suppress(self, numbers: list[str]) -> None:
        """Suppress numbers as somebody else would, before the first attempt."""
        for number in numbers:
            self.ask("POST", f"/suppressed_numbers/{number}.json")
        self.running.sandbox.handle("DELETE", "/__sandbox__/requests", [], {}, b"")

    def suppressed(self) -> dict[str, bool]:
        """Return every suppressed number with its `can_resubscribe`."""
        found: dict[str, bool] = {}
        page = 1
        while rows := self.ask("GET", "/suppressed_numbers.json", page):
            found |= {row["suppressed_number"]["number"]: row["suppressed_number"]["can_resubscribe"] for row in rows}
            page += 1
        return found

    def writes(self) -> int:
        """Return how many additions and removals the vendor was asked for."""
        return sum(entry["method"] in {"POST", "DELETE"} for entry in self.entries)

    def done_twice(self) -> list[str]:
        """Return the requests for one number that were answered with success more than once."""
        done = Counter(
            f"{entry['method']} {entry['path']}"
            for entry in self.entries
            if entry["method"] in {"POST", "DELETE"} and 200 <= entry["status"] < 300
        )
        return sorted(request for request, times in done.items() if times > 1)


def besiege(siege: Siege, count: int, seed: int) -> dict[str, Any]:
    """Kill two attempts at random places, let the third finish, and return its result."""
    chance = random.Random(seed)  # noqa: S311 - the same places every time
    for share in (chance.uniform(0.15, 0.35), chance.uniform(0.5, 0.8)):
        assert siege.attempt(kill_after=round(share * count)) is None
    # A number whose every attempt met bad weather is left to a retry, as in Airflow.
    for _ in range(3):
        result = siege.attempt()
        if result is not None:
            return result
    raise AssertionError((siege.folder / "attempts.log").read_text()[-3000:])
