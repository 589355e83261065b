"""What is said to the vendor and what comes back, as values.

A `Request` holds no credentials and no host: it can be logged, compared and kept in a test. Signing it (base
URL, key, company) makes an `HttpRequest`, which is shown to a transport and to nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.secrets import mask_callers

# RFC 9110 calls these idempotent: sending one twice leaves the vendor as sending it once.
REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class Auth(Enum):
    """Which credentials of a connection sign a request."""

    API_KEY = "api_key"
    CALLER_LIST = "caller_list"
    POSTBACK_KEY = "postback_key"


class Host(Enum):
    """Which of the vendor's hosts a request goes to."""

    API = "api"
    DATA = "data"
    RTB = "rtb"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without host and credentials.

    :param method: HTTP method in capitals.
    :param path: path on the host, percent-encoded, with its extension, e.g. `/targets/3.json`.
    :param query: pairs in the order in which they are sent.
    :param body: JSON value to send, `None` for no body.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    auth: Auth = Auth.API_KEY
    host: Host = Host.API

    @property
    def repeatable(self) -> bool:
        """Whether sending it again is harmless when it is unknown what became of it."""
        return self.method in REPEATABLE_METHODS

    @property
    def label(self) -> str:
        """Method and path, the way a request is named in logs and errors: without query, callers' numbers masked."""
        return f"{self.method} {mask_callers(self.path)}"

    def with_query(self, **parameters: str | None) -> Request:
        """Return a copy in which these parameters replace those of the same name."""
        kept = tuple(pair for pair in self.query if pair[0] not in parameters)
        added = tuple((name, value) for name, value in parameters.items() if value is not None)
        return Request(self.method, self.path, kept + added, self.body, self.auth, self.host)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A signed request, ready for the wire; its URL holds the key, so it is never shown."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    :param headers: names in lower case.
    :param body: the bytes as received, decompressed.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Parse the body; raises `ValueError` when it is not JSON, or nested deeper than can be read."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def segment(value: object, name: str) -> str:
    """Percent-encode one segment of a path.

    :param value: an ID, a customer ID, a UUID or a phone number (`+18668987878` becomes `%2B18668987878`).
    :param name: what it is, for the error.
    :raises InvalidArgument: when it is empty, or could climb out of its place in the path.
    """
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or text in {".", ".."} or any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in text):
        raise InvalidArgument(f"{name} must be a non-empty ID, not {value!r}; give the ID as the vendor shows it.")
    return quote(text, safe="")
