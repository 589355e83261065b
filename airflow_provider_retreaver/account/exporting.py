"""Exporting an account to files.

Law: the plan after an export is empty. Every field is written as a person would write it, read again, and compared
with the account; one that does not come back the same (a tag with an operator, hours that Retreaver does not define)
is left out and named, so it is not managed.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

import msgspec

from airflow_provider_retreaver.account.kinds import KINDS, Kind, Live, references, world_of
from airflow_provider_retreaver.account.merging import escaped
from airflow_provider_retreaver.account.nodes import is_writable, read_yaml, write_yaml
from airflow_provider_retreaver.account.parts import SET, Part, World
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import differences
from airflow_provider_retreaver.domain.routing.hours_rows import DAYS
from airflow_provider_retreaver.domain.routing.time_zones import iana_name

HEADER = "# yaml-language-server: $schema=./retreaver-account.schema.json\n"


@dataclass(slots=True)
class Export:
    """What an export writes.

    :param files: texts by name.
    :param objects: how many objects they hold.
    :param left_out: what could not be written, as sentences.
    """

    files: dict[str, str] = field(default_factory=dict)
    objects: int = 0
    left_out: list[str] = field(default_factory=list)


class Exporter:
    """Writes an account as files.

    :param live: the account as it is.
    :param world: with the date.
    :param include: patterns of addresses, such as `targets/acme-*`; none for all.
    :param exclude: patterns of addresses that are left out.
    """

    def __init__(self, live: Live, world: World, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._live = live
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self._world = world_of(live, world, {}, {})
        self._export = Export()

    def export(self) -> Export:
        """Return the files.

        :return: their texts, and what was left out.
        """
        for kind in KINDS.values():
            section = dict(self._objects(kind))
            if section:
                self._export.objects += len(section)
                document: dict[str, Any] = {"company": self._live.company}
                if defaults := _common(section):
                    document["defaults"] = {kind.name: defaults}
                document[kind.name] = {
                    key: {name: value for name, value in one.items() if name not in defaults}
                    for key, one in section.items()
                }
                self._export.files[f"{kind.name}.yaml"] = write_yaml(escaped(document), HEADER)
        if not self._export.files:
            self._export.files["account.yaml"] = write_yaml({"company": self._live.company}, HEADER)
        return self._export

    def _objects(self, kind: Kind) -> Iterable[tuple[str, dict[str, Any]]]:
        for row, label in self._live.named(kind):
            address, own_key = f"{kind.name}/{label}", kind.key(row)
            if label != own_key and "id" not in kind.struct.__struct_fields__:
                self._leave_out(f"{kind.name}/{own_key}", "", "it has no address that a file can hold")
            elif self._wanted(address):
                yield label, self._object(kind, row, address, labelled=label != own_key)

    def _wanted(self, address: str) -> bool:
        included = not self._include or any(fnmatch.fnmatchcase(address, one) for one in self._include)
        return included and not any(fnmatch.fnmatchcase(address, one) for one in self._exclude)

    def _object(self, kind: Kind, row: Row, address: str, *, labelled: bool) -> dict[str, Any]:
        written: dict[str, Any] = {"id": row["id"]} if labelled else {}
        for part in kind.parts:
            if part.name == kind.key_name and not (labelled and part.name in kind.struct.__struct_fields__):
                continue
            try:
                written |= self._field(kind, part, row, address)
            except RetreaverError as error:
                self._leave_out(address, part.name, error.message)
        return written

    def _field(self, kind: Kind, part: Part, row: Row, address: str) -> dict[str, Any]:
        """Return a field as a file has it; none where there is nothing to write.

        One that a file cannot hold is refused, or that would be read as something else than the account has.
        """
        name, current = part.name, part.current(row, self._world)
        value = _written(name, current, address, self._world.today)
        if not current or (value is None and name in ("affiliate", "campaign", "sip_password")):
            return {}
        if without_secrets(value, "" if name == "sip_password" else name) != value:
            raise InvalidArgument("it holds a secret")
        if not is_writable(value):
            raise InvalidArgument("it holds characters that a file cannot hold")
        for other, key, _ in references({name: value}):
            if key not in self._world.keys[other]:
                raise InvalidArgument(f"it refers to {other}/{key}, which does not exist")
        written = {name: value}
        try:
            read = msgspec.to_builtins(msgspec.convert(written, kind.struct))
        except msgspec.ValidationError as error:
            raise InvalidArgument(str(error).partition(" - at")[0]) from None
        desired = part.desired(read[name], row, self._world)
        if differences(current, desired) or read_yaml(write_yaml(written), "export").plain() != written:
            raise InvalidArgument("it does not come back as it is written")
        return written

    def _leave_out(self, address: str, name: str, reason: str) -> None:
        shown = one_line(address, numbers=False)
        what = f"{shown}: {name} is left out" if name else f"{shown} is left out"
        self._export.left_out.append(f"{what}: {reason.rpartition(f'{name}: ')[2].rstrip('.')}.")


def _written(name: str, current: Mapping[str, Any], address: str, today: date) -> Any:
    """Return the fields of a part as a person would write them."""
    value = current.get(name)
    if name == "caps":
        value = {field.partition(".")[2]: cap for field, cap in current.items()}
    elif name == "hours":
        value = _week({field.partition(".")[2]: str(hours) for field, hours in current.items()})
    elif name == "tags":
        value = _tags(value or [])
    elif name == "menu_options":
        value = [{key: one for key, one in row.items() if one is not None} for row in value or []]
    elif name == "sip_password":
        label = re.sub(r"[^A-Za-z0-9]", "_", address.partition("/")[2])
        value = {"connection": f"retreaver_sip_{label}"} if value == SET else None
    elif name == "time_zone":
        # A zone that nobody knows stays as it is, and does not come back.
        with suppress(InvalidArgument):
            value = iana_name(value, today)
    return value


def _week(hours: Mapping[str, str]) -> Any:
    """Return hours with days that are alike written together, from Monday on."""
    week: dict[str, str] = {}
    for text, run in groupby((day for day in (*DAYS[1:], DAYS[0]) if day in hours), key=hours.__getitem__):
        days = [day[:3] for day in run]
        week["-".join(dict.fromkeys((days[0], days[-1])))] = text
    return week.get("mon-sun", week)


def _tags(texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for text in texts:
        key, _, value = text.partition(":")
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def _common(section: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the simple fields that all of several objects have alike."""
    rows = list(section.values())
    if len(rows) < 2:
        return {}
    return {
        name: value
        for name, value in rows[0].items()
        if name != "id"
        and not isinstance(value, (dict, list))
        and all(name in row and row[name] == value and type(row[name]) is type(value) for row in rows)
    }
