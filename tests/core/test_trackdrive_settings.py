"""Settings of a TrackDrive connection: its fields, its hosts, its Basic header."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_retreaver.core.answers import error_for
from airflow_provider_retreaver.core.connection_secrets import connection_secrets
from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    Gone,
    InvalidArgument,
    InvalidConnection,
    NotFound,
    PermissionDenied,
)
from airflow_provider_retreaver.core.messages import Auth, Host, Request, Response
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from tests.core.test_connection_secrets import locals_of

PUBLIC, PRIVATE = "public-of-Acme-0123", "private-of-Acme-4567"
TOKEN = base64.b64encode(f"{PUBLIC}:{PRIVATE}".encode()).decode()
GROUPS = Request("GET", "/buyer_groups.json", auth=Auth.BASIC)


def parse(**parts):
    """Parse a valid connection with these fields changed."""
    return TrackDriveSettings.parse("td", **{"login": PUBLIC, "password": PRIVATE, "host": "acme", **parts})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, "https://acme.trackdrive.com/api/v1"),
        ({"host": " acme-media2 "}, "https://acme-media2.trackdrive.com/api/v1"),
        ({"host": "acme.trackdrive.com"}, "https://acme.trackdrive.com/api/v1"),
        ({"host": "acme.trackdrive.net"}, "https://acme.trackdrive.net/api/v1"),
        ({"host": "https://acme.trackdrive.com/"}, "https://acme.trackdrive.com/api/v1"),
        ({"host": "https://acme.trackdrive.com/api/v1"}, "https://acme.trackdrive.com/api/v1"),
        ({"host": "https://acme.trackdrive.com/api/v1/"}, "https://acme.trackdrive.com/api/v1"),
        ({"schema": "https"}, "https://acme.trackdrive.com/api/v1"),
        ({"port": 8443}, "https://acme.trackdrive.com:8443/api/v1"),
        ({"host": "http://127.0.0.1:8787"}, "http://127.0.0.1:8787/api/v1"),
        ({"host": "127.0.0.1", "port": 8787, "schema": "http"}, "http://127.0.0.1:8787/api/v1"),
        ({"host": "localhost", "port": 8787, "schema": "http"}, "http://localhost:8787/api/v1"),
        ({"host": "http://sandbox:8787", "extra": {"allow_http": True}}, "http://sandbox:8787/api/v1"),
    ],
)
def test_hosts(parts, expected):
    """A subdomain, a host name and a URL all lead to the API below them."""
    assert parse(**parts).urls == {Host.API: expected}


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"login": None}, "Public key (login) is blank; it holds the public key"),
        ({"password": " "}, "Private key (password) is blank; it holds the private key"),
        ({"login": "two words"}, "Public key (login) contains a space"),
        ({"login": "pub:lic"}, "Public key (login) contains a colon"),
        ({"password": "line\nbreak"}, "Private key (password) contains a space"),
        ({"host": None}, "Subdomain or URL (host) is blank; it holds the subdomain"),
        ({"host": "ac me"}, "Subdomain or URL (host) must be a host name"),
        ({"host": "a..b"}, "Subdomain or URL (host) must be"),
        (
            {"host": "https://acme.trackdrive.com/api/v2"},
            "Subdomain or URL (host) must hold scheme, host and port only",
        ),
        (
            {"host": "https://acme.trackdrive.com/api/v1?x=1"},
            "Subdomain or URL (host) must hold scheme, host and port only",
        ),
        ({"schema": "http"}, "Subdomain or URL (host) uses http://"),
        ({"host": "http://acme.trackdrive.com"}, "Subdomain or URL (host) uses http://"),
        ({"schema": "ftp"}, "schema must be"),
        ({"port": 70_000}, "Port must be"),
        ({"extra": {"per_page": 0}}, "extra 'per_page' must be a number from 1 to 1000"),
        ({"extra": {"timeot": 3}}, "extra 'timeot' is unknown; did you mean 'timeout'?"),
    ],
)
def test_invalid_fields(parts, field):
    """Each error names the field."""
    with pytest.raises(InvalidConnection) as raised:
        parse(**parts)
    assert str(raised.value).startswith(f"Connection 'td': {field}")


@pytest.mark.parametrize(
    "name",
    ["api_routes", "calls_version", "data_host", "rtb_host", "postback_key", "caller_list_key", "max_download_mb"],
)
def test_what_only_retreaver_has_is_unknown(name):
    """The extras of Retreaver's connection that mean nothing here are refused, not ignored."""
    with pytest.raises(InvalidConnection, match=f"extra '{name}' is unknown"):
        parse(extra={name: "1"})


def test_defaults_and_extras():
    """Defaults are those of Retreaver's connection, except for the rows of a page."""
    made = parse()
    assert (made.per_page, made.timeout, made.max_concurrency, made.verify) == (25, 30.0, 4, True)
    made = parse(extra={"per_page": "250", "max_attempts": "2", "max_json_depth": 9, "verify": "false"})
    assert (made.per_page, made.policy.max_attempts, made.limits.json_depth, made.verify) == (250, 2, 9, False)


def test_a_signed_request():
    """The keys are in the Basic header and nowhere else; a CSV is asked for as such."""
    signed = parse().sign(GROUPS.with_query(page="2"))
    assert signed.url == "https://acme.trackdrive.com/api/v1/buyer_groups.json?page=2"
    assert signed.headers == {"Accept": "application/json", "Authorization": f"Basic {TOKEN}"}
    bare = parse().sign(Request("GET", "/buyer_groups.csv", auth=Auth.BASIC))
    assert bare.url == "https://acme.trackdrive.com/api/v1/buyer_groups.csv"
    assert bare.headers["Accept"] == "text/csv"
    assert TOKEN not in repr(signed)


def test_requests_of_the_other_api_are_refused():
    """Neither connection signs the requests of the other API: its keys would leave for another company."""
    with pytest.raises(InvalidArgument, match=r"GET /targets.json is not a request of TrackDrive"):
        parse().sign(Request("GET", "/targets.json"))
    with pytest.raises(InvalidArgument, match=r"GET /buyer_groups.json is not a request of Retreaver"):
        Settings.parse("conn", password="a-key-that-is-fine").sign(GROUPS)


def test_secrets_are_known_before_a_field_is_judged():
    """Both keys and the Basic header are secrets, as they are typed and as they are sent."""
    parts = {"login": f" {PUBLIC}", "password": f"{PRIVATE} ", "host": "acme", "extra": None}
    found = set(connection_secrets(**parts, login_is_key=True))
    assert {Secret(PUBLIC), Secret(PRIVATE), Secret(TOKEN)} <= found
    assert Secret(PUBLIC) not in connection_secrets(**{**parts, "login": "plain"})
    assert set(parse().secrets) == {Secret(PUBLIC), Secret(PRIVATE), Secret(TOKEN)}


@pytest.mark.parametrize(
    "parts",
    [{"login": f"{PUBLIC}:x"}, {"password": f"{PRIVATE}\n1"}, {"host": f"http://{PUBLIC}/x"},
     {"schema": PRIVATE}, {"extra": {PRIVATE: 1}}, {"extra": {"timeout": PUBLIC}}, {"extra": {"proxies": PRIVATE}}],
)  # fmt: skip
def test_a_refused_connection_shows_no_key(parts):
    """Neither the error nor a local variable of its traceback shows a key."""
    with pytest.raises(InvalidConnection) as raised:
        parse(**parts)
    shown = f"{raised.value}{locals_of(raised.value)}"
    assert not [key for key in (PUBLIC, PRIVATE, TOKEN) if key in shown]


def test_clients_of_one_account_share_a_limiter():
    """The account is known by both keys and the host."""
    assert parse().account == parse(extra={"timeout": 3}).account
    assert len({parse(**part).account for part in ({}, {"login": "other"}, {"password": "x"}, {"host": "b"})}) == 4


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (
            401,
            AuthenticationError,
            "check Public key (login), Private key (password) and Subdomain or URL (host)",
        ),
        (403, PermissionDenied, "use the keys of a user that has it in connection 'td'"),
        (404, NotFound, "check the ID, and Subdomain or URL (host) of connection 'td'"),
        (410, Gone, "check the ID, and Subdomain or URL (host) of connection 'td'"),
    ],
)
def test_advice(status, kind, advice):
    """The errors of a request with a Basic header name the fields of this connection."""
    error = error_for(GROUPS, Response(status, {}, b"{}"), connection="td")
    assert type(error) is kind
    assert advice in str(error)
