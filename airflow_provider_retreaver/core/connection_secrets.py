"""The secrets among the fields of a connection, known before any of them is judged or quoted."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_retreaver.core.extras import read_extras
from airflow_provider_retreaver.core.secrets import MIN_LENGTH, Secret

# Extras, also misspelled ones, whose value is a secret whatever it looks like.
_SECRET_NAME = re.compile(r"key|secret|token|passw|passphrase|auth|credential", re.IGNORECASE)
# A key that was pasted into another field: long, without spaces, with letters and digits.
_LIKE_A_KEY = re.compile(r"(?=[^A-Za-z]*[A-Za-z])(?=[^0-9]*[0-9])[!-~]{16,}")
# Addresses and paths look like that, too.
_LIKE_AN_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|[./~]?/|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:,|/|\Z)|v?[0-9.]+\Z", re.IGNORECASE
)


def connection_secrets(
    *,
    login: str | None,
    password: str | None,
    host: str | None,
    extra: Mapping[str, Any] | str | None,
    login_is_key: bool = False,
) -> tuple[Secret, ...]:
    """Return what must be masked before a connection is read, since an error could quote it.

    :param login: see `Settings.parse`.
    :param password: see `Settings.parse`.
    :param host: see `Settings.parse`.
    :param extra: see `Settings.parse`.
    :param login_is_key: whether the login is a secret like the password, and both together make a Basic header.
    :return: the keys, the passwords within URLs, and everything that looks like a key in another field.
    """
    values, _ = read_extras(extra)
    texts = [password or "", (password or "").strip()]
    if login_is_key:
        pairs = {(login or "", password or ""), ((login or "").strip(), (password or "").strip())}
        texts += [text for pair in pairs for text in (pair[0], basic_token(*map(Secret, pair)).reveal())]
    texts += [text for name, value in values.items() for text in _texts(value) if _SECRET_NAME.search(name)]
    others = [login or "", host or "", *values, *(text for value in values.values() for text in _texts(value))]
    texts += [text for text in map(str.strip, others) if _is_like_a_key(text)]
    if isinstance(extra, str) and not values and _is_like_a_key(extra.strip()):
        texts.append(extra.strip())
    found = [Secret(text) for text in dict.fromkeys(texts) if len(text) >= MIN_LENGTH]
    return (*found, *(secret for text in others for secret in url_secrets(Secret(text))))


def basic_token(user: Secret, password: Secret) -> Secret:
    """Return what follows "Basic" in a header, which is the two texts in another spelling.

    :param user: the part before the colon.
    :param password: the part after it.
    :return: the token.
    """
    return Secret(base64.b64encode(f"{user.reveal()}:{password.reveal()}".encode()).decode())


def url_secrets(url: Secret) -> Iterator[Secret]:
    """Yield the password of a URL, decoded; or the user, where there is no password.

    :param url: a URL, or another text.
    :return: the secrets.
    """
    parts = None
    with suppress(ValueError):
        parts = urlsplit(url.reveal())
    if parts is not None and parts.scheme and parts.username is not None:
        text = unquote(parts.password or parts.username)
        yield from [Secret(text)] if text else []


def _is_like_a_key(text: str) -> bool:
    return _LIKE_A_KEY.fullmatch(text) is not None and _LIKE_AN_ADDRESS.match(text) is None


def _texts(value: Any, levels: int = 20) -> Iterator[str]:
    """Yield the texts within a value, those of JSON in a text included."""
    if isinstance(value, str):
        yield value
        value = read_extras(value)[0] if value.strip().startswith("{") else None
    items = value.values() if isinstance(value, Mapping) else value
    if levels and isinstance(value, (Mapping, list, tuple)):
        for item in items:
            yield from _texts(item, levels - 1)
