"""Remembering hours, pause and caps of targets before a change, and putting back exactly that.

The vendor has no holiday on a date: a holiday is remembered, changed and restored. A snapshot is a JSON object::

    {"format": "retreaver-snapshot", "version": 1, "company_id": 1, "taken_at": "2026-12-24T17:00:00+00:00",
     "run": {"dag_id", "run_id", "task_id", "map_index"},
     "targets": {"3": {"name": "Acme", "before": {…}, "after": {…}}}}

`before` and `after` are the parts of a target, as the vendor writes them, before our change and as our change was
meant to leave it: the two with what the target is now make the three-way difference that tells our change from
somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import View, changed_by_others
from airflow_provider_retreaver.domain.changes.edit import Aim, Edit, owner
from airflow_provider_retreaver.domain.objects.naming import told
from airflow_provider_retreaver.domain.routing.cap_change import CapsAim, caps_body
from airflow_provider_retreaver.domain.routing.caps import TYPES
from airflow_provider_retreaver.domain.routing.hours_change import ZONE, changed_rows, replaced_rows
from airflow_provider_retreaver.domain.routing.hours_rows import DAYS, Hours, open_spans, rows_for, rows_of
from airflow_provider_retreaver.domain.routing.pause import PAUSED, is_paused

FORMAT, VERSION = "retreaver-snapshot", 1
PARTS = ("hours", "paused", "caps")

# Fields of a target that rows must have to be remembered.
NEEDED = ("caps", "business_hours", PAUSED)


@dataclass(slots=True)
class Snapshot:
    """What a run remembered.

    :param company_id: whose targets they are.
    :param run: names the task of a run that took it.
    :param taken_at: RFC 3339.
    :param targets: by ID as text: `name`, and the target's parts `before` and `after`.
    """

    company_id: int
    run: Mapping[str, Any]
    taken_at: str
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, value: Any, where: str) -> Snapshot:
        """Read what `dump` made.

        :param where: what was read, for the error.
        :raises InvalidArgument: when it is no snapshot, or one of a later version.
        """
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise InvalidArgument(f"{where} is not a snapshot that this package has taken; check the path.")
        if value.get("version") != VERSION:
            raise InvalidArgument(
                f"{where} is a snapshot of version {value.get('version')!r}, and this package reads version "
                f"{VERSION}; update it."
            )
        try:
            targets = {id_: _entry(entry) for id_, entry in dict(value["targets"]).items()}
            return cls(int(value["company_id"]), dict(value["run"]), str(value["taken_at"]), targets)
        except (KeyError, TypeError, ValueError, ProtocolError):
            raise InvalidArgument(f"{where} is a damaged snapshot: parts of it are missing or odd.") from None

    def dump(self) -> dict[str, Any]:
        """Return the snapshot as JSON values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "company_id": self.company_id,
            "taken_at": self.taken_at,
            "run": dict(self.run),
            "targets": self.targets,
        }

    def add(self, edits: Sequence[Edit]) -> None:
        """Remember what edits are about to change; what an earlier attempt has remembered of a target stays."""
        for edit in edits:
            before = picture(edit.row)
            entry = {"name": told(edit.row, "name"), "before": before, "after": painted(before, edit.body)}
            self.targets.setdefault(edit.key.removeprefix("target "), entry)

    def check_company(self, company: Mapping[str, Any], where: str) -> None:
        """Refuse to restore the targets of another company.

        :raises InvalidArgument: naming both.
        """
        if company.get("id") != self.company_id:
            raise InvalidArgument(
                f"{where} is of company {self.company_id}, and the connection is to company {company.get('id')}; "
                f"nothing was sent."
            )


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    for part in (entry["before"], entry["after"]):
        state(part, PARTS)
    return dict(entry)


def picture(row: Row) -> dict[str, Any]:
    """Return the parts of a target that a snapshot keeps, as the vendor writes them.

    :raises ProtocolError: when the target came without one of them.
    """
    state(row, PARTS)
    hours = [{"id": one.id, "day_of_week": one.day, **one.hours.wire()} for one in _rows(row)]
    caps = [{name: cap[name] for name in ("type", "cap", "filled")} for cap in row["caps"]]
    plain = {"id": row.get("id"), ZONE: row.get(ZONE), PAUSED: is_paused(row)}
    return plain | {"concurrency_cap": row.get("concurrency_cap"), "caps": caps, "business_hours": hours}


def painted(part: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a target as a change is meant to leave them.

    :param part: the parts as they are.
    :param body: attributes that will be sent.
    """
    sent = {row["id"]: row for row in body.get("business_hours_attributes", ())}
    capped = {type_: body.get(f"{name}_cap_attributes") for name, type_ in TYPES.items()}
    simple = {name: body[name] for name in (ZONE, PAUSED, "concurrency_cap") if name in body}
    return {
        **part,
        **simple,
        "caps": [cap | (capped.get(cap["type"]) or {}) for cap in part["caps"]],
        "business_hours": [row | sent.get(row["id"], {}) for row in part["business_hours"]],
    }


def state(row: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a target that belong to some parts, as comparable JSON values.

    :param parts: of `PARTS`.
    """
    found: dict[str, Any] = {}
    if "hours" in parts:
        rows = rows_of(row, owner(dict(row)))
        found = {DAYS[day]: _text([one.hours for one in rows[day]]) for day in rows}
        found[ZONE] = row.get(ZONE)
    if "paused" in parts:
        found[PAUSED] = is_paused(dict(row))
    return found | (dict(CapsAim({}).view(dict(row))) if "caps" in parts else {})


class RestoreAim(Aim):
    """A target put back to how it was.

    :param entry: the target in a snapshot.
    :param parts: what is put back, of `PARTS`.
    :param overwrite: also what somebody else has changed since.
    """

    def __init__(self, entry: Mapping[str, Any], parts: Sequence[str], *, overwrite: bool) -> None:
        self._entry = entry
        self._parts = parts
        self._overwrite = overwrite
        self.replaces = not overwrite

    def view(self, row: Row) -> View:
        """Return the fields of the parts that are put back."""
        return state(row, self._parts)

    def want(self, row: Row) -> View:
        """Return them as they were.

        :raises ChangeRefused: with the three-way difference, when somebody else has changed one of them.
        """
        before, ours = (state(self._entry[part], self._parts) for part in ("before", "after"))
        foreign = changed_by_others(before, ours, self.view(row))
        if foreign and not self._overwrite:
            raise ChangeRefused(
                f"Somebody changed it after our change: {'; '.join(foreign)}. Nothing was sent to it; set "
                f"overwrite=True to put back what was before all the same."
            )
        again = self._days(row) if "hours" in self._parts else {}
        return before | {DAYS[day]: _text(said) for day, said in again.items() if not isinstance(said, str)}

    def body(self, row: Row, wanted: View) -> dict[str, Any]:
        """Return what is to be sent.

        :raises ChangeRefused: naming a day whose rows are no longer there.
        """
        body = {name: wanted[name] for name in (ZONE, PAUSED) if name in wanted}
        body |= caps_body({name: cap for name, cap in wanted.items() if name.endswith("_cap")})
        now, again = rows_of(row, owner(row)), self._days(row)
        sent: list[dict[str, Any]] = []
        for day in (DAYS.index(name) for name in wanted if name in DAYS):
            said = again[day]
            if isinstance(said, str):
                raise ChangeRefused(f"{DAYS[day]} cannot be put back: {said}. Nothing was sent to it.")
            sent.extend(changed_rows(now[day], said))
        return body | ({"business_hours_attributes": sent} if sent else {})

    def explain(self, before: Row, after: Row, /) -> str:
        """Say on which days the rows were replaced by others."""
        return replaced_rows(before, after)

    def _days(self, row: Row) -> dict[int, list[Hours] | str]:
        then, now = (rows_of(part, owner(row)) for part in (self._entry["before"], row))
        return {day: _again([one.hours for one in then[day]], [one.hours for one in now[day]]) for day in then}


def _again(then: list[Hours], now: list[Hours]) -> list[Hours] | str:
    """Return what the rows of a day have to say for it to be as it was, with the rows that there are now."""
    if len(then) == len(now):
        return then
    spans = open_spans(then)
    if spans is None:
        return f"it had {len(then)} rows, has {len(now)}, and what it had means nothing that is documented"
    return rows_for(spans, now)


def _text(rows: Sequence[Hours]) -> str:
    return "; ".join(map(str, rows)) or "no row"


def _rows(row: Row) -> list[Any]:
    return [one for rows in rows_of(row, owner(row)).values() for one in rows]
