"""Filters of the RTB log, and whether rows are those that were asked for.

Retreaver silently drops IDs that the API key may not see from a filter: one wrong ID, and the filter chooses
everything. Each row is therefore held against the filters, as far as it shows their fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_retreaver.core import parameters, time_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

# A UUID that is absent: never null, in rows and in files.
NO_UUID = "00000000-0000-0000-0000-000000000000"
STATUSES = ("expired", "claimed", "no-target", "rejected")
IDS = ("campaign_id", "affiliate_id", "target_id", "postback_key_id")
PLACES = ("caller_state", "caller_country")
AMOUNTS = ("revenue", "payout")
FILTERS = (*IDS, "status", "duplicate", *PLACES, *AMOUNTS)
# Fields that show filters of other names.
SHOWN_BY = {"duplicate": "duplicate_original_uuid"}
# "The window between start and end can't exceed 2 months."
MOST_MONTHS = 2

_RELATIVE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
# The only relative window that is shown. Whether its first day is a whole one, and in which zone, is not said.
_LAST_DAYS = re.compile(r"last_([0-9]{1,4})d")
_FIRST_DAY = timedelta(days=1, hours=2)
# Times are in whole seconds, and whether the end itself is counted is not documented.
_ROUNDING = timedelta(seconds=1)
# Amounts may be rounded to cents.
_CENT = Decimal("0.01")

FilterValue = tuple[int, ...] | tuple[str, ...] | tuple[Decimal, Decimal] | bool | str


@dataclass(frozen=True, slots=True)
class InboundFilters:
    """Filters that all must match a row.

    :param values: name and value of each filter, in the order of `FILTERS`.
    """

    values: tuple[tuple[str, FilterValue], ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, object]) -> InboundFilters:
        """Read filters.

        :param given: values by name of the filter; None does not filter.
        :return: the filters.
        :raises InvalidArgument: naming the filter that is not valid.
        """
        parameters.known(given, FILTERS, "filter of RTB inbounds")
        read = [(name, _READERS[name](given[name], name)) for name in FILTERS if parameters.is_given(given.get(name))]
        return cls(tuple(read))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the filters as parameters of a query.

        :return: names and values; those of lists have brackets.
        """
        found: list[tuple[str, str]] = []
        for name, value in self.as_dict().items():
            if isinstance(value, list):
                found += [(f"{name}[]", str(item)) for item in value]
            else:
                found.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the filters as plain JSON, as an export job takes them.

        :return: values by name; several are a list.
        """
        return {name: _as_json(value) for name, value in self.values}

    def mismatch(
        self, row: Mapping[str, object], spellings: Mapping[str, Collection[str]] | None = None
    ) -> str | None:
        """Return the first filter that a row does not match.

        :param row: fields of a row by their names in JSON; fields that are missing are not compared, and one that is
            blank or null is no object, no status and no place.
        :param spellings: what else may stand for the objects of a filter, such as their customer IDs, by its name.
        :return: name of the filter; None for a row that was asked for.
        """
        for name, value in self.values:
            shown_by = SHOWN_BY.get(name, name)
            if shown_by not in row:
                continue
            text = "" if row[shown_by] is None else str(row[shown_by]).strip()
            if not _matches(name, value, text) and text not in (spellings or {}).get(name, ()):
                return name
        return None


@dataclass(frozen=True, slots=True)
class InboundWindow:
    """When rows were created: a relative window, or both ends, or neither.

    :param relative: such as `last_7d`.
    :param start: RFC 3339.
    :param end: RFC 3339.
    """

    relative: str | None = None
    start: str | None = None
    end: str | None = None

    @classmethod
    def of(cls, created_at: object, start: object, end: object) -> InboundWindow:
        """Read the parameters of a window.

        :param created_at: a relative window, such as `last_7d`.
        :param start: RFC 3339 with an offset, an aware datetime, or a date (midnight UTC).
        :param end: the same; at most two months later.
        :return: the window.
        :raises InvalidArgument: when it is not one, is too long, or has a relative window and ends, of which
            Retreaver would ignore the ends.
        """
        first, last = (value if parameters.is_given(value) else None for value in (start, end))
        if parameters.is_given(created_at):
            text = parameters.text(created_at, "created_at")
            if not _RELATIVE.fullmatch(text):
                raise InvalidArgument(
                    f"created_at must be a relative window, like last_7d, not {quoted(created_at)}."
                )
            if first is not None or last is not None:
                raise InvalidArgument(
                    "created_at cannot be used with created_at_start and created_at_end, which Retreaver would "
                    "ignore; give one or the other."
                )
            return cls(relative=text)
        if (first is None) != (last is None):
            raise InvalidArgument("created_at_start and created_at_end belong together; give both or none.")
        names = ("created_at_start", "created_at_end")
        begin, finish = time_parameters.time_span(first, last, names)
        if begin is not None and finish is not None:
            check_length(time_parameters.instant(begin), time_parameters.instant(finish), names)
        return cls(start=_with_offset(begin), end=_with_offset(finish))

    def as_dict(self) -> dict[str, str]:
        """Return the window as parameters of a query, or of an export job.

        :return: values by name.
        """
        named = {"created_at": self.relative, "created_at_start": self.start, "created_at_end": self.end}
        return {name: value for name, value in named.items() if value is not None}

    def excludes(self, row: Mapping[str, object], asked_at: datetime | None = None) -> str | None:
        """Return the parameter that a row does not match.

        :param row: fields of a row by their names in JSON.
        :param asked_at: Retreaver's time when it answered, from which a relative window counts.
        :return: name of the parameter; None for a row whose time does not show that it was not asked for.
        """
        shown = row.get("created_at")
        time = time_parameters.offset_time(shown) if isinstance(shown, str) else None
        if time is None:
            return None
        if self.start and self.end:
            first, last = time_parameters.instant(self.start), time_parameters.instant(self.end)
            return None if first - _ROUNDING <= time <= last + _ROUNDING else "created_at_start"
        days = _LAST_DAYS.fullmatch(self.relative or "")
        if days is None or asked_at is None:
            return None
        return "created_at" if time < asked_at - timedelta(days=int(days[1])) - _FIRST_DAY else None


def check_length(start: datetime, end: datetime, names: tuple[str, str]) -> None:
    """Check that a window is not longer than two months of the calendar, in UTC.

    :param start: of the window, aware.
    :param end: the same.
    :param names: of the two parameters, for the error.
    :raises InvalidArgument: when it is longer.
    """
    if time_parameters.compare_months(start, end, MOST_MONTHS) > 0:
        first, last = (time.astimezone(UTC).isoformat() for time in (start, end))
        raise InvalidArgument(
            f"{names[0]} ({first}) and {names[1]} ({last}) are more than 2 months apart, which Retreaver does not "
            f"take; divide the window with split_window(start, end, '30d')."
        )


def _with_offset(time: str | None) -> str | None:
    """Return a time with an offset: Retreaver could read a date as midnight of the company's time zone."""
    if time is None or "T" in time.upper() or " " in time:
        return time
    return time_parameters.instant(time).isoformat()


def _read_ids(value: object, name: str) -> FilterValue:
    return tuple(_some(parameters.ids(value, name), name))


def _read_statuses(value: object, name: str) -> FilterValue:
    found = _some(parameters.texts(value, name), name)
    return tuple(parameters.one_of(text.lower(), STATUSES, name) for text in found)


def _some(found: list[Any] | None, name: str) -> list[Any]:
    if not found:
        raise InvalidArgument(f"{name} names none, which would choose all; name some, or leave it out.")
    return found


def _read_flag(value: object, name: str) -> FilterValue:
    return parameters.flag(value, name)


def _read_place(value: object, name: str) -> FilterValue:
    text = parameters.text(value, name).upper()
    if not re.fullmatch(r"[A-Z]{2}", text):
        raise InvalidArgument(f"{name} must be two letters, like US, not {quoted(value)}.")
    return text


def _read_range(value: object, name: str) -> FilterValue:
    found = [_amount(str(item)) for item in parameters.items(value, name, as_given=True) or ()]
    least, most = found if len(found) == 2 else (None, None)
    if least is None or most is None or least > most:
        raise InvalidArgument(
            f"{name} must be two amounts, the least and the most, like [20, 30], not {quoted(value)}."
        )
    return (least, most)


_READERS: dict[str, Callable[[object, str], FilterValue]] = {
    **dict.fromkeys(IDS, _read_ids),
    "status": _read_statuses,
    "duplicate": _read_flag,
    **dict.fromkeys(PLACES, _read_place),
    **dict.fromkeys(AMOUNTS, _read_range),
}


def _as_json(value: FilterValue) -> Any:
    if isinstance(value, tuple):
        return [_as_number(item) if isinstance(item, Decimal) else item for item in value]
    return value


def _as_number(amount: Decimal) -> int | float:
    return int(amount) if amount == int(amount) else float(amount)


def _amount(text: str) -> Decimal | None:
    try:
        found = Decimal(text.strip().lstrip("$").replace(",", ""))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < 10**15 else None


def _matches(name: str, value: FilterValue, text: str) -> bool:
    if name == "duplicate":
        return (text not in ("", NO_UUID)) is value
    if name in AMOUNTS and isinstance(value, tuple):
        amount = _amount(text or "0")
        least, most = (Decimal(item) for item in value)
        return amount is not None and least - _CENT <= amount <= most + _CENT
    if name == "status" and isinstance(value, tuple):
        return re.sub(r"[\s_]+", "-", text.lower()) in value
    if isinstance(value, tuple):
        return re.sub(r"\.0+$", "", text) in map(str, value)
    return text.casefold() == str(value).casefold()
