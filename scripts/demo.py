"""Resets the filled hard caps of a local account with a real Airflow, and checks the result."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent))

from local_airflow import (
    API_KEY,
    COMPANY,
    PROJECT,
    LocalAirflow,
    StepFailed,
    connection_fields,
    get_json,
    stop_on_signals,
)

DAG_ID = "retreaver_nightly_cap_reset"
RUN_LIMIT = 180  # seconds; a run takes about ten


@dataclass(frozen=True)
class HardCap:
    """A target's hard cap, as Retreaver's API returns it."""

    name: str
    tid: str
    filled: int
    cap: int

    @property
    def full(self) -> bool:
        """Whether the target takes no more calls."""
        return self.filled >= self.cap


def main() -> int:
    """Run the steps; 0 when exactly the full caps were reset."""
    stop_on_signals()
    local = LocalAirflow(PROJECT / ".demo")
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            with step("set up Airflow's database"):
                stack.enter_context(local.prepared("make demo"))
                local.migrate()
            with step("start the sandbox"):
                url = stack.enter_context(local.sandbox())
            with step("read the targets' caps"):
                before = hard_caps(url)
            with step(f"run the DAG {DAG_ID} in Airflow"):
                connection = {"AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(connection_fields(url))}
                command = [sys.executable, str(PROJECT / "scripts" / "run_dag.py"), DAG_ID, "--no-retries"]
                local.call(command, "dag", timeout=RUN_LIMIT, extra=connection)
            with step("read the targets' caps and the sandbox's log of requests"):
                after = hard_caps(url)
                posts = count_resets(url)
        print_table(before, after)
        with step("check what was reset"):
            count = check(before, after, posts)
    except StepFailed:
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    unchanged = sum(1 for cap in before.values() if not cap.full)
    print(f"\n{count} hard caps were full and have been reset; {unchanged} were not full and are unchanged.")
    print(f"Airflow's log of the run: {local.logs / 'dag.log'} ({time.monotonic() - started:.0f} s in total)")
    return 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title of a step; if it fails, print the title and the reason."""
    print(f"· {title}", flush=True)
    try:
        yield
    except (StepFailed, OSError, ValueError, KeyError) as failure:
        print(f"\nfailed: {title}\n  reason: {failure}", file=sys.stderr)
        raise StepFailed(title) from failure


def hard_caps(url: str) -> dict[int, HardCap]:
    """Read all targets over HTTP, page by page, and return those that have a hard cap."""
    caps: dict[int, HardCap] = {}
    page = 1
    while rows := get_rows(url, "/targets.json", page=page):
        for target in (row["target"] for row in rows):
            for cap in target["caps"]:
                if cap["type"] == "Hard" and cap["cap"] is not None:
                    caps[target["id"]] = HardCap(target["name"], target["tid"], cap["filled"], cap["cap"])
        page += 1
    return caps


def get_rows(url: str, path: str, **query: object) -> list[Mapping]:
    """Read a page of a list of Retreaver's API."""
    return get_json(f"{url}{path}?{urlencode({'api_key': API_KEY, 'company_id': COMPANY, **query})}")


def count_resets(url: str) -> int:
    """Count the requests to reset a cap in the sandbox's log."""
    log = get_json(f"{url}/__sandbox__/requests")
    return sum(1 for request in log if "reset_cap" in request["path"])


def check(before: dict[int, HardCap], after: dict[int, HardCap], posts: int) -> int:
    """Return how many caps were reset; fail unless exactly the full caps were reset, once each."""
    full = {target for target, cap in before.items() if cap.full}
    changed = {target for target, cap in before.items() if after.get(target) != cap}
    reset = {target for target, cap in after.items() if target in changed and cap.filled == 0}
    if not full:
        raise StepFailed("no hard cap was full, so there was nothing to reset")
    if not (full == changed == reset):
        raise StepFailed(f"full before: {sorted(full)}; changed: {sorted(changed)}; at 0 afterwards: {sorted(reset)}")
    if posts != len(full):
        raise StepFailed(f"{len(full)} caps were full, but {posts} resets were requested")
    return len(reset)


def print_table(before: dict[int, HardCap], after: dict[int, HardCap]) -> None:
    """Print the targets with a hard cap, the full ones first."""
    width = max(len(cap.name) for cap in before.values())
    print(f"\n  {'target':<{width}}  {'tid':<12} {'cap':>6} {'before':>8} {'after':>8}")
    for target, cap in sorted(before.items(), key=lambda item: (not item[1].full, item[0])):
        now = after[target].filled if target in after else "missing"
        mark = "reset" if cap.full and now == 0 else ""
        print(f"  {cap.name:<{width}}  {cap.tid:<12} {cap.cap:>6} {cap.filled:>8} {now:>8}  {mark}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
