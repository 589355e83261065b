"""From an Airflow connection to polls of its account, each of which is made once for all readers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.policy import Policy
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.page.answers import Answer, Answers, NotedTransport
from airflow_provider_retreaver.page.calls import CallsRead, read_calls
from airflow_provider_retreaver.page.caps import CapsRead, read_caps
from airflow_provider_retreaver.page.numbers import NumbersRead, read_numbers
from airflow_provider_retreaver.page.polled import Polled
from airflow_provider_retreaver.page.polls import Polls
from airflow_provider_retreaver.transport.blocking import RequestsTransport
from airflow_provider_retreaver.transport.client import RetreaverClient
from airflow_provider_retreaver.transport.limiter_state import LimiterState
from airflow_provider_retreaver.transport.limiters import limiter_for

T = TypeVar("T")

# A reader waits for a page, not for an account that is down.
ATTEMPTS, LONGEST_WAIT, TIMEOUT = 3, 5.0, 15.0


@dataclass(frozen=True, slots=True)
class Account:
    """One account that the page reads.

    :param settings: of its connection.
    :param polls: of all accounts.
    :param answers: of all accounts.
    """

    settings: Settings
    polls: Polls
    answers: Answers

    @property
    def key(self) -> Hashable:
        """What identifies the company: connections with the same key and company share their polls."""
        return (*self.settings.account, self.settings.company_id, self.settings.routes)

    def caps(self) -> Polled[CapsRead]:
        """Return the targets and groups.

        :return: what is known.
        """
        return self._polled("caps", read_caps, CapsRead)

    def calls(self, zone: ZoneInfo) -> Polled[CallsRead]:
        """Return the sums of calls.

        :param zone: of the clock by which a day begins.
        :return: what is known.
        """
        return self._polled(f"calls {zone.key}", lambda now, before: read_calls(now, zone, before), CallsRead)

    def numbers(self) -> Polled[NumbersRead]:
        """Return the number pools and the numbers without calls.

        :return: what is known.
        """
        return self._polled("numbers", lambda now, _: read_numbers(now), NumbersRead)

    def last_answers(self) -> list[Answer]:
        """Return the last answers to this process's polls of the account, the latest first.

        :return: at most 40.
        """
        return self.answers.last(self.key)

    def limiter(self) -> LimiterState:
        """Return the state of the limiter that this process has for the account.

        :return: its state.
        """
        return limiter_for(self.settings).state()

    def _polled(self, view: str, procedure: Callable[[datetime, T | None], Procedure[T]], kind: type[T]) -> Polled[T]:
        def read(now: datetime, before: T | None) -> T:
            with self._client() as client:
                return client.run(procedure(now, before))

        return self.polls.get((self.key, view), read, kind)

    def _client(self) -> RetreaverClient:
        settings = replace(
            self.settings,
            policy=Policy(max_attempts=ATTEMPTS, max_wait=LONGEST_WAIT),
            timeout=min(self.settings.timeout, TIMEOUT),
        )

        def note(answer: Answer) -> None:
            self.answers.add(self.key, answer)

        return RetreaverClient(settings, transport=NotedTransport(RequestsTransport(settings), note))
