"""The hook: its connection form on Airflow 2 and 3, testing a connection, and secrets."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from asgiref.sync import async_to_sync

from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection, RetreaverError
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.hooks.connection import settings_of
from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook, RetreaverHook
from airflow_provider_retreaver.provider_info import get_provider_info
from airflow_provider_retreaver.resources import companies, targets
from tests.airflow.support.account import KEY

pytestmark = pytest.mark.airflow

SECRET = "s3cr3t"
EXTRAS = {
    "api_routes": "legacy",
    "calls_version": "v5",
    "timeout": "12.5",
    "max_concurrency": "2",
    "max_attempts": "3",
    "max_wait": "7",
    "per_page": "50",
    "data_host": "https://data.example.com",
    "rtb_host": "https://rtb.example.com",
    "postback_key": "0b54c1f6-postback",
    "caller_list_key": "1c65d2a7-lists",
    "caller_list_secret": "lists-secret",
    "portal_url": "https://portal.example.com",
    "portal_paths": '{"targets": "/p/{id}"}',
    "file_links": '{"s3://bucket/": "https://files.example.com/"}',
    "proxies": '{"https": "http://proxy.example.com:3128"}',
    "verify": "false",
    "allow_http": "true",
    "max_response_mb": "5",
    "max_response_seconds": "60",
    "max_json_depth": "50",
    "max_download_mb": "100",
    "max_download_seconds": "600",
    "download_hosts": "files.internal:8443",
    "webhook_token": "a-token-of-webhooks-1",
    "webhook_next_token": "a-token-of-webhooks-2",
    "webhook_spool": "s3://aws_default@bucket/webhooks",
    "webhook_addresses": "203.0.113.7, 198.51.100.0/24",
    "webhook_lookup": "s3://aws_default@bucket/tags.db",
    "webhook_max_kb": "32",
    "webhook_rate": "50",
}


def connect(monkeypatch, account, conn_id="retreaver_default", **changes):
    """Set a connection."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(account.connection(**changes)))


def check_connection(hook, conn_id="retreaver_default"):
    """Test a connection with one of the two hooks."""
    tested = hook(conn_id).test_connection()
    return asyncio.run(tested) if asyncio.iscoroutine(tested) else tested


both = pytest.mark.parametrize("hook", [RetreaverHook, RetreaverAsyncHook])


@both
def test_a_valid_connection_returns_its_company(account, hook):
    """Testing a valid connection sends one request and returns the company's name."""
    ok, message = check_connection(hook)
    assert (ok, message) == (True, "Connected to company 1 (Sandbox Calls).")
    assert account.sent() == ["GET /company.json"]


def run_with(hook, work):
    """Run work with one of the two hooks."""

    async def run_async():
        async with RetreaverAsyncHook() as made:
            return await made.run(work)

    if hook is RetreaverAsyncHook:
        return asyncio.run(run_async())
    with RetreaverHook() as made:
        return made.run(work)


@both
def test_running_a_listing_gives_its_rows(account, hook):
    """`run` takes a listing as well, and returns all of its rows, whatever their number."""
    ids = account.targets(30)
    assert [row["id"] for row in run_with(hook, targets.list_targets())] == ids


@both
@pytest.mark.parametrize(
    "work",
    [
        lambda: targets.list_targets,
        lambda: {"id": 3},
        lambda: None,
        lambda: [1],
        lambda: (row for row in [{"id": 3}]),
    ],
)
def test_running_something_else_names_what_can_be_run(account, hook, work):
    """A function that was not called, rows or nothing are refused before anything is sent."""
    with pytest.raises(InvalidArgument, match=r"run takes an operation, a listing or a procedure.*to iterate"):
        run_with(hook, work())
    assert account.sent() == []


BAD = {
    "wrong key": ({"password": "no-such-key"}, "API key is wrong"),
    "wrong company": ({"login": "77"}, "Company ID"),
    "blank key": ({"password": ""}, "API key (password) is blank"),
    "unknown extra": ({"extra": {"api_rotes": "legacy"}}, "did you mean 'api_routes'?"),
    "foreign http": ({"host": "http://example.com"}, "http://"),
    "no server": ({"host": "http://127.0.0.1:9", "extra": {"max_wait": 0}}, "could not connect"),
}


@both
@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD.keys())
def test_an_invalid_connection_returns_the_reason(account, monkeypatch, changes, reason, hook):
    """Testing an invalid connection returns one sentence with the reason and no key."""
    connect(monkeypatch, account, **changes)
    ok, message = check_connection(hook)
    assert not ok
    assert reason in message
    assert SECRET not in message


@both
def test_a_response_without_a_company(account, hook):
    """A login page instead of Retreaver's response is a failure, not a company named None."""
    for fault in ({"body": "<html>"}, {"body": "{}"}, {"body": {"company": {"name": "x"}}}, {"body": "null"}):
        account.fault("/company", status=200, **fault)
        ok, message = check_connection(hook)
        assert not ok, fault
        assert "GET /company.json" in message


def test_another_connection_id(account, monkeypatch):
    """The hook uses the connection with the id that it has."""
    connect(monkeypatch, account, "second", password="wrong")
    for hook in (RetreaverHook, RetreaverAsyncHook):
        assert check_connection(hook, "second")[0] is False
        assert check_connection(hook)[0] is True


def test_run_iterate_count_and_close(account):
    """Each method works, also after `close`."""
    ids = account.targets(27, filled=0)
    with RetreaverHook() as hook:
        assert hook.run(companies.get_active_company())["id"] == 1
        assert sorted(row["id"] for row in hook.iterate(targets.list_targets())) == ids
        assert hook.count(targets.list_targets()) == 27
        client = hook.get_conn()
        assert hook.get_conn() is client
    assert hook.get_conn() is not client
    assert hook.run(targets.get_target(id=ids[0]))["id"] == ids[0]
    hook.close()
    hook.close()


def test_the_asynchronous_hook(account):
    """The asynchronous hook returns the same results and closes its connections."""
    ids = account.targets(27, filled=0)

    async def work():
        async with RetreaverAsyncHook() as hook:
            assert (await hook.run(companies.get_active_company()))["id"] == 1
            assert sorted([row["id"] async for row in hook.iterate(targets.list_targets())]) == ids
            assert await hook.count(targets.list_targets()) == 27
            async for row in hook.iterate(targets.list_targets()):
                assert row["id"] in ids
                break
            client = await hook.get_conn()
            assert await hook.get_conn() is client
        assert await hook.get_conn() is not client
        await hook.close()
        await hook.close()

    asyncio.run(work())


def test_coroutines_that_begin_together_share_one_client(account):
    """The first use by several coroutines at once makes one client, so that `close` closes all connections."""

    async def work():
        async with RetreaverAsyncHook() as hook:
            return await asyncio.gather(*(hook.get_conn() for _ in range(3)))

    first, *others = asyncio.run(work())
    assert [client is first for client in others] == [True, True]


def test_settings_need_no_client(monkeypatch):
    """Reading a setting makes no client, and does not even import one."""
    program = """
import sys
from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

hook = RetreaverHook()
assert hook.settings is hook.settings
assert hook.settings.max_concurrency == 7
print([name for name in sys.modules if name.startswith("airflow_provider_retreaver.transport.")], hook._client)
"""
    connection = {"conn_type": "retreaver", "password": "k" * 20, "extra": json.dumps({"max_concurrency": 7})}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[] None"


def test_hooks_clients_and_listings_are_lazy(account):
    """Creating a hook, a client or an iterator over a listing sends no request."""
    with RetreaverHook() as hook:
        hook.get_conn()
        hook.iterate(targets.list_targets())
    assert account.sent() == []


def test_objects_do_not_contain_the_key(account):
    """The key is in no text or pickle of hook, client, settings or signed request."""
    with RetreaverHook() as hook:
        client = hook.get_conn()
        for thing in (
            hook,
            client,
            client.settings,
            vars(client),
            client.settings.sign(targets.list_targets().request),
        ):
            assert SECRET not in repr(thing)
            assert SECRET not in str(thing)
        with pytest.raises(TypeError, match="Secret"):
            pickle.dumps(client.settings)
    assert SECRET not in repr(vars(hook))


def test_a_secret_of_one_letter_is_not_masked(account, monkeypatch):
    """A placeholder in a secret's field does not mask that letter in all later messages."""
    connect(monkeypatch, account, password="a", extra={"postback_key": "e"})
    ok, message = RetreaverHook().test_connection()
    assert not ok
    assert "the API key is wrong, missing or was reset" in message
    assert message.endswith("into API key (password) of this connection.")


@pytest.mark.parametrize("form", ["json", "uri"])
def test_every_field_of_the_form_is_an_extra(account, monkeypatch, form):
    """The form has exactly the extras of the settings, and their values are texts."""
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert fields.keys() == EXTRAS.keys()
    if form == "json":
        connect(monkeypatch, account, extra=EXTRAS)
    else:
        from urllib.parse import quote, urlencode

        uri = f"retreaver://12:{quote(KEY, safe='')}@api.example.com:8443/?{urlencode(EXTRAS)}"
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", uri)
    settings = RetreaverHook().settings
    assert settings.api_key.reveal() == KEY
    assert (settings.timeout, settings.max_concurrency, settings.per_page) == (12.5, 2, 50)
    assert (settings.policy.max_attempts, settings.policy.max_wait) == (3, 7)
    assert (settings.routes.legacy, settings.routes.calls_version) == (True, "v5")
    assert settings.verify is False
    assert settings.proxies == {"https": Secret("http://proxy.example.com:3128")}
    assert settings.portal.page("targets", [3]) == "https://portal.example.com/p/3"
    assert settings.file_links == {"s3://bucket/": "https://files.example.com/"}
    assert len(settings.secrets) == 6
    assert settings.webhooks is not None
    assert (settings.webhooks.max_bytes, settings.webhooks.max_rate) == (32_000, 50.0)
    if form == "uri":
        assert settings.company_id == "12"
        assert "https://api.example.com:8443" in settings.urls.values()


def test_airflow_hides_secret_extras_by_name():
    """Airflow hides them by itself, or the form says how: `sensitive_var_conn_names`."""
    from airflow.providers.common.compat.sdk import redact

    tokens = {"webhook_token", "webhook_next_token"}
    secrets = {"postback_key", "caller_list_key", "caller_list_secret", "proxies"} | tokens
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert {name for name, field in fields.items() if field["schema"].get("format") == "password"} <= secrets
    unknown = {name for name in secrets if redact({name: "7-77-777"}) == {name: "7-77-777"}}
    assert unknown == {"postback_key", "caller_list_key"}
    assert {name for name, field in fields.items() if "sensitive_var_conn_names" in field["description"]} == unknown


def test_an_extra_that_is_not_json():
    """A missing brace is an error that names the extra; no exception in its chain contains the text."""
    parts = dict.fromkeys(("host", "port", "schema"))
    extra = f'{{"postback_key": "{KEY}"'
    connection = SimpleNamespace(conn_id="broken", login="1", password="a-good-key", extra=extra, **parts)
    with pytest.raises(InvalidConnection, match="extra is not JSON") as caught:
        settings_of(connection, Settings)
    error = caught.value
    while error is not None:
        assert SECRET not in f"{error!r} {vars(error)!r} {error.args!r}"
        error = error.__cause__ or error.__context__


def test_fields_left_blank_are_defaults(account, monkeypatch):
    """Empty fields of the form have the same effect as missing ones."""
    connect(monkeypatch, account, extra=dict.fromkeys(EXTRAS, ""))
    blank = RetreaverHook().settings
    connect(monkeypatch, account, extra=None)
    assert blank == RetreaverHook().settings
    assert isinstance(blank, Settings)


def test_the_form_of_airflow_3():
    """The provider's metadata has labels, hides unused fields and has password fields for secrets."""
    kind = get_provider_info()["connection-types"][0]
    assert kind["connection-type"] == RetreaverHook.conn_type == "retreaver"
    behaviour = kind["ui-field-behaviour"]
    assert behaviour["relabeling"]["login"] == "Company ID"
    assert behaviour["relabeling"]["password"] == "API key"
    assert set(behaviour["hidden-fields"]) == {"schema", "extra"}
    secret = {name for name, field in kind["conn-fields"].items() if field["schema"].get("format") == "password"}
    keys = {"postback_key", "caller_list_key", "caller_list_secret"}
    assert secret == keys | {"webhook_token", "webhook_next_token"}
    assert all(field["label"] and field["description"] for field in kind["conn-fields"].values())
    module, _, name = kind["hook-class-name"].rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name) is RetreaverHook


def test_airflow_finds_the_hook_through_the_entry_point():
    """The installed distribution's entry point returns this package's provider info."""
    found = [
        one for one in entry_points(group="apache_airflow_provider") if one.module.startswith("airflow_provider_retr")
    ]
    assert [one.load()() for one in found] == [get_provider_info()]
    assert issubclass(RetreaverHook, BaseHook)


FORM = """
import json
import subprocess
import sys
from airflow import __version__
from airflow.providers_manager import ProvidersManager

if __version__.startswith("3.1."):  # whose web interface replaces FAB by mocks
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    hooks, widgets, behaviours = HookMetaService._get_hooks_with_mocked_fab()
else:
    manager = ProvidersManager()
    hooks, widgets, behaviours = manager.hooks, manager.connection_form_widgets, manager.field_behaviours
for kind in ("retreaver", "trackdrive"):
    names = sorted(name for name in widgets if name.startswith(f"extra__{kind}__"))
    print("FORM " + json.dumps([names, behaviours[kind]["relabeling"], hooks[kind].hook_name]))
"""


def test_the_form_of_the_installed_airflow(airflow_lab):
    """Airflow's provider manager, in a separate process, returns every field and label without a warning."""
    env = airflow_lab.environment(airflow_lab.root / "form", {"PYTHONWARNINGS": "default"})
    done = subprocess.run(
        [sys.executable, "-c", FORM], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    forms = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("FORM ")]
    keys = ("API key", "Private key")
    for (names, labels, name), kind, key in zip(forms, get_provider_info()["connection-types"], keys, strict=True):
        assert names == sorted(f"extra__{kind['connection-type']}__{field}" for field in kind["conn-fields"])
        assert labels["password"] == key
        assert name == kind["hook-name"]
    noise = [line for line in (done.stdout + done.stderr).splitlines() if "retreaver" in line and "FORM" not in line]
    assert noise == []


def test_airflow_connections_test(airflow_lab, account):
    """`airflow connections test` succeeds, and fails with the reason."""
    for password, message in ((KEY, "Connection success!"), ("no-such-key", "the API key is wrong")):
        env = airflow_lab.environment(
            airflow_lab.root / "form",
            {
                "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                "AIRFLOW_CONN_RETREAVER_DEFAULT": json.dumps(account.connection(password=password)),
                "COLUMNS": "400",
            },
        )
        command = [sys.executable, "-m", "airflow", "connections", "test", "retreaver_default"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
        output = done.stdout + done.stderr
        assert message in output, output
        assert SECRET not in output


def test_all_errors_are_retreaver_errors(account, monkeypatch):
    """Every failure of a hook is a `RetreaverError`."""
    connect(monkeypatch, account, password="")
    with pytest.raises(RetreaverError) as caught:
        RetreaverHook().run(companies.get_active_company())
    assert type(caught.value) is InvalidConnection
    assert "AIRFLOW_HOME" in os.environ


@pytest.mark.filterwarnings("ignore:Using Connection.from_json:DeprecationWarning")  # what Airflow 3.1 itself does
def test_secrets_are_masked_on_the_event_loop_of_the_triggerer(account, monkeypatch):
    """Airflow 3.1 and 3.2 send messages to the supervisor from one loop; one from another ends the triggerer."""
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    loops = []

    class Comms:
        """Sends messages as the triggerer of Airflow 3.1: synchronous ones on the loop that asgiref knows."""

        def send(self, message):
            return async_to_sync(self.asend)(message)

        async def asend(self, message):
            loops.append((type(message).__name__, asyncio.get_running_loop()))

    async def work():
        async with RetreaverAsyncHook() as hook:
            await hook.get_conn()
        return asyncio.get_running_loop()

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    own = asyncio.run(work())
    assert "MaskSecret" in {name for name, _ in loops}
    assert {loop for _, loop in loops} == {own}


@both
def test_a_test_of_a_server_that_hangs_ends_after_one_attempt(account, monkeypatch, hook):
    """The policy of the tasks (eight attempts, two minutes of waiting) is not applied to the Test button."""
    connect(monkeypatch, account, extra={"timeout": 0.3})
    account.fault("company", method="GET", delay=30, times=None)
    ok, message = check_connection(hook)
    assert (ok, account.sent()) == (False, ["GET /company.json"])
    assert "got no response in time" in message
    assert message.endswith("A test tries once, for 4 s at most; a task tries again and waits longer.")


@both
@pytest.mark.parametrize("scheme", ["", "https://"])
def test_https_to_a_port_of_http_is_named(account, monkeypatch, hook, scheme):
    """A Base URL without scheme, or with the wrong one, is no broken connection: the message says what to write."""
    connect(monkeypatch, account, host=account.url.replace("http://", scheme))
    ok, message = check_connection(hook)
    assert not ok
    assert "the server speaks http on this port" in message
    assert "write the scheme before the host, like http://127.0.0.1:8787" in message
    assert "A test tries once" not in message
