"""Changing caps: how a new cap is said, and what is to be sent (vendor's reference: "Changing a Target's Caps")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.parameters import ids, plain, texts
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.changes.differences import View
from airflow_provider_retreaver.domain.changes.edit import Aim, owner
from airflow_provider_retreaver.domain.routing.caps import TYPES, limits

KEEP = "keep"
NAMES = (*TYPES, "concurrency")
# How a row of a mapping may name its object.
IDENTIFIERS = ("target_id", "id", "tid", "target_group_id")

_NO_CAP = frozenset({"none", "null", "no cap", "unlimited"})
_RELATIVE = re.compile(r"([+-])\s*(\d{1,9}(?:\.\d+)?)\s*(%?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewCap:
    """What a cap is to be.

    :param to: the cap itself, None for no cap; not looked at when it is relative.
    :param by: what it changes by.
    :param percent: whether `by` is in percent.
    """

    to: int | None = None
    by: Decimal | None = None
    percent: bool = False

    @classmethod
    def parse(cls, given: Any, name: str) -> NewCap | None:
        """Read a cap: a number, `+5`, `-5`, `+10%`, None (or `"none"`) for no cap, `"keep"` for leaving it alone.

        :raises InvalidArgument: naming the parameter.
        """
        if given is None:
            return cls()
        text = str(given).strip().lower()
        if text == KEEP:
            return None
        if text in _NO_CAP:
            return cls()
        given = plain(given, name)
        text = str(given).strip().lower()
        if isinstance(given, (int, str)) and not isinstance(given, bool):
            if re.fullmatch(r"\d{1,9}", text, re.ASCII):
                return cls(to=int(text))
            found = _RELATIVE.fullmatch(text)
            if found and (found[3] or "." not in found[2]):
                return cls(by=Decimal(found[1] + found[2]), percent=bool(found[3]))
        raise InvalidArgument(
            f"{name} must be a number of calls, a change like '+10%' or -5, None for no cap, or 'keep', "
            f"not {given!r}."
        )

    def of(self, cap: int | None, name: str) -> int | None:
        """Return the new cap.

        :param cap: the cap as it is.
        :raises ChangeRefused: when there is no cap to change, or none would be left.
        """
        if self.by is None:
            return self.to
        sign = f"{self.by:+}{'%' if self.percent else ''}"
        if cap is None:
            raise ChangeRefused(f"It has no {name} cap that could be changed by {sign}; nothing was sent to it.")
        change = cap * self.by / 100 if self.percent else self.by
        new = int((cap + change).to_integral_value(ROUND_HALF_UP))
        if new < 0:
            raise ChangeRefused(f"Its {name} cap is {cap} and cannot be changed by {sign}; nothing was sent to it.")
        return new


NewCaps = Mapping[str, NewCap]


def parse_caps(given: Mapping[str, Any], where: str) -> dict[str, NewCap]:
    """Read the caps of a mapping from `hard`, `hourly`, `daily`, `monthly`, `concurrency` to what they are to be.

    :param where: what the mapping is, for errors; blank for an operator's own parameters.
    :raises InvalidArgument: naming the cap.
    """
    read = {name: NewCap.parse(value, f"{where}{name}") for name, value in given.items()}
    return {name: cap for name, cap in read.items() if cap is not None}


def parse_rows(given: Any) -> dict[str, dict[str, NewCap]]:
    """Read caps of many objects, by what names the object: `target 3`, `target tid A7`, `group 5`.

    :param given: a list of mappings, a warehouse row each, with one of `target_id` (or `id`), `tid`,
        `target_group_id` and the caps to change; or a mapping of target IDs to mappings of caps; or either as JSON.
    :raises InvalidArgument: naming the row.
    """
    given = read_rendered(given, "rows")
    if isinstance(given, Mapping):
        given = [{"target_id": id_, **_row(row, f"rows[{id_!r}]")} for id_, row in given.items()]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidArgument(f"rows must be a list of mappings, not {type(given).__name__}.")
    found: dict[str, dict[str, NewCap]] = {}
    for number, item in enumerate(given):
        row = _row(item, f"rows[{number}]")
        key = _key(row, number)
        if key in found:
            raise InvalidArgument(f"rows[{number}] is about {key}, and so is an earlier row; say it once.")
        found[key] = parse_caps({name: row[name] for name in NAMES if name in row}, f"rows[{number}] ({key}): ")
    return found


def _row(item: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise InvalidArgument(f"{where} must map {', '.join(NAMES)} to caps, not {item!r}.")
    unknown = [name for name in item if name not in (*NAMES, *IDENTIFIERS)]
    if unknown:
        raise InvalidArgument(
            f"{where} has the unknown field {unknown[0]!r}; known are {', '.join((*IDENTIFIERS, *NAMES))}."
        )
    return item


def _key(row: Mapping[str, Any], number: int) -> str:
    named = [name for name in IDENTIFIERS if row.get(name) is not None]
    if len(named) != 1:
        raise InvalidArgument(f"rows[{number}] must name its object by exactly one of {', '.join(IDENTIFIERS)}.")
    name, where = named[0], f"rows[{number}].{named[0]}"
    found = (texts if name == "tid" else ids)([row[name]], where) or []
    return {"tid": "target tid", "target_group_id": "group"}.get(name, "target") + f" {found[0]}"


class CapsAim(Aim):
    """New caps of a target or group.

    :param caps: by name.
    """

    def __init__(self, caps: NewCaps) -> None:
        self._caps = caps
        self.relative = self.replaces = any(cap.by is not None for cap in caps.values())

    def view(self, row: Row) -> View:
        """Return all five caps as `hard_cap` and so on."""
        concurrency = row.get("concurrency_cap")
        if not isinstance(concurrency, (int, type(None))):
            raise ProtocolError(f"{owner(row, 'object')} came with a concurrency cap that is no number.")
        return {f"{name}_cap": cap for name, cap in (limits(row) | {"concurrency": concurrency}).items()}

    def want(self, row: Row) -> View:
        """Return the caps that are to change."""
        now = self.view(row)
        return {f"{name}_cap": cap.of(now[f"{name}_cap"], name) for name, cap in self._caps.items()}

    def body(self, _row: Row, wanted: View) -> dict[str, Any]:
        """Return the caps as the vendor takes them."""
        return caps_body(wanted)


def caps_body(wanted: View) -> dict[str, Any]:
    """Return caps by field as the attributes that the vendor takes."""
    simple = {name: cap for name, cap in wanted.items() if name == "concurrency_cap"}
    return simple | {f"{name}_attributes": {"cap": cap} for name, cap in wanted.items() if name not in simple}
