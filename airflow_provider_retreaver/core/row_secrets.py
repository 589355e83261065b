"""Secrets in rows that leave: into results, files, tables and events.

Retreaver may echo a key in a successful answer: in the URL of a recording, or in a name into which somebody has
pasted it. Besides, some fields are keys: `embedded_key` of a company, `show_key` of a campaign, `object_key` and
`sip_password` of a target. A row that is only read and written back stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow_provider_retreaver.core.secrets import MASK, registered, without_values

# A shorter secret is in many texts by chance, and rows are data: they are changed only where it is sure.
LEAST = 8
_KEYS = ("api_key", "apikey", "postback_key", "caller_list_key", "embedded_key", "show_key", "object_key")
_ENDINGS = ("password", "secret", "access_token")
# Parameters of URLs within a text, also of encoded ones.
_PARAMETER = re.compile(
    r"(?P<name>(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2}))"
    r"(?:api_?key|postback_key|caller_list_(?:key|secret)|access_token)(?:=|%(?:25)*3D))[^&\s\"'<>,;%]+",
    re.IGNORECASE,
)
# Characters that stand for themselves in URLs, JSON and HTML.
_PLAIN = re.compile(r"[0-9A-Za-z._~-]+")
_LITERAL = re.compile(rb'"(?:[^"\\]|\\.)*"')
_SECRET_FIELD = re.compile(
    rb'("(?:(?:api|postback|caller_list|embedded|show|object)_key|apikey|\w{0,30}(?:password|secret|access_token))"'
    rb'\s*:\s*)"(?:[^"\\]|\\.)+"'
)


def is_secret_field(name: str) -> bool:
    """Return whether the value of a field is a secret.

    :param name: of the field.
    :return: True when it is.
    """
    return name in _KEYS or name.endswith(_ENDINGS)


def without_secrets(value: Any, name: str = "") -> Any:
    """Return a JSON value in which secrets are masked: the registered ones, parameters of URLs, and secret fields.

    :param value: a row, or a part of one.
    :param name: of the field that has the value.
    :return: a value of the same shape.
    """
    if isinstance(value, str):
        return MASK if value and is_secret_field(name) else _clean(value)
    if isinstance(value, Mapping):
        return {
            _clean(key) if isinstance(key, str) else key: without_secrets(item, str(key))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        cleaned = (without_secrets(item, name) for item in value)
        return tuple(cleaned) if isinstance(value, tuple) else list(cleaned)
    return value


def _clean(text: str) -> str:
    secrets = [secret for secret, part in _long(registered()) if part in text]
    text = without_values(text, secrets) if secrets else text
    return _PARAMETER.sub(rf"\g<name>{MASK}", text) if "=" in text or "%" in text else text


def holds_registered(document: bytes) -> bool:
    """Return whether a document may hold a registered secret, at the speed of the machine.

    An export has a hundred calls in each document, hardly ever with a secret.

    :param document: JSON in UTF-8.
    :return: False when it holds none in any usual encoding, which leaves letters and digits as they are.
    """
    return any(part in document for part in _searched(registered()))


def holds_secret_field(document: bytes) -> bool:
    """Return whether a document has the name of a secret field, such as `embedded_key`.

    :param document: JSON in UTF-8.
    :return: True when it has.
    """
    # A search for the pattern takes ten times as long.
    parts = (b'_key"', b'apikey"', b'secret"', b'password"', b'access_token"')
    return any(part in document for part in parts) and _SECRET_FIELD.search(document) is not None


def holds_key_parameter(urls: str) -> bool:
    """Return whether a URL has a parameter that is a key.

    :param urls: one URL, or several in lines.
    :return: True when one has.
    """
    return ("key" in urls or "token" in urls) and _PARAMETER.search(urls) is not None


def document_without_secrets(document: bytes) -> bytes:
    """Return a JSON document in which secrets are masked; everything else stays as it was sent.

    :param document: JSON in UTF-8.
    :return: the same bytes where there is no secret.
    """
    document = _SECRET_FIELD.sub(rb'\1"' + MASK.encode() + b'"', document)
    return _LITERAL.sub(_clean_literal, document)


def _clean_literal(found: re.Match[bytes]) -> bytes:
    try:
        text = json.loads(found[0])
    except ValueError:
        return found[0]
    clean = _clean(text)
    return found[0] if clean == text else json.dumps(clean, ensure_ascii=False).encode("utf-8", "surrogatepass")


@cache
def _long(secrets: frozenset[str]) -> list[tuple[str, str]]:
    """Return the secrets that are masked in rows, each with a part that every usual encoding leaves as it is."""
    return [(secret, max(_PLAIN.findall(secret), key=len, default="")) for secret in secrets if len(secret) >= LEAST]


@cache
def _searched(secrets: frozenset[str]) -> tuple[bytes, ...]:
    """Return what a document is searched for: where the longer of two secrets is, the part of it is too."""
    parts = {part for _, part in _long(secrets)}
    return tuple(part.encode() for part in parts if not any(other in part for other in parts - {part}))
