"""Two replicas in processes of their own, collectors that are killed: the small edition of `make test-webhooks`."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import pytest

from tests.airflow.support.api_server import free_port
from tests.airflow.support.webhooks import TOKEN, all_calls, spool_in

pytest.importorskip("starlette", reason="Airflow 2.11 serves no applications of plugins")
aiohttp = pytest.importorskip("aiohttp")
pytestmark = pytest.mark.airflow

WEBHOOKS, A_SECOND = int(os.environ.get("WEBHOOKS", "200")), 100
REPLICA = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from airflow_provider_retreaver.webhooks import app, connections
from tests.airflow.support.webhooks import settings_for

settings = settings_for(sys.argv[1], max_rate=1000.0)
app.create_app()
endpoint = app.WebhookEndpoint(connections.Connections(lambda name: settings))
mounted = Starlette(routes=[Mount("/retreaver/webhooks", endpoint)])
uvicorn.run(mounted, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
COLLECTOR = """
import sys, time
from datetime import timedelta
from airflow_provider_retreaver.webhooks.collector import Collector
from tests.airflow.support.webhooks import spool_in

collector = Collector(spool_in(sys.argv[1]), timedelta(days=1), timedelta(days=7), most=20)
while True:
    collector.collect()
    print("collected", flush=True)
    time.sleep(0.01)
"""


@contextmanager
def running(program, *arguments, **options):
    """Run a program until the block ends."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)], **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


async def wait_until_served(session, urls):
    """Wait until the replicas answer."""
    for url in urls:
        for _ in range(600):
            try:
                async with session.get(url):
                    break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def send_all(urls, calls, seconds):
    """Send webhooks at a steady pace, again where there is no 200; return their statuses."""
    statuses = Counter()

    async def send(session, index, call):
        for attempt in range(50):
            begun = time.monotonic()
            try:
                async with session.post(urls[(index + attempt) % 2], json={"call_uuid": call}) as answer:
                    statuses[answer.status] += 1
                    seconds.append(time.monotonic() - begun)
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                statuses["error"] += 1
            await asyncio.sleep(0.2)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        await wait_until_served(session, urls)
        started, tasks = time.monotonic(), []
        for index, call in enumerate(calls):
            await asyncio.sleep(max(0.0, started + index / A_SECOND - time.monotonic()))
            tasks.append(asyncio.create_task(send(session, index, call)))
        await asyncio.gather(*tasks)
    return statuses


def collect_and_die(folder, stop):
    """Run collectors one after the other, each killed at another moment, until the last one has nothing to do."""
    for number in range(1, 200):
        with running(COLLECTOR, folder, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.013 * (number % 7))
            process.send_signal(signal.SIGKILL)
        if stop.is_set():
            return


def test_each_webhook_is_in_one_batch(tmp_path):
    """Webhooks with repeats, sent to two replicas while collectors are killed, are each in one batch, once."""
    import threading

    ports, stop, seconds = [free_port(), free_port()], threading.Event(), []
    urls = [f"http://127.0.0.1:{port}/retreaver/webhooks/acme/always/{TOKEN}" for port in ports]
    calls = [f"call-{number}" for number in range(WEBHOOKS)]
    chosen = random.Random(5)  # noqa: S311 - the same webhooks in every run
    sent = [*calls, *chosen.sample(calls, WEBHOOKS // 20)]
    chosen.shuffle(sent)
    collectors = threading.Thread(target=collect_and_die, args=(tmp_path, stop))
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(running(REPLICA, tmp_path, port))
        collectors.start()
        try:
            statuses = asyncio.run(send_all(urls, sent, seconds))
        finally:
            stop.set()
            collectors.join()
    assert statuses[200] == len(sent)
    spool = spool_in(tmp_path)
    with running(COLLECTOR, tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
    assert spool.waiting() == []
    assert sorted(all_calls(spool)) == sorted(calls)
    ranked = sorted(seconds)
    print(
        f"{len(sent)} webhooks, {len(spool.numbers())} batches: median {statistics.median(ranked) * 1000:.1f} ms, ",
        end="",
    )
    print(f"99.9% {ranked[int(len(ranked) * 0.999)] * 1000:.0f} ms; {dict(statuses)}")
