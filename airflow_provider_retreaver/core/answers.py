"""From an error answer to an error: which class, what Retreaver said, and what to do."""

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
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.secrets import redact

EXCERPT_LENGTH = 160
# Bytes of an answer that are looked at for an excerpt.
LOOKED_AT = 2_000


_CLASSES: dict[int, type[VendorError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    410: Gone,
    429: RateLimited,
}


def error_for(
    request: Request, response: Response, *, connection: str, retry_after: float | None = None
) -> VendorError:
    """Return the error that an answer with a status of 300 or more stands for.

    :param connection: id of the Airflow connection, for the advice.
    :param retry_after: seconds that the answer asked to wait.
    """
    status = response.status
    details = field_messages(response)
    said = f" ({readable(details)})" if details else ""
    kind = _CLASSES.get(status) or (Unavailable if status >= 500 else InvalidRequest)
    return kind(
        f"{request.label} was answered {status}{said}: {_advice(request, status, connection)}",
        method=request.method,
        path=request.path,
        status=status,
        retry_after=retry_after,
        details=details,
    )


def _advice(request: Request, status: int, connection: str) -> str:
    if status == 401:
        return (
            f"the API key is wrong, missing or was reset; put the key of Settings → My Account → API Access "
            f"into the password field of connection {connection!r}."
        )
    if status == 403 and request.auth.value == "caller_list":
        return (
            f"the caller-list key of connection {connection!r} lacks a permission, or was issued for another target "
            f"or campaign; this action needs {_permissions(request)}, which the key's page in the Retreaver portal "
            f"grants."
        )
    if status == 403:
        return (
            f"the company is missing or is not one of this key's; check the Company ID (login field) of "
            f"connection {connection!r} against Settings → My Company."
        )
    if 300 <= status < 400:
        return "a redirect is not followed, since it would carry the key; check the host of the connection."
    return {
        404: "there is no such object in this company; check the ID, and that it is this company's.",
        410: "it was deleted, or this route is no longer served; if so, set the connection's extra api_routes to "
        "the edition that the vendor serves.",
        429: "the vendor asks for fewer requests at once; lower max_concurrency or wait.",
    }.get(
        status,
        "the vendor failed; it can be tried again later."
        if status >= 500
        else "the vendor refused the request as it was written; correct the values named.",
    )


def _permissions(request: Request) -> str:
    """Return the permissions that an action on caller lists needs.

    The vendor documents `caller_list__show`; the other names are those that follow from it (resource, then action).
    """
    kind = re.search(r"/caller_list_(number|check|upload)s\b", request.path)
    resource = f"caller_list_{kind[1]}" if kind else "caller_list"
    reading = "index" if request.path.endswith("/caller_list_numbers.json") else "show"
    action = {"POST": "create", "DELETE": "destroy"}.get(request.method, reading)
    own = f"{resource}__{action}"
    if own == "caller_list__show":
        return own
    return f"caller_list__show and its own permission (probably called {own})"


def field_messages(response: Response) -> Any:
    """Return the vendor's own messages of an error answer (`errors` or `error`), redacted, or None."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    found = body.get("errors") or body.get("error") or body.get("error_messages")
    return _clean(found) if found else None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(name)): _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def readable(details: Any) -> str:
    """Return the vendor's messages as one line, at most 400 characters."""
    if isinstance(details, dict):
        parts = [f"{name} {_joined(messages)}" for name, messages in details.items()]
        return excerpt("; ".join(parts), 400)
    return excerpt(_joined(details), 400)


def _joined(messages: Any) -> str:
    if isinstance(messages, list):
        return ", ".join(str(message) for message in messages)
    return str(messages)


def beginning(body: bytes) -> str:
    """Return the beginning of a text from outside, up to the end of a word, so that no secret is cut in two."""
    if len(body) > LOOKED_AT:
        body = body[:LOOKED_AT].rpartition(b" ")[0]
    return body.decode("utf-8", "replace")


def excerpt(text: str, length: int = EXCERPT_LENGTH) -> str:
    """Return a short, redacted, one-line piece of a text from outside."""
    line = re.sub(r"\s+", " ", "".join(char if char.isprintable() else " " for char in redact(text))).strip()
    return line if len(line) <= length else line[: length - 1] + "…"
