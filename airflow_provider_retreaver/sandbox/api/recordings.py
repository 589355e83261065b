"""Recordings of calls: short silent files, which the sandbox serves itself, without a key."""

from __future__ import annotations

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.store import Row

# The sandbox in memory has no address: this is the one of `retreaver-sandbox`.
DEFAULT_HOST = "127.0.0.1:8787"
# One frame of silence, MPEG-1 layer 3 with 128 kbit/s and 44.1 kHz, lasts 26 ms.
_FRAME = bytes.fromhex("fffb9000").ljust(417, b"\0")
_FRAMES = 38
_TAG_SIZE = 128


def url_of(call: Row, host: str) -> str | None:
    """Return where a call's recording is.

    :param call: Row of the call.
    :param host: Host and port under which the sandbox was asked for the call; blank is the default.
    :return: A URL of the sandbox itself; None for a call that was not recorded.
    """
    return f"http://{host or DEFAULT_HOST}/recordings/{_key(call['uuid'])}.mp3" if call["recorded"] else None


def _key(uuid: str) -> str:
    return uuid.replace("-", "")


def _get(context: RequestContext) -> Reply:
    """Answer a second of silence, with the call's UUID as its title, so that no two recordings are the same."""
    key = context.args["key"].lower()
    uuid = "-".join((key[:8], key[8:12], key[12:16], key[16:20], key[20:]))
    call = context.store.row("SELECT uuid FROM calls WHERE uuid = ? AND recorded", (uuid,))
    if call is None:
        raise api_error(404, "recording not found")
    title = b"TAG" + _key(call["uuid"]).encode()[:30]
    return Reply(content=_FRAME * _FRAMES + title.ljust(_TAG_SIZE, b"\0"), content_type="audio/mpeg")


ROUTES = [Route("GET", "recordings/{key}", _get, access="open", format="mp3")]
