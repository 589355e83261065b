"""Sending writes of call data: one request for each call, and none twice after an interruption.

A checkpoint is saved after each batch, which is no larger than the number of concurrent requests. What an interrupted
attempt had under way is sent again: the same keys get the same values.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import RUN_ENDING, PartialFailure, ProtocolError
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Together
from airflow_provider_retreaver.core.phone_text import mask_numbers
from airflow_provider_retreaver.domain.data_writing.rows import CallWrite
from airflow_provider_retreaver.domain.lists.suppression_batch import TEMPORARY, Failure
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint
from airflow_provider_retreaver.domain.progress import ProgressLogger
from airflow_provider_retreaver.resources.data_writing import WrittenCallData

log = logging.getLogger(__name__)

APPLIED, STORED, FAILED = "applied", "stored", "failed"
OUTCOMES = (APPLIED, STORED, FAILED)
_CODES = {outcome[0]: outcome for outcome in OUTCOMES}
# The end of the only documented status that says so; every other success is "stored".
_TAGS_APPLIED = "tags applied"


@dataclass(slots=True)
class WriteCheckpoint(Checkpoint):
    """The progress of writes.

    :param codes: the first letter of each outcome, in the order of the writes.
    """

    codes: str = ""

    def dump(self) -> dict[str, Any]:
        """Return it as JSON values.

        :return: for `load`.
        """
        return {**Checkpoint.dump(self), "outcomes": {"codes": self.codes}}

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> WriteCheckpoint:
        """Build it from the result of `dump`.

        :param value: the saved values.
        :return: the checkpoint.
        """
        base = Checkpoint.load(value)
        return cls(base.done, base.announced, base.changed_by_others, base.failures, value["outcomes"]["codes"])


def outcome_of(answer: WrittenCallData) -> str:
    """Return what became of tags that Retreaver took.

    :param answer: its answer.
    :return: `applied`, or `stored`, which also any status is that does not say that tags were applied.
    """
    return APPLIED if answer["status"].strip().lower().endswith(_TAGS_APPLIED) else STORED


class CallDataWriting:
    """Writes that are being sent: `procedure()` sends them, `counts()` returns at any time what was done.

    :param writes: all writes, in the same order in each attempt.
    :param at_once: number of concurrent requests.
    :param max_failures: how many writes may fail before it stops.
    :param checkpoint: the progress of an earlier attempt.
    :param note: saves the checkpoint.
    :param clock: returns monotonic seconds.
    """

    def __init__(
        self,
        writes: Sequence[CallWrite],
        *,
        at_once: int,
        max_failures: int,
        checkpoint: WriteCheckpoint | None = None,
        note: Callable[[WriteCheckpoint], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writes = writes
        self._size = at_once
        self._max_failures = max_failures
        self.checkpoint = checkpoint or WriteCheckpoint()
        self._note = note
        self._progress = ProgressLogger(
            lambda line: log.info("Call data: %s", line), len(writes), self.checkpoint.done, clock
        )

    def counts(self) -> dict[str, int]:
        """Return what was done.

        :return: `{"applied", "stored", "failed"}`.
        """
        codes = Counter(self.checkpoint.codes)
        return {outcome: codes[outcome[0]] for outcome in OUTCOMES}

    def outcomes(self) -> Iterator[tuple[CallWrite, str, str]]:
        """Yield every write that was sent.

        :return: the write, its outcome, and the reason of a failure or a blank.
        """
        for place, (write, code) in enumerate(zip(self._writes, self.checkpoint.codes, strict=False)):
            failure = self.checkpoint.failures.get(place)
            yield write, _CODES[code], "" if failure is None else failure.reason

    def procedure(self) -> Procedure[None]:
        """Send what is still to be sent.

        :raises PartialFailure: when writes failed that may succeed later, or more than `max_failures` failed.
        :raises RetreaverError: when the key is refused, or all requests fail; a retry continues from here.
        """
        checkpoint = self.checkpoint
        again = [place for place, failure in sorted(checkpoint.failures.items()) if not failure.final]
        for start in range(0, len(again), self._size):
            yield from self._send(again[start : start + self._size])
        while checkpoint.done < len(self._writes):
            self._stop_at_too_many()
            yield from self._send(range(checkpoint.done, min(checkpoint.done + self._size, len(self._writes))))
            counts = self.counts()
            self._progress.update(checkpoint.done, "".join(f", {n} {name}" for name, n in counts.items() if n))
        self._stop_at_too_many()
        temporary = [failure for failure in checkpoint.failures.values() if not failure.final]
        if temporary:
            raise PartialFailure(
                f"The tags of {len(temporary)} of {len(self._writes)} calls could not be written, the first because: "
                f"{mask_numbers(temporary[0].reason)} The others were; a retry sends only these."
            )

    def _send(self, places: Sequence[int]) -> Procedure[None]:
        """Send some writes, and save what became of them."""
        outcomes: list[Outcome[WrittenCallData]] = yield Together([self._writes[at].operation() for at in places])
        errors = []
        for place, outcome in zip(places, outcomes, strict=True):
            self.checkpoint.failures.pop(place, None)
            error = outcome.error
            if error is not None:
                final = not isinstance(error, (*RUN_ENDING, *TEMPORARY, ProtocolError))
                self.checkpoint.failures[place] = Failure(final, str(error))
                errors.append(error)
            self._set(place, FAILED if outcome.value is None else outcome_of(outcome.value))
        self.checkpoint.done = self.checkpoint.announced = len(self.checkpoint.codes)
        if self._note is not None:
            self._note(self.checkpoint)
        ending = next((error for error in errors if isinstance(error, RUN_ENDING)), None)
        if ending is not None:
            raise ending
        if len(errors) == len(places) and all(isinstance(error, TEMPORARY) for error in errors):
            raise errors[0]

    def _set(self, place: int, outcome: str) -> None:
        codes = self.checkpoint.codes
        self.checkpoint.codes = f"{codes[:place]}{outcome[0]}{codes[place + 1 :]}"

    def _stop_at_too_many(self) -> None:
        failures = list(self.checkpoint.failures.values())
        if len(failures) > self._max_failures:
            final = all(failure.final for failure in failures)
            raise PartialFailure(
                f"The tags of {len(failures)} calls could not be written, which is more than max_failures "
                f"({self._max_failures}), so the other {len(self._writes) - self.checkpoint.done} were not sent; the "
                f"first because: {mask_numbers(failures[0].reason)} "
                f"{'No retry mends this' if final else 'A retry continues from here'}.",
                final=final,
            )
