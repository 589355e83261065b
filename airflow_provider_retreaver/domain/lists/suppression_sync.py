"""Sending a suppression plan: one request for each number, and none twice after an interruption.

A checkpoint is saved before a batch of numbers is sent, and after it. An attempt that finds a batch that was begun
and not finished reads its numbers before it sends anything (current routes). The legacy routes cannot read a number,
so there a batch is no larger than the number of concurrent requests, and is sent again: suppressing a suppressed
number, or removing a missing one, changes nothing.
"""

from __future__ import annotations

import logging
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import PartialFailure, RetreaverError
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.phone_text import mask_numbers
from airflow_provider_retreaver.core.quoting import mask_number
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.suppression_batch import Batch, Failure
from airflow_provider_retreaver.domain.lists.suppression_plan import (
    ADD,
    CHANGE,
    REMOVE,
    Ours,
    Plan,
    SuppressionRequest,
)
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope
from airflow_provider_retreaver.domain.progress import ProgressLogger

log = logging.getLogger(__name__)

# Rounds of requests between two checkpoints, where numbers of an interrupted batch can be read.
ROUNDS = 8


@dataclass(slots=True)
class Checkpoint:
    """The progress of a plan.

    :param done: number of finished steps, failures included.
    :param announced: steps up to this place may have been sent.
    :param changed_by_others: how many numbers someone else has changed in the meantime.
    :param failures: by the step's place in the plan.
    """

    done: int = 0
    announced: int = 0
    changed_by_others: int = 0
    failures: dict[int, Failure] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """Return it as JSON values.

        :return: for `load`.
        """
        failures = {str(place): [failure.final, failure.reason] for place, failure in self.failures.items()}
        return {
            "position": {
                "done": self.done,
                "announced": self.announced,
                "changed_by_others": self.changed_by_others,
            },
            "failures": failures,
        }

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Checkpoint:
        """Build it from the result of `dump`.

        :param value: the saved values.
        :return: the checkpoint.
        :raises KeyError: when one is missing.
        :raises TypeError: when one is of another type.
        :raises ValueError: when one is not a number.
        """
        failures = {
            int(place): Failure(bool(final), str(reason)) for place, (final, reason) in value["failures"].items()
        }
        position = {name: operator.index(place) for name, place in value["position"].items()}
        return cls(failures=failures, **position)

    def fits(self, steps: int) -> bool:
        """Return whether it can be the progress of a plan.

        :param steps: of the plan.
        :return: False when it names steps that the plan does not have.
        """
        return 0 <= self.done <= self.announced <= steps and all(0 <= place < steps for place in self.failures)

    @property
    def uncertain(self) -> list[int]:
        """The places of steps with an unknown outcome."""
        again = {place for place, failure in self.failures.items() if not failure.final}
        return sorted(again.union(range(self.done, self.announced)))


class SuppressionSync:
    """A plan that is being sent: `procedure()` sends it, `counts()` returns at any time what was done.

    :param plan: what has to be sent.
    :param wanted: what the sync has to achieve.
    :param scope: of the sync.
    :param at_once: number of concurrent requests.
    :param max_failures: how many numbers may fail before it stops.
    :param checkpoint: the progress of an earlier attempt.
    :param note: saves the checkpoint; called before a batch is sent and at the end.
    :param seen: see `Batch`.
    :param clock: returns monotonic seconds.
    """

    def __init__(
        self,
        plan: Plan,
        wanted: SuppressionRequest,
        scope: WantedScope,
        *,
        at_once: int,
        max_failures: int,
        checkpoint: Checkpoint | None = None,
        note: Callable[[Checkpoint], None] | None = None,
        seen: Mapping[int, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._wanted = wanted
        self._scope = scope
        self._size = at_once if wanted.legacy else at_once * ROUNDS
        self._max_failures = max_failures
        self.checkpoint = checkpoint or Checkpoint()
        self._note = note
        self._seen = seen
        self._progress = ProgressLogger(
            lambda line: log.info("Suppression: %s", line), len(plan), self.checkpoint.done, clock
        )

    def counts(self) -> dict[str, int]:
        """Return what was done.

        :return: `{"added", "changed", "removed", "failed"}`; conflicts count as failed.
        """
        counts, behind = {}, [place for place in self.checkpoint.failures if place < self.checkpoint.done]
        for name, action in (("added", ADD), ("changed", CHANGE), ("removed", REMOVE)):
            failed = sum(self._plan.within(action, place, place + 1) for place in behind)
            counts[name] = self._plan.within(action, 0, self.checkpoint.done) - failed
        return {**counts, "failed": len(self.checkpoint.failures) + len(self._plan.conflict)}

    def failures(self) -> Iterator[tuple[str, int, str]]:
        """Yield every number that was not sent successfully.

        :return: action, number and reason.
        """
        for place, failure in sorted(self.checkpoint.failures.items()):
            ((action, number),) = self._plan.part(place, place + 1)
            yield action, number, failure.reason
        reason = "suppressed for another campaign or affiliate: Retreaver has one record for each number"
        if self._wanted.campaign is None:
            reason = (
                "suppressed for one campaign or affiliate only, and no documented route changes this to the company"
            )
        for number in self._plan.conflict:
            yield ADD, number, reason

    def procedure(self) -> Procedure[None]:
        """Send what is still to be sent.

        :raises PartialFailure: when numbers failed that may succeed later, or more than `max_failures` failed.
        :raises RetreaverError: when the account is refused, or all requests fail; a retry continues from here.
        """
        yield from self._settle()
        while self.checkpoint.done < len(self._plan):
            self._stop_at_too_many()
            self._announce(min(self.checkpoint.done + self._size, self._plan.end_of_action(self.checkpoint.done)))
            stop = yield from self._do(range(self.checkpoint.done, self.checkpoint.announced))
            self.checkpoint.done = self.checkpoint.announced
            self._give_up(stop)
            self._progress.update(self.checkpoint.done, self._detail())
        self._stop_at_too_many()
        temporary = [failure for failure in self.checkpoint.failures.values() if not failure.final]
        self._write()
        if temporary:
            raise PartialFailure(
                f"{len(temporary)} of {len(self._plan)} suppressed numbers could not be sent, the first because: "
                f"{mask_numbers(temporary[0].reason)} The others were sent; a retry sends only these."
            )

    def _detail(self) -> str:
        step = self._plan.part(self.checkpoint.done - 1, self.checkpoint.done)
        failed = f", {len(self.checkpoint.failures)} failed" if self.checkpoint.failures else ""
        return f"{failed}; the last was {mask_number(step[0][1])}"

    def _announce(self, end: int) -> None:
        self.checkpoint.announced = end
        self._write()

    def _write(self) -> None:
        if self._note is not None:
            self._note(self.checkpoint)

    def _stop_at_too_many(self) -> None:
        failed = len(self.checkpoint.failures)
        if failed > self._max_failures:
            self._write()
            first = next(iter(self.checkpoint.failures.values()))
            final = all(failure.final for failure in self.checkpoint.failures.values())
            raise PartialFailure(
                f"{failed} suppressed numbers failed, which is more than max_failures ({self._max_failures}), so the "
                f"other {len(self._plan) - self.checkpoint.done} were not sent; the first because: "
                f"{mask_numbers(first.reason)} {'No retry mends this' if final else 'A retry continues from here'}.",
                final=final,
            )

    # -- one batch

    def _settle(self) -> Procedure[None]:
        """Finish what an earlier attempt has left open."""
        left = self.checkpoint.uncertain
        for start in range(0, len(left), self._size):
            stop = yield from self._do(left[start : start + self._size], maybe_sent=True)
            self._write()
            self._give_up(stop)
        self.checkpoint.done = max(self.checkpoint.done, self.checkpoint.announced)

    def _do(self, places: Sequence[int], *, maybe_sent: bool = False) -> Procedure[RetreaverError | None]:
        """Send steps of the plan; failed ones are in the checkpoint's failures afterwards.

        :param maybe_sent: read the numbers first, where that is possible.
        :return: the error after which the sync must stop, None without one.
        """
        steps = {place: self._plan.part(place, place + 1)[0] for place in places}
        batch = Batch(steps, self._wanted, self._scope, self._seen)
        yield from batch.procedure(maybe_sent=maybe_sent and not self._wanted.legacy)
        for place in places:
            self.checkpoint.failures.pop(place, None)
        self.checkpoint.failures |= batch.failures
        self.checkpoint.changed_by_others += batch.changed_by_others
        return batch.stop

    def _give_up(self, error: RetreaverError | None) -> None:
        if error is not None:
            self._write()
            raise error


def fold(ours: Ours, plan: Plan, checkpoint: Checkpoint) -> Ours:
    """Return what the sync has added after a part of a plan; folding twice gives the same result.

    :param ours: what it had added before the plan.
    :param plan: the plan.
    :param checkpoint: its progress.
    :return: what it has added now.
    """
    failed = NumberSet.of(plan.part(place, place + 1)[0][1] for place in checkpoint.failures)
    unsure = NumberSet.of(plan.part(place, place + 1)[0][1] for place in checkpoint.uncertain)
    steps = {action: NumberSet(plan.reached(action, checkpoint.done)).minus(failed) for action in (ADD, REMOVE)}
    sure = ours.sure.plus(steps[ADD]).minus(steps[REMOVE])
    settled = steps[ADD].plus(steps[REMOVE])
    return Ours(sure, ours.unsure.minus(settled).plus(unsure))
