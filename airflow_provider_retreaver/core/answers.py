"""From an error response to an error: its class, the message of the server, and what to do."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    Gone,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
    VendorError,
)
from airflow_provider_retreaver.core.messages import Auth, Request, Response
from airflow_provider_retreaver.core.quoting import excerpt, quoted
from airflow_provider_retreaver.core.secrets import redact

# Bytes of a response that an excerpt is taken from.
EXCERPT_BYTES = 2_000


_CLASSES: dict[int, type[VendorError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    410: Gone,
    429: RateLimited,
}


# What to do about a request that the two keys of a connection sign, which is named in the text.
_KEY_PAIR = {
    401: "the public or the private key is wrong, missing or of another account; check Public key (login), "
    "Private key (password) and Subdomain or URL (host) of connection {}.",
    403: "the keys do not give access to this; use the keys of a user that has it in connection {}.",
    404: "there is no such object in this account; check the ID, and Subdomain or URL (host) of connection {}.",
    410: "it was deleted, or the route is no longer served; check the ID, and "
    "Subdomain or URL (host) of connection {}.",
}


def error_for(
    request: Request, response: Response, *, connection: str, retry_after: float | None = None
) -> VendorError:
    """Return the error for a response with a status of 300 or more.

    :param request: the request that was sent.
    :param response: its response.
    :param connection: id of the Airflow connection, for the advice.
    :param retry_after: seconds that the response asks to wait.
    :return: the error, of the class for its status.
    """
    status = response.status
    details = field_messages(response)
    message = f" ({join_messages(details)})" if details else ""
    own = _KEY_PAIR.get(status) if request.auth is Auth.BASIC else None
    advice = own.format(quoted(connection)) if own else _advice(request, status, connection)
    kind = _CLASSES.get(status) or (Unavailable if status >= 500 else InvalidRequest)
    return kind(
        f"{request.label} was answered {status}{message}: {advice}",
        method=request.method,
        path=request.path,
        status=status,
        retry_after=retry_after,
        details=details,
    )


def _advice(request: Request, status: int, connection: str) -> str:
    if status in {401, 403} and request.key_type is not None:
        return (
            f"this needs a postback key of type {request.key_type!r} that is not paused; put it into the extra "
            f"postback_key of connection {quoted(connection)}."
        )
    if status == 401:
        return (
            f"the API key is wrong, missing or was reset; put the key of Settings → My Account → API Access "
            f"into API key (password) of connection {quoted(connection)}."
        )
    if status == 403 and request.auth.value == "caller_list":
        return (
            f"the caller-list key of connection {quoted(connection)} lacks a permission, or was issued for another "
            f"target or campaign; this action needs {_permissions(request)}, which the key's page in the Retreaver "
            f"portal grants."
        )
    if status == 403:
        return (
            f"the company is missing or is not one of this key's; check Company ID (login) of "
            f"connection {quoted(connection)} against Settings → My Company."
        )
    if 300 <= status < 400:
        return "redirects are not followed, since they would pass on the key; check the host of the connection."
    return {
        404: "there is no such object in this company; check the ID, and that it is this company's.",
        410: "it was deleted, or this route is no longer served; if so, set the connection's extra api_routes to "
        "the routes that the server has.",
        429: "the server asks for fewer concurrent requests; lower max_concurrency or wait.",
    }.get(
        status,
        "the server failed; try again later."
        if status >= 500
        else "the server refused the request; correct the values that it names.",
    )


def _permissions(request: Request) -> str:
    """Return the permissions that an action on caller lists needs.

    Retreaver's reference: "Caller Lists", "Permissions".
    """
    kind = re.search(r"/caller_list_(number|check|upload)s\b", request.path)
    resource = f"caller_list_{kind[1]}" if kind else "caller_list"
    reading = "index" if request.path.endswith("/caller_list_numbers.json") else "show"
    action = {"POST": "create", "DELETE": "delete"}.get(request.method, reading)
    own = f"{resource}__{action}"
    if own == "caller_list__show":
        return own
    return f"caller_list__show and {own}"


def field_messages(response: Response) -> Any:
    """Return the server's own messages of an error response (`errors`, `error` or `error_messages`).

    :param response: the response.
    :return: the JSON value without secrets, None when there is none.
    """
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    messages = body.get("errors") or body.get("error") or body.get("error_messages")
    return _clean(messages) if messages else None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(_shortened(value))
    if isinstance(value, dict):
        return {redact(_shortened(str(name))): _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _shortened(text: str) -> str:
    """Return the beginning of a text, up to the end of a word, so that no secret is cut in two."""
    return text if len(text) <= EXCERPT_BYTES else f"{text[:EXCERPT_BYTES].rpartition(' ')[0]}…"


def join_messages(details: Any) -> str:
    """Return the server's messages as one line.

    :param details: see `field_messages`.
    :return: at most 400 characters.
    """
    if isinstance(details, dict):
        parts = [f"{name} {_joined(messages)}" for name, messages in details.items()]
        return excerpt("; ".join(parts), 400)
    return excerpt(_joined(details), 400)


def _joined(messages: Any) -> str:
    if isinstance(messages, list):
        return ", ".join(str(message) for message in messages)
    return str(messages)


def beginning(body: bytes) -> str:
    """Return the beginning of a body as text, up to the end of a word, so that no secret is cut in two.

    :param body: bytes from outside.
    :return: text of at most `EXCERPT_BYTES` bytes.
    """
    if len(body) > EXCERPT_BYTES:
        body = body[:EXCERPT_BYTES].rpartition(b" ")[0]
    return body.decode("utf-8", "replace")
