"""A distributed Airflow of which each part, and each server below, is killed once: run by `make test-celery`.

Not part of the test suite, because it needs the Celery provider, PostgreSQL and Redis, and takes minutes. The DAG
files are those of `example_dags/`, but for their schedules and the times between attempts, and one of sensors.
`make test-celery EVERY=1d` splits each year into 365 mapped tasks; `PICTURES=docs/assets` renews the picture of the
documentation.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_retreaver.sandbox.options import WRITING_KEY, SandboxOptions
from airflow_provider_retreaver.windows import split_window
from tests.airflow.runs.transfers_run import add_calls, newest_rows
from tests.airflow.support.account import KEY, Account
from tests.airflow.support.celery_airflow import ENDED, airflow_command, celery_airflow, dumped
from tests.airflow.support.exports import manifest_of, rows_of
from tests.airflow.support.in_flight import Door, highest, picture, sandbox_with_doors
from tests.airflow.support.samples import samples
from tests.airflow.support.suppression import phone_numbers, suppress, suppressed
from tests.paths import EXAMPLE_DAGS, PROJECT

EVERY = os.environ.get("EVERY") or "60d"
# Short, so that there is work before and after each server is lost.
EVERY_IN_OUTAGES = "15d"
PICTURES = PROJECT / (os.environ.get("PICTURES") or ".celery")
# Fewer than the tasks that the workers may run, so that the pool limits them.
POOL_SLOTS = 4
WORKER_SLOTS = 3
MAX_CONCURRENCY = 2
CALLS, PER_PAGE = 3_000, 20
LATENCY_MS, JITTER_MS = 150, 150
NUMBERS, OTHERS = 900, 20
SALES = 250
# The years: with one worker, with both, while parts are killed, and while Redis and PostgreSQL are.
ALONE, BOTH, DISTURBED, OUTAGES = 2022, 2023, 2024, 2021
RETRY = {"timedelta(minutes=5)": "timedelta(seconds=3)", "timedelta(minutes=1)": "timedelta(seconds=3)"}
BACKFILL, SYNC, WRITE = (
    "retreaver_calls_backfill_year",
    "retreaver_nightly_suppression_sync",
    "retreaver_conversions_back",
)
WATCHER, SENSORS = "retreaver_export_new_calls", "sensors"

WAITS = """
from datetime import datetime

from airflow.sdk import DAG

from airflow_provider_retreaver.sensors.calls import RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor

with DAG(
    "sensors", schedule=None, start_date=datetime(2026, 1, 1),
    default_args={"poke_interval": 2, "timeout": 3600, "retries": 2, "retry_delay": 2},
):
    RetreaverCallVolumeSensor(task_id="volume", window="2h", at_least=8, filters={"status": "busy"})
    RetreaverCapFilledSensor.partial(task_id="filled", at_least=0.9).expand(target_id=TARGETS)
    RetreaverTargetIdleSensor(task_id="idle", target_id=IDLE)
    RetreaverCapFilledSensor(task_id="late", target_id=IDLE, timeout=45, soft_fail=True, retries=0)
"""


@dataclass
class Moments:
    """When something happened, for the picture."""

    marks: list[tuple[float, str]]

    def mark(self, label: str) -> None:
        """Note that it happens now."""
        self.marks.append((time.monotonic(), label))
        print(label)


def example(dag_id, **changes):
    """Return the source of an example DAG with some texts changed, each of which it has."""
    source = (EXAMPLE_DAGS / f"{dag_id}.py").read_text()
    for old, new in RETRY.items():
        source = source.replace(old, new)
    for old, new in changes.values():
        assert old in source, old
        source = source.replace(old, new)
    return source


def pool_policy():
    """Return the cluster policy of docs/deployment.md, which bounds an account over all workers."""
    (code,) = (sample.code for sample in samples() if "def task_policy" in sample.code)
    return code


@pytest.fixture
def doors():
    """Return the two addresses of the account: what the workers may send at once, and what the triggerer may."""
    return [Door("workers", POOL_SLOTS * MAX_CONCURRENCY), Door("triggerer", MAX_CONCURRENCY)]


@pytest.fixture
def account(doors):
    """Serve an empty account at both addresses; a request beyond the limit of an address is refused and logged."""
    options = SandboxOptions(api_key=KEY, latency_ms=LATENCY_MS, jitter_ms=JITTER_MS)
    with sandbox_with_doors(options, doors) as running:
        account = Account(running)
        account.reset()
        yield account


def connections(account, door):
    """Return the environment of a component that reaches the account by one of its addresses."""
    extra = {"per_page": PER_PAGE, "max_concurrency": MAX_CONCURRENCY, "postback_key": WRITING_KEY}
    connection = json.dumps(account.connection(host=door.url, extra=extra))
    return {"AIRFLOW_CONN_RETREAVER_DEFAULT": connection, "AIRFLOW_CONN_RETREAVER_WRITING": connection}


def test_every_part_is_killed_once(airflow_lab, account, doors):
    """Worker, scheduler and triggerer end by SIGKILL amid all kinds of work: nothing is lost or done twice."""
    calls = {year: add_calls(account, CALLS, *year_of(year)) for year in (ALONE, BOTH, DISTURBED, OUTAGES)}
    sold = add_calls(account, SALES, "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z")
    before = tags_of(account, sold)
    targets = [account.target(filled=1) for _ in range(3)]
    account._control("POST", "calls_in_progress", {"target_id": targets[2], "calls_in_progress": 1})
    others = phone_numbers(OTHERS, NUMBERS)
    suppress(account, others)
    account._control("DELETE", "requests")
    dags = {
        f"{BACKFILL}.py": example(BACKFILL),
        f"{SYNC}.py": example(SYNC, schedule=('schedule="30 2 * * *"', "schedule=None")),
        f"{WRITE}.py": example(WRITE, schedule=('schedule="0 3 * * *"', "schedule=None")),
        f"{WATCHER}.py": example(
            WATCHER,
            poll=("RetreaverNewCallsEventTrigger()", "RetreaverNewCallsEventTrigger(poll_interval=2, overlap=5)"),
            host=('COMPANY, "calls", ', 'COMPANY, "calls", "127.0.0.1", '),
        ),
        "sensors.py": WAITS.replace("TARGETS", str(targets[:2])).replace("IDLE", str(targets[2])),
    }
    workers, triggerer = (connections(account, door) for door in doors)
    moments = Moments([])
    started_at = time.monotonic()
    with celery_airflow(
        airflow_lab, account, dags, pool_policy(), WORKER_SLOTS, w1=workers, w2=workers, triggerer=triggerer
    ) as airflow:
        folder = airflow.home / "shared"
        airflow.env["AIRFLOW_VAR_RETREAVER_STORAGE"] = folder.as_uri()
        airflow_command(airflow, "pools", "set", "retreaver", str(POOL_SLOTS), "requests to Retreaver")
        fill_warehouse(airflow, sold)
        airflow.wait(lambda: airflow.query("SELECT count(*) FROM dag WHERE NOT is_stale") == [(5,)], "five DAGs")
        print(f"up after {time.monotonic() - started_at:.0f} s")
        for dag_id in (BACKFILL, SYNC, WRITE, WATCHER, SENSORS):
            airflow.unpause(dag_id)
        runs = {}
        for year, worker in ((ALONE, "w1"), (BOTH, "w2")):
            airflow.start(worker)
            runs[year] = throughput(airflow, year)
        added = disturb(airflow, account, doors, moments, runs, targets)
        added |= lose_servers(airflow, account, moments, runs)
        work = [
            (BACKFILL, runs[DISTURBED]),
            (BACKFILL, runs[OUTAGES]),
            *((dag_id, runs[dag_id]) for dag_id in (SYNC, WRITE, SENSORS)),
        ]
        for dag_id, run_id in work:
            airflow.wait(lambda: airflow.run_state(dag_id, run_id) in ENDED, f"the end of {dag_id}")  # noqa: B023
        airflow.wait(lambda: added <= set(exported(airflow)), "the export of all new calls")
        airflow.wait(lambda: set(states_of(airflow, WATCHER)) <= ENDED, "the end of all runs of the watcher")
        moments.mark("all ended")
        tried = check_tries(airflow, work)
        for year, uuids in calls.items():
            check_backfill(airflow, runs[year], year, uuids)
        assert not list(folder.glob("calls/_temporary/**/*.*"))
        check_sync(airflow, account, others)
        twice = check_writes(airflow, account, sold, before)
        check_watcher(airflow, account, added)
        check_sensors(airflow, targets)
        hidden = KEY[:6].encode().lower() not in dumped(airflow, "airflow").lower()
    assert hidden
    assert not holders_of_the_key(airflow.home)
    check_limits(account, doors)
    draw(doors, moments)
    print(
        f"tasks that were tried more than once: {tried}; lost: 0; doubled: 0; tags sent twice, same values: {twice}"
    )
    print(f"in total {time.monotonic() - started_at:.0f} s")


def fill_warehouse(airflow, sold):
    """Create the tables of the list and of the sales, with their rows."""
    numbers = ", ".join(f"('{number}')" for number in phone_numbers(NUMBERS))
    sales = ", ".join(f"('{uuid}', NULL, '{n}', 'sold', '2026-11-20')" for n, uuid in enumerate(sold))
    airflow.cluster.query(
        "CREATE TABLE sales (call_uuid TEXT, caller_number TEXT, amount TEXT, outcome TEXT, sold_on TEXT); "
        f"CREATE TABLE do_not_call (phone TEXT); INSERT INTO do_not_call VALUES {numbers}; "
        f"INSERT INTO sales VALUES {sales}",
        "warehouse",
    )


def year_of(year):
    """Return start and end of a year, as the example DAG has them."""
    return f"{year}-01-01T00:00:00-05:00", f"{year + 1}-01-01T00:00:00-05:00"


def throughput(airflow, year):
    """Export a year with the workers that run, print how fast it was, and return the ID of the run."""
    tasks = len(split_window(*year_of(year), EVERY))
    begun = time.monotonic()
    run_id = airflow.trigger(BACKFILL, year=year, every=EVERY)
    airflow.wait(lambda: airflow.run_state(BACKFILL, run_id) in ENDED, f"the year {year}")
    seconds = time.monotonic() - begun
    workers = 1 if year == ALONE else 2
    at_once = min(workers * WORKER_SLOTS, POOL_SLOTS)
    print(
        f"{workers} worker(s), {at_once} tasks at once: {tasks} mapped tasks and {CALLS} calls in {seconds:.0f} s, "
        f"{60 * tasks / seconds:.1f} tasks a minute, {CALLS / seconds:.0f} calls a second"
    )
    return run_id


def disturb(airflow, account, doors, moments, runs, targets):
    """Start all kinds of work, kill a worker, the scheduler and the triggerer, and return the new calls."""
    runs[SENSORS] = airflow.trigger(SENSORS)

    def deferred():
        return sum(state == "deferred" for _, _, state, _ in airflow.states(SENSORS))

    airflow.wait(lambda: deferred() >= 4, "deferred sensors")
    moments.mark("sensors deferred")
    runs[SYNC] = airflow.trigger(SYNC)
    runs[WRITE] = airflow.trigger(WRITE, day="2026-11-20", verify_after="20s")
    runs[DISTURBED] = airflow.trigger(BACKFILL, year=DISTURBED, every=EVERY)
    added = set(account.calls(5, status="busy"))

    def victim():
        """Return the worker that has the sync and an export."""
        running = airflow.running()
        for name in ("w1", "w2"):
            there = {running[pid][:2] for pid in airflow.processes_of(name) & running.keys()}
            if {(SYNC, "mirror_do_not_call"), (BACKFILL, "export_week")} <= there:
                return name
        return None

    airflow.wait(lambda: sent(account, "suppressed_numbers") > 20 < sent(account, "data_writing"), "both writers")
    # Slow pages, so that the exports are amid their pages when their worker is lost.
    account.fault("/calls", delay=1, times=None)
    found = []
    airflow.wait(lambda: found.append(victim()) or found[-1], "an export beside the sync")
    name, lost = found[-1], airflow.running()
    killed = airflow.kill(name)
    account.clear_faults()
    lost = sorted(task for pid, task in lost.items() if pid in killed)
    moments.mark("worker killed")
    print(f"  its tasks: {', '.join(f'{task} [{index}]' for _, task, index in lost)}")
    assert {(SYNC, "mirror_do_not_call"), (BACKFILL, "export_week")} <= {task[:2] for task in lost}
    time.sleep(5)
    airflow.start(name)
    moments.mark("worker restarted")

    def successes():
        return sum(state == "success" for _, _, state, _ in airflow.states(BACKFILL, "export_week", runs[DISTURBED]))

    airflow.wait(lambda: successes() >= 2, "further exports")
    airflow.kill("scheduler")
    moments.mark("scheduler killed")
    added |= set(account.calls(2, status="busy"))
    time.sleep(10)
    airflow.start("scheduler")
    moments.mark("scheduler restarted")
    airflow.wait(lambda: successes() >= 3, "exports under the new scheduler")
    airflow.wait(lambda: deferred() >= 4, "sensors that still wait")
    airflow.kill("triggerer")
    moments.mark("triggerer killed")
    polls = len(doors[1].spans)
    added |= set(account.calls(3, status="busy"))
    for target in targets[:2]:
        account.fill(target, 9)
    account._control("POST", "calls_in_progress", {"target_id": targets[2], "calls_in_progress": 0})
    time.sleep(5)
    assert len(doors[1].spans) == polls, "no triggerer runs"
    airflow.start("triggerer")
    moments.mark("triggerer restarted")
    return added


def lose_servers(airflow, account, moments, runs):
    """Lose Redis with all it holds, then PostgreSQL, while a year is exported, and return the new calls."""
    account.fault("/calls", delay=2, times=None)
    runs[OUTAGES] = airflow.trigger(BACKFILL, year=OUTAGES, every=EVERY_IN_OUTAGES)

    def exports(*states):
        return sum(state in states for _, _, state, _ in airflow.states(BACKFILL, "export_week", runs[OUTAGES]))

    airflow.wait(lambda: exports("running") >= POOL_SLOTS - 1, "exports at once")
    with airflow.supervised() as ended:
        airflow.redis.kill()
        moments.mark("Redis killed")
        time.sleep(5)
        airflow.redis.start()
        moments.mark("Redis restarted, empty")
        later = exports("success", "running")
        airflow.wait(lambda: exports("success") > later, "exports that began after the restart of Redis")
        airflow.cluster.kill()
        moments.mark("PostgreSQL killed")
        time.sleep(5)
        airflow.cluster.start()
        moments.mark("PostgreSQL restarted")
        added = set(account.calls(3, status="busy"))
        later = exports("success", "running")
        airflow.wait(lambda: exports("success") > later, "exports that began after the restart of PostgreSQL")
        account.clear_faults()
        airflow.wait(lambda: airflow.run_state(BACKFILL, runs[OUTAGES]) in ENDED, "the end of the year")
        airflow.wait(lambda: added <= set(exported(airflow)), "the export of new calls")
    print(f"  components that ended, and were started again: {', '.join(ended) or 'none'}")
    return added


def sent(account, part):
    """Return how many requests that write went to paths with a part."""
    return sum(part in path for path in account.sent("POST"))


def states_of(airflow, dag_id):
    """Return the states of a DAG's runs."""
    return [state for (state,) in airflow.query(f"SELECT state FROM dag_run WHERE dag_id = '{dag_id}'")]


def exported(airflow):
    """Return the newest row of each call that the watcher's runs have exported."""
    return newest_rows(airflow.results(WATCHER, "export_new"))


def check_tries(airflow, work):
    """Check that all runs succeeded; return which tasks had more than one attempt, sync and exports among them."""
    assert {dag_id: airflow.run_state(dag_id, run_id) for dag_id, run_id in work} == dict.fromkeys(
        (dag_id for dag_id, _ in work), "success"
    )
    tries = {
        f"{dag_id}.{task}[{index}]": number
        for dag_id, run_id in work
        for task, index, _, number in airflow.states(dag_id, run_id=run_id)
        if number > 1
    }
    for lost in (f"{SYNC}.mirror_do_not_call", f"{BACKFILL}.export_week"):
        assert any(name.startswith(lost) for name in tries), tries
    return tries


def check_backfill(airflow, run_id, year, uuids):
    """Each call of the year is in one file, once, and no other call is."""
    results = airflow.results(BACKFILL, "export_week", run_id)
    assert len(results) == len(split_window(*year_of(year), EVERY_IN_OUTAGES if year == OUTAGES else EVERY))
    manifests = [manifest_of(result) for result in results]
    assert all(manifest["complete"] for manifest in manifests)
    assert len({manifest["export"] for manifest in manifests}) == len(results)
    assert sorted(row["uuid"] for result in results for row in rows_of(result)) == sorted(uuids)


def check_sync(airflow, account, others):
    """Check that the list is the source and what others suppressed, and that no number was added twice."""
    assert set(suppressed(account)) == {*phone_numbers(NUMBERS), *others}
    (result,) = airflow.results(SYNC, "mirror_do_not_call")
    assert (result["added"], result["removed"]) == (NUMBERS, 0)
    done = Counter(
        entry["path"]
        for entry in account.entries()
        if entry["method"] in {"POST", "DELETE"} and "suppressed_numbers" in entry["path"] and entry["status"] < 300
    )
    assert {path: times for path, times in done.items() if times > 1} == {}
    assert len(done) == NUMBERS


def tags_of(account, uuids):
    """Return the tags of calls, by UUID."""
    store = account._sandbox.state.store
    with store.transaction():
        tags = {row["uuid"]: json.loads(row["tags"]) for row in store.rows("SELECT uuid, tags FROM calls")}
    return {uuid: tags[uuid] for uuid in uuids}


def check_writes(airflow, account, sold, before):
    """Each sold call has its tags, and all were read back; return how many were sent twice, with the same values."""
    (result,) = airflow.results(WRITE, "conversions_back")
    assert (result["applied"], result["failed"], result["verified"], result["missing"]) == (SALES, 0, SALES, 0)
    wanted = {
        uuid: {**before[uuid], "sale_amount": str(n), "sale_outcome": "sold", "sale_source": "crm"}
        for n, uuid in enumerate(sold)
    }
    assert tags_of(account, sold) == wanted
    bodies = [entry["body"] for entry in account.entries() if "data_writing" in entry["path"]]
    assert {json.loads(body)["call_uuid"] for body in bodies} == set(sold)
    assert len(set(bodies)) == SALES
    twice = len(bodies) - SALES
    assert twice <= 3 * MAX_CONCURRENCY
    return twice


def check_watcher(airflow, account, added):
    """All calls that were added are in the exports, each once a file, also those of the time without a triggerer."""
    assert added <= set(exported(airflow))
    assert set(states_of(airflow, WATCHER)) == {"success"}
    for result in airflow.results(WATCHER, "export_new"):
        uuids = [row["uuid"] for row in rows_of(result)] if result["manifest"] else []
        assert len(uuids) == len(set(uuids))


def check_sensors(airflow, targets):
    """Each sensor ended once, as its condition says, with the exact value."""
    ended = {(task, index): state for task, index, state, _ in airflow.states(SENSORS)}
    met = dict.fromkeys([("filled", 0), ("filled", 1), ("idle", -1), ("volume", -1)], "success")
    assert ended == {**met, ("late", -1): "skipped"}
    assert airflow.results(SENSORS, "volume") == [10]
    filled = airflow.results(SENSORS, "filled")
    assert [[row["id"] for row in rows] for rows in filled] == [[target] for target in targets[:2]]


def check_limits(account, doors):
    """Check that no request was refused for too many at once, and that the busiest moments are within the limits."""
    assert [entry["path"] for entry in account.entries() if entry["status"] == 429] == []
    for door in doors:
        print(f"{door.name}: {len(door.spans)} requests, at most {highest(door.spans)} in flight of {door.most}")
        assert 0 < highest(door.spans) <= door.most
    together = highest([span for door in doors for span in door.spans])
    assert together <= (POOL_SLOTS + 1) * MAX_CONCURRENCY


def draw(doors, moments):
    """Write the picture of the requests in flight."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    title = f"Requests in flight: pool of {POOL_SLOTS}, max_concurrency {MAX_CONCURRENCY}, two Celery workers"
    path = PICTURES / "requests-in-flight.svg"
    path.write_text(picture(title, doors, [door.most for door in doors], moments.marks), encoding="utf-8")
    print(f"picture: {path}")


def holders_of_the_key(home: Path):
    """Return the files that hold the key."""
    secret = re.compile(re.escape(KEY[:6]).encode(), re.IGNORECASE)
    return [path for path in home.rglob("*") if path.is_file() and secret.search(path.read_bytes())]
