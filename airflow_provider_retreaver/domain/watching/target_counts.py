"""The counts of targets and target groups that sensors check: which objects, and how all of them are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.parameters import ids, names, texts
from airflow_provider_retreaver.core.quoting import first_of
from airflow_provider_retreaver.domain.objects.names import TARGET, TARGET_GROUP, FoundNames, known_ids
from airflow_provider_retreaver.domain.objects.naming import customer_id, safe_field
from airflow_provider_retreaver.domain.objects.reading import FoundObjects, find_groups, find_selected
from airflow_provider_retreaver.domain.objects.selection import TargetSelection
from airflow_provider_retreaver.domain.routing.caps import TYPES, Cap, cap_of
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState

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
    :param target_names: targets by name.
    :param group_names: target groups by name.
    """

    target_ids: tuple[int, ...] = ()
    tids: tuple[str, ...] = ()
    group_ids: tuple[int, ...] = ()
    members: bool = False
    target_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()

    @classmethod
    def from_parameters(
        cls,
        target_id: object,
        tid: object,
        target_group_id: object,
        target_names: object = None,
        target_group_names: object = None,
    ) -> TargetCountsQuery:
        """Build the query from a sensor's parameters, each of which takes one or several values.

        :param target_id: targets by Retreaver's ID.
        :param tid: targets by the customer's ID.
        :param target_group_id: target groups by Retreaver's ID.
        :param target_names: targets by name.
        :param target_group_names: target groups by name.
        :return: the query.
        :raises InvalidArgument: when there is no ID or name, or one is not valid.
        """
        query = cls(
            tuple(ids(target_id, "target_id") or ()),
            tuple(texts(tid, "tid") or ()),
            tuple(ids(target_group_id, "target_group_id") or ()),
            target_names=tuple(names(target_names, "target_names") or ()),
            group_names=tuple(names(target_group_names, "target_group_names") or ()),
        )
        if not any((query.target_ids, query.tids, query.group_ids, query.target_names, query.group_names)):
            raise InvalidArgument(
                "Give target_id, tid, target_names, target_group_id or target_group_names: no target or group is "
                "selected."
            )
        return query

    @property
    def by_name(self) -> bool:
        """Whether a target or group is chosen by name."""
        return bool(self.target_names or self.group_names)

    def with_found(self, state: QueryState) -> TargetCountsQuery:
        """Return the query with the IDs of what was found by name; see `Query.with_found`."""
        if not state.get("names"):
            return self
        known = state["names"]
        by_name = known_ids(TARGET, self.target_names, known)[0], known_ids(TARGET_GROUP, self.group_names, known)[0]
        targets, groups = (
            dict.fromkeys((*self.target_ids, *by_name[0])),
            dict.fromkeys((*self.group_ids, *by_name[1])),
        )
        return replace(self, target_ids=tuple(targets), group_ids=tuple(groups), target_names=(), group_names=())

    def run(self, state: QueryState, /) -> Procedure[list[ObjectCounts]]:
        """Read all of them; what is chosen by name is looked up in the first run, by one list of each kind.

        :raises NotFound: naming the first of them that does not exist.
        :raises InvalidArgument: when several have one of the names.
        """
        known: FoundNames = {kind: dict(ids) for kind, ids in state.get("names", {}).items()}
        groups = yield from find_groups(self.group_ids, self.group_names, known)
        _raise_first(groups)
        members = list(groups.rows.values()) if self.members else []
        for group in members:
            _require_members(group)
        selection = TargetSelection(ids=self.target_ids, tids=self.tids, names=self.target_names)
        found = yield from find_selected(selection, members, NEEDED, known)
        _raise_first(found)
        if known:
            state["names"] = known
        counts = [ObjectCounts.from_row("target", row) for row in found.rows.values()]
        if not self.members:
            counts += [ObjectCounts.from_row("group", {**row, "id": key.id}) for key, row in groups.rows.items()]
        return counts


@dataclass(frozen=True, slots=True)
class TargetCondition(Condition[list[ObjectCounts]]):
    """A condition of targets and target groups, by ID or name.

    :param target_id: targets by Retreaver's ID.
    :param tid: targets by the customer's ID.
    :param target_group_id: target groups.
    :param target_names: targets by name.
    :param target_group_names: target groups by name.
    """

    target_id: tuple[int, ...]
    tid: tuple[str, ...]
    target_group_id: tuple[int, ...]
    target_names: tuple[str, ...] = field(default=(), kw_only=True)
    target_group_names: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    @abstractmethod
    def query(self) -> TargetCountsQuery:
        """The counts of the targets and groups."""

    def with_found(self, state: QueryState) -> Self:
        """Return the condition with IDs in place of the names that were found."""
        query = self.query.with_found(state)
        return replace(
            self,
            target_id=query.target_ids,
            target_group_id=query.group_ids,
            target_names=query.target_names,
            target_group_names=query.group_names,
        )


def _raise_first(found: FoundObjects) -> None:
    for error in found.errors.values():
        raise error


def _require_members(group: Row) -> None:
    if not isinstance(group.get("target_ids"), list):
        raise ProtocolError(f"Target group {group.get('id')} has no 'target_ids', which Retreaver documents for it.")


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
    described = first_of([one.description for one in sorted(objects, key=lambda one: not one.met)], DESCRIBED, "; ")
    message = f"{len(matches)} of {len(objects)} match, expected {match}: {described}"
    return Evaluation(met, list(matches.values()), message, matches=matches)
