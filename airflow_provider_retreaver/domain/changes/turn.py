"""Runs that must not send at the same time take turns: one waits until the other has ended."""

from __future__ import annotations

import logging
from typing import Protocol

from airflow_provider_retreaver.core.errors import RunUnderWay
from airflow_provider_retreaver.core.operations import Procedure, Wait

log = logging.getLogger(__name__)

# Seconds between two looks whether the other run has ended, and how often it is looked at: longer than the lease of a
# run that was killed holds.
PAUSE = 2.0
LOOKS = 500


class Turn(Protocol):
    """Whether this run may send."""

    def take(self) -> None:
        """Take the turn.

        :raises RunUnderWay: when another run has it; nothing was sent.
        """

    def confirm(self) -> None:
        """Check that this run has the turn still.

        :raises RunUnderWay: when another run has taken over; nothing more may be sent.
        """


class TakesTurns:
    """A run that sends only while it has the turn, of which others of the same name know; by default nobody else."""

    # What runs do that exclude each other.
    turn_name: str
    turn: Turn | None = None
    # Who was at work when this run wanted to begin.
    others: str | None = None

    def wait_for_turn(self) -> Procedure[bool]:
        """Wait until no other run is at work, at most about a quarter of an hour.

        :return: whether there was one, so that what was read before may be out of date.
        :raises RunUnderWay: when it has not ended.
        """
        for look in range(LOOKS):
            try:
                if self.turn is not None:
                    self.turn.take()
                break
            except RunUnderWay as error:
                if self.others is None:
                    log.warning("%s This run waits.", error)
                self.others = error.holder
                if look == LOOKS - 1:
                    raise
            yield Wait(PAUSE)
        return self.others is not None

    def confirm_turn(self) -> None:
        """Check right before something is sent that this run has the turn still.

        :raises RunUnderWay: when another run has taken over; nothing more may be sent.
        """
        if self.turn is not None:
            self.turn.confirm()

    def at_work(self) -> str:
        """Return who was at work at the same time, for messages.

        :return: in brackets, after a space; empty when nobody was seen.
        """
        return f" ({self.others})" if self.others else ""
