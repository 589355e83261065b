"""How far caps are filled (vendor's reference: "Changing a Target's Caps", "Target Groups")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import any_or_all, number, share
from airflow_provider_retreaver.domain.routing.caps import TYPES
from airflow_provider_retreaver.domain.watching.condition import Condition, Verdict
from airflow_provider_retreaver.domain.watching.target_counts import Watched, in_progress, of_several

CONCURRENCY = "concurrency"
CAPS = (*TYPES, CONCURRENCY)


@dataclass(frozen=True, slots=True)
class CapFilled(Condition):
    """A cap has counted a share of what it allows, or leaves so few calls; `RetreaverCapFilledSensor` has more."""

    kind: ClassVar[str] = "cap_filled"

    target_id: tuple[int, ...]
    tid: tuple[str, ...]
    target_group_id: tuple[int, ...]
    cap: str
    at_least: float | None
    remaining: int | None
    match: str

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters."""
        watched = Watched.of(options)
        cap = parameters.one_of(str(options["cap"]).strip().lower(), CAPS, "cap")
        least, remaining = share(options["at_least"], "at_least"), number(options["remaining"], "remaining")
        if least is not None and remaining is not None:
            raise InvalidArgument("Give at_least (a share) or remaining (calls), not both.")
        if least is None and remaining is None:
            least = 1.0
        if cap == CONCURRENCY and watched.group_ids:
            raise InvalidArgument(
                "target_group_id has no calls in progress that the vendor documents; give the targets for the "
                "concurrency cap."
            )
        named = watched.as_options()
        return cls(cap=cap, at_least=least, remaining=remaining, match=any_or_all(options["match"]), **named)

    @property
    def question(self) -> Watched:
        """Counts of the objects."""
        return Watched.of({"target_id": self.target_id, "tid": self.tid, "target_group_id": self.target_group_id})

    def judge(self, found: Any) -> Verdict:
        """Judge the counts; an object without this cap never fulfils the condition."""
        rows, lines, met = {}, {}, []
        for key, reading in found.items():
            filled, most = reading[self.cap]
            if self.cap == CONCURRENCY:
                filled = in_progress(key, reading)
            rows[key] = {
                "kind": key.partition(" ")[0],
                **{name: reading[name] for name in ("id", "tid", "name")},
                "cap": self.cap,
                "filled": filled,
                "limit": most,
            }
            lines[key] = (
                f"{key} has {filled} of {most} ({self.cap})" if most is not None else f"{key} has no {self.cap} cap"
            )
            if most is not None and self._reached(filled, most):
                met.append(key)
        return of_several(rows, met, self.match, lines)

    def _reached(self, filled: int, most: int) -> bool:
        if self.remaining is not None:
            return most - filled <= self.remaining
        # A cap of 0 is full. Compared as a product: 0.9 of 10 is 9, not 9.000000001.
        return filled >= most or filled + 1e-9 >= (self.at_least or 0.0) * most
