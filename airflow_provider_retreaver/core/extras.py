"""Readers of the extras of a connection: each returns a typed value, and each error names the field."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.secrets import Secret

# Parts of an Airflow connection besides its extras.
PARTS = frozenset({"password", "login", "host", "port", "schema", "extra"})
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class Fields:
    """The extras of one connection; each reader takes a name, which is then known.

    :param connection: id of the connection, for errors.
    :param extra: a mapping or JSON text.
    """

    def __init__(self, connection: str, extra: Mapping[str, Any] | str | None) -> None:
        self._connection = connection
        self._known: set[str] = set()
        if isinstance(extra, str):
            extra = self._decoded("extra", extra) if extra.strip() else None
        if not isinstance(extra, (Mapping, type(None))):
            raise self.error("extra", "must be a JSON object")
        self._values = dict(extra or {})

    def _decoded(self, name: str, text: str) -> Any:
        # Raised outside the handler: the decoder's exception holds the whole text, secrets included.
        with suppress(ValueError, RecursionError):
            return json.loads(text)
        raise self.error(name, "is not JSON")

    def error(self, name: str, what: str) -> InvalidConnection:
        """Return the error for one field.

        :param name: of the field or extra.
        :param what: what is wrong, as the end of the sentence that begins with the name.
        :return: the error.
        """
        label = name if name in PARTS else f"extra {name!r}"
        return InvalidConnection(f"Connection {self._connection!r}: {label} {what}.")

    def refuse_unknown(self) -> None:
        """Refuse extras that no reader knows.

        :raises InvalidConnection: naming the first one, and a near known one.
        """
        for name in self._values:
            if name not in self._known:
                near = difflib.get_close_matches(str(name), sorted(self._known), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(self._known))}"
                raise self.error(str(name), f"is unknown{hint}")

    def _value(self, name: str) -> Any:
        self._known.add(name)
        value = self._values.get(name)
        # The connection form stores an empty field as an empty text.
        return None if isinstance(value, str) and not value.strip() else value

    def text(self, name: str) -> str | None:
        """Return a text.

        :param name: of the extra.
        :return: without surrounding spaces, None when absent.
        :raises InvalidConnection: when it is not a text.
        """
        value = self._value(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, f"must be a text, not {type(value).__name__}")
        return value.strip() if value else None

    def secret(self, name: str) -> Secret | None:
        """Return a text as a secret.

        :param name: of the extra.
        :return: the secret, None when absent.
        :raises InvalidConnection: when it cannot be a key.
        """
        value = self.text(name)
        return self.as_secret(name, value) if value else None

    def as_secret(self, name: str, value: str) -> Secret:
        """Return the value of a field as a secret.

        :param name: of the field, for the error.
        :param value: printable ASCII without spaces, so that it can be sent in a header or a URL.
        :return: the secret.
        :raises InvalidConnection: when it contains another character.
        """
        if not all("!" <= char <= "~" for char in value):
            raise self.error(
                name, "contains a space, a line break or another character that no key has; copy it again"
            )
        return Secret(value)

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """Return one of several texts.

        :param name: of the extra.
        :param allowed: the choices.
        :param default: returned when absent.
        :return: the text.
        :raises InvalidConnection: listing the choices.
        """
        value = self._value(name)
        if value is None:
            return default
        if value not in allowed:
            raise self.error(name, f"must be one of {', '.join(allowed)}, not {value!r}")
        return str(value)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number within bounds, also from its text (the connection form stores texts).

        :param name: of the extra.
        :param default: returned when absent.
        :param least: the smallest number allowed.
        :param most: the largest number allowed.
        :return: the number.
        :raises InvalidConnection: naming the bounds.
        """
        value = self._value(name)
        if value is None:
            return default
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or not least <= number <= most:
            raise self.error(name, f"must be a number from {least:g} to {most:g}, not {value!r}")
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
            raise self.error(name, f"must be a whole number, not {number!r}")
        return int(number)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value, also from its text.

        :param name: of the extra.
        :param default: returned when absent.
        :return: the truth value.
        :raises InvalidConnection: when it is something else.
        """
        value = self._value(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        text = str(value).strip().lower()
        if text not in _TRUE | _FALSE:
            raise self.error(name, f"must be true or false, not {value!r}")
        return text in _TRUE

    def proxies(self, name: str) -> dict[str, str] | None:
        """Return proxies by URL scheme.

        :param name: of the extra.
        :return: e.g. `{"https": "http://proxy:3128"}`, None when absent.
        :raises InvalidConnection: when it is not such a mapping.
        """
        value = self._value(name)
        if isinstance(value, str):
            value = self._decoded(name, value)
        if value is None:
            return None
        if not isinstance(value, Mapping) or not all(
            scheme in {"http", "https"} and is_proxy(url) for scheme, url in value.items()
        ):
            raise self.error(name, "must map http and/or https to the URL of a proxy, like http://proxy:3128")
        return dict(value)

    def verify(self, name: str) -> bool | str:
        """Return whether certificates are verified.

        :param name: of the extra.
        :return: True, False, or the path of a CA bundle.
        """
        value = self._value(name)
        if value is None or isinstance(value, bool):
            return True if value is None else value
        text = str(value).strip()
        return text.lower() in _TRUE if text.lower() in _TRUE | _FALSE else text


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
