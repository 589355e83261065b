"""The endpoint for webhooks: `/retreaver/webhooks/{connection}/{trigger}`, an ASGI application.

What a request brings is counted and compared, kept and looked up, and nothing else: it is not executed, rendered,
or logged. The api-server logs the path and the query of each request when it has ended; so both are replaced in the
request before that, since they hold tokens and phone numbers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.core.webhook_settings import TRIGGERS
from airflow_provider_retreaver.webhooks.answers import Answers
from airflow_provider_retreaver.webhooks.connections import Connections
from airflow_provider_retreaver.webhooks.keeping import Keeper
from airflow_provider_retreaver.webhooks.rates import Rate
from airflow_provider_retreaver.webhooks.received import Payload, Refused, read_webhook, to_line
from airflow_provider_retreaver.webhooks.spool import Spool

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.webhook_settings import WebhookSettings

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Seconds in which a body has to arrive.
BODY_SECONDS = 4.0
# Bytes of a query: the api-server takes longer ones, too.
MOST_QUERY = 16_000
# Seconds between two log lines about refused webhooks with the same status.
QUIET = 10.0
_FORBIDDEN = Refused(403, "The webhook is not accepted.")


def create_app() -> WebhookEndpoint:
    """Return the application, for the plugin; what it needs is imported, so that no webhook waits for that.

    :return: the application.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, ObjectStoragePath  # noqa: F401

    from airflow_provider_retreaver.core.settings import Settings  # noqa: F401
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook  # noqa: F401

    return WebhookEndpoint()


class WebhookEndpoint:
    """Accepts webhooks for all connections with a `webhook_token`.

    :param connections: the connections; Airflow's by default.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()
        self._rates: dict[str, tuple[float, Rate]] = {}
        self._keepers: dict[tuple[str, str], tuple[WebhookSettings, Keeper]] = {}
        self._answers: dict[str, Answers] = {}
        self._logged: dict[int, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        parts = scope["path"].removeprefix(scope.get("root_path", "")).strip("/").split("/")
        query, headers = scope["query_string"], dict(scope["headers"])
        _hide(scope, parts)
        try:
            tags = await self._accept(scope, parts, query, headers, receive)
            response = _json(200, tags)
        except Refused as refusal:
            self._log(refusal)
            response = _json(refusal.status, {"error": refusal.reason})
            if refusal.status in {429, 503}:
                response.headers["Retry-After"] = "1"
            elif refusal.status == 405:
                response.headers["Allow"] = "GET, POST"
        except Exception as error:  # noqa: BLE001 - Airflow would log it with what it quotes, and answer 500
            log.error("A webhook could not be kept: %s", one_line(repr(error)))  # noqa: TRY400
            response = _json(503, {"error": "The webhook could not be kept; send it again."})
        await response(scope, receive, send)

    async def _accept(
        self, scope: Scope, parts: list[str], query: bytes, headers: dict[bytes, bytes], receive: Receive
    ) -> dict[str, Any]:
        if len(parts) not in {2, 3}:
            raise _FORBIDDEN
        name, trigger, *rest = parts
        settings = await self._connections.get(name)
        token = rest[0] if rest else _bearer(headers)
        address = (scope.get("client") or (None,))[0]
        if settings is None or not (settings.accepts_token(token) and settings.accepts_address(address)):
            raise _FORBIDDEN
        if not self._rate(name, settings).take():
            raise Refused(429, "Too many webhooks a second; send it again.")
        if scope["method"] not in {"GET", "POST"}:
            raise Refused(405, "Send webhooks by GET or POST.")
        if trigger not in TRIGGERS:
            raise Refused(404, f"There is no trigger of this name; there are {', '.join(TRIGGERS)}.")
        if len(query) > MOST_QUERY:
            raise Refused(413, "The query is too long.")
        body = await _body(headers, receive, settings.max_bytes)
        payload = Payload(query, headers.get(b"content-type", b"").decode("latin-1"), body)
        webhook = read_webhook(payload, trigger, datetime.now(UTC))
        tags = asyncio.create_task(self._tags(settings, webhook["fields"]))
        try:
            await self._keeper(name, settings, trigger).keep(to_line(webhook))
        except BaseException:
            tags.cancel()
            raise
        return await tags

    def _rate(self, name: str, settings: WebhookSettings) -> Rate:
        known = self._rates.get(name)
        if known is None or known[0] != settings.max_rate:
            known = self._rates[name] = (settings.max_rate, Rate(settings.max_rate))
        return known[1]

    def _keeper(self, name: str, settings: WebhookSettings, trigger: str) -> Keeper:
        known = self._keepers.get((name, trigger))
        if known is not None and known[0] == settings:
            return known[1]
        spools: list[Spool] = []

        def write(lines: bytes) -> None:
            # Made in the thread: the storage's library is imported, and may read a connection.
            if not spools:
                spools.append(Spool(settings, trigger))
            spools[0].keep(lines)

        keeper = Keeper(write)
        # A former keeper ends by itself when it has written what waits.
        self._keepers[name, trigger] = (settings, keeper)
        return keeper

    async def _tags(self, settings: WebhookSettings, fields: dict[str, Any]) -> dict[str, Any]:
        if settings.lookup is None:
            return {}
        answers = self._answers.get(settings.lookup)
        if answers is None:
            answers = self._answers[settings.lookup] = Answers(settings.lookup)
        return await answers.tags(fields)

    def _log(self, refusal: Refused) -> None:
        now = time.monotonic()
        if now - self._logged.get(refusal.status, now - QUIET) >= QUIET:
            self._logged[refusal.status] = now
            log.warning("A webhook was refused (%d): %s", refusal.status, refusal.reason)

    def close(self) -> None:
        """Close the open files."""
        for answers in self._answers.values():
            answers.close()


def _hide(scope: Scope, parts: list[str]) -> None:
    """Replace path and query in the request, whose end the api-server logs with what is there then."""
    root = str(scope.get("root_path", "")).rstrip("/")
    name = quoted(parts[0])[1:-1]
    shown = [name, parts[1], "***"][: len(parts)] if len(parts) > 1 and parts[1] in TRIGGERS else ["***"]
    scope["path"] = "/".join([root, *shown])
    scope["raw_path"] = scope["path"].encode("ascii", "replace")
    scope["query_string"] = b""


async def _body(headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    too_large = Refused(413, f"The body is larger than {most} bytes.")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > most:
        raise too_large
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        # By HTTP/1.1 such a request has no body. Asking for it costs as much as all else that is done here.
        return b""
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        raise Refused(415, "The body must not be compressed.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "The body is not complete.")
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, "The body did not arrive in time.") from None


def _bearer(headers: dict[bytes, bytes]) -> str:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _json(status: int, value: dict[str, Any]) -> Response:
    content = json.dumps(value, separators=(",", ":")).encode()
    return Response(content, status, {"Cache-Control": "no-store"}, "application/json")
