"""Which calls are meant: conditions that the vendor filters by, and conditions that are looked at here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row

# "Calls": what the versioned call log filters by.
BY_THE_VENDOR = ("caller", "client_afid", "client_cid", "client_tid", "sub_id")
# What is looked at here, with the field of a call that it is about.
BY_US = {
    "status": "status",
    "converted": "converted",
    "state": "caller_state",
    "min_duration": "total_duration",
    "max_duration": "total_duration",
}

Value = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallFilters:
    """Conditions that all must hold; sorted pairs of name and value."""

    pairs: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, filters: Any) -> CallFilters:
        """Read a mapping: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id` (texts), which the vendor
        filters by; `status`, `state` (one or several texts, in any case), `converted` (truth value),
        `min_duration`, `max_duration` (seconds in all), which are looked at here.

        :raises InvalidArgument: naming the filter.
        """  # noqa: D205 - the list is the sentence
        filters = parameters.mapping(filters, "filters")
        parameters.known(filters, (*BY_THE_VENDOR, *BY_US), "filter of calls")
        wanted = {name: value for name, value in filters.items() if value is not None}
        return cls(tuple(sorted((name, _value(name, value)) for name, value in wanted.items())))

    def as_mapping(self) -> dict[str, Any]:
        """Return the conditions as they were given."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.pairs}

    @property
    def sent(self) -> dict[str, Any]:
        """The conditions that the vendor filters by, as parameters of `list_calls`."""
        return {name: value for name, value in self.pairs if name in BY_THE_VENDOR}

    @property
    def own(self) -> dict[str, Value]:
        """The conditions that are looked at here."""
        return {name: value for name, value in self.pairs if name in BY_US}

    def hold(self, call: Row) -> bool:
        """Whether the conditions that are looked at here hold for a call.

        :raises ProtocolError: when the call lacks a field, as calls of old versions of the call log do.
        """
        return all(_holds(name, wanted, call) for name, wanted in self.own.items())


def _value(name: str, value: Any) -> Value:
    where = f"filters: {name}"
    if name in ("min_duration", "max_duration"):
        return parameters.whole(value, where)
    if name == "converted":
        return parameters.flag(_text(str(value), where), where)
    if name in ("status", "state"):
        return statuses(value, where)
    return _text(value, where)


def statuses(value: object, where: str) -> tuple[str, ...]:
    """Return one or several texts in lower case, such as statuses of a call.

    :param value: see `items` of `core/parameters.py`.
    :param where: name of the parameter, for the error.
    :return: the distinct texts, sorted.
    :raises InvalidArgument: when one is blank, or there is none.
    """
    found = tuple(sorted({text.lower() for text in parameters.texts(value, where) or ()}))
    if not found:
        raise InvalidArgument(f"{where} must be one or several texts, not {value!r}.")
    return found


def _text(value: Any, where: str) -> str:
    value = parameters.plain(value, where)
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text:
        raise InvalidArgument(f"{where} must be a text, not {value!r}.")
    return text


def _holds(name: str, wanted: Value, call: Row) -> bool:
    field = BY_US[name]
    if field not in call:
        raise ProtocolError(
            f"Call {call.get('uuid')} came without {field!r}, so the filter {name!r} cannot be judged; set the "
            f"connection's extra calls_version to v2 or later."
        )
    value = call[field]
    if name == "converted":
        return bool(value) is wanted
    if isinstance(wanted, tuple):
        return str(value).lower() in wanted
    seconds = float(value or 0)
    return seconds >= float(wanted) if name == "min_duration" else seconds <= float(wanted)
