"""Snapshots: hours, pause and caps of targets as they were before a change, to restore exactly that.

Retreaver has no holidays by date: hours are saved in a snapshot, changed, and restored. A snapshot is a JSON object::

    {"format": "retreaver-snapshot", "version": 1, "company_id": 1, "taken_at": "2026-12-24T17:00:00+00:00",
     "run": {"dag_id", "run_id", "task_id", "map_index"},
     "targets": {"3": {"name": "Acme", "before": {…}, "after": {…}}}}

`before` and `after` are the parts of a target, as Retreaver writes them, before our change and as our change should
leave it. Both are compared with the target as it is now (a three-way difference), which tells our change from those
of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.changes.differences import Fields, changed_by_others
from airflow_provider_retreaver.domain.changes.edit import DesiredState, Edit
from airflow_provider_retreaver.domain.objects.naming import object_name, safe_field
from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps, cap_attributes
from airflow_provider_retreaver.domain.routing.caps import TYPES
from airflow_provider_retreaver.domain.routing.hours_change import ZONE, changed_rows, replaced_rows
from airflow_provider_retreaver.domain.routing.hours_rows import DAYS, Hours, open_spans, rows_for, rows_of
from airflow_provider_retreaver.domain.routing.pause import PAUSED, is_paused

FORMAT, VERSION = "retreaver-snapshot", 1

Part = Literal["hours", "paused", "caps"]
PARTS: tuple[Part, ...] = ("hours", "paused", "caps")

# Fields that rows of targets must have for a snapshot.
NEEDED = ("caps", "business_hours", PAUSED)


class SavedTarget(TypedDict):
    """A target in a snapshot: its name, and its parts before and after our change."""

    name: object
    before: Row
    after: Row


@dataclass(slots=True)
class Snapshot:
    """What a run saved of the targets that it changes.

    :param company_id: of the company that the targets belong to.
    :param run: DAG ID, run ID, task ID and map index of the task that took it.
    :param taken_at: when it was taken, RFC 3339.
    :param targets: by Retreaver's own ID.
    """

    company_id: int
    run: Mapping[str, object]
    taken_at: str
    targets: dict[int, SavedTarget] = field(default_factory=dict)

    @classmethod
    def load(cls, value: object, where: str) -> Snapshot:
        """Return a snapshot from its JSON form.

        :param value: what `dump` returned.
        :param where: path of the file, for the error.
        :return: the snapshot.
        :raises InvalidArgument: when it is not a snapshot, is damaged, or is one of a later version.
        """
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise InvalidArgument(f"{where} is not a snapshot of this package; check the path.")
        if value.get("version") != VERSION:
            raise InvalidArgument(
                f"{where} is a snapshot of version {quoted(value.get('version'))}, and this package reads version "
                f"{VERSION}; update it."
            )
        try:
            targets = {int(id_): _saved_target(target) for id_, target in dict(value["targets"]).items()}
            return cls(int(value["company_id"]), dict(value["run"]), str(value["taken_at"]), targets)
        except (KeyError, TypeError, ValueError, ProtocolError):
            raise InvalidArgument(f"{where} is a damaged snapshot: parts of it are missing or invalid.") from None

    def dump(self) -> dict[str, object]:
        """Return the snapshot as JSON values.

        :return: see the module's docstring.
        """
        return {
            "format": FORMAT,
            "version": VERSION,
            "company_id": self.company_id,
            "taken_at": self.taken_at,
            "run": dict(self.run),
            "targets": {str(id_): target for id_, target in self.targets.items()},
        }

    def add(self, edits: Sequence[Edit]) -> None:
        """Save the targets that edits are about to change; what an earlier attempt saved of a target stays.

        :param edits: of targets.
        """
        for edit in edits:
            before = saved_parts(edit.row)
            target = SavedTarget(
                name=safe_field(edit.row, "name"), before=before, after=parts_after(before, edit.attributes)
            )
            self.targets.setdefault(edit.key.id or 0, target)

    def check_company(self, company: Mapping[str, object], where: str) -> None:
        """Refuse to use the snapshot for another company.

        :param company: that the connection belongs to, as read.
        :param where: path of the file, for the error.
        :raises InvalidArgument: naming both companies.
        """
        if company.get("id") != self.company_id:
            raise InvalidArgument(
                f"{where} is of company {self.company_id}, and the connection is to company {company.get('id')}; "
                f"nothing was sent."
            )


def _saved_target(target: SavedTarget) -> SavedTarget:
    for part in (target["before"], target["after"]):
        fields_of(part, PARTS)
    return target


def saved_parts(row: Row) -> Row:
    """Return the parts of a target that a snapshot keeps.

    :param row: the target as read.
    :return: the parts as Retreaver writes them.
    :raises ProtocolError: when the target came without one of them.
    """
    fields_of(row, PARTS)
    rows = [one for day in rows_of(row, object_name(row)).values() for one in day]
    return {
        "id": row.get("id"),
        ZONE: row.get(ZONE),
        PAUSED: is_paused(row),
        "concurrency_cap": row.get("concurrency_cap"),
        "caps": [{name: cap[name] for name in ("type", "cap", "filled")} for cap in row["caps"]],
        "business_hours": [{"id": one.id, "day_of_week": one.day, **one.hours.wire()} for one in rows],
    }


def parts_after(parts: Row, attributes: Mapping[str, Any]) -> Row:
    """Return the parts of a target as a change should leave them.

    :param parts: as they are.
    :param attributes: that will be sent.
    :return: the parts.
    """
    hours = {row["id"]: row for row in attributes.get("business_hours_attributes", ())}
    caps = {type_: attributes.get(f"{name}_cap_attributes") for name, type_ in TYPES.items()}
    simple = {name: attributes[name] for name in (ZONE, PAUSED, "concurrency_cap") if name in attributes}
    return {
        **parts,
        **simple,
        "caps": [cap | (caps.get(cap["type"]) or {}) for cap in parts["caps"]],
        "business_hours": [row | hours.get(row["id"], {}) for row in parts["business_hours"]],
    }


def fields_of(row: Row, parts: Iterable[Part]) -> dict[str, object]:
    """Return the fields of a target that belong to some parts.

    :param row: the target as read, or its saved parts.
    :param parts: some of `PARTS`.
    :return: comparable JSON values by name.
    :raises ProtocolError: when the target came without one of the parts.
    """
    selected = set(parts)
    fields: dict[str, object] = {}
    if "hours" in selected:
        rows = rows_of(row, object_name(row))
        fields |= {DAYS[day]: _format_rows([one.hours for one in rows[day]]) for day in rows}
        fields[ZONE] = row.get(ZONE)
    if "paused" in selected:
        fields[PAUSED] = is_paused(row)
    if "caps" in selected:
        fields |= DesiredCaps({}).current(row)
    return fields


class RestoredState(DesiredState):
    """A target as it was before a change.

    :param target: in a snapshot.
    :param parts: that are restored, of `PARTS`.
    :param overwrite: also overwrite changes that others have made since.
    """

    def __init__(self, target: SavedTarget, parts: Sequence[Part], *, overwrite: bool) -> None:
        self._target = target
        self._parts = parts
        self._overwrite = overwrite
        self.replaces = not overwrite

    def current(self, row: Row) -> Fields:
        """Return the fields of the parts that are restored."""
        return fields_of(row, self._parts)

    def desired(self, row: Row) -> Fields:
        """Return the fields as they were; changes of others are refused with the three-way difference."""
        before, after = fields_of(self._target["before"], self._parts), fields_of(self._target["after"], self._parts)
        others = changed_by_others(before, after, self.current(row))
        if others and not self._overwrite:
            raise ChangeRefused(
                f"Others changed it after our change: {'; '.join(others)}. Nothing was sent to it; set "
                f"overwrite=True to restore it anyway."
            )
        days = self._hours_by_day(row) if "hours" in self._parts else {}
        return before | {DAYS[day]: _format_rows(hours) for day, hours in days.items() if not isinstance(hours, str)}

    def attributes(self, row: Row, fields: Fields) -> dict[str, object]:
        """Return the attributes that restore the fields; a day whose rows were deleted is refused."""
        attributes: dict[str, object] = {name: fields[name] for name in (ZONE, PAUSED) if name in fields}
        attributes |= cap_attributes({name: cap for name, cap in fields.items() if name.endswith("_cap")})
        rows, days = rows_of(row, object_name(row)), self._hours_by_day(row)
        changed: list[dict[str, object]] = []
        for day in (DAYS.index(name) for name in fields if name in DAYS):
            hours = days[day]
            if isinstance(hours, str):
                raise ChangeRefused(f"{DAYS[day]} cannot be restored: {hours}. Nothing was sent to it.")
            changed.extend(changed_rows(rows[day], hours))
        return attributes | ({"business_hours_attributes": changed} if changed else {})

    def explain_failure(self, before: Row, after: Row, /) -> str:
        """Return the days whose rows were replaced by others."""
        return replaced_rows(before, after)

    def _hours_by_day(self, row: Row) -> dict[int, list[Hours] | str]:
        before, now = rows_of(self._target["before"], object_name(row)), rows_of(row, object_name(row))
        return {
            day: _restored_hours([one.hours for one in before[day]], [one.hours for one in now[day]])
            for day in before
        }


def _restored_hours(before: list[Hours], now: list[Hours]) -> list[Hours] | str:
    """Return the hours of the rows that a day has now for the day to be open as before, or why there are none."""
    if len(before) == len(now):
        return before
    spans = open_spans(before)
    if spans is None:
        return f"it had {len(before)} rows, has {len(now)}, and the meaning of what it had is not documented"
    return rows_for(spans, now)


def _format_rows(rows: Sequence[Hours]) -> str:
    return "; ".join(map(str, rows)) or "no row"
