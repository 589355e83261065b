"""Exporting an account to files.

Law: the plan after an export is empty. Every field is written as a person would write it, read again, and compared
with the account; one that does not come back the same (a tag with an operator, hours that Retreaver does not define)
is left out and named, so it is not managed.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from airflow_provider_retreaver.account.files import read_files
from airflow_provider_retreaver.account.kinds import KINDS, Kind
from airflow_provider_retreaver.account.live import Live, world_of
from airflow_provider_retreaver.account.nodes import write_yaml
from airflow_provider_retreaver.account.ordering import references
from airflow_provider_retreaver.account.parts import SET, World
from airflow_provider_retreaver.account.plan import Change
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.account.variables import escaped
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.routing.hours_rows import DAYS
from airflow_provider_retreaver.domain.routing.time_zones import iana_name

HEADER = "# yaml-language-server: $schema=./retreaver-account.schema.json\n"
SHORT_DAYS = tuple(day[:3] for day in (*DAYS[1:], DAYS[0]))
KEY_FIELDS = ("afid", "cid", "tid")


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
        self._base = world
        self._world = world_of(live, world, {}, ())
        self._export = Export()

    def export(self) -> Export:
        """Return the files.

        :return: their texts, and what was left out.
        """
        for kind in KINDS.values():
            section = dict(self._objects(kind))
            if section:
                section = self._without_differences(kind, section)
                self._export.objects += len(section)
                document: dict[str, Any] = {"company": self._live.company}
                defaults = _common(section)
                if defaults:
                    document["defaults"] = {kind.name: defaults}
                    section = {
                        key: {name: value for name, value in one.items() if name not in defaults}
                        for key, one in section.items()
                    }
                text = write_yaml(escaped({**document, kind.name: section}), HEADER)
                self._export.files[f"{kind.name}.yaml"] = text
        if not self._export.files:
            self._export.files["account.yaml"] = write_yaml({"company": self._live.company}, HEADER)
        return self._export

    def _objects(self, kind: Kind) -> Iterable[tuple[str, dict[str, Any]]]:
        by_key = self._live.by_key(kind)
        for row in self._live.rows.get(kind.name, ()):
            key = kind.key(row)
            unique = key is not None and len(by_key[key]) == 1 and _writable(key)
            if unique and key is not None:
                label: str = key
            elif "id" in kind.struct.__struct_fields__:
                label = _free(f"id-{row['id']}", by_key)
            else:
                self._leave_out(f"{kind.name}/{key}", "", "it has no address that a file can hold")
                continue
            address = f"{kind.name}/{label}"
            if self._wanted(address):
                yield label, self._object(kind, row, address, labelled=not unique)

    def _wanted(self, address: str) -> bool:
        included = not self._include or any(fnmatch.fnmatchcase(address, one) for one in self._include)
        return included and not any(fnmatch.fnmatchcase(address, one) for one in self._exclude)

    def _object(self, kind: Kind, row: Row, address: str, *, labelled: bool) -> dict[str, Any]:
        written: dict[str, Any] = {"id": row["id"]} if labelled else {}
        for part in kind.parts:
            if part.name in KEY_FIELDS or (kind.name == "target_groups" and part.name == "name" and not labelled):
                continue
            try:
                current = part.current(row, self._world)
            except RetreaverError as error:
                self._leave_out(address, part.name, error.message)
                continue
            value = _written(part.name, current, address, self._base.today)
            if value is None and part.name in ("affiliate", "campaign", "sip_password"):
                continue
            if current:
                reason = self._reason_against(part.name, value)
                if reason is None:
                    written[part.name] = value
                else:
                    self._leave_out(address, part.name, reason)
        return written

    def _reason_against(self, name: str, value: Any) -> str | None:
        """Return why a value cannot be written at all."""
        if without_secrets(value, "" if name == "sip_password" else name) != value:
            return "it holds a secret"
        if not _writable(value):
            return "it holds characters that a file cannot hold"
        for kind, key, _ in references({name: value}):
            if not self._refers(kind, key):
                return f"it refers to {kind}/{key}, which does not exist"
        return None

    def _refers(self, kind: str, key: str) -> bool:
        if kind == "target_groups":
            return key in self._world.groups.values()
        return key in self._live.by_key(KINDS[kind])

    def _without_differences(self, kind: Kind, section: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the objects without what comes back differently, found by planning ever fewer of them."""
        if self._comes_back(kind, section):
            return section
        if len(section) > 1:
            keys = list(section)
            halves = (keys[: len(keys) // 2], keys[len(keys) // 2 :])
            parts = [self._without_differences(kind, {key: section[key] for key in half}) for half in halves]
            return parts[0] | parts[1]
        ((key, written),) = section.items()
        name, reason = self._difference(kind, key, written)
        self._leave_out(f"{kind.name}/{key}", name, reason)
        if name not in written:
            return {}
        return self._without_differences(kind, {key: {one: value for one, value in written.items() if one != name}})

    def _difference(self, kind: Kind, key: str, written: Mapping[str, Any]) -> tuple[str, str]:
        """Return the first field that does not come back the same, and why; blank when none is the reason alone."""
        label = {"id": written["id"]} if "id" in written else {}
        reason = "it does not come back as it is written"
        for name, value in written.items():
            try:
                if self._changes(kind, {key: {**label, name: value}}):
                    return name, reason
            except RetreaverError as error:
                return name, error.message
        return "", reason

    def _comes_back(self, kind: Kind, section: Mapping[str, Mapping[str, Any]]) -> bool:
        try:
            return not self._changes(kind, section)
        except RetreaverError:
            return False

    def _changes(self, kind: Kind, section: Mapping[str, Mapping[str, Any]]) -> list[Change]:
        files = read_files([("export", write_yaml(escaped({kind.name: section})))])
        return Planner(files, self._live, self._base).plan().changes

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
        value = {"connection": f"retreaver_sip_{_id_text(address)}"} if value == SET else None
    elif name == "time_zone":
        # A zone that nobody knows stays as it is, and does not come back.
        with suppress(InvalidArgument):
            value = iana_name(value, today)
    return value


def _week(hours: Mapping[str, str]) -> Any:
    """Return hours with days that are alike written together, from Monday on."""
    days = [(day, hours[name]) for day, name in zip(SHORT_DAYS, (*DAYS[1:], DAYS[0]), strict=True) if name in hours]
    if len(days) == 7 and len({text for _, text in days}) == 1:
        return days[0][1]
    week: dict[str, str] = {}
    run: list[str] = []
    for place, (day, text) in enumerate(days):
        run.append(day)
        if place + 1 == len(days) or days[place + 1][1] != text:
            week[run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}"] = text
            run = []
    return week


def _tags(texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for text in texts:
        key, _, value = text.partition(":")
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def _id_text(address: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in address.partition("/")[2])


def _free(label: str, taken: Mapping[str, object]) -> str:
    while label in taken:
        label += "-"
    return label


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


def _writable(value: Any) -> bool:
    """Return whether texts can be stored: lone surrogates, halves of characters, cannot."""
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError):
        return False
    return True
