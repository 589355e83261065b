"""Whether targets have calls in progress (vendor's reference: "Targets", field `calls_in_progress`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from airflow_provider_retreaver.core.parameters import any_or_all, number
from airflow_provider_retreaver.domain.watching.condition import Condition, Verdict
from airflow_provider_retreaver.domain.watching.target_counts import Watched, in_progress, of_several


@dataclass(frozen=True, slots=True)
class TargetIdle(Condition):
    """Targets have no, or few, calls in progress; see `RetreaverTargetIdleSensor` for the parameters."""

    kind: ClassVar[str] = "target_idle"

    target_id: tuple[int, ...]
    tid: tuple[str, ...]
    target_group_id: tuple[int, ...]
    at_most: int
    match: str

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters."""
        named = Watched.of(options).as_options()
        return cls(at_most=number(options["at_most"], "at_most") or 0, match=any_or_all(options["match"]), **named)

    @property
    def question(self) -> Watched:
        """Counts of the targets; a group stands for its members."""
        options = {"target_id": self.target_id, "tid": self.tid, "target_group_id": self.target_group_id}
        return Watched.of(options, members=bool(self.target_group_id))

    def judge(self, found: Any) -> Verdict:
        """Judge the counts; a group without members is idle."""
        busy = {key: in_progress(key, reading) for key, reading in found.items()}
        rows = {
            key: {**{name: found[key][name] for name in ("id", "tid", "name")}, "calls_in_progress": count}
            for key, count in busy.items()
        }
        lines = {key: f"{key} has {count} calls in progress" for key, count in busy.items()}
        met = [key for key, count in busy.items() if count <= self.at_most]
        verdict = of_several(rows, met, self.match, lines)
        return verdict if rows else Verdict(met=True, value=[], told="the groups have no targets")
