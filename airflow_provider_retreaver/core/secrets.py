"""Secrets, and how they are kept out of everything that is written down.

The API key travels in the query string, so it stands in every URL: in exceptions, in debug logs, in `Link`
headers. Redaction works twice: by parameter name (whatever the value is) and by value (wherever it stands,
also percent-encoded).
"""

from __future__ import annotations

import hmac
import html
import json
import logging
import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "***"

# Parameters whose value is never shown, whoever wrote the text; `key` alone is a secret in a query only, since
# it is also what the vendor calls the name of a tag.
_NAMED = re.compile(
    r"""(?P<name>api_?key|postback_key|caller_list_(?:key|secret)|access_token|[?&]key)
        (?P<sep>["']?\s*(?:=|%3D|:)\s*["']?)
        [^\s&"'<>,;}\])]+""",
    re.IGNORECASE | re.VERBOSE,
)
_AUTHORIZATION = re.compile(r"(?P<scheme>\b(?:Bearer|Basic))\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@]+@")
_FILE_URL = re.compile(r"""(?P<name>csv_file_url["']?\s*[:=]\s*["']?)[^\s"',}]+""")


class Secret:
    """A value that does not show itself: not in `str`, `repr`, formats, pickles or JSON.

    :param value: the secret text; `reveal()` is the only way to get it back.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text; called only where a request is signed or a mask is registered."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the connection id instead")


def spellings(value: str) -> set[str]:
    """Return the forms in which a secret can stand in a URL, a header, a form, a JSON text or a page."""
    forms = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        html.escape(value),
    }
    lowered = {re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), form) for form in forms}
    return forms | lowered


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return the text without secrets.

    :param text: anything that may hold a URL, a header or an echoed request.
    :param secrets: values to remove wherever they stand, in addition to those known by their parameter name
        and to those of `remember`.
    """
    forms = {form for secret in secrets if secret for form in spellings(secret.reveal())}
    for form in sorted(forms | _remembered, key=len, reverse=True):
        text = text.replace(form, MASK)
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    text = _AUTHORIZATION.sub(rf"\g<scheme> {MASK}", text)
    text = _FILE_URL.sub(rf"\g<name>{MASK}", text)
    return _NAMED.sub(rf"\g<name>\g<sep>{MASK}", text)


_remembered: set[str] = set()


def remember(secrets: Iterable[Secret]) -> None:
    """Have these secrets removed from every later `redact` and from the log records of the HTTP libraries."""
    for secret in secrets:
        if secret:
            _remembered.update(spellings(secret.reveal()))


class RedactingFilter(logging.Filter):
    """Rewrites log records of HTTP libraries, which print whole URLs at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, with its message redacted and its arguments folded in."""
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        return True


_FILTER = RedactingFilter()


def guard_library_logs(*loggers: str) -> None:
    """Attach the redacting filter to the named loggers, once each."""
    for name in loggers:
        logger = logging.getLogger(name)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
