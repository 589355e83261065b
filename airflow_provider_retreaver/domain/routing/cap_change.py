"""Changing caps: how a new cap is written, and what is sent (Retreaver's reference: "Changing a Target's Caps")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.parameters import ids, plain, text, texts
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.changes.edit import DesiredState
from airflow_provider_retreaver.domain.objects.key import ObjectKey, group_key, target_key
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.routing.caps import TYPES, limits

KEEP = "keep"
NAMES = (*TYPES, "concurrency")
# Fields by which a row of a mapping names its object.
IDENTIFIERS = ("target_id", "id", "tid", "target_name", "target_group_id", "target_group_name")

_NO_CAP = frozenset({"none", "null", "no cap", "unlimited"})
_RELATIVE = re.compile(r"([+-])\s*(\d{1,9}(?:\.\d+)?)\s*(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewCap:
    """A new cap, absolute or relative to the current one.

    :param to: the cap in calls, None for no cap; not used when the change is relative.
    :param by: what the cap changes by; None for an absolute cap.
    :param percent: whether `by` is in percent.
    """

    to: int | None = None
    by: Decimal | None = None
    percent: bool = False

    @classmethod
    def parse(cls, given: object, name: str) -> NewCap | None:
        """Read a cap.

        :param given: a number, `+5`, `-5`, `+10%`, None (or `"none"`) for no cap, or `"keep"` to leave it unchanged.
        :param name: of the parameter, for the error.
        :return: the new cap; None for `"keep"`.
        :raises InvalidArgument: when the value is none of these.
        """
        if given is None:
            return cls()
        given = plain(given, name)
        text = str(given).strip().lower()
        if text == KEEP:
            return None
        if text in _NO_CAP:
            return cls()
        if isinstance(given, (int, str)) and not isinstance(given, bool):
            if re.fullmatch(r"\d{1,9}", text, re.ASCII):
                return cls(to=int(text))
            relative = _RELATIVE.fullmatch(text)
            if relative and (relative[3] or "." not in relative[2]):
                return cls(by=Decimal(relative[1] + relative[2]), percent=bool(relative[3]))
        raise InvalidArgument(
            f"{name} must be a number of calls, a change like '+10%' or -5, None for no cap, or 'keep', "
            f"not {quoted(given)}."
        )

    def of(self, cap: int | None, name: str) -> int | None:
        """Return the new cap of an object.

        :param cap: the current cap; None for no cap.
        :param name: of the cap, for the error.
        :return: the cap in calls, rounded half up; None for no cap.
        :raises ChangeRefused: when there is no cap to change, or the new one would be negative.
        """
        if self.by is None:
            return self.to
        change_text = f"{self.by:+}{'%' if self.percent else ''}"
        if cap is None:
            raise ChangeRefused(f"It has no {name} cap to change by {change_text}; nothing was sent to it.")
        change = cap * self.by / 100 if self.percent else self.by
        new = int((cap + change).to_integral_value(ROUND_HALF_UP))
        if new < 0:
            raise ChangeRefused(
                f"Its {name} cap is {cap} and cannot be changed by {change_text}; nothing was sent to it."
            )
        return new


# By name: hard, hourly, daily, monthly, concurrency.
NewCaps = Mapping[str, NewCap]


def parse_caps(given: Mapping[str, object], where: str) -> dict[str, NewCap]:
    """Read new caps.

    :param given: values by name (`hard`, `hourly`, `daily`, `monthly`, `concurrency`), see `NewCap.parse`.
    :param where: prefix of the names in errors; blank for an operator's own parameters.
    :return: new caps by name, without those that are kept.
    :raises InvalidArgument: naming the cap that cannot be read.
    """
    read = {name: NewCap.parse(value, f"{where}{name}") for name, value in given.items()}
    return {name: cap for name, cap in read.items() if cap is not None}


def parse_rows(given: object) -> dict[ObjectKey, dict[str, NewCap]]:
    """Read new caps of many objects.

    :param given: a list of mappings, e.g. rows of a query, with one of `target_id` (or `id`), `tid`, `target_name`,
        `target_group_id`, `target_group_name` and the caps to change; or a mapping of target IDs to mappings of caps;
        or either as text.
        A cap is as in `NewCap.parse`, except that a negative number must be a text.
    :return: new caps by key of the object.
    :raises InvalidArgument: naming the row that cannot be read.
    """
    given = read_rendered(given, "rows")
    if isinstance(given, Mapping):
        given = [{"target_id": id_, **_row(row, f"rows[{quoted(id_)}]")} for id_, row in given.items()]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgument(f"rows must be a list of mappings, not {type(given).__name__}.")
    caps_of: dict[ObjectKey, dict[str, NewCap]] = {}
    for number, item in enumerate(given):
        row = _row(item, f"rows[{number}]")
        key = _key(row, number)
        if key in caps_of:
            raise InvalidArgument(f"rows[{number}] is about {key}, and so is an earlier row; give one row for it.")
        caps = {name: row[name] for name in NAMES if name in row}
        _refuse_bare_negative(caps, f"rows[{number}] ({key})")
        caps_of[key] = parse_caps(caps, f"rows[{number}] ({key}): ")
    return caps_of


def _refuse_bare_negative(caps: Mapping[str, object], where: str) -> None:
    """Refuse a negative number of a row: tables write -1 for "no cap", and a change by -1 would be made every day."""
    for name, value in caps.items():
        found = plain(value, f"{where}: {name}")
        if isinstance(found, (int, float, Decimal)) and found < 0:
            raise InvalidArgument(
                f"{where}: {name} is the number {found}, which may stand for no cap or for a change by {found}; "
                f"write None for no cap, or the text '{found}' to lower the cap by {-found}."
            )


def _row(item: object, where: str) -> Mapping[str, object]:
    if not isinstance(item, Mapping):
        raise InvalidArgument(f"{where} must map {', '.join(NAMES)} to caps, not {quoted(item)}.")
    unknown = [name for name in item if name not in (*NAMES, *IDENTIFIERS)]
    if unknown:
        raise InvalidArgument(
            f"{where} has the unknown field {quoted(unknown[0])}; known are {', '.join((*IDENTIFIERS, *NAMES))}."
        )
    return item


def _key(row: Mapping[str, object], number: int) -> ObjectKey:
    given = [name for name in IDENTIFIERS if row.get(name) is not None]
    if len(given) != 1:
        raise InvalidArgument(f"rows[{number}] must name its object by exactly one of {', '.join(IDENTIFIERS)}.")
    name, where = given[0], f"rows[{number}].{given[0]}"
    if name.endswith("_name"):
        return ObjectKey("target" if name == "target_name" else "group", name=text(row[name], where))
    if name == "tid":
        return ObjectKey("target", customer_id=(texts([row[name]], where) or [""])[0])
    id_ = (ids([row[name]], where) or [0])[0]
    return group_key(id_) if name == "target_group_id" else target_key(id_)


class DesiredCaps(DesiredState):
    """New caps of a target or group.

    :param caps: by name.
    """

    def __init__(self, caps: NewCaps) -> None:
        self._caps = caps
        self.relative = self.replaces = any(cap.by is not None for cap in caps.values())

    def current(self, row: Row) -> Fields:
        """Return all five caps as `hard_cap` and so on."""
        return _current_caps(row)

    def desired(self, row: Row) -> Fields:
        """Return the caps that are to change."""
        current = _current_caps(row)
        return {f"{name}_cap": cap.of(current[f"{name}_cap"], name) for name, cap in self._caps.items()}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:  # noqa: ARG002
        """Return the caps as Retreaver takes them."""
        return cap_attributes(fields)


def cap_attributes(fields: Fields) -> dict[str, object]:
    """Return caps as attributes.

    :param fields: caps by field, e.g. `hard_cap`, `concurrency_cap`.
    :return: attributes as Retreaver takes them.
    """
    attributes: dict[str, object] = {f"{name}_attributes": {"cap": cap} for name, cap in fields.items()}
    if attributes.pop("concurrency_cap_attributes", None) is not None:
        attributes["concurrency_cap"] = fields["concurrency_cap"]
    return attributes


def _current_caps(row: Row) -> dict[str, int | None]:
    concurrency = row.get("concurrency_cap")
    if not isinstance(concurrency, (int, type(None))):
        raise ProtocolError(f"{object_name(row, 'object')} came with a concurrency cap that is not a number.")
    caps = {f"{name}_cap": cap for name, cap in limits(row).items()}
    return caps | {"concurrency_cap": concurrency}
