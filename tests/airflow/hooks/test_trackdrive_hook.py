"""The TrackDrive hook: testing a connection, reading and writing, its form, and its secrets."""

from __future__ import annotations

import asyncio
import json
import pickle

import pytest

from airflow_provider_retreaver.core.envelopes import read_item, read_root
from airflow_provider_retreaver.core.errors import AuthenticationError, InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Request
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.hooks.trackdrive import TrackDriveAsyncHook, TrackDriveHook
from airflow_provider_retreaver.provider_info import get_provider_info
from airflow_provider_retreaver.resources import targets
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY

pytestmark = pytest.mark.airflow

PATH = "/buyer_groups"
GROUPS = Listing(
    Request("GET", f"{PATH}.json", (("order", "created_at"), ("order_dir", "asc")), auth=Auth.BASIC),
    "buyer_groups",
    page_size=None,
    read=read_root,
    linked=False,
)
BARE = Listing(
    Request("GET", f"{PATH}.json", (("root", "false"),), auth=Auth.BASIC),
    "buyer_groups",
    page_size=None,
    read=read_root,
    linked=False,
)
EXTRAS = {
    "timeout": "12.5",
    "max_concurrency": "2",
    "max_attempts": "3",
    "max_wait": "7",
    "max_response_mb": "5",
    "max_response_seconds": "60",
    "max_json_depth": "50",
    "per_page": "50",
    "portal_url": "https://portal.example.com",
    "portal_paths": '{"buyer_groups": "/p/{id}"}',
    "file_links": '{"s3://bucket/": "https://files.example.com/"}',
    "proxies": '{"https": "http://proxy.example.com:3128"}',
    "verify": "false",
    "allow_http": "true",
}


def create(name):
    """Return the operation that creates a group."""
    return Operation(Request("POST", f"{PATH}.json", body={"name": name}, auth=Auth.BASIC), read_item("buyer_group"))


@pytest.fixture
def trackdrive(account, monkeypatch):
    """Return a function that sets the connection to the sandbox's TrackDrive account, with some fields changed."""

    def connect(**changes):
        connection = account.trackdrive_connection(**{"extra": {"max_wait": 0}, **changes})
        monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", json.dumps(connection))

    connect()
    return connect


def check_connection(hook):
    """Test the connection with one of the two hooks."""
    tested = hook().test_connection()
    return asyncio.run(tested) if asyncio.iscoroutine(tested) else tested


both = pytest.mark.parametrize("hook", [TrackDriveHook, TrackDriveAsyncHook])


@both
@pytest.mark.usefixtures("trackdrive")
def test_a_valid_connection(account, hook):
    """Testing a valid connection reads one column of one group."""
    assert check_connection(hook) == (True, "Connected to TrackDrive: its buyer groups can be read.")
    (entry,) = account.entries()
    assert entry["path"] == "/api/v1/buyer_groups"
    assert {"columns": "id", "per_page": "1"}.items() <= dict(entry["query"]).items()


BAD = {
    "wrong key": (
        {"password": "no-such-key"},
        "check Public key (login), Private key (password)",
    ),
    "swapped": ({"login": TRACKDRIVE_PRIVATE_KEY, "password": TRACKDRIVE_PUBLIC_KEY}, "check Public key (login)"),
    "blank": ({"login": ""}, "Public key (login) is blank; it holds the public key"),
    "no host": ({"host": ""}, "Subdomain or URL (host) is blank; it holds the subdomain"),
    "unknown extra": ({"extra": {"api_routes": "legacy"}}, "extra 'api_routes' is unknown"),
    "foreign http": ({"host": "http://example.com"}, "http://"),
    "no server": ({"host": "http://127.0.0.1:9", "extra": {"max_wait": 0}}, "could not connect"),
}


@both
@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD.keys())
def test_an_invalid_connection(trackdrive, changes, reason, hook):
    """Testing an invalid connection returns one sentence with the reason and no key."""
    trackdrive(**changes)
    ok, message = check_connection(hook)
    assert not ok
    assert reason in message
    assert not {TRACKDRIVE_PUBLIC_KEY, TRACKDRIVE_PRIVATE_KEY} & set(message.split())


@both
@pytest.mark.usefixtures("trackdrive")
def test_a_response_that_is_no_list(account, hook):
    """A login page instead of TrackDrive's response is a failure."""
    for body in ("<html>", "{}", "null"):
        account.fault("buyer_groups", status=200, body=body)
        assert check_connection(hook)[0] is False


@pytest.mark.usefixtures("trackdrive", "account")
def test_run_iterate_and_count():
    """Each method works, with a root and without, also after `close`."""
    with TrackDriveHook() as hook:
        ids = [hook.run(create(f"Group {number}"))["id"] for number in range(53)]
        assert [row["id"] for row in hook.iterate(GROUPS)] == ids
        assert sorted(row["id"] for row in hook.run(BARE)) == ids
        assert (hook.count(GROUPS), hook.count(BARE)) == (53, 53)
        client = hook.get_conn()
        assert hook.get_conn() is client
    assert hook.get_conn() is not client
    assert hook.run(create("again"))["id"] == 54
    hook.close()


@pytest.mark.usefixtures("trackdrive", "account")
def test_the_asynchronous_hook():
    """The asynchronous hook returns the same."""

    async def work():
        async with TrackDriveAsyncHook() as hook:
            ids = [(await hook.run(create(f"Group {number}")))["id"] for number in range(30)]
            assert [row["id"] async for row in hook.iterate(GROUPS)] == ids
            assert (await hook.count(GROUPS), await hook.count(BARE)) == (30, 30)

    asyncio.run(work())


@pytest.mark.usefixtures("trackdrive")
def test_requests_of_retreaver_are_not_sent(account):
    """A hook refuses the operations of the other API before anything is sent."""
    with pytest.raises(InvalidArgument, match="is not a request of TrackDrive"):
        TrackDriveHook().run(targets.get_target(id=1))
    assert account.sent() == []


@pytest.mark.parametrize("form", ["json", "uri"])
def test_every_field_of_the_form_is_an_extra(trackdrive, monkeypatch, form):
    """The form has exactly the extras of the settings, and their values are texts."""
    (kind,) = (one for one in get_provider_info()["connection-types"] if one["connection-type"] == "trackdrive")
    assert kind["conn-fields"].keys() == EXTRAS.keys()
    assert kind["ui-field-behaviour"]["relabeling"]["login"] == "Public key"
    if form == "json":
        trackdrive(extra=EXTRAS, host="acme")
    else:
        from urllib.parse import urlencode

        keys = f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}"
        monkeypatch.setenv("AIRFLOW_CONN_TRACKDRIVE_DEFAULT", f"trackdrive://{keys}@acme/?{urlencode(EXTRAS)}")
    settings = TrackDriveHook().settings
    assert isinstance(settings, TrackDriveSettings)
    assert (settings.timeout, settings.max_concurrency, settings.per_page) == (12.5, 2, 50)
    assert (settings.policy.max_attempts, settings.policy.max_wait, settings.limits.json_depth) == (3, 7, 50)
    assert settings.proxies == {"https": Secret("http://proxy.example.com:3128")}
    assert settings.portal.page("buyer_groups", [3]) == "https://portal.example.com/p/3"
    assert settings.file_links == {"s3://bucket/": "https://files.example.com/"}
    assert [*settings.urls.values()] == ["https://acme.trackdrive.com/api/v1"]


@pytest.mark.usefixtures("account")
def test_objects_do_not_contain_the_keys(trackdrive):
    """The keys are in no text or pickle of hook, client, settings, signed request and error."""
    with TrackDriveHook() as hook:
        client = hook.get_conn()
        signed = client.settings.sign(GROUPS.request)
        token = signed.headers["Authorization"].partition(" ")[2]
        trackdrive(password="no-such-private-key")
        with pytest.raises(AuthenticationError) as raised:
            TrackDriveHook().run(GROUPS)
        for thing in (hook, client, client.settings, vars(client), vars(hook), signed, raised.value):
            shown = f"{thing!r}{thing}"
            assert not [key for key in (TRACKDRIVE_PUBLIC_KEY, TRACKDRIVE_PRIVATE_KEY, token) if key in shown]
        with pytest.raises(TypeError, match="Secret"):
            pickle.dumps(client.settings)
