"""No output contains the key: DAGs at DEBUG against a server with every kind of failure that echoes the key."""

from __future__ import annotations

import base64
import re
import socket
from urllib.parse import quote, quote_plus

import pytest

from tests.airflow.support.account import KEY, Account

pytestmark = pytest.mark.airflow

# Every encoding of the key keeps its letters and changes only special characters.
MARKS = [b"s3cr3t", base64.b64encode(KEY.encode())[:12], KEY.encode()[1:].hex().encode()[:12]]

# At DEBUG, the supervisor that `dag.test()` of Airflow 3 runs in the same process prints the texts to mask, its
# own masks of a connection's fields included. A worker's does not: `scheduler_run.py` searches its logs whole.
TOLD_TO_MASK = re.compile(r"Sending request .*msg=MaskSecret\(value=")

SOURCE = """
import asyncio, logging, pickle, traceback
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseHook, task

from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator

logging.getLogger("asyncio").setLevel(logging.DEBUG)


def walked(error):
    while error is not None:
        print("walked", repr(error), error, error.args, vars(error))
        error = error.__cause__ or error.__context__


@task(trigger_rule="all_done")
def caught(id_):
    from airflow_provider_retreaver.core.errors import RetreaverError
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.resources import targets

    with RetreaverHook() as hook:
        for operation in (targets.get_target(id=id_), targets.reset_cap(id_)):
            try:
                print(type(hook.run(operation)))
            except RetreaverError as error:
                walked(error)
                traceback.print_exc()
                logging.getLogger("custom").exception("caught %r", error)
        logging.getLogger("custom").debug("%r %r %r", hook, hook.get_conn(), hook.get_conn().settings)
        try:
            hook.run(targets.get_target(id=id_))
        except RetreaverError as error:
            return [str(error), repr(error), {key: str(value) for key, value in vars(error).items()}]


@task(trigger_rule="all_done")
def awaited():
    from airflow_provider_retreaver.core.errors import RetreaverError
    from airflow_provider_retreaver.core.settings import Settings
    from airflow_provider_retreaver.hooks.connection import settings_of
    from airflow_provider_retreaver.resources import targets
    from airflow_provider_retreaver.transport.client import AsyncRetreaverClient

    async def work():
        settings = settings_of(BaseHook.get_connection("retreaver_default"), Settings)
        async with AsyncRetreaverClient(settings) as client:
            for id_ in IDS:
                for operation in (targets.get_target(id=id_), targets.reset_cap(id_)):
                    try:
                        print(type(await client.run(operation)))
                    except RetreaverError as error:
                        walked(error)
                        traceback.print_exc()
            return [row["id"] async for row in client.iterate(targets.list_targets())]

    return len(asyncio.run(work(), debug=True))


IDS = list(range(1, COUNT + 1))

with DAG("failing", schedule=None, start_date=datetime(2026, 1, 1)):
    RetreaverResetCapOperator.partial(task_id="each", state_path="file://STATE").expand(target_ids=IDS)
    RetreaverResetCapOperator(task_id="all", only_filled=True)
    RetreaverResetCapOperator(task_id="healthy", target_ids=[COUNT + 1, COUNT + 2])
    RetreaverResetCapOperator(task_id="dry", target_ids=IDS, dry_run=True)
    for name in CONNECTIONS:
        RetreaverResetCapOperator(task_id=name, target_ids=1, retreaver_conn_id=name)
    caught.expand(id_=IDS)
    awaited()
"""

# The key in a field where it does not belong, and in no other one.
PASTED = [
    {"apikey": KEY}, {KEY: "x"}, {"api_routes": KEY}, {"calls_version": [KEY]}, {"timeout": KEY},
    {"per_page": {"a": KEY}},
    {"allow_http": KEY}, {"proxies": KEY}, {"proxies": {"https": f"socks5://{quote(KEY, safe='')}@127.0.0.1:9"}},
    {"postback_key": f"{KEY} 2"}, {"data_host": f"http://user:{quote(KEY, safe='')}@127.0.0.1:9"},
    {"verify": f"/no/such/{KEY}"}, {"postback_key": KEY, "timeout": "soon"},
]  # fmt: skip

ECHO = f"/targets/1.json?api_key={KEY}&again={quote_plus(KEY)}"
PAGE = (
    f"<html><a href='{ECHO}'>{KEY}</a> {quote(KEY)} {quote(KEY, safe='').lower()} {KEY.replace('&', '&amp;')}</html>"
)
FAULTS = [
    {"status": 401, "body": PAGE},
    {"status": 403, "body": {"error": f"{KEY} may not"}},
    {"status": 404, "body": PAGE},
    {"status": 410, "body": {"error": ECHO}},
    {"status": 422, "body": {"errors": {"api_key": [KEY, quote(KEY)], KEY: ["is odd"], "base": {"key": KEY}}}},
    {"status": 429, "body": KEY, "headers": {"Retry-After": "0", "X-Key": KEY}},
    {"status": 500, "body": PAGE},
    {"status": 503, "body": {"error_messages": [f"key={KEY}"]}},
    {"status": 302, "headers": {"Location": f"http://127.0.0.1:9{ECHO}"}},
    {"status": 307, "headers": {"Location": f"//evil.example/{KEY}?api_key={quote_plus(KEY)}"}},
    {"status": 200, "body": PAGE},
    {"status": 200, "body": f'{{"target":{{"id":1,"name":"{KEY}'},
    {"status": 200, "body": {KEY: KEY}},
    {"status": 200, "body": "[]", "headers": {"Content-Type": f"text/{KEY}", "Link": f"<{ECHO}>; rel=next"}},
    {"status": 200, "body": {"target": {"id": KEY, "caps": KEY}}},
    {"cut": True},
    {"status": 200, "body": "", "headers": {"Content-Encoding": "gzip", "Set-Cookie": f"key={KEY}"}},
]


def test_no_output_contains_the_key(airflow_lab, running_sandbox):
    """Logs, output, XComs, rendered fields and the database contain no encoding of the key.

    The DAG prints past Airflow's masks, so that only the package can remove the key.
    """
    account = Account(running_sandbox)
    account.reset()
    count = len(FAULTS)
    account.targets(count + 30)
    for number, fault in enumerate(FAULTS, 1):
        account.fault(f"/targets/{number}[./]", times=None, **fault)
    closed_host = f"http://127.0.0.1:{unused_port()}"
    proxy = f"http://user:{quote_plus(KEY)}@{closed_host[7:]}"
    base = {"max_attempts": 2, "max_wait": 0.01}
    refused = {
        "refused": account.connection(host=closed_host, extra=base),
        "foreign": account.connection(host=f"http://{KEY[:6]}.test"),
        "swapped": account.connection(login=KEY, password="1"),
        "proxied": account.connection(extra={**base, "proxies": {"http": proxy}}),
        "in_schema": account.connection(schema=KEY),
        "in_host": account.connection(host=f"https://user:{quote(KEY, safe='')}@{closed_host[7:]}"),
        "no_json": account.connection(extra=f"{{{KEY}"),
        **{f"in_{n}": account.connection(password="another-key-1", extra=extra) for n, extra in enumerate(PASTED)},
    }
    state = airflow_lab.root / "state"
    result = airflow_lab.run_dag(
        SOURCE.replace("COUNT", str(count)).replace("STATE", str(state)).replace("CONNECTIONS", repr([*refused])),
        connections={"retreaver_default": account.connection(extra={**base, "postback_key": KEY}), **refused},
        env={
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "PYTHONASYNCIODEBUG": "1",
        },
        retries=False,
    )
    assert result.states["healthy"] == "success", result.output
    assert len(result.xcoms["healthy"]["return_value"]["reset"]) == 2
    assert result.xcoms["awaited"]["return_value"] == count + 30
    seen = result.output + "".join(path.read_text("utf-8", "replace") for path in result.logs_dir.rglob("*.log"))
    for shown in (
        "api_key=***", "AuthenticationError", "PermissionDenied", "NotFound", "Gone", "InvalidRequest", "RateLimited",
        "Unavailable", "OutcomeUnknown", "ConnectionFailed", "ProtocolError", "PartialFailure", "InvalidConnection",
        "/targets.json?", "redirects are not followed", "proxy could not be used", "POST /targets/16/reset_cap.json",
    ):  # fmt: skip
        assert shown in seen, f"the run did not show {shown}, so it proves nothing about it"
    files = [path for folder in (result.home, state) for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".log", ".json"}
    kept = result.logs_dir / "output.log"
    leaks = [found for path in files if path != kept for found in leaked(path.name, path.read_bytes())]
    output = "\n".join(line for line in result.output.splitlines() if not TOLD_TO_MASK.search(line))
    leaks += leaked("output", output.encode())
    assert not leaks, "\n".join(f"{name}: {place!r}" for name, place in leaks)


def leaked(name, content):
    """Return the places with a part of the key, each with the text around it."""
    lower = content.lower()
    places = [found.start() for mark in MARKS for found in re.finditer(re.escape(mark.lower()), lower)]
    return [(name, content[max(0, place - 200) : place + 60]) for place in places[:20]]


def unused_port():
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_search_finds_the_key():
    """The search above finds every encoding of the key."""
    spellings = [KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY), KEY.replace("&", "&amp;"), KEY.upper()]
    spellings += [base64.b64encode(KEY.encode()).decode(), base64.b64encode(f"{KEY}:".encode()).decode()]
    for spelling in spellings:
        assert leaked("x", f"before {spelling} after".encode()), spelling
