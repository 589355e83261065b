"""Whether targets have calls in progress (Retreaver's reference: "Targets", field `calls_in_progress`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from airflow_provider_retreaver.core.parameters import any_or_all, number
from airflow_provider_retreaver.domain.watching.condition import Evaluation
from airflow_provider_retreaver.domain.watching.target_counts import (
    CheckedObject,
    Match,
    ObjectCounts,
    TargetCondition,
    TargetCountsQuery,
    evaluate_objects,
)


@dataclass(frozen=True, slots=True)
class TargetIdle(TargetCondition):
    """Targets have no, or few, calls in progress; the condition of `RetreaverTargetIdleSensor`.

    :param target_id: targets by Retreaver's ID.
    :param tid: targets by the customer's ID.
    :param target_group_id: target groups, whose members are checked.
    :param at_most: most calls in progress of an idle target.
    :param match: whether `any` target must be idle or `all`.
    :param target_names: targets by name.
    :param target_group_names: target groups by name, whose members are checked.
    """

    kind: ClassVar[str] = "target_idle"

    at_most: int
    match: Match

    @classmethod
    def from_parameters(
        cls,
        *,
        target_id: object,
        tid: object,
        target_group_id: object,
        at_most: object,
        match: object,
        target_names: object = None,
        target_group_names: object = None,
    ) -> Self:
        """Build the condition from the sensor's parameters."""
        query = TargetCountsQuery.from_parameters(target_id, tid, target_group_id, target_names, target_group_names)
        most = number(at_most, "at_most") or 0
        of_objects = (query.target_ids, query.tids, query.group_ids)
        return cls(
            *of_objects,
            most,
            any_or_all(match),
            target_names=query.target_names,
            target_group_names=query.group_names,
        )

    @property
    def query(self) -> TargetCountsQuery:
        """The counts of the targets, and of the members of the groups."""
        names = self.target_names, self.target_group_names
        members = bool(self.target_group_id or self.target_group_names)
        return TargetCountsQuery(self.target_id, self.tid, self.target_group_id, members, *names)

    def evaluate(self, result: list[ObjectCounts]) -> Evaluation:
        """Evaluate the counts; a group without members is idle."""
        if not result:
            return Evaluation(met=True, value=[], message="the groups have no targets")
        return evaluate_objects([self._check(counts) for counts in result], self.match)

    def _check(self, counts: ObjectCounts) -> CheckedObject:
        busy = counts.busy_calls
        row = {"id": counts.id, "tid": counts.tid, "name": counts.name, "calls_in_progress": busy}
        description = f"{counts.label} has {busy} calls in progress"
        return CheckedObject(counts.label, busy <= self.at_most, row, description)
