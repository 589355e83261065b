"""Requests and responses as values.

A `Request` holds no credentials and no host: it can be logged, compared and kept in a test. Signing it (base URL,
key, company) makes an `HttpRequest`, which only the transport sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote

from airflow_provider_retreaver.core.bodies import repaired, too_deep
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.limits import MAX_JSON_DEPTH
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.secrets import mask_callers

# Idempotent by RFC 9110: sending one twice has the same effect as sending it once.
REPEATABLE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Auth(Enum):
    """The credentials of a connection that sign a request."""

    API_KEY = "api_key"
    CALLER_LIST = "caller_list"
    POSTBACK_KEY = "postback_key"
    # The public and the private key of a TrackDrive connection.
    BASIC = "basic"


class Host(Enum):
    """The host that a request goes to."""

    API = "api"
    DATA = "data"
    RTB = "rtb"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without host and credentials.

    :param method: HTTP method in capitals.
    :param path: path on the host, percent-encoded, with its extension, e.g. `/targets/3.json`.
    :param query: pairs of name and value, in the order in which they are sent.
    :param body: JSON value to send, None for no body.
    :param auth: which credentials sign it.
    :param host: which host it goes to.
    :param repeat_safe: whether it may be sent again when its outcome is unknown; None where the method decides.
    :param key_type: type of the postback key that must sign it, as Retreaver names it; for errors.
    :param redirects: whether a redirect is the response that is wanted; none is ever followed with the key.
    :param until: when it may be sent for the last time, aware, by the server's clock; None for any time.
    :param attempts: how often it is sent at most; None for as often as the connection says.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    auth: Auth = Auth.API_KEY
    host: Host = Host.API
    repeat_safe: bool | None = None
    key_type: str | None = None
    redirects: bool = False
    until: datetime | None = None
    attempts: int | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when its outcome is unknown."""
        return self.method in REPEATABLE_METHODS if self.repeat_safe is None else self.repeat_safe

    @property
    def label(self) -> str:
        """Method and path, as logs and errors have them: without query, with phone numbers masked."""
        return f"{self.method} {mask_callers(self.path)}"

    def with_query(self, **parameters: str | None) -> Request:
        """Return a copy with other query parameters.

        :param parameters: parameters that replace those of the same name; None removes one.
        :return: the new request.
        """
        kept = tuple(pair for pair in self.query if pair[0] not in parameters)
        added = tuple((name, value) for name, value in parameters.items() if value is not None)
        return replace(self, query=kept + added)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A signed request; its URL contains the key, so it is never logged.

    :param method: HTTP method in capitals.
    :param url: complete URL with credentials.
    :param headers: headers to send.
    :param body: encoded body, None for none.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class LongInteger(ValueError):
    """A body with an integer of thousands of digits."""


class NestedTooDeeply(ValueError):
    """JSON with more levels of lists and objects within each other than it may have.

    :param place: index or name in the topmost list or object, blank where it is not known.
    """

    def __init__(self, place: str) -> None:
        super().__init__("nested too deeply")
        self.place = place


@dataclass(frozen=True, slots=True)
class Response:
    """A response.

    :param status: HTTP status.
    :param headers: header values by name in lower case.
    :param body: the bytes as received, decompressed.
    :param max_depth: levels of lists and objects within each other that its JSON may have.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    max_depth: int = MAX_JSON_DEPTH

    def json(self) -> Any:
        """Parse the body.

        :return: the JSON value; halves of characters in it are replaced.
        :raises NestedTooDeeply: when it has more levels than it may have.
        :raises LongInteger: when it has an integer that Python does not read.
        :raises ValueError: when it is not JSON.
        """
        body, _ = repaired(self.body)
        try:
            value = json.loads(body)
        except RecursionError:
            raise NestedTooDeeply("") from None
        except (json.JSONDecodeError, UnicodeError):
            raise
        except ValueError:
            # Python reads no integer of more than some thousand digits.
            raise LongInteger from None
        if body.count(b"[") + body.count(b"{") > self.max_depth:
            place = too_deep(value, self.max_depth)
            if place is not None:
                raise NestedTooDeeply(place)
        return value


def segment(value: object, name: str) -> str:
    """Percent-encode one segment of a path.

    :param value: an ID, a customer ID, a UUID or a phone number (`+18668987878` becomes `%2B18668987878`).
    :param name: name of the parameter, for the error.
    :return: the encoded segment.
    :raises InvalidArgument: when it is empty, or would change the path (`..`).
    """
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or text in {".", ".."} or any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in text):
        raise InvalidArgument(
            f"{name} must be a non-empty ID, not {quoted(value)}; give the ID as Retreaver shows it."
        )
    return quote(text, safe="")
