"""How far caps are filled (Retreaver's reference: "Changing a Target's Caps", "Target Groups")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import any_or_all, number, share
from airflow_provider_retreaver.domain.routing.caps import TYPES
from airflow_provider_retreaver.domain.watching.condition import Evaluation
from airflow_provider_retreaver.domain.watching.target_counts import (
    CheckedObject,
    Match,
    ObjectCounts,
    TargetCondition,
    TargetCountsQuery,
    evaluate_objects,
)

CapName = Literal["hard", "hourly", "daily", "monthly", "concurrency"]
CONCURRENCY: Literal["concurrency"] = "concurrency"
CAPS: tuple[str, ...] = (*TYPES, CONCURRENCY)
# Products of floats differ from the exact ones by less: 0.9 of 10 is 9, not 9.000000001.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CapFilled(TargetCondition):
    """Caps are filled to a share, or leave few calls; the condition of `RetreaverCapFilledSensor`.

    :param target_id: targets by Retreaver's ID.
    :param tid: targets by the customer's ID.
    :param target_group_id: target groups.
    :param cap: which cap.
    :param at_least: share of the cap from 0 to 1; None when `remaining` is given.
    :param remaining: most calls that are left; None when `at_least` is given.
    :param match: whether it must hold for `any` object or for `all`.
    :param target_names: targets by name.
    :param target_group_names: target groups by name.
    """

    kind: ClassVar[str] = "cap_filled"

    cap: CapName
    at_least: float | None
    remaining: int | None
    match: Match

    @classmethod
    def from_parameters(
        cls,
        *,
        target_id: object,
        tid: object,
        target_group_id: object,
        cap: object,
        at_least: object,
        remaining: object,
        match: object,
        target_names: object = None,
        target_group_names: object = None,
    ) -> Self:
        """Build the condition from the sensor's parameters."""
        query = TargetCountsQuery.from_parameters(target_id, tid, target_group_id, target_names, target_group_names)
        cap_name: CapName = parameters.one_of(str(cap).strip().lower(), CAPS, "cap")
        filled_share, left = share(at_least, "at_least"), number(remaining, "remaining")
        if filled_share is not None and left is not None:
            raise InvalidArgument("Give at_least (a share) or remaining (calls), not both.")
        if filled_share is None and left is None:
            filled_share = 1.0
        if cap_name == CONCURRENCY and (query.group_ids or query.group_names):
            raise InvalidArgument(
                "target_group_id and target_group_names have no calls in progress that Retreaver documents; give the "
                "targets for the concurrency cap."
            )
        of_objects = (query.target_ids, query.tids, query.group_ids)
        return cls(
            *of_objects,
            cap_name,
            filled_share,
            left,
            any_or_all(match),
            target_names=query.target_names,
            target_group_names=query.group_names,
        )

    @property
    def query(self) -> TargetCountsQuery:
        """The counts of the targets and groups."""
        return TargetCountsQuery(
            self.target_id,
            self.tid,
            self.target_group_id,
            target_names=self.target_names,
            group_names=self.target_group_names,
        )

    def evaluate(self, result: list[ObjectCounts]) -> Evaluation:
        """Evaluate the counts; the condition never holds for an object without this cap."""
        return evaluate_objects([self._check(counts) for counts in result], self.match)

    def _check(self, counts: ObjectCounts) -> CheckedObject:
        if self.cap == CONCURRENCY:
            filled, limit = counts.busy_calls, counts.concurrency_cap
        else:
            cap = counts.caps[self.cap]
            filled, limit = cap.filled, cap.cap
        row = {
            "kind": counts.kind,
            "id": counts.id,
            "tid": counts.tid,
            "name": counts.name,
            "cap": self.cap,
            "filled": filled,
            "limit": limit,
        }
        if limit is None:
            return CheckedObject(
                counts.label, met=False, row=row, description=f"{counts.label} has no {self.cap} cap"
            )
        description = f"{counts.label} has {filled} of {limit} ({self.cap})"
        return CheckedObject(counts.label, self._is_reached(filled, limit), row, description)

    def _is_reached(self, filled: int, limit: int) -> bool:
        if self.remaining is not None:
            return limit - filled <= self.remaining
        # A cap of 0 is full.
        return filled >= limit or filled + ROUNDING >= (self.at_least or 0.0) * limit
