"""Resetting hard caps so that no call is forgotten twice.

A reset forgets the calls counted so far, so the procedure reads before, resets, and reads back. What it means to do
is written down before the first reset (who had counted how much), and what was done as it is done, so that a run
that was killed and tried again touches only what is still to do. A hard cap never falls by itself: a count below the
planned one proves that a reset happened, even when its answer was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
)
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.reading import all_targets, read_by_tid, read_targets, together
from airflow_provider_retreaver.domain.objects.selection import Chosen
from airflow_provider_retreaver.domain.routing.cap_reset_report import CapsReport
from airflow_provider_retreaver.domain.routing.caps import Cap, hard_cap
from airflow_provider_retreaver.resources import target_groups, targets

log = logging.getLogger(__name__)

# Resets between two notes of what was done.
BATCH = 20
# How often a reset that is proved not to have happened is sent in one run.
TRIES = 3
# Calls that may well come in between an accepted reset and reading it back.
NEW_CALLS = 3


@dataclass(slots=True)
class _Unit:
    """One request to make: a target's reset, or a group's with the targets it covers."""

    key: str
    # Counts before, by key of every object whose count the request sets to 0.
    before: dict[str, int]
    tries: int = 0


class ResetCaps:
    """One run of resetting caps: `procedure()` does it, `result()` says at any time what was done.

    :param chosen: whose caps.
    :param record: what earlier attempts of the same run did.
    :param remember: writes the record down; called before the first reset and after every batch.
    :param dry_run: only say what would be reset.
    """

    def __init__(
        self,
        chosen: Chosen,
        *,
        record: Record | None = None,
        remember: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        chosen.check()
        self._chosen = chosen
        self._record = record or Record()
        self._remember = remember
        self._dry_run = dry_run
        self._rows: dict[str, Row] = {}
        self._group_of: dict[str, int] = {}
        self._report = CapsReport(self._rows, self._group_of)

    def result(self) -> dict[str, Any]:
        """Return `{"reset", "skipped", "failed"}` as plain JSON, with `would_reset` of a dry run."""
        return self._report.as_json() | ({"dry_run": True} if self._dry_run else {})

    def procedure(self) -> Procedure[dict[str, Any]]:
        """Read, reset, read back.

        :raises AuthenticationError: and other errors that concern the whole account; `result()` then still says
            what was done.
        """
        units = yield from self._choose()
        todo = [remaining for unit in units for remaining in self._remaining(unit)]
        if self._dry_run:
            for key in (key for unit in todo for key in unit.before):
                self._report.would(key)
            return self.result()
        self._record.plan.update({key: count for unit in todo for key, count in unit.before.items()})
        self._note()
        while todo:
            batch, todo = todo[:BATCH], todo[BATCH:]
            todo = (yield from self._do(batch)) + todo
            self._note()
        return self.result()

    def _note(self) -> None:
        if self._remember is not None:
            self._remember(self._record)

    # -- choosing

    def _choose(self) -> Procedure[list[_Unit]]:
        groups = yield from self._read_groups()
        yield from self._read_named(groups)
        if self._chosen.everything or self._chosen.tag is not None:
            yield from self._read_all()
        units: list[_Unit] = []
        for id_, group in groups.items():
            units.extend(_apart(self._units_of_group(id_, group), {key for unit in units for key in unit.before}))
        covered = {key for unit in units for key in unit.before} | (
            {} if self._chosen.only_filled else self._group_of
        ).keys()
        for key in self._rows:
            if key.startswith("target ") and key not in covered:
                units.extend(self._unit_of_target(key))
        return units

    def _read_groups(self) -> Procedure[dict[int, Row]]:
        wanted = list(self._chosen.groups or ())
        outcomes = yield from together([target_groups.get_target_group(id_) for id_ in wanted])
        found: dict[int, Row] = {}
        for id_, outcome in zip(wanted, outcomes, strict=True):
            if outcome.error is not None:
                self._report.fail(f"group {id_}", str(outcome.error))
                continue
            if not self._keep(f"group {id_}", outcome.value or {}):
                continue
            found[id_] = outcome.value or {}
            self._group_of.update({f"target {member}": id_ for member in found[id_].get("target_ids") or ()})
        return found

    def _read_named(self, groups: Mapping[int, Row]) -> Procedure[None]:
        members = [member for group in groups.values() for member in group.get("target_ids") or ()]
        rows, errors = yield from read_targets([*(self._chosen.ids or ()), *members])
        for id_, row in rows.items():
            self._keep(f"target {id_}", row)
        for id_, error in errors.items():
            self._report.fail(f"target {id_}", str(error))
        named, unread = yield from read_by_tid(list(self._chosen.tids or ()))
        for tid, error in unread.items():
            self._report.fail(f"target tid {tid}", str(error))
        for row in named:
            self._keep(f"target {row['id']}", row)

    def _read_all(self) -> Procedure[None]:
        tag = self._chosen.tag
        rows = yield from all_targets(("caps", "tag_values") if tag else ("caps",))
        for row in rows:
            key = f"target {row['id']}"
            # What an earlier attempt of this run has reset is no longer full, and still belongs into the result.
            if tag is not None and not tag.on(row):
                continue
            known = key in self._rows
            if self._keep(key, row) and tag is None and not (known or key in self._record.plan or hard_cap(row).full):
                del self._rows[key]

    def _keep(self, key: str, row: Row, failing: str = "") -> bool:
        """Take an object as read; one whose caps cannot be understood fails alone."""
        try:
            hard_cap(row)
        except ProtocolError as error:
            self._report.fail(key, f"{failing}{error}")
            return False
        self._rows[key] = row
        return True

    def _units_of_group(self, id_: int, group: Row) -> Iterator[_Unit]:
        """Yield the group's own reset, which covers its targets, where there is something to reset.

        With `only_filled` the group's route is used only when the group's own cap is full: it also resets members
        that are not, so full members of a group that is not full are reset one by one.
        """
        key, own, plan = f"group {id_}", hard_cap(group), self._record.plan
        if self._chosen.only_filled and not own.full and key not in plan:
            return
        members = [f"target {member}" for member in group.get("target_ids") or () if f"target {member}" in self._rows]
        before = {member: plan[member] for member in members if member in plan}
        for member in members:
            if member not in plan and (cap := self._resettable(member)) is not None:
                before[member] = cap.filled
        if key in plan or (own.cap is not None and own.filled > 0):
            before[key] = plan.get(key, own.filled)
        if before:
            yield _Unit(key, before)
        else:
            self._report.skip(key, "no hard cap of the group or of its targets has counted anything")

    def _unit_of_target(self, key: str) -> Iterator[_Unit]:
        if key in self._record.plan:
            yield _Unit(key, {key: self._record.plan[key]})
            return
        cap = self._resettable(key)
        if cap is not None and self._chosen.only_filled and not cap.full:
            self._report.skip(key, f"its hard cap is not full ({cap.filled} of {cap.cap})")
        elif cap is not None:
            yield _Unit(key, {key: cap.filled})

    def _resettable(self, key: str) -> Cap | None:
        cap = hard_cap(self._rows[key])
        if cap.cap is None:
            self._report.skip(key, "it has no hard cap")
        elif cap.filled == 0:
            self._report.skip(key, "its hard cap has counted nothing")
        else:
            return cap
        return None

    def _remaining(self, unit: _Unit) -> list[_Unit]:
        """Return what is left of a unit after the attempts before this one."""
        plan, done = self._record.plan, self._record.done
        over = [key for key in unit.before if key in done or hard_cap(self._rows[key]).filled < plan.get(key, 0)]
        if not over:
            return [unit]
        for key in over:
            before, after = done.get(key, [plan.get(key), hard_cap(self._rows[key]).filled])
            self._done(key, before, after, earlier=True)
        return [_Unit(key, {key: count}) for key, count in unit.before.items() if key not in over]

    # -- doing

    def _do(self, batch: list[_Unit]) -> Procedure[list[_Unit]]:
        """Reset a batch and read it back; return what is proved not to have happened and is to be tried again."""
        outcomes: list[Outcome[None]] = yield Together([_reset(unit.key) for unit in batch])
        accepted = [unit for unit, outcome in zip(batch, outcomes, strict=True) if outcome.error is None]
        self._stop_if_refused(outcomes, accepted)
        lost = []
        for unit, outcome in zip(batch, outcomes, strict=True):
            unit.tries += 1
            if isinstance(outcome.error, OutcomeUnknown):
                log.warning("%s Reading it back.", outcome.error)
                lost.append(unit)
            elif outcome.error is not None:
                self._report.fail(unit.key, str(outcome.error))
        yield from self._read_back([*accepted, *lost])
        for unit in accepted:
            self._conclude_accepted(unit)
        return [again for unit in lost for again in self._conclude_lost(unit)]

    def _stop_if_refused(self, outcomes: Iterable[Outcome[None]], accepted: Iterable[_Unit]) -> None:
        refused = [o.error for o in outcomes if isinstance(o.error, (AuthenticationError, PermissionDenied))]
        if not refused:
            return
        for unit in accepted:
            for key, before in unit.before.items():
                self._done(key, before, None)
        self._note()
        raise refused[0]

    def _read_back(self, units: Iterable[_Unit]) -> Procedure[None]:
        keys = [key for unit in units for key in unit.before]
        outcomes = yield from together([_get(key) for key in keys])
        for key, outcome in zip(keys, outcomes, strict=True):
            failing = "It was sent a reset, but could not be read back: "
            if outcome.error is not None:
                self._report.fail(key, f"{failing}{outcome.error}")
            else:
                self._keep(key, outcome.value or {}, failing)

    def _conclude_accepted(self, unit: _Unit) -> None:
        for key, before in unit.before.items():
            if self._report.failed(key):
                # Accepted all the same: a retry must not forget what was counted since.
                self._record.done[key] = [before, None]
                continue
            after = hard_cap(self._rows[key]).filled
            if after < before or after <= NEW_CALLS:
                self._done(key, before, after)
            else:
                self._report.fail(
                    key, f"Its reset was accepted, but its hard cap still counts {after} ({before} before)."
                )

    def _conclude_lost(self, unit: _Unit) -> list[_Unit]:
        readable = {key: count for key, count in unit.before.items() if not self._report.failed(key)}
        fallen = [key for key, before in readable.items() if hard_cap(self._rows[key]).filled < before]
        for key in fallen:
            self._done(key, readable[key], hard_cap(self._rows[key]).filled)
        still = {key: count for key, count in readable.items() if key not in fallen}
        if unit.tries < TRIES:
            if still and not fallen:
                return [unit]
            # A group's reset was done, but not for these: sending it again would forget the others' new calls.
            return [_Unit(key, {key: count}, unit.tries) for key, count in still.items()]
        for key, before in still.items():
            filled = hard_cap(self._rows[key]).filled
            self._report.fail(
                key, f"The answer to its reset was lost {TRIES} times; it counts {filled} ({before} before)."
            )
        return []

    def _done(self, key: str, before: int | None, after: int | None, *, earlier: bool = False) -> None:
        self._record.done[key] = [before, after]
        self._report.done(key, before, after, earlier=earlier)


def _apart(units: Iterable[_Unit], covered: set[str]) -> Iterator[_Unit]:
    """Yield a group's reset, or single ones where another group's covers some and it has no count of its own."""
    for unit in units:
        own = {key: count for key, count in unit.before.items() if key not in covered}
        if unit.key in unit.before or len(own) == len(unit.before):
            yield unit
        else:
            yield from (_Unit(key, {key: count}) for key, count in own.items())


def _get(key: str) -> Operation[Mapping[str, object]]:
    kind, _, id_ = key.partition(" ")
    return target_groups.get_target_group(id_) if kind == "group" else targets.get_target(id=id_)


def _reset(key: str) -> Operation[None]:
    kind, _, id_ = key.partition(" ")
    return target_groups.reset_cap(id_) if kind == "group" else targets.reset_cap(id_)
