"""Settings: valid and invalid values of every field; each error is one sentence that names the field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.base_url import is_loopback
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection, RetreaverError
from airflow_provider_retreaver.core.messages import Auth, Host, Request, segment
from airflow_provider_retreaver.core.policy import Policy
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.settings import Settings

KEY = "a-key-that-is-fine"


def parse(**parts):
    """Parse a valid connection with these fields changed."""
    return Settings.parse("conn", **{"password": KEY, **parts})


def url(**parts):
    """Return the base URL of the API."""
    return parse(**parts).urls[Host.API]


def test_defaults():
    """A connection with a key only has Retreaver's hosts and the documented defaults."""
    made = parse()
    assert made.urls == {
        Host.API: "https://api.retreaver.com",
        Host.DATA: "https://retreaverdata.com",
        Host.RTB: "https://rtb.retreaver.com",
    }
    assert (made.company_id, made.timeout, made.max_concurrency, made.per_page) == (None, 30.0, 4, 100)
    assert (made.routes.legacy, made.routes.calls_version) == (False, "v2")
    assert made.verify is True
    assert made.proxies is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"host": "api.example.com"}, "https://api.example.com"),
        ({"host": " https://API.example.com/ "}, "https://api.example.com"),
        ({"host": "api.example.com", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "https://api.example.com:8443", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "api.example.com:8443"}, "https://api.example.com:8443"),
        ({"host": "api.example.com", "schema": "https"}, "https://api.example.com"),
        ({"host": "127.0.0.1", "port": 8787, "schema": "http"}, "http://127.0.0.1:8787"),
        ({"host": "http://localhost:1"}, "http://localhost:1"),
        ({"host": "http://my.localhost"}, "http://my.localhost"),
        ({"host": "::1", "port": 8787, "schema": "http"}, "http://[::1]:8787"),
        ({"host": "http://[::1]"}, "http://[::1]"),
        ({"host": "http://[::1]:80", "port": 80}, "http://[::1]:80"),
        ({"host": "2001:db8::1"}, "https://[2001:db8::1]"),
        ({"host": "http://10.0.0.1", "extra": {"allow_http": True}}, "http://10.0.0.1"),
        ({"host": "http://proxy", "extra": '{"allow_http": "true"}'}, "http://proxy"),
        ({"host": "  ", "schema": "https"}, "https://api.retreaver.com"),
    ],
)
def test_hosts(parts, expected):
    """A host is a URL, a name or an address, with the port in it or in its own field."""
    assert url(**parts) == expected


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"password": None}, "API key (password) is blank"),
        ({"password": "  "}, "API key (password) is blank"),
        ({"password": "two words"}, "API key (password) contains a space"),
        ({"password": "line\nbreak"}, "API key (password) contains a space"),
        ({"password": "schlüssel"}, "API key (password) contains a space"),
        ({"login": "Acme"}, "Company ID (login) must be"),
        ({"login": "-1"}, "Company ID (login) must"),
        ({"login": "١٢"}, "Company ID (login) must"),
        ({"host": "http://api.retreaver.com"}, "Base URL (host) uses http://"),
        ({"host": "api.retreaver.com", "schema": "http"}, "Base URL (host) uses http://"),
        ({"host": "http://127.0.0.1.example.com"}, "Base URL (host) uses http://"),
        ({"host": "http://localhost.example.com"}, "Base URL (host) uses http://"),
        ({"host": "http://128.0.0.1"}, "Base URL (host) uses http://"),
        ({"host": "ftp://x"}, "Base URL (host) must be"),
        ({"host": "https://"}, "Base URL (host) must be"),
        ({"host": "https://[::1"}, "Base URL (host) must be"),
        ({"host": "two words"}, "Base URL (host) must be"),
        ({"host": "a..b"}, "Base URL (host) must be"),
        ({"host": "https://x/v1"}, "Base URL (host) must hold scheme"),
        ({"host": "https://x?y=1"}, "Base URL (host) must hold scheme"),
        ({"host": "https://x#y"}, "Base URL (host) must hold scheme"),
        ({"host": "https://me:hidden@x"}, "Base URL (host) must hold scheme"),
        ({"host": "https://@x"}, "Base URL (host) must hold scheme"),
        ({"host": "x:0"}, "Base URL (host) has a port"),
        ({"host": "x:70000"}, "Base URL (host) has a port"),
        ({"host": "x:y"}, "Base URL (host) has a port"),
        ({"host": "x", "port": 70000}, "Port must be"),
        ({"host": "x", "port": -1}, "Port must be"),
        ({"host": "x:1", "port": 2}, "Port is 2, but Base URL (host) has 1"),
        ({"port": 80}, "Port is set without Base URL (host)"),
        ({"schema": "http"}, "schema is set without Base URL (host)"),
        ({"host": "x", "schema": "ftp"}, "schema must be"),
        ({"host": "https://x", "schema": "http"}, "schema is http, but Base URL (host) has https"),
        ({"extra": "{"}, "extra is not JSON"),
        ({"extra": "[" * 100_000}, "extra is not JSON"),
        ({"extra": "[]"}, "extra must be a JSON object"),
        ({"extra": 3}, "extra must be a JSON object"),
        ({"extra": {"timeot": 3}}, "extra 'timeot' is unknown; did you mean 'timeout'?"),
        (
            {"extra": {"zzz yyy": 3}},
            "extra has an unknown name, which is not shown, since it may be a key; known are allow_http",
        ),
        ({"extra": {"api_routes": "old"}}, "extra 'api_routes' must be one of current, legacy"),
        ({"extra": {"api_routes": ["legacy"]}}, "extra 'api_routes' must"),
        ({"extra": {"calls_version": "2"}}, "extra 'calls_version' must be one of v1"),
        ({"extra": {"timeout": 0}}, "extra 'timeout' must be a number from 0.1"),
        ({"extra": {"timeout": "soon"}}, "extra 'timeout' must"),
        ({"extra": {"timeout": True}}, "extra 'timeout' must"),
        ({"extra": {"timeout": float("nan")}}, "extra 'timeout' must"),
        ({"extra": {"timeout": 10**400}}, "extra 'timeout' must"),
        ({"extra": {"max_concurrency": 0}}, "extra 'max_concurrency' must"),
        ({"extra": {"max_concurrency": 2.5}}, "extra 'max_concurrency' must be a whole number"),
        ({"extra": {"max_attempts": 0}}, "extra 'max_attempts' must"),
        ({"extra": {"max_wait": -1}}, "extra 'max_wait' must"),
        ({"extra": {"per_page": 101}}, "extra 'per_page' must"),
        ({"extra": {"data_host": "http://far.example"}}, "extra 'data_host' uses http://"),
        ({"extra": {"rtb_host": 3}}, "extra 'rtb_host' must be a text"),
        ({"extra": {"rtb_host": "a b"}}, "extra 'rtb_host' must be a host name"),
        ({"extra": {"postback_key": ["x"]}}, "extra 'postback_key' must be a text"),
        ({"extra": {"caller_list_secret": "two\nlines"}}, "extra 'caller_list_secret' contains a space"),
        ({"extra": {"allow_http": "perhaps"}}, "extra 'allow_http' must be true or false"),
        ({"extra": {"proxies": "not JSON"}}, "extra 'proxies' is not JSON"),
        ({"extra": {"proxies": ["http://x"]}}, "extra 'proxies' must map"),
        ({"extra": {"proxies": {"ftp": "http://x"}}}, "extra 'proxies' must map"),
        ({"extra": {"proxies": {"https": "proxy:3128"}}}, "extra 'proxies' must map"),
        ({"extra": {"proxies": {"https": "socks5://x"}}}, "extra 'proxies' must map"),
        ({"extra": {"proxies": {"https": "http://[x"}}}, "extra 'proxies' must map"),
        ({"extra": {"proxies": {"https": 3}}}, "extra 'proxies' must map"),
    ],
)
def test_invalid_fields(parts, field):
    """The error names connection and field, contains no secret and has no context."""
    with pytest.raises(InvalidConnection) as caught:
        parse(**parts)
    text = str(caught.value)
    assert text.startswith(f"Connection 'conn': {field}"), text
    assert text.endswith((".", "?"))
    for secret in ("hidden", "two words", "break\n", "schlüssel", KEY):
        assert secret not in text or field.startswith(("Base URL (host) must be", "extra 'rtb"))
    assert caught.value.__context__ is None
    assert isinstance(caught.value, ValueError)


def test_extras_as_texts():
    """The connection form stores texts; empty ones count as missing."""
    extra = {
        "api_routes": "legacy",
        "calls_version": "v5",
        "timeout": "12.5",
        "max_concurrency": "8",
        "max_attempts": " 3 ",
        "max_wait": "0",
        "per_page": "50",
        "data_host": " data.example.com ",
        "rtb_host": "",
        "postback_key": "",
        "caller_list_key": "list-key",
        "caller_list_secret": "list-secret",
        "proxies": '{"https": "http://proxy:3128"}',
        "verify": "false",
        "allow_http": "no",
    }
    made = parse(host="api.example.com", extra=json.dumps(extra))
    assert made.routes.legacy
    assert made.routes.calls_version == "v5"
    assert (made.timeout, made.max_concurrency, made.per_page) == (12.5, 8, 50)
    assert (made.policy.max_attempts, made.policy.max_wait) == (3, 0)
    assert made.urls[Host.DATA] == "https://data.example.com"
    assert made.urls[Host.RTB] == "https://api.example.com"
    assert made.postback_key is None
    assert made.proxies == {"https": Secret("http://proxy:3128")}
    assert made.verify is False
    assert parse(extra={"verify": "/etc/ca.pem"}).verify == "/etc/ca.pem"
    assert parse(extra={"verify": True}).verify is True
    assert parse(extra={"verify": "on"}).verify is True
    assert parse(extra="  ").timeout == 30


def test_signing():
    """Each host gets its credentials: key and company, a caller list's key and secret, or the postback key."""
    made = parse(
        login="7",
        extra={"postback_key": "post", "caller_list_key": "list", "caller_list_secret": "secret"},
    )
    plain = made.sign(Request("GET", "/targets.json", (("page", "2"), ("name", "a b&c"))))
    assert plain.url == f"https://api.retreaver.com/targets.json?api_key={KEY}&company_id=7&page=2&name=a+b%26c"
    assert plain.headers == {"Accept": "application/json"}
    assert plain.body is None
    listed = made.sign(Request("POST", "/x.json", body={"ü": None}, auth=Auth.CALLER_LIST))
    assert listed.url == "https://api.retreaver.com/x.json?key=list"
    assert listed.headers["Authorization"] == "Bearer secret"
    assert listed.body == '{"ü":null}'.encode()
    posted = made.sign(Request("GET", "/data", auth=Auth.POSTBACK_KEY, host=Host.DATA))
    assert posted.url == "https://retreaverdata.com/data?key=post"
    assert "company_id" not in parse().sign(Request("GET", "/x")).url


@pytest.mark.parametrize("auth", [Auth.CALLER_LIST, Auth.POSTBACK_KEY])
def test_missing_credentials_are_named(auth):
    """The error names the request that needs them; nothing is sent."""
    with pytest.raises(
        InvalidConnection, match=r"extra '(caller_list|postback)_key' is missing, and GET /x needs it"
    ):
        parse().sign(Request("GET", "/x", auth=auth))


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}, {(1, 2): 3}])
def test_a_body_must_be_json(body):
    """The error names the request and does not contain the body."""
    with pytest.raises(InvalidArgument, match="body of PUT /x contains a value that JSON does not have") as caught:
        parse().sign(Request("PUT", "/x", body=body))
    assert caught.value.__context__ is None


def test_surrogates_are_refused():
    """A lone surrogate is refused in parameters and paths."""
    with pytest.raises(InvalidArgument, match="lone surrogate") as caught:
        parse().sign(Request("GET", "/x", (("caller", "\ud800"),)))
    assert caught.value.__context__ is None
    with pytest.raises(InvalidArgument):
        segment("\udfff", "tid")


@pytest.mark.parametrize("value", ["", " ", ".", "..", "a\nb", None, 1.5, True, ["x"]])
def test_invalid_path_segments(value):
    """A segment that could change the path is refused."""
    with pytest.raises(InvalidArgument, match="tid must be a non-empty ID"):
        segment(value, "tid")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip(" .")))
def test_path_segments_are_quoted(text):
    """Any text is one segment and can be decoded again."""
    from urllib.parse import unquote

    if not text.strip():
        return
    made = segment(text, "tid")
    assert "/" not in made
    assert "?" not in made
    assert "#" not in made
    assert unquote(made) == text.strip()


def test_numbers_as_path_segments():
    """IDs are numbers, phone numbers have a plus."""
    assert segment(3, "id") == "3"
    assert segment("+18668987878", "number") == "%2B18668987878"


@given(st.one_of(st.none(), st.text(max_size=30)), st.one_of(st.none(), st.integers(-5, 80_000)), st.text(max_size=8))
def test_any_host_is_accepted_or_refused(host, port, schema):
    """There is no other exception, and no URL that sends a key unencrypted to another machine."""
    try:
        made = url(host=host, port=port, schema=schema)
    except RetreaverError:
        return
    assert (
        made.startswith("https://")
        or is_loopback(made.removeprefix("http://").partition(":")[0].strip("[]"))
        or ("[::1]" in made)
    )


@pytest.mark.parametrize("port", [None, 0, 443])
def test_a_blank_base_url_takes_the_port_of_https(port):
    """The forms of Airflow 3.3.1 and 3.3.2 send port 0 for a blank one, and test nothing stored without a port."""
    assert parse(port=port).urls == parse().urls


def test_a_connection_is_tested_once_and_within_seconds():
    """Whoever waits for the test of a connection does not wait for the policy of tasks."""
    tested = parse(extra={"max_attempts": 50}).for_test()
    assert tested.policy == Policy(max_attempts=1, max_wait=0)
    assert tested.timeout == tested.limits.response_seconds == 4
    quick = parse(extra={"timeout": 0.5}).for_test()
    assert (quick.timeout, quick.limits.response_seconds) == (0.5, 4)
