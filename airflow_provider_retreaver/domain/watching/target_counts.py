"""The counts of targets and target groups that sensors check: which objects, and how all of them are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.parameters import ids, texts
from airflow_provider_retreaver.domain.objects.naming import customer_id, safe_field
from airflow_provider_retreaver.domain.objects.reading import read_by_tid, read_targets, together
from airflow_provider_retreaver.domain.routing.caps import TYPES, Cap, cap_of
from airflow_provider_retreaver.domain.watching.condition import Evaluation, Query, QueryState
from airflow_provider_retreaver.resources import target_groups

# Fields that every row must have; Retreaver's list of targets may leave nested ones out.
NEEDED = ("caps",)
# Objects that a log line describes; the others are counted.
DESCRIBED = 5

Match = Literal["any", "all"]


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """What conditions read of a target or target group.

    :param kind: what it is.
    :param id: Retreaver's ID.
    :param tid: the customer's ID; None for a group.
    :param name: its name.
    :param caps: the hard, hourly, daily and monthly cap, by name.
    :param calls_in_progress: None for a group, for which Retreaver documents none.
    :param concurrency_cap: most calls in progress, None for no limit.
    """

    kind: Literal["target", "group"]
    id: int
    tid: str | None
    name: str | None
    caps: Mapping[str, Cap]
    calls_in_progress: int | None = None
    concurrency_cap: int | None = None

    @classmethod
    def from_row(cls, kind: Literal["target", "group"], row: Row) -> ObjectCounts:
        """Read the counts of a row.

        :param kind: what the row is.
        :param row: a target or group as Retreaver returns it.
        :return: its counts.
        :raises ProtocolError: when it has no caps.
        """
        caps = {name: cap_of(row, name) for name in TYPES}
        busy, limit = row.get("calls_in_progress"), row.get("concurrency_cap")
        return cls(kind, row["id"], customer_id(row), safe_field(row, "name"), caps, busy, limit)

    @property
    def label(self) -> str:
        """Kind and ID, e.g. `target 3`; event triggers keep it in Airflow's asset state."""
        return f"{self.kind} {self.id}"

    @property
    def busy_calls(self) -> int:
        """Number of calls in progress.

        :raises ProtocolError: when Retreaver did not send it.
        """
        if not isinstance(self.calls_in_progress, int):
            raise ProtocolError(
                f"The {self.label} has no 'calls_in_progress', which Retreaver documents for targets."
            )
        return self.calls_in_progress


@dataclass(frozen=True, slots=True)
class TargetCountsQuery(Query[list[ObjectCounts]]):
    """The counts of targets and groups, each of them once.

    :param target_ids: targets by Retreaver's ID.
    :param tids: targets by the customer's ID.
    :param group_ids: target groups.
    :param members: read the members of the groups instead of the groups.
    """

    target_ids: tuple[int, ...] = ()
    tids: tuple[str, ...] = ()
    group_ids: tuple[int, ...] = ()
    members: bool = False

    @classmethod
    def from_parameters(cls, target_id: object, tid: object, target_group_id: object) -> TargetCountsQuery:
        """Build the query from a sensor's parameters, each of which takes one or several values.

        :param target_id: targets by Retreaver's ID.
        :param tid: targets by the customer's ID.
        :param target_group_id: target groups by Retreaver's ID.
        :return: the query.
        :raises InvalidArgument: when there is no ID, or one is not valid.
        """
        query = cls(
            tuple(ids(target_id, "target_id") or ()),
            tuple(texts(tid, "tid") or ()),
            tuple(ids(target_group_id, "target_group_id") or ()),
        )
        if not (query.target_ids or query.tids or query.group_ids):
            raise InvalidArgument("Give target_id, tid or target_group_id: no target or group is selected.")
        return query

    def run(self, _state: QueryState, /) -> Procedure[list[ObjectCounts]]:
        """Read all of them; no state is kept.

        :raises NotFound: naming the first of them that does not exist.
        """
        groups: list[Row] = []
        for outcome in (yield from together([target_groups.get_target_group(id_) for id_ in self.group_ids])):
            if outcome.error is not None:
                raise outcome.error
            groups.append(outcome.value or {})
        target_ids = [*self.target_ids]
        if self.members:
            target_ids += [id_ for group in groups for id_ in _member_ids(group)]
        rows, errors = yield from read_targets(target_ids, NEEDED)
        rows_by_tid, tid_errors = yield from read_by_tid(list(self.tids))
        for error in (*errors.values(), *tid_errors.values()):
            raise error
        by_id = {row["id"]: row for row in (*rows.values(), *rows_by_tid)}
        counts = [ObjectCounts.from_row("target", row) for row in by_id.values()]
        if not self.members:
            for id_, group in zip(self.group_ids, groups, strict=True):
                counts.append(ObjectCounts.from_row("group", {**group, "id": id_}))
        return counts


def _member_ids(group: Row) -> Iterable[int]:
    members = group.get("target_ids")
    if not isinstance(members, list):
        raise ProtocolError(f"Target group {group.get('id')} has no 'target_ids', which Retreaver documents for it.")
    return members


@dataclass(frozen=True, slots=True)
class CheckedObject:
    """One of several objects that a condition checks.

    :param label: kind and ID, e.g. `target 3`.
    :param met: whether the condition holds for it.
    :param row: what the sensor returns for it; plain JSON.
    :param description: for the log, e.g. `target 3 has 9 of 10 (daily)`.
    """

    label: str
    met: bool
    row: Mapping[str, object]
    description: str


def evaluate_objects(objects: Sequence[CheckedObject], match: Match) -> Evaluation:
    """Evaluate a condition on several objects.

    :param objects: the objects; without any the condition is not met.
    :param match: whether the condition must hold for `any` of them or for `all`.
    :return: the evaluation, whose value is the rows of the objects for which the condition holds.
    """
    matches = {one.label: one.row for one in objects if one.met}
    met = bool(matches) and (match == "any" or len(matches) == len(objects))
    described = [one.description for one in sorted(objects, key=lambda one: not one.met)][:DESCRIBED]
    more = f"; and {len(objects) - DESCRIBED} more" if len(objects) > DESCRIBED else ""
    message = f"{len(matches)} of {len(objects)} match, expected {match}: {'; '.join(described)}{more}"
    return Evaluation(met, list(matches.values()), message, matches=matches)
