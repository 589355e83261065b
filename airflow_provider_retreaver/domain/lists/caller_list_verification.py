"""Waiting until a caller list shows what was uploaded: by its count, and by checking some of the numbers."""

from __future__ import annotations

import logging

from airflow_provider_retreaver.core.errors import OutcomeUnknown, PermissionDenied
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Together, Wait
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest, ListChange
from airflow_provider_retreaver.domain.lists.caller_list_numbers import count_numbers
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164
from airflow_provider_retreaver.resources import caller_lists

log = logging.getLogger(__name__)

# Numbers that are checked.
SAMPLE = 20
FIRST_WAIT, MAX_WAIT = 1.0, 60.0


class Verification:
    """The verification of a change that was uploaded.

    :param request: the list.
    :param change: what was uploaded.
    """

    def __init__(self, request: CallerListRequest, change: ListChange) -> None:
        self._request = request
        self._change = change
        # Whether the key may check numbers.
        self._checkable = True

    def wait(self) -> Procedure[tuple[str, int | None]]:
        """Wait until the list has the expected numbers.

        :return: what was checked, and how many numbers the list has (None when the key may not list).
        :raises OutcomeUnknown: when it does not have them in time.
        """
        waited, pause = 0.0, FIRST_WAIT
        while True:
            total: int | None = None
            if self._change.known is not None:
                total = yield from count_numbers(self._request.owner, self._request.name)
            wrong = self._wrong_total(total) or (yield from self._wrong_sample())
            if not wrong:
                ways = [way for way, used in (("total", total is not None), ("sample", self._checkable)) if used]
                if not ways:
                    log.warning("The key may neither list nor check numbers, so the upload is not verified.")
                return " and ".join(ways) or "not verified", total
            if waited >= self._request.verify_wait:
                raise OutcomeUnknown(
                    f"The uploads to caller list {quoted(self._request.name)} were accepted, but after {waited:.0f} "
                    f"s {wrong}; check the list in the portal, and whether someone else changes it. A retry compares "
                    f"and uploads again."
                )
            step = min(pause, self._request.verify_wait - waited)
            log.info("The list does not show the uploads yet (%s); next check in %.0f s.", wrong, step)
            yield Wait(step)
            waited, pause = waited + step, min(pause * 2, MAX_WAIT)

    def _wrong_total(self, total: int | None) -> str:
        change = self._change
        if total is None or change.known is None:
            return ""
        if change.exact:
            expected = change.known + len(change.add) - len(change.remove)
            return "" if total == expected else f"it has {total} numbers, and should have {expected}"
        least = len(change.add)
        return "" if total >= least else f"it has {total} numbers, and should have {least} at least"

    def _wrong_sample(self) -> Procedure[str]:
        """Check some numbers, if the key may check."""
        if not self._checkable:
            return ""
        checked = [(number, True) for number in _sample(self._change.add)]
        checked += [(number, False) for number in _sample(self._change.remove)]
        owner, name = self._request.owner, self._request.name
        outcomes: list[Outcome[bool]] = yield Together(
            [caller_lists.check_caller_list(owner, name, e164(number)) for number, _ in checked]
        )
        wrong = 0
        for (_, expected), outcome in zip(checked, outcomes, strict=True):
            if isinstance(outcome.error, PermissionDenied):
                self._checkable = False
                return ""
            if outcome.error is not None and not isinstance(outcome.error, OutcomeUnknown):
                raise outcome.error
            wrong += outcome.value is not expected
        return f"{wrong} of {len(checked)} checked numbers are not as expected" if wrong else ""


def _sample(numbers: NumberSet) -> list[int]:
    """Return some numbers, spread over all of them."""
    step = max(1, len(numbers) // SAMPLE)
    return [numbers[place] for place in range(0, len(numbers), step)][:SAMPLE]
