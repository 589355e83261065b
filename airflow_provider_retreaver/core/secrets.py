"""Secrets, and how they are kept out of everything that is written down.

The API key travels in the query string, so it stands in every URL: in exceptions, in debug logs, in `Link`
headers. Redaction works twice: by parameter name (whatever the value is) and by value (wherever it stands, and
however it is encoded).
"""

from __future__ import annotations

import hmac
import html
import json
import logging
import re
import threading
from collections.abc import Iterable
from functools import cache
from html.entities import html5
from typing import NoReturn, Self
from urllib.parse import quote, quote_plus

MASK = "***"
# Airflow's own minimum too: to mask every "1" of every sentence would hide nothing but the sentence.
LEAST_LENGTH = 5

# Parameters whose value is never shown, whoever wrote the text; `key` alone is a secret in a query only, since
# it is also what the vendor calls the name of a tag. Who has the `upload_id` of Google Cloud Storage may write.
_NAMED = re.compile(
    r"""(?P<name>api_?key|postback_key|caller_list_(?:key|secret)|access_token|upload_id|[?&]key)
        (?P<sep>["']?\s*(?:=|%3D|:)\s*["']?)
        [^\s&"'<>,;}\])]+""",
    re.IGNORECASE | re.VERBOSE,
)
# "Basic" and "Bearer" are words of business names too: a token follows the header's name, or is long.
_AUTHORIZATION = re.compile(
    r"""(?P<scheme>authorization["']?\s*[:=]\s*["']?(?:Bearer|Basic)|\b(?:Bearer|Basic)(?=\s+[\w.~+/=-]{20}))
        \s+[\w.~+/=-]+""",
    re.IGNORECASE | re.VERBOSE,
)
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s\"'<>]+@")
_FILE_URL = re.compile(r"""(?P<name>csv_file_url["']?\s*[:=]\s*["']?)[^\s"',}]+""")
# Callers in the paths of requests: no secret, and nobody's business in a log either.
_CALLER = re.compile(
    r"(?P<place>/(?:suppressed_numbers|contact_numbers|caller_list_numbers)/(?:%2B|\+)?[0-9])[0-9]{4,12}(?=[0-9]{2})",
    re.IGNORECASE,
)


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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the connection id instead")


def spellings(value: str) -> set[str]:
    """Return the usual forms of a secret in a URL, a header, a form, a JSON text or a page.

    For masks that take texts only; `redact` itself knows every mixture of spellings.
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
    units = "".join(rf"\\+u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))
    names = [re.escape(name) for name, meant in html5.items() if meant == char and name.endswith(";")]
    entities = "|".join([rf"\#0*{code};", rf"\#x0*{code:x};", *names])
    escaped = rf"{units}|\\+u{code:08x}|&(?:amp;)*(?:{entities})"
    forms = [rf"\\*{re.escape(char)}", f"(?i:{octets}|{escaped})"]
    if char in _SHORT:
        forms.append(_SHORT[char])
    if code < 256:
        forms.append(rf"(?i:\\+x{code:02x})")
    return f"(?:{'|'.join(forms)})"


# Spellings that some formats have for single characters.
_SHORT = {" ": r"\+", "\n": r"\\+n", "\r": r"\\+r", "\t": r"\\+t", "\b": r"\\+b", "\f": r"\\+f"}


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return the text without secrets.

    :param text: anything that may hold a URL, a header or an echoed request.
    :param secrets: values to remove wherever they stand, in addition to those known by their parameter name
        and to those of `remember`.
    """
    values = {secret.reveal() for secret in secrets if secret} | _remembered
    for value in sorted(values, key=len, reverse=True):
        text = _anywhere(value).sub(MASK, text)
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    text = _AUTHORIZATION.sub(rf"\g<scheme> {MASK}", text)
    text = mask_callers(_FILE_URL.sub(rf"\g<name>{MASK}", text))
    return _NAMED.sub(rf"\g<name>\g<sep>{MASK}", text)


def mask_callers(text: str) -> str:
    """Return a text in which phone numbers in paths of requests are masked: `/suppressed_numbers/%2B1…34.json`."""
    return _CALLER.sub(r"\g<place>…", text)


_remembered: frozenset[str] = frozenset()
_guard = threading.Lock()


def remember(secrets: Iterable[Secret]) -> None:
    """Have these secrets removed from every later `redact` and from the log records of the HTTP libraries.

    Those shorter than `LEAST_LENGTH` are no keys, and are removed only where a parameter's name stands before them.
    """
    global _remembered  # noqa: PLW0603 - replaced as a whole, since other threads read it meanwhile
    with _guard:
        _remembered |= {value for value in map(Secret.reveal, secrets) if len(value) >= LEAST_LENGTH}


class RedactingFilter(logging.Filter):
    """Rewrites log records of HTTP libraries, which print whole URLs at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, with its message and its exception redacted and its arguments folded in."""
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_FILTER = RedactingFilter()


def guard_library_logs(*loggers: str) -> None:
    """Attach the redacting filter to the named loggers, once each."""
    for name in loggers:
        logger = logging.getLogger(name)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)


def mask_number(number: object) -> str:
    """Return a phone number as logs and errors have it.

    :param number: a phone number as text, or as an `int` with its country code; or what was given in its place.
    :return: its first and last two characters, e.g. `+1…78`; only `…` for six characters or fewer.
    """
    text = f"+{number}" if isinstance(number, int) else str(number).strip()
    return f"{text[:2]}…{text[-2:]}" if len(text) > 6 else "…"
