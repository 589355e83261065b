"""Webhooks in a real Airflow 3 with two api-servers, parts of which are killed: run by `make test-webhooks`.

Not part of the test suite, because it starts a complete Airflow and takes minutes. `WEBHOOKS` sets how many webhooks
are sent within `SECONDS`; 5 % of them are sent again. While they come in, the scheduler with its tasks, the
triggerer, and one of the api-servers are killed with SIGKILL and started again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import statistics
import time
from collections import Counter
from contextlib import ExitStack
from urllib.parse import unquote

import aiohttp

from tests.airflow.runs.scheduler_run import prepare_home, query_database, run_component, wait_for
from tests.airflow.runs.triggerer_run import NO_LOG_SERVER
from tests.airflow.support.account import Account
from tests.airflow.support.api_server import free_port

WEBHOOKS, SECONDS, AGAIN = int(os.environ.get("WEBHOOKS", "2000")), float(os.environ.get("SECONDS", "20")), 0.05
TOKEN = "w3bh00k-tok3n-of-this-run"
CALLER = "+1919555"
SOURCE = """
import json
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, AssetWatcher, task

from airflow_provider_retreaver.assets import retreaver_asset
from airflow_provider_retreaver.operators.webhooks import RetreaverWebhookBatchOperator
from airflow_provider_retreaver.triggers.webhooks import RetreaverWebhookEventTrigger
from airflow_provider_retreaver.webhooks.reading import read_webhooks

ended = retreaver_asset(
    1, "webhooks/always", "127.0.0.1",
    watchers=[AssetWatcher(name="ended", trigger=RetreaverWebhookEventTrigger(trigger="always", poll_interval=2))],
)

with DAG(
    "webhooks", schedule=[ended], start_date=datetime(2026, 1, 1), is_paused_upon_creation=False,
    default_args={"retries": 10, "retry_delay": timedelta(seconds=1)},
):

    @task
    def handle(batch, run_id=None):
        calls = [[one["call_uuid"], one["received_at"]] for one in read_webhooks(batch)]
        Path("FOLDER", f"{run_id.replace('/', '_')}.json").write_text(json.dumps(calls))
        return len(calls)

    handle(RetreaverWebhookBatchOperator(task_id="take", trigger="always", inlets=[ended]).output)
"""


class Sender:
    """Sends webhooks as Retreaver does: again when there is no 2xx within five seconds.

    :param urls: of the endpoint, by replica.
    """

    def __init__(self, urls):
        # Of each answer when its webhook was sent, and how long it took.
        self.urls, self.answers, self.statuses = urls, [], Counter()
        self.killed_at = float("inf")

    async def send_all(self, calls, seconds):
        """Send webhooks of calls, evenly over some seconds."""
        # No connection is kept: each webhook may meet an api-server that has just been killed.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=200)) as session:
            started, tasks = time.monotonic(), []
            for index, call in enumerate(calls):
                await asyncio.sleep(max(0.0, started + index * seconds / len(calls) - time.monotonic()))
                tasks.append(asyncio.create_task(self._send(session, index, call)))
            await asyncio.gather(*tasks)

    async def _send(self, session, index, call):
        fields = {"call_uuid": call, "caller_number": f"{CALLER}{index % 10_000:04}", "duration": 4}
        for attempt in range(60):
            url = self.urls[(index + attempt) % len(self.urls)]
            begun = time.monotonic()
            try:
                async with session.get(url, params=fields, timeout=aiohttp.ClientTimeout(5)) as answer:
                    self.statuses[answer.status] += 1
                    if answer.status == 200:
                        self.answers.append((begun, time.monotonic() - begun))
                        return
            except (aiohttp.ClientError, TimeoutError) as error:
                self.statuses[type(error).__name__] += 1
            await asyncio.sleep(0.5)
        message = f"{call} was never accepted"
        raise AssertionError(message)


def test_each_webhook_is_in_one_batch(airflow_lab, running_sandbox):
    """Each webhook is handed to one run, once, although scheduler, triggerer and an api-server are killed."""
    account = Account(running_sandbox)
    account.reset()
    home = airflow_lab.root / "webhooks"
    handled = home / "handled"
    env = prepare_home(airflow_lab, home, SOURCE.replace("FOLDER", str(handled)), account)
    handled.mkdir()
    ports = [int(env["AIRFLOW__API__PORT"]), free_port()]
    extra = {"webhook_token": TOKEN, "webhook_spool": f"file://{home}/spool", "webhook_rate": 1000}
    env |= {
        "AIRFLOW__RETREAVER__WEBHOOKS": "True",
        "AIRFLOW__CORE__PARALLELISM": "2",
        # With it each request, a webhook too, gets a session of its own made.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # A task that was queued when the scheduler was killed is queued again after seconds instead of minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(account.connection(extra=extra)),
    }
    path = f"/retreaver/webhooks/retreaver_default/always/{TOKEN}"
    sender = Sender([f"http://127.0.0.1:{port}{path}" for port in ports])
    calls = [f"call-{number:05}" for number in range(WEBHOOKS)]
    numbers = random.Random(5)  # noqa: S311 - the same webhooks in every run
    again = numbers.sample(calls, round(WEBHOOKS * AGAIN))
    sent = [*calls, *again]
    numbers.shuffle(sent)
    with ExitStack() as stack:
        run = Parts(stack, home, env, ports)
        for part in ("api-server", "replica", "dag-processor", "scheduler", "triggerer"):
            run.start(part)
        wait_for(run.is_healthy, "both api-servers and the triggerer", home, 240)
        asyncio.run(send_and_kill(sender, sent, run))
        print(f"sent {len(sent)} webhooks of {len(calls)} calls in {SECONDS:.0f} s: {dict(sender.statuses)}")
        wait_for(lambda: len(read_handled(handled)) >= len(calls), "all webhooks in runs", home, 600)
        wait_for(lambda: set(run.states()) <= {"success", "failed"}, "the end of all runs", home, 300)
        time.sleep(10)
        wait_for(lambda: set(run.states()) <= {"success", "failed"}, "the end of all runs", home, 300)
    got = read_handled(handled)
    print_seconds("nothing was killed", [took for sent_at, took in sender.answers if sent_at < sender.killed_at])
    print_seconds("parts were killed and started", [took for _, took in sender.answers])
    print(f"{len(list(handled.iterdir()))} runs had webhooks, {len(run.states())} runs in all")
    assert {call: count for call, count in Counter(got).items() if count != 1} == {}
    assert sorted(got) == calls
    assert set(run.states()) == {"success"}
    for log in home.rglob("*.log"):
        text = log.read_text("utf-8", "replace")
        assert TOKEN not in text, log
        assert not re.search(re.escape(CALLER[1:]) + r"\d{4}", text), log
    # Airflow 3.1 writes the path as in a URL.
    assert "retreaver_default/always/***" in unquote((home / "api-server.log").read_text("utf-8", "replace"))


class Parts:
    """The processes of an Airflow, which can be killed and started again."""

    def __init__(self, stack, home, env, ports):
        self._stack, self._home, self._env, self._ports = stack, home, env, ports
        self._processes = {}

    def start(self, part):
        """Start a part."""
        env, options = self._env, [NO_LOG_SERVER] if part in {"scheduler", "triggerer"} else []
        if part == "replica":
            env = env | {"AIRFLOW__API__PORT": str(self._ports[1])}
        command = "api-server" if part == "replica" else part
        self._processes[part] = self._stack.enter_context(run_component(command, env, self._home, *options))

    def kill(self, part):
        """Kill a part and all of its processes."""
        os.killpg(self._processes[part].pid, signal.SIGKILL)

    def is_healthy(self):
        """Return whether both api-servers answer and the trigger runs."""
        from urllib.error import URLError
        from urllib.request import ProxyHandler, build_opener

        try:
            for port in self._ports:
                build_opener(ProxyHandler({})).open(
                    f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5
                ).close()
        except (URLError, OSError):
            return False
        return query_database(self._home, "SELECT count(*) FROM trigger WHERE triggerer_id IS NOT NULL")[0][0] > 0

    def states(self):
        """Return the states of all runs."""
        return [state for (state,) in query_database(self._home, "SELECT state FROM dag_run")]


async def send_and_kill(sender, sent, run):
    """Send webhooks, and kill parts of Airflow meanwhile."""
    sending = asyncio.create_task(sender.send_all(sent, SECONDS))
    for share, part in ((0.25, "scheduler"), (0.2, "triggerer"), (0.2, "replica")):
        await asyncio.sleep(SECONDS * share)
        sender.killed_at = min(sender.killed_at, time.monotonic())
        run.kill(part)
        await asyncio.sleep(1)
        run.start(part)
    await sending


def read_handled(folder):
    """Return the calls that runs have handled."""
    return [call for file in folder.iterdir() for call, _ in json.loads(file.read_text() or "[]")]


def print_seconds(while_, seconds):
    """Print how long answers took."""
    ranked = sorted(seconds)
    quantiles = {share: ranked[min(len(ranked) - 1, int(len(ranked) * share))] for share in (0.9, 0.99, 0.999)}
    print(f"{len(ranked)} answers while {while_}: median {statistics.median(ranked) * 1000:.0f} ms, ", end="")
    print(", ".join(f"{share:.1%} {value * 1000:.0f} ms" for share, value in quantiles.items()))
