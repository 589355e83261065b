"""Reset the filled hard caps of a local account with a real Airflow, show it, and check it."""

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

from stage import API_KEY, COMPANY, PROJECT, Stage, StepFailed, connection_fields, get_json, stop_on_signals

DAG_ID = "retreaver_nightly_cap_reset"
RUN_LIMIT = 180  # seconds; a run takes about ten


@dataclass(frozen=True)
class HardCap:
    """A target's hard cap as the vendor tells it."""

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
    stage = Stage(PROJECT / ".demo")
    stage.prepare()
    started = time.monotonic()
    try:
        with step("set up Airflow's database"):
            stage.migrate()
        with ExitStack() as stack:
            with step("start the sandbox"):
                url = stack.enter_context(stage.sandbox())
            with step("read the targets' caps"):
                before = hard_caps(url)
            with step(f"run the DAG {DAG_ID} in Airflow"):
                connection = {"AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(connection_fields(url))}
                command = [sys.executable, str(PROJECT / "scripts" / "run_dag.py"), DAG_ID, "--no-retries"]
                stage.call(command, "dag", timeout=RUN_LIMIT, extra=connection)
            with step("read the targets' caps again, and what the sandbox was asked for"):
                after = hard_caps(url)
                posts = resets_asked(url)
        print_table(before, after)
        with step("check what was reset"):
            count = check(before, after, posts)
    except StepFailed:
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    left = sum(1 for cap in before.values() if not cap.full)
    print(f"\n{count} hard caps were full and are reset, {left} were not full and are as they were.")
    print(f"Airflow's log of the run: {stage.logs / 'dag.log'} ({time.monotonic() - started:.0f} s in all)")
    return 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done; when it fails, say which step it was and why."""
    print(f"· {title}", flush=True)
    try:
        yield
    except (StepFailed, OSError, ValueError, KeyError) as failure:
        print(f"\nfailed: {title}\n  why: {failure}", file=sys.stderr)
        raise StepFailed(title) from failure


def hard_caps(url: str) -> dict[int, HardCap]:
    """Read all targets over HTTP, page by page, and return those that have a hard cap."""
    found: dict[int, HardCap] = {}
    page = 1
    while rows := ask(url, "/targets.json", page=page):
        for target in (row["target"] for row in rows):
            for cap in target["caps"]:
                if cap["type"] == "Hard" and cap["cap"] is not None:
                    found[target["id"]] = HardCap(target["name"], target["tid"], cap["filled"], cap["cap"])
        page += 1
    return found


def ask(url: str, path: str, **query: object) -> list[Mapping]:
    """Ask the vendor's API."""
    return get_json(f"{url}{path}?{urlencode({'api_key': API_KEY, 'company_id': COMPANY, **query})}")


def resets_asked(url: str) -> int:
    """Count the reset requests in the sandbox's own log."""
    log = get_json(f"{url}/__sandbox__/requests")
    return sum(1 for request in log if "reset_cap" in request["path"])


def check(before: dict[int, HardCap], after: dict[int, HardCap], posts: int) -> int:
    """Return how many caps were reset; refuse when it is not exactly the full ones, once each."""
    full = {target for target, cap in before.items() if cap.full}
    changed = {target for target, cap in before.items() if after.get(target) != cap}
    reset = {target for target, cap in after.items() if target in changed and cap.filled == 0}
    if not full:
        raise StepFailed("no hard cap was full before, so nothing was shown")
    if not (full == changed == reset):
        raise StepFailed(f"full before: {sorted(full)}; changed: {sorted(changed)}; at 0 now: {sorted(reset)}")
    if posts != len(full):
        raise StepFailed(f"{len(full)} caps were full, and {posts} resets were asked for")
    return len(reset)


def print_table(before: dict[int, HardCap], after: dict[int, HardCap]) -> None:
    """Print the targets with a hard cap, the full ones first."""
    width = max(len(cap.name) for cap in before.values())
    print(f"\n  {'target':<{width}}  {'tid':<12} {'cap':>6} {'before':>8} {'after':>8}")
    for target, cap in sorted(before.items(), key=lambda item: (not item[1].full, item[0])):
        now = after[target].filled if target in after else "gone"
        mark = "reset" if cap.full and now == 0 else ""
        print(f"  {cap.name:<{width}}  {cap.tid:<12} {cap.cap:>6} {cap.filled:>8} {now:>8}  {mark}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
