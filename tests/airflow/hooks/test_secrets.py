"""No output contains the key: DAGs at DEBUG against a server with every kind of failure that echoes the key."""

from __future__ import annotations

import base64
import re
import socket
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_retreaver.sandbox.options import (
    RTB_KEY,
    TRACKDRIVE_PRIVATE_KEY,
    TRACKDRIVE_PUBLIC_KEY,
    WRITING_KEY,
)
from airflow_provider_retreaver.webhooks.collector import Collector
from tests.airflow.support.account import KEY, Account
from tests.airflow.support.generic import campaign
from tests.airflow.support.trackdrive import GROUPS, TrackDriveAccount
from tests.airflow.support.webhooks import keep, spool_in, webhook

pytestmark = pytest.mark.airflow

# Every encoding of the key keeps its letters and changes only special characters.
MARKS = [b"s3cr3t", base64.b64encode(KEY.encode())[:12], KEY.encode()[1:].hex().encode()[:12]]
# Those of TrackDrive: the keys that are right, and the wrong ones, each also as a Basic header.
PUBLIC, PRIVATE = TRACKDRIVE_PUBLIC_KEY, TRACKDRIVE_PRIVATE_KEY
WRONG_PUBLIC, WRONG_PRIVATE = "publ1cK3y+of/Acme", "pr1vat3K3y=of&Acme"
TOKENS = [
    base64.b64encode(f"{public}:{private}".encode()).decode()
    for public in (PUBLIC, WRONG_PUBLIC)
    for private in (PRIVATE, WRONG_PRIVATE)
]
MARKS += [PUBLIC.encode(), PRIVATE.encode(), b"publ1cK3y", b"pr1vat3K3y", *(token[:20].encode() for token in TOKENS)]
# Postback keys: those of the sandbox, and a wrong one.
WRONG_POSTBACK = "wr0ngP0stb4ck-7f52-4a86"
MARKS += [key[:13].encode() for key in (WRITING_KEY, RTB_KEY, WRONG_POSTBACK)]
# Tokens of webhooks.
WEBHOOK_TOKENS = ("w3bh00k+tok3n/one=1", "n3xtw3bh00k+tok3n&2")
MARKS += [b"w3bh00k"]

# At DEBUG, the supervisor that `dag.test()` of Airflow 3 runs in the same process prints the texts to mask, its
# own masks of a connection's fields included. A worker's does not: `scheduler_run.py` searches its logs whole.
TOLD_TO_MASK = re.compile(r"Sending request .*msg=MaskSecret\(value=")

SOURCE = """
import asyncio, logging, pickle, traceback
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, BaseHook, task

from airflow_provider_retreaver.operators.calls import RetreaverWriteCallDataOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator
from airflow_provider_retreaver.operators.payout_tables import RetreaverPayoutTableOperator
from airflow_provider_retreaver.operators.rtb import RetreaverReserveCallOperator
from airflow_provider_retreaver.operators.webhooks import RetreaverWebhookBatchOperator, RetreaverWebhookTagsOperator
from airflow_provider_retreaver.operators.trackdrive import (
    TrackDriveBuyerGroupCreateOperator,
    TrackDriveBuyerGroupDeleteOperator,
    TrackDriveBuyerGroupGetOperator,
    TrackDriveBuyerGroupListOperator,
    TrackDriveBuyerGroupUpdateOperator,
)
from airflow_provider_retreaver.transfers.rtb_inbounds import RetreaverRtbInboundsToObjectStorageOperator

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


@task(trigger_rule="all_done")
def trackdriven(conn_id):
    from airflow_provider_retreaver.core.errors import RetreaverError
    from airflow_provider_retreaver.hooks.trackdrive import TrackDriveAsyncHook, TrackDriveHook
    from airflow_provider_retreaver.resources.trackdrive import buyer_groups

    # A server can send back only the keys that it got.
    groups = GROUPS if conn_id == "trackdrive_default" else [100]

    def operations(id_):
        return (
            buyer_groups.get_buyer_group(id_),
            buyer_groups.update_buyer_group({"tier": 1}, id_),
            buyer_groups.update_buyer_group({"reset_total_caps": True}, id_),
        )

    def failed(error):
        walked(error)
        traceback.print_exc()
        logging.getLogger("custom").exception("caught %r", error)

    async def awaited():
        async with TrackDriveAsyncHook(conn_id) as hook:
            for id_ in groups:
                for operation in operations(id_):
                    try:
                        print(type(await hook.run(operation)))
                    except RetreaverError as error:
                        failed(error)
            print(await TrackDriveAsyncHook(conn_id).test_connection())

    with TrackDriveHook(conn_id) as hook:
        for id_ in groups:
            for operation in operations(id_):
                try:
                    print(type(hook.run(operation)))
                except RetreaverError as error:
                    failed(error)
        print(hook.test_connection())
        try:
            logging.getLogger("custom").debug("%r %r %r", hook, hook.get_conn(), hook.get_conn().settings)
            hook.run(buyer_groups.get_buyer_group(groups[0]))
        except RetreaverError as error:
            failed(error)
            message = [str(error), repr(error), {key: str(value) for key, value in vars(error).items()}]
    asyncio.run(awaited(), debug=True)
    return message


IDS = list(range(1, COUNT + 1))
GROUPS = list(range(1, 1 + TRACKDRIVE_COUNT))
# Those that can be read, and not be changed; those that can be changed; one to delete.
FIXED = [id_ + TRACKDRIVE_COUNT for id_ in GROUPS]
HEALTHY = [1 + 2 * TRACKDRIVE_COUNT, 2 + 2 * TRACKDRIVE_COUNT]
SPARE = 3 + 2 * TRACKDRIVE_COUNT
ROWS = [{"call_uuid": f"0000000{row}-0000-4000-8000-000000000000", "sale": "yes"} for row in range(9)]

with DAG("failing", schedule=None, start_date=datetime(2026, 1, 1)):
    RetreaverResetCapOperator.partial(task_id="each", state_path="file://STATE").expand(target_ids=IDS)
    RetreaverResetCapOperator(task_id="all", only_filled=True)
    RetreaverResetCapOperator(task_id="healthy", target_ids=[COUNT + 1, COUNT + 2], state_path="file://STATE")
    RetreaverResetCapOperator(task_id="dry", target_ids=IDS, dry_run=True)
    for name in CONNECTIONS:
        RetreaverResetCapOperator(task_id=name, target_ids=1, retreaver_conn_id=name)
    caught.expand(id_=IDS)
    awaited()
    listed = TrackDriveBuyerGroupListOperator.partial(task_id="td_list").expand(limit=[100, 101, 102])
    driven = trackdriven.expand(conn_id=TRACKDRIVE_CONNECTIONS)
    TrackDriveBuyerGroupGetOperator.partial(task_id="td_get").expand(
        buyer_group_id=[GROUPS[0], *GROUPS[-3:], HEALTHY[0]]
    )
    for name, change in (
        ("td_change", {"attributes": {"tier": 2}}),
        ("td_reset", {"reset_total_caps": True}),
        ("td_team", {"attributes": {"generate_team": True}}),
    ):
        TrackDriveBuyerGroupUpdateOperator.partial(task_id=name, state_path="file://STATE", **change).expand(
            buyer_group_ids=[FIXED[0], FIXED[2:], HEALTHY]  # the first two faults end a run
        )
    created = TrackDriveBuyerGroupCreateOperator.partial(
        task_id="td_create", state_path="file://STATE", trigger_rule="all_done"
    ).expand(attributes=[{"name": "new"}, {"name": "other"}, {"name": "third"}])
    TrackDriveBuyerGroupDeleteOperator.partial(task_id="td_delete", confirm=True).expand(
        buyer_group_id=[GROUPS[3], GROUPS[-1], SPARE]
    )
    written = TrackDriveBuyerGroupListOperator.partial(
        task_id="td_file", destination="file://STATE/groups.csv", format="csv", trigger_rule="all_done"
    ).expand(trackdrive_conn_id=["trackdrive_default", "td_wrong"])
    listed >> [driven, created, written]  # the first lists meet the faults
    # A server can send back only the key that it got, so the faults must not meet the wrong keys.
    write = {"rows": ROWS, "columns": ["sale"], "state_path": "file://STATE", "trigger_rule": "all_done"}
    reserve = {"inbound_number": "+18668987878", "caller_number": "+19195550101", "trigger_rule": "all_done"}
    for operator, name, parameters, good in (
        (RetreaverWriteCallDataOperator, "write", write, "writing"),
        (RetreaverReserveCallOperator, "reserve", reserve, "bidding"),
    ):
        operator.partial(task_id=name, **parameters).expand(retreaver_conn_id=[good, good]) >> operator(
            task_id=f"{name}_wrong", retreaver_conn_id="wrong_postback", **parameters
        )
    RetreaverPayoutTableOperator.partial(
        task_id="payouts", campaign_id=1, activate=True, confirm=True, state_path="file://STATE"
    ).expand(rows=[[["rule_id", "payout_pct"], [1, share]] for share in (60, 61, 62, 63)])
    for conn_id in ("retreaver_default", "no_spool"):
        RetreaverWebhookBatchOperator(task_id=f"hooks_{conn_id}", trigger="always", retreaver_conn_id=conn_id)
        RetreaverWebhookTagsOperator(
            task_id=f"tags_{conn_id}", rows=[{"zip": "1", "a": "b"}], field="zip", retreaver_conn_id=conn_id
        )
    RetreaverRtbInboundsToObjectStorageOperator.partial(
        task_id="rtb", destination="file://STATE/rtb", compression="none", poll_interval=0.1, timeout=20
    ).expand_kwargs([{"start": f"2026-01-0{day}", "end": f"2026-01-0{day + 1}"} for day in range(1, 6)])
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


TD_ECHO = f"/api/v1/buyer_groups/1?auth={TOKENS[0]}&public_key={PUBLIC}&private={quote(PRIVATE)}"
TD_PAGE = (
    f"<html><a href='{TD_ECHO}'>Authorization: Basic {TOKENS[0]}</a> {PUBLIC}:{PRIVATE} {quote(TOKENS[0])}</html>"
)
TRACKDRIVE_FAULTS = [
    {"status": 401, "body": {"error": f"Basic {TOKENS[0]} is wrong"}},
    {"status": 403, "body": {"error": f"{PUBLIC} may not"}},
    {"status": 404, "body": TD_PAGE},
    {"status": 422, "body": {"errors": {PRIVATE: [TOKENS[0], PUBLIC], "tier": f"{PUBLIC}:{PRIVATE}"}}},
    {"status": 500, "body": TD_PAGE, "headers": {"WWW-Authenticate": f"Basic {TOKENS[0]}"}},
    {"status": 302, "headers": {"Location": f"http://{PUBLIC}:{PRIVATE}@127.0.0.1:9{TD_ECHO}"}},
    {"status": 200, "body": TD_PAGE},
    {"status": 200, "body": {PRIVATE: TOKENS[:1]}},
    {"cut": True},
]
# By path, one after the other; the requests after them are answered.
OPERATOR_FAULTS = {
    f"{GROUPS}$": [
        {"method": "GET", "status": 401, "body": {"error": f"Basic {TOKENS[0]} is wrong"}},
        {"method": "GET", "status": 200, "body": TD_PAGE},
        {"method": "POST", "status": 422, "body": {"errors": {"name": [TOKENS[0], PUBLIC, PRIVATE]}}},
        {"method": "POST", "status": 500, "body": TD_PAGE, "then": "done"},
    ],
    "data_writing": [
        {"status": 422, "body": {"error": f"{WRITING_KEY} may not"}},
        {"status": 500, "body": f"<a href='/data_writing?key={WRITING_KEY}'>{WRITING_KEY}</a>"},
        {"status": 200, "body": f"<a href='/data_writing/{WRITING_KEY}'>"},
        {"status": 302, "headers": {"Location": f"http://127.0.0.1:9/data_writing?key={WRITING_KEY}"}},
        {"status": 200, "body": {"status": WRITING_KEY, "key": WRITING_KEY}},
    ],
    "rtbs": [
        {"status": 422, "body": {"error": f"{RTB_KEY} may not"}},
    ],
    "payout_bid_modification_tables": [
        {"method": "GET", "status": 200, "body": [{"id": 1, "name": KEY, "csv_data": KEY, "active": KEY}]},
        {"method": "POST", "status": 422, "body": {"errors": {"csv_data": [KEY, quote(KEY)]}}},
        {"method": "POST", "status": 500, "body": PAGE, "then": "done"},
    ],
    "exports/rtb_inbounds": [
        {"method": "POST", "status": 422, "body": {"errors": {"params": [KEY]}}},
        {"method": "GET", "status": 200, "body": PAGE},
        {"method": "GET", "status": 200, "body": {"id": 2, "errors": {"base": [KEY]}, "url": ECHO}},
    ],
}
# Each of them fails and succeeds.
OPERATOR_TASKS = (
    *("td_list", "td_file", "td_get", "td_change", "td_reset", "td_team", "td_create", "td_delete"),
    *("write", "reserve", "payouts", "rtb"),
)
# The keys where they do not belong, or with what no key has.
TRACKDRIVE_REFUSED = {
    "td_colon": {"login": f"{WRONG_PUBLIC}:x", "password": WRONG_PRIVATE},
    "td_space": {"login": WRONG_PUBLIC, "password": f"{WRONG_PRIVATE} x"},
    "td_host": {"login": WRONG_PUBLIC, "password": WRONG_PRIVATE, "host": f"https://{PUBLIC}:{PRIVATE}@127.0.0.1:9"},
    "td_extra": {"login": WRONG_PUBLIC, "password": WRONG_PRIVATE, "extra": {"timeout": WRONG_PRIVATE}},
    "td_schema": {"login": WRONG_PUBLIC, "password": WRONG_PRIVATE, "schema": WRONG_PUBLIC},
}


def trackdrive_connections(url):
    """Return connections to TrackDrive: one that is right, one with wrong keys, swapped ones, and refused ones."""
    base = {"conn_type": "trackdrive", "host": url, "extra": {"max_attempts": 2, "max_wait": 0.01}}
    keys = {
        "trackdrive_default": {"login": PUBLIC, "password": PRIVATE},
        "td_wrong": {"login": WRONG_PUBLIC, "password": WRONG_PRIVATE},
        "td_swapped": {"login": PRIVATE, "password": PUBLIC},
        **TRACKDRIVE_REFUSED,
    }
    return {name: {**base, **parts} for name, parts in keys.items()}


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
    groups, fixed = TrackDriveAccount(account), len(TRACKDRIVE_FAULTS)
    for _ in range(2 * fixed + 3):
        groups.group(used=5)
    for number, fault in enumerate(TRACKDRIVE_FAULTS, 1):
        account.fault(f"/buyer_groups/{number}$", times=None, **fault)
        account.fault(f"/buyer_groups/{number + fixed}$", method="PUT", times=None, **fault)
    campaign(account)
    span = {"created_at_start": "2026-01-01T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}
    account._control("POST", "rtb_inbounds", {"count": 50, "fields": span})
    account._control("POST", "exports", {"seconds": 0})
    for path, faults in OPERATOR_FAULTS.items():
        for fault in faults:
            account.fault(path, **fault)
    closed_host = f"http://127.0.0.1:{unused_port()}"
    proxy = f"http://user:{quote_plus(KEY)}@{closed_host[7:]}"
    state = airflow_lab.root / "state"
    base = {
        "max_attempts": 2,
        "max_wait": 0.01,
        "webhook_token": WEBHOOK_TOKENS[0],
        "webhook_next_token": WEBHOOK_TOKENS[1],
        "webhook_spool": f"file://{state}/spool",
        "webhook_lookup": f"file://{state}/tags.db",
    }
    keep(spool_in(state), webhook(1))
    Collector(spool_in(state), timedelta(days=1), timedelta(days=7)).collect()
    refused = {
        "refused": account.connection(host=closed_host, extra=base),
        "foreign": account.connection(host=f"http://{KEY[:6]}.test"),
        "swapped": account.connection(login=KEY, password="1"),
        "no_spool": account.connection(extra={**base, "webhook_spool": ""}),
        "proxied": account.connection(extra={**base, "proxies": {"http": proxy}}),
        "in_schema": account.connection(schema=KEY),
        "in_host": account.connection(host=f"https://user:{quote(KEY, safe='')}@{closed_host[7:]}"),
        "no_json": account.connection(extra=f"{{{KEY}"),
        **{f"in_{n}": account.connection(password="another-key-1", extra=extra) for n, extra in enumerate(PASTED)},
    }
    trackdrive = trackdrive_connections(account.url)
    source = SOURCE.replace("TRACKDRIVE_CONNECTIONS", repr([*trackdrive]))
    source = source.replace("TRACKDRIVE_COUNT", str(len(TRACKDRIVE_FAULTS)))
    own_hooks = {"retreaver_default": "success", "no_spool": "failed"}
    postback_keys = {
        "retreaver_default": KEY,
        "writing": WRITING_KEY,
        "bidding": RTB_KEY,
        "wrong_postback": WRONG_POSTBACK,
    }
    own = {name: account.connection(extra={**base, "postback_key": key}) for name, key in postback_keys.items()}
    result = airflow_lab.run_dag(
        source.replace("COUNT", str(count)).replace("STATE", str(state)).replace("CONNECTIONS", repr([*refused])),
        connections={**own, **refused, **trackdrive},
        env={
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "PYTHONASYNCIODEBUG": "1",
        },
        retries=False,
        anew=True,
    )
    assert result.states["healthy"] == "success", result.output
    assert len(result.xcoms["healthy"]["return_value"]["reset"]) == 2
    assert result.xcoms["awaited"]["return_value"] == count + 30
    hooks = {
        (task, conn_id): result.states[f"{task}_{conn_id}"] for task in ("hooks", "tags") for conn_id in own_hooks
    }
    assert hooks == {(task, conn): state for task in ("hooks", "tags") for conn, state in own_hooks.items()}
    states = {(name.partition("[")[0], state) for name, state in result.states.items()}
    assert states >= {(task, state) for task in OPERATOR_TASKS for state in ("success", "failed")}
    seen = result.output + "".join(path.read_text("utf-8", "replace") for path in result.logs_dir.rglob("*.log"))
    for shown in (
        "api_key=***", "AuthenticationError", "PermissionDenied", "NotFound", "Gone", "InvalidRequest", "RateLimited",
        "Unavailable", "OutcomeUnknown", "ConnectionFailed", "ProtocolError", "PartialFailure", "InvalidConnection",
        "Public key (login), Private key (password)", "Basic *** is wrong", "GET /buyer_groups/9",
        "Public key (login) contains a colon", "/api/v1/buyer_groups/1 ", "Connected to TrackDrive",
        "POST /data_writing", "POST /rtbs", "payout_bid_modification_tables.json", "POST /api/v5/exports/",
        "/targets.json?", "redirects are not followed", "proxy could not be used", "POST /targets/16/reset_cap.json",
    ):  # fmt: skip
        assert shown in seen, f"the run did not show {shown}, so it proves nothing about it"
    files = [path for folder in (result.home, state) for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".db", ".log", ".json"}
    kept = result.logs_dir / "output.log"
    # Who has the address of an export's file can fetch it.
    signatures = [e["query"][0][1].encode() for e in account.entries() if e["path"].startswith("/exports/")]
    assert signatures
    marks = [*MARKS, *signatures]
    leaks = [found for path in files if path != kept for found in leaked(path.name, path.read_bytes(), marks)]
    output = "\n".join(line for line in result.output.splitlines() if not TOLD_TO_MASK.search(line))
    leaks += leaked("output", output.encode(), marks)
    assert not leaks, "\n".join(f"{name}: {place!r}" for name, place in leaks)


def leaked(name, content, marks=MARKS):
    """Return the places with a part of a key, each with the text around it."""
    lower = content.lower()
    places = [found.start() for mark in marks for found in re.finditer(re.escape(mark.lower()), lower)]
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
