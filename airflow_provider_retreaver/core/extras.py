"""Readers of the fields of a connection: each returns a typed value, and each error names the field.

No error quotes a value, since a key may have been put into any field. Values are in no local variable of a frame that
raises either: some tools write the local variables of a traceback.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted
from airflow_provider_retreaver.core.secrets import Secret

# Parts of an Airflow connection besides its extras.
PARTS = frozenset({"password", "login", "host", "port", "schema", "extra"})
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
# What a name of an extra looks like, and a key does not.
_NAME = re.compile(r"[a-z]+(?:[_-]?[a-z]+)*[0-9]{0,2}|[A-Za-z_-]{1,16}")
_LONGEST_NAME = 30


class Fields:
    """The fields of one connection; each reader takes a name, and an extra that was read is known.

    :param connection: id of the connection, for errors.
    :param extra: a mapping or JSON text.
    :param parts: the texts of other fields, such as `password` and `host`, by name.
    :param labels: what the connection form calls those fields.
    """

    def __init__(
        self,
        connection: str,
        extra: Mapping[str, Any] | str | None,
        parts: Mapping[str, str | None] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self._labels = labels or {}
        self._known: set[str] = set()
        self._values, self._problem = read_extras(extra)
        self._parts = dict(parts or {})

    def require_readable(self) -> None:
        """Refuse extras that are no JSON object; not in `__init__`, whose callers still hold the values.

        :raises InvalidConnection: when they are none.
        """
        if self._problem is not None:
            raise self.error("extra", self._problem)

    def error(self, name: str, what: str) -> InvalidConnection:
        """Return the error for one field.

        :param name: of the field or extra.
        :param what: what is wrong, as the end of the sentence that begins with the name.
        :return: the error.
        """
        label = self.label(name) if name in PARTS else f"extra {name!r}"
        return InvalidConnection(f"Connection {quoted(self._connection)}: {label} {what}.")

    def label(self, name: str) -> str:
        """Return what users know a field as: its label in the connection form, with its name in JSON.

        :param name: of a field that is no extra.
        :return: e.g. `API key (password)`.
        """
        label = self._labels.get(name, name)
        return label if label.lower() == name else f"{label} ({name})"

    def refuse_unknown(self) -> None:
        """Refuse extras that no reader knows.

        :raises InvalidConnection: naming the first one if it looks like a name, and a near known one.
        """
        unknown = _shown(name for name in self._values if name not in self._known)
        if unknown is None:
            return
        known = f"known are {', '.join(sorted(self._known))}"
        if unknown:
            raise self.error(unknown, f"is unknown; {did_you_mean(unknown, sorted(self._known), known)}")
        raise self.error("extra", f"has an unknown name, which is not shown, since it may be a key; {known}")

    def _value(self, name: str) -> Any:
        if name in PARTS:
            value = self._parts.get(name)
        else:
            self._known.add(name)
            value = self._values.get(name)
        # The connection form stores an empty field as an empty text.
        return None if isinstance(value, str) and not value.strip() else value

    def text(self, name: str) -> str | None:
        """Return a text.

        :param name: of the field.
        :return: without surrounding spaces, None when absent.
        :raises InvalidConnection: when it is not a text.
        """
        if not isinstance(self._value(name), (str, type(None))):
            raise self.error(name, f"must be a text, not {type(self._value(name)).__name__}")
        return (self._value(name) or "").strip() or None

    def secret(self, name: str) -> Secret | None:
        """Return a text as a secret.

        :param name: of the field.
        :return: the secret, printable ASCII without spaces, so that it can be sent in a header or a URL; None when
            absent.
        :raises InvalidConnection: when it contains another character.
        """
        secret = Secret(self.text(name) or "")
        if not _can_be_sent(secret):
            raise self.error(
                name, "contains a space, a line break or another character that no key has; copy it again"
            )
        return secret or None

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """Return one of several texts.

        :param name: of the extra.
        :param allowed: the choices.
        :param default: returned when absent.
        :return: the text.
        :raises InvalidConnection: listing the choices.
        """
        if self._value(name) is None:
            return default
        if self._value(name) not in allowed:
            raise self.error(name, f"must be one of {', '.join(allowed)}")
        return str(self._value(name))

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number within bounds, also from its text (the connection form stores texts).

        :param name: of the extra.
        :param default: returned when absent.
        :param least: the smallest number allowed.
        :param most: the largest number allowed.
        :return: the number.
        :raises InvalidConnection: naming the bounds.
        """
        if self._value(name) is None:
            return default
        number = _number(self._value(name))
        if number is None or not least <= number <= most:
            raise self.error(name, f"must be a number from {least:g} to {most:g}")
        return number

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds.

        :param name: of the extra.
        :param default: returned when absent.
        :param least: the smallest number allowed.
        :param most: the largest number allowed.
        :return: the number.
        :raises InvalidConnection: when it is not a whole number, or out of bounds.
        """
        number = self.number(name, default, least, most)
        if number != int(number):
            raise self.error(name, f"must be a whole number from {least} to {most}")
        return int(number)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value, also from its text.

        :param name: of the extra.
        :param default: returned when absent.
        :return: the truth value.
        :raises InvalidConnection: when it is something else.
        """
        if self._value(name) is None:
            return default
        flag = _flag(self._value(name))
        if flag is None:
            raise self.error(name, "must be true or false")
        return flag

    def proxies(self, name: str) -> dict[str, Secret] | None:
        """Return proxies by URL scheme.

        :param name: of the extra.
        :return: e.g. `http://proxy:3128` for `https`, None when absent; secrets, since a URL may hold a password.
        :raises InvalidConnection: when it is not such a mapping.
        """
        found, problem = _proxies(self._value(name))
        if problem is not None:
            raise self.error(name, problem)
        return found

    def texts(self, name: str) -> dict[str, str]:
        """Return a mapping of texts, also from JSON.

        :param name: of the extra.
        :return: texts by name; none when absent.
        :raises InvalidConnection: when it is something else.
        """
        found, problem = _texts(self._value(name))
        if problem is not None:
            raise self.error(name, problem)
        return found

    def verify(self, name: str) -> bool | str:
        """Return whether certificates are verified.

        :param name: of the extra.
        :return: True, False, or the path of a CA bundle.
        """
        value = self._value(name)
        flag = True if value is None else _flag(value)
        return str(value).strip() if flag is None else flag


def is_proxy(url: Any) -> bool:
    """Return whether a value is the URL of a proxy that both clients can use.

    :param url: the value.
    :return: True for an http(s) URL with a host.
    """
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def read_extras(extra: Any) -> tuple[dict[str, Any], str | None]:
    """Read the extras of a connection.

    :param extra: a mapping or JSON text.
    :return: the extras by name, and what is wrong with them as the end of a sentence; None when nothing is.
    """
    if isinstance(extra, str):
        extra, problem = _json(extra) if extra.strip() else ({}, None)
        if problem is not None:
            return {}, problem
    if not isinstance(extra, (Mapping, type(None))):
        return {}, "must be a JSON object"
    return {str(name): value for name, value in (extra or {}).items()}, None


def _json(text: str) -> tuple[Any, str | None]:
    with suppress(ValueError, RecursionError):
        return json.loads(text), None
    return None, "is not JSON"


def _proxies(value: Any) -> tuple[dict[str, Secret] | None, str | None]:
    problem = None
    if isinstance(value, str):
        value, problem = _json(value)
    if value is None or problem is not None:
        return None, problem
    if isinstance(value, Mapping) and all(
        scheme in {"http", "https"} and is_proxy(url) for scheme, url in value.items()
    ):
        return {scheme: Secret(url) for scheme, url in value.items()}, None
    return None, "must map http and/or https to the URL of a proxy, like http://proxy:3128"


def _texts(value: Any) -> tuple[dict[str, str], str | None]:
    problem = None
    if isinstance(value, str):
        value, problem = _json(value)
    if value is None or problem is not None:
        return {}, problem
    if isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair):
        return {name: text.strip() for name, text in value.items()}, None
    return {}, "must be a JSON object whose values are texts"


def _shown(names: Iterable[str]) -> str | None:
    """Return the first name, or a blank text where none looks like one; None when there is none."""
    found = list(names)
    if not found:
        return None
    return next((name for name in found if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)), "")


def _can_be_sent(secret: Secret) -> bool:
    return all("!" <= char <= "~" for char in secret.reveal())


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return text in _TRUE if text in _TRUE | _FALSE else None
