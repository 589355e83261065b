"""Credentials are in no local variable of the frames of an error, which some tools write with a traceback."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.connection_secrets import basic_token
from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.resources import targets
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import get_buyer_group
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from tests.transport.raw_server import answer, raw_server

KEY = "k3yOfAcme0123456789"


def texts_of(value: Any, levels: int = 5) -> str:
    """Return what a tool that writes local variables shows of a value: its text, and what it contains."""
    text = repr(value)
    if not levels:
        return text
    parts: list[Any] = []
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value) if field.repr]
    elif isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set)):
        parts = [*value]
    return text + "".join(texts_of(part, levels - 1) for part in parts)


def locals_of(error: BaseException | None) -> str:
    """Return the local variables of the package's frames in the traceback of an error and of its causes."""
    found = []
    while error is not None:
        traceback = error.__traceback__
        while traceback is not None:
            if "airflow_provider_retreaver" in traceback.tb_frame.f_code.co_filename:
                found += [f"{name}={texts_of(value)}" for name, value in traceback.tb_frame.f_locals.items()]
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return "\n".join(found)


def fail(kind: str, settings: ClientSettings, operation: Operation[Any] | None = None) -> RetreaverError:
    """Send a request that fails, and return its error."""
    work = operation or targets.get_target(id=3)

    async def send_async() -> None:
        async with AsyncRetreaverClient(settings) as client:
            await client.run(work)

    def send() -> None:
        with RetreaverClient(settings) as client:
            client.run(work)

    with pytest.raises(RetreaverError) as caught:
        asyncio.run(send_async()) if kind == "async" else send()
    return caught.value


ANSWERS = {
    "401": answer(401, body=b'{"error": "wrong key"}'),
    "422": answer(422, body=b'{"errors": {"name": ["is odd"]}}'),
    "500": answer(500),
    "redirect": answer(302, headers=[b"Location: http://127.0.0.1:9/"]),
    "no JSON": answer(body=b"<html>"),
    "cut off": answer(body=b'{"target"', length=500),
    "closed": b"",
}
KINDS = ("blocking", "async")


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_responses(kind, script):
    """Neither key nor postback key is in a frame of the error of any response."""
    with raw_server(script) as server:
        extra = {"max_attempts": 1, "postback_key": f"{KEY}-2"}
        settings = Settings.parse("c", password=KEY, host=f"http://127.0.0.1:{server.port}", extra=extra)
        error = fail(kind, settings)
        assert KEY.encode() in server.requests[0]
    assert KEY not in str(error) + locals_of(error)
    assert "settings=" in locals_of(error) or "self=" in locals_of(error)


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_trackdrive(kind, script):
    """Neither of the two keys nor the Basic header is in a frame of the error of any response."""
    with raw_server(script) as server:
        url, private = f"http://127.0.0.1:{server.port}", f"{KEY}-private"
        extra = {"max_attempts": 1}
        settings = TrackDriveSettings.parse("c", login=KEY, password=private, host=url, extra=extra)
        token = basic_token(Secret(KEY), Secret(private)).reveal()
        error = fail(kind, settings, get_buyer_group(3))
        assert f"Basic {token}".encode() in server.requests[0]
        assert KEY.encode() not in server.requests[0]
    shown = str(error) + locals_of(error)
    assert KEY not in shown
    assert token not in shown


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_does_not_answer(kind):
    """The password of the proxy is in no frame either."""
    with raw_server(b"") as server:
        extra = {"max_attempts": 1, "proxies": {"http": f"http://me:{KEY}@127.0.0.1:{server.port}"}}
        settings = Settings.parse("c", password="another-key", host="http://127.0.0.2:9", extra=extra)
        error = fail(kind, settings)
    assert KEY not in str(error) + locals_of(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_of_the_environment_that_cannot_be_used(kind, monkeypatch):
    """The environment's proxy, which is refused, may have a password as well."""
    monkeypatch.setenv("http_proxy", f"socks5://me:{KEY}@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    settings = Settings.parse("c", password="another-key", host="http://127.0.0.2:9", extra={"max_attempts": 1})
    error = fail(kind, settings)
    assert "the environment's proxy is not an http(s) URL" in str(error)
    assert KEY not in str(error) + locals_of(error)
