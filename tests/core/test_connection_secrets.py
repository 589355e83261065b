"""Secrets of a connection: known before a field is judged, quoted nowhere, and in no frame of a traceback."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from airflow_provider_retreaver.core.connection_secrets import connection_secrets
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection, RetreaverError
from airflow_provider_retreaver.core.messages import Auth, Request
from airflow_provider_retreaver.core.settings import Settings

KEY = "k3y-of-Acme-0123456789"


def texts_of(value: Any, levels: int = 4) -> str:
    """Return what a tool that writes local variables may show of a value."""
    text = repr(value)
    if levels and dataclasses.is_dataclass(value):
        shown = (getattr(value, field.name) for field in dataclasses.fields(value) if field.repr)
        text += "".join(texts_of(item, levels - 1) for item in shown)
    if levels and isinstance(value, dict):
        text += "".join(texts_of(item, levels - 1) for item in value.values())
    if levels and isinstance(value, (list, tuple)):
        text += "".join(texts_of(item, levels - 1) for item in value)
    return text


def locals_of(error: BaseException) -> str:
    """Return the local variables of all frames of this package in an error's traceback."""
    found, traceback = [], error.__traceback__
    while traceback is not None:
        if "airflow_provider_retreaver" in traceback.tb_frame.f_code.co_filename:
            found += [texts_of(value) for value in traceback.tb_frame.f_locals.values()]
        traceback = traceback.tb_next
    return "\n".join(found)


EXTRAS = (
    "api_routes", "calls_version", "timeout", "max_concurrency", "max_attempts", "max_wait", "per_page", "allow_http",
    "proxies", "max_response_mb", "max_json_depth", "apikey", "Api-Key", "x", KEY, f"{KEY} ", "two words",
)  # fmt: skip
PASTED: list[dict[str, Any]] = [
    *({"extra": {name: KEY}} for name in EXTRAS),
    *({"extra": {name: [KEY]}} for name in EXTRAS),
    *({"extra": {name: {KEY: KEY}}} for name in EXTRAS),
    {"extra": KEY}, {"extra": f"{{{KEY}"}, {"extra": f'"{KEY}"'}, {"extra": [KEY]}, {"login": KEY}, {"schema": KEY},
    {"host": f"https://me:{KEY}@api.test"}, {"host": f"https://{KEY}@api.test"}, {"host": f"{KEY}/x"},
    {"host": f"https://api.test/?api_key={KEY}"}, {"password": f"{KEY} {KEY}"}, {"password": f"{KEY}\n2"},
    {"extra": {"data_host": f"http://me:{KEY}@data.test"}}, {"extra": {"postback_key": f"{KEY} 2"}},
    {"extra": {"caller_list_secret": [KEY]}}, {"extra": {"proxies": {"https": f"socks5://me:{KEY}@proxy:1"}}},
    {"extra": {"proxies": json.dumps({"ftp": f"http://me:{KEY}@proxy:1"})}},
    {"extra": {"postback_key": KEY, "timeout": "soon"}}, {"port": 1}, {"schema": "http"},
]  # fmt: skip


@pytest.mark.parametrize("parts", PASTED)
def test_a_refused_connection_shows_no_value(parts):
    """A key in any field is neither in the error nor in a local variable of the frames that raise it."""
    with pytest.raises(InvalidConnection) as caught:
        Settings.parse("conn", **{"password": KEY, **parts})
    assert KEY not in str(caught.value) + repr(caught.value)
    assert KEY not in locals_of(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("timeot", True), ("max_atempts", True), ("apikey", True), ("X-Api-Key", True), ("calls_version2", True),
        ("d41d8cd98f00b204e9800998ecf8427e", False), ("aZbYcXdWeVfUgThSiRjQ", False), ("a b", False), ("", False),
        ("x" * 31, False), ("1-2-3", False), ("clé", False), ("a\nb", False),
    ],
)  # fmt: skip
def test_unknown_extras_are_named_when_they_look_like_a_name(name, shown):
    """A typing error is named; what may be a pasted key is not."""
    with pytest.raises(InvalidConnection) as caught:
        Settings.parse("conn", password=KEY, extra={name: 1})
    named = f"extra {name!r} is unknown" in str(caught.value)
    assert named == shown
    assert ("which is not shown" in str(caught.value)) != shown


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"password": f" {KEY} "}, {f" {KEY} ", KEY}),
        ({"login": KEY}, {KEY}), ({"login": "Acme Roofing"}, set()), ({"login": "1234567890123456789"}, set()),
        ({"extra": {"apikey": "s3same"}}, {"s3same"}), ({"extra": {"My Token": ["s3same"]}}, {"s3same"}),
        ({"extra": {"timeout": KEY}}, {KEY}), ({"extra": {KEY: 1}}, {KEY}), ({"extra": KEY}, {KEY}),
        ({"extra": json.dumps({"postback_key": "s3same"})}, {"s3same"}),
        ({"host": "https://me:s3%40me@api.test"}, {"s3@me"}), ({"host": "https://t0ken@api.test"}, {"t0ken"}),
        ({"extra": {"proxies": {"https": "http://me:s3same@proxy:1"}}}, {"s3same"}),
        ({"extra": {"proxies": json.dumps({"https": "http://me:s3same@proxy:1"})}}, {"s3same"}),
        ({"host": "https://api-2.retreaver-host.test"}, set()), ({"host": "api2.retreaver-host.test"}, set()),
        ({"extra": {"verify": "/etc/ssl/certs/bundle2.pem"}}, set()), ({"extra": {"calls_version": "v2"}}, set()),
        ({"extra": {"download_hosts": "files2.internal:8443,b3.internal"}}, set()), ({"extra": "[" * 100_000}, set()),
        ({"extra": {"key": json.loads("[" * 200 + "]" * 200)}}, set()), ({"extra": 3}, set()),
    ],
)  # fmt: skip
def test_secrets_of_a_connection(parts, expected):
    """Keys, passwords within URLs, and what looks like a key in another field; not names, addresses and paths."""
    found = connection_secrets(**{"login": None, "password": None, "host": None, "extra": None, **parts})
    assert {secret.reveal() for secret in found} == expected


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/x", auth=Auth.POSTBACK_KEY), Request("GET", "/x", auth=Auth.CALLER_LIST),
        Request("POST", "/x", body={"a": {1, 2}}), Request("GET", "/x", (("tid", "\ud800"),)),
    ],
    ids=["postback key", "caller list", "body", "query"],
)  # fmt: skip
def test_a_request_that_cannot_be_signed_reveals_no_key(request_):
    """The frames of the error hold no credential, neither the missing one's neighbor nor the API key."""
    settings = Settings.parse("conn", password=KEY, extra={"caller_list_key": f"{KEY}-2"})
    with pytest.raises(InvalidArgument) as caught:
        settings.sign(request_)
    assert KEY not in str(caught.value) + locals_of(caught.value)


def test_the_proxy_is_a_secret():
    """Settings show no proxy, whose URL may have a password."""
    proxies = {"https": f"http://me:{KEY}@proxy:1"}
    settings = Settings.parse("conn", password="another-key", extra={"proxies": proxies})
    assert KEY not in texts_of(settings)
    assert KEY in {secret.reveal() for secret in settings.secrets}


def test_this_search_finds_local_variables():
    """The search above finds a key in a frame of this package."""
    with pytest.raises(RetreaverError) as caught:
        Settings.parse("conn", password="another-key", port=1, host=None, extra={"timeout": 1})
    assert "'conn'" in locals_of(caught.value)
