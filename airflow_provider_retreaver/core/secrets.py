"""Secrets, and how they are kept out of everything that is written.

The API key is sent in the query string, so every URL contains it: in exceptions, in debug logs, in `Link` headers.
Redaction works twice: by parameter name (whatever the value) and by value (wherever it is, and however it is
encoded).
"""

from __future__ import annotations

import hmac
import html
import json
import logging
import re
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from html.entities import html5
from typing import NoReturn, Self
from urllib.parse import quote, quote_plus

from airflow_provider_retreaver.core.phone_text import mask_numbers

MASK = "***"
# Airflow's own minimum too: masking every "1" would make every message unreadable.
MIN_LENGTH = 5

# Parameters whose value is never written out, whatever the text; `key` alone is a secret in a query only, since
# it is also Retreaver's name for the name of a tag. The `upload_id` of Google Cloud Storage gives write access.
_NAMED = re.compile(
    r"""(?P<name>api_?key|postback_key|caller_list_(?:key|secret)|access_token|upload_id|[?&]key)
        (?P<sep>["']?\s*(?:=|%3D|:)\s*["']?)
        [^\s&"'<>,;}\])]+""",
    re.IGNORECASE | re.VERBOSE,
)
# "Basic" and "Bearer" appear in business names too: a token follows the header's name, or is long.
_AUTHORIZATION = re.compile(
    r"""(?P<scheme>authorization["']?\s*[:=]\s*["']?(?:Bearer|Basic)|\b(?:Bearer|Basic)(?=\s+[\w.~+/=-]{20}))
        \s+[\w.~+/=-]+""",
    re.IGNORECASE | re.VERBOSE,
)
# Bounded repeats, here and below: a long run of one character would otherwise be read again from each of its places.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<user>[^/\s\"'<>]+)@")
# The ID of an Airflow connection in the path of a storage, such as `s3://conn@bucket`, is no secret.
_STORAGE = re.compile(r"(?:s3[an]?|gc?s|file|abfss?|adl|az|wasbs?|oss)://", re.IGNORECASE)
_CONNECTION = re.compile(r"[\w.-]{1,250}")
_FILE_URL = re.compile(r"""(?P<name>csv_file_url["']?\s*[:=]\s*["']?)[^\s"',}]+""")
# Phone numbers in the paths of requests: personal data, which logs do not need.
_CALLER = re.compile(
    r"(?P<place>/(?:suppressed_numbers|contact_numbers|caller_list_numbers)/)(?P<number>[^/?\s\"'<>]+)", re.IGNORECASE
)


# Backslashes before an escaped character: each time that a text is quoted within another one doubles them.
MAX_SLASHES = 32
_SLASHES = rf"\\{{1,{MAX_SLASHES}}}"


class Secret:
    """A value that is never written out: not in `str`, `repr`, formats, pickles or JSON.

    :param value: the secret text; only `reveal()` returns it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text; called only where a request is signed or a mask is registered.

        :return: the secret text.
        """
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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the connection id instead")


def spellings(value: str) -> set[str]:
    """Return the usual forms of a secret in a URL, a header, a form, JSON and HTML.

    For masks that take texts only; `redact` finds every mixture of encodings by itself.

    :param value: the secret text.
    :return: its forms, the plain one included.
    """
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


@cache
def _anywhere(value: str) -> re.Pattern[str]:
    """Return what matches a secret however each of its characters is written."""
    return re.compile("".join(map(_spelled, value)))


def _spelled(char: str) -> str:
    """Return a pattern for one character: plain, percent-encoded, escaped for JSON, Python or HTML, or twice so."""
    code = ord(char)
    # How text stands in a URL: UTF-8, percent-encoded once or several times.
    octets = "".join(f"%(?:25)*{octet:02x}" for octet in char.encode("utf-8", "surrogatepass"))
    utf16 = char.encode("utf-16-be", "surrogatepass").hex()
    units = "".join(rf"{_SLASHES}u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))
    names = [re.escape(name) for name, meant in html5.items() if meant == char and name.endswith(";")]
    entities = "|".join([rf"\#0*{code};", rf"\#x0*{code:x};", *names])
    escaped = rf"{units}|{_SLASHES}u{code:08x}|&(?:amp;)*(?:{entities})"
    forms = [rf"\\{{0,{MAX_SLASHES}}}{re.escape(char)}", f"(?i:{octets}|{escaped})"]
    if char in _SHORT:
        forms.append(_SHORT[char])
    if code < 256:
        forms.append(rf"(?i:{_SLASHES}x{code:02x})")
    return f"(?:{'|'.join(forms)})"


# Spellings that some formats have for single characters.
_SHORT = {" ": r"\+", **{char: f"{_SLASHES}{letter}" for char, letter in zip("\n\r\t\b\f", "nrtbf", strict=True)}}


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return a text without secrets.

    :param text: text that may contain a URL, a header or an echoed request.
    :param secrets: values to remove wherever they are, in addition to those known by their parameter name and those
        of
        `register_secrets`.
    :return: the text with `***` in their places.
    """
    text = without_values(text, {secret.reveal() for secret in secrets if secret} | _registered)
    text = _USERINFO.sub(_without_userinfo, text)
    text = _AUTHORIZATION.sub(rf"\g<scheme> {MASK}", text)
    text = mask_callers(_FILE_URL.sub(rf"\g<name>{MASK}", text))
    return _NAMED.sub(rf"\g<name>\g<sep>{MASK}", text)


def _without_userinfo(found: re.Match[str]) -> str:
    if _STORAGE.fullmatch(found["scheme"]) and _CONNECTION.fullmatch(found["user"]):
        return found[0]
    return f"{found['scheme']}{MASK}@"


def without_values(text: str, values: Iterable[str]) -> str:
    """Return a text without some values, however their characters are encoded.

    :param text: any text.
    :param values: to remove; of two that overlap, the longer one first.
    :return: the text with `***` in their places.
    """
    for value in sorted(values, key=len, reverse=True):
        text = _anywhere(value).sub(MASK, text)
    return text


def mask_callers(text: str) -> str:
    """Return a text in which phone numbers in paths of requests are masked.

    :param text: e.g. `/suppressed_numbers/%2B18668987878.json`.
    :return: e.g. `/suppressed_numbers/%2B1…78.json`.
    """
    return _CALLER.sub(lambda found: found["place"] + mask_numbers(found["number"]), text)


_registered: frozenset[str] = frozenset()
_guard = threading.Lock()


def register_secrets(secrets: Iterable[Secret]) -> None:
    """Remove these secrets from every later `redact` and from the log records of the HTTP libraries.

    Those shorter than `MIN_LENGTH` are not keys, and are removed only after the name of a parameter.

    :param secrets: the secrets.
    """
    global _registered  # noqa: PLW0603 - replaced as a whole, since other threads read it
    with _guard:
        _registered |= {value for value in map(Secret.reveal, secrets) if len(value) >= MIN_LENGTH}


def registered() -> frozenset[str]:
    """Return what masks need.

    :return: the texts of all registered secrets.
    """
    return _registered


# Whether the paths of this context's requests are secrets themselves, as addresses of files are.
PRIVATE_PATHS: ContextVar[bool] = ContextVar("retreaver_private_paths", default=False)
_PATH = re.compile(r"""(?<=[\s"'])/[^\s"']*""")


class RedactingFilter(logging.Filter):
    """Removes secrets and phone numbers from log records of HTTP libraries, which log whole URLs at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove secrets and phone numbers from the message and the exception of a record.

        :param record: the record; its arguments become part of its message when that contains a secret.
        :return: True, since every record is kept.
        """
        message = record.getMessage()
        clean = mask_numbers(redact(message))
        if PRIVATE_PATHS.get():
            clean = _PATH.sub(MASK, clean)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info:
            record.exc_text = mask_numbers(redact(logging.Formatter().formatException(record.exc_info)))
            record.exc_info = None
        return True


_FILTER = RedactingFilter()


def guard_library_logs(*loggers: str) -> None:
    """Attach the redacting filter to loggers, once each.

    :param loggers: names of the loggers.
    """
    for name in loggers:
        logger = logging.getLogger(name)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
