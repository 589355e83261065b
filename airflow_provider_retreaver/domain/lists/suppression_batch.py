"""Some numbers of a suppression plan that are sent together: what follows a response, and a lost response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    ConnectionFailed,
    Gone,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    RetreaverError,
    Unavailable,
)
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.domain.lists.phones import e164
from airflow_provider_retreaver.domain.lists.suppression_list import state_of
from airflow_provider_retreaver.domain.lists.suppression_plan import ADD, CHANGE, REMOVE, SuppressionRequest
from airflow_provider_retreaver.domain.objects.suppression_scope import Scope, WantedScope
from airflow_provider_retreaver.resources import suppression

# How often a number is sent when its responses are lost.
TRIES = 3

POST, PUT, DELETE = "POST", "PUT", "DELETE"
_FIRST = {ADD: POST, CHANGE: PUT, REMOVE: DELETE}

TEMPORARY = (Unavailable, RateLimited, ConnectionFailed)


@dataclass(slots=True)
class Failure:
    """A number that could not be sent.

    :param final: whether Retreaver has refused it, so that another attempt cannot help.
    :param reason: why, as a sentence.
    """

    final: bool
    reason: str


class Batch:
    """Steps of a plan that are sent together.

    :param steps: action and number by the step's place in the plan.
    :param wanted: what the sync has to achieve.
    :param scope: of the sync.
    :param seen: `state_of` the numbers to remove, which are read again before that; None to remove them at once.
    """

    def __init__(
        self,
        steps: Mapping[int, tuple[str, int]],
        wanted: SuppressionRequest,
        scope: WantedScope,
        seen: Mapping[int, int] | None = None,
    ) -> None:
        self._steps = steps
        self._wanted = wanted
        self._scope = scope
        self._seen = seen
        self._losses: Counter[int] = Counter()
        self._temporary: list[RetreaverError] = []
        self.failures: dict[int, Failure] = {}
        # How many numbers someone else has changed in the meantime.
        self.changed_by_others = 0
        # The error of the account, if there was one.
        self.stop: RetreaverError | None = None

    def procedure(self, *, maybe_sent: bool) -> Procedure[None]:
        """Send until every step is done or has failed.

        :param maybe_sent: whether an earlier attempt may have sent the batch.
        """
        todo = {place: _FIRST[action] for place, (action, _) in self._steps.items()}
        if maybe_sent:
            todo = yield from self._check(todo)
        elif self._seen is not None:
            todo = yield from self._look_again(todo, self._seen)
        while todo:
            outcomes: list[Outcome[Row]] = yield Together(
                [self._operation(place, verb) for place, verb in todo.items()]
            )
            following: dict[int, str] = {}
            lost: dict[int, str] = {}
            for (place, verb), outcome in zip(todo.items(), outcomes, strict=True):
                if _is_lost(outcome.error) and self._losses[place] < TRIES - 1:
                    self._losses[place] += 1
                    lost[place] = verb
                elif outcome.error is None or self._is_missing(outcome.error):
                    following |= self._next(place, verb, outcome)
                else:
                    self._fail(place, outcome.error)
            todo = following | (lost if self._wanted.legacy else (yield from self._check(lost)))
        if len(self._temporary) == len(self._steps):
            self.stop = self.stop or self._temporary[0]

    def _is_missing(self, error: RetreaverError) -> bool:
        return isinstance(error, NotFound) or (isinstance(error, Gone) and not self._wanted.legacy)

    def _next(self, place: int, verb: str, outcome: Outcome[Row]) -> dict[int, str]:
        """Return the next requests after a response, by place: none when the step is done."""
        error = outcome.error
        if error is None:
            scope = Scope.of(outcome.value or {})
            if verb == POST and self._wanted.campaign is None and not scope.is_company:
                # It was suppressed already, which a POST does not widen.
                self._conflict(place, scope)
                return {}
            # Only a number that is suppressed can be given a campaign.
            return {place: PUT} if verb == POST and self._wanted.campaign is not None else {}
        if verb == PUT and self._losses[place] < TRIES:
            # Someone else has removed it in the meantime.
            self.changed_by_others += not self._losses[place]
            self._losses[place] += 1
            return {place: POST}
        if verb != DELETE:
            self._fail(place, error)
        elif not (self._losses[place] or self._wanted.legacy):
            self.changed_by_others += 1
        return {}

    def _look_again(self, todo: dict[int, str], seen: Mapping[int, int]) -> Procedure[dict[int, str]]:
        """Read the numbers that are to be removed, and leave alone those that someone else has changed since."""
        places = [place for place, verb in todo.items() if verb == DELETE]
        outcomes: list[Outcome[Row]] = []
        if places:
            outcomes = yield Together(
                [suppression.get_suppressed_number(e164(self._steps[place][1])) for place in places]
            )
        for place, outcome in zip(places, outcomes, strict=True):
            if outcome.error is not None and self._is_missing(outcome.error):
                self.changed_by_others += 1
                del todo[place]
            elif outcome.error is not None:
                self._fail(place, outcome.error)
                del todo[place]
            elif seen.get(self._steps[place][1]) != state_of(outcome.value or {}):
                self.changed_by_others += 1
                reason = "It was changed by someone else while this run was at work, so it was not removed."
                self.failures[place] = Failure(final=True, reason=reason)
                del todo[place]
        return todo

    def _check(self, verbs: Mapping[int, str]) -> Procedure[dict[int, str]]:
        """Read the numbers, and return what must still be sent."""
        places = list(verbs)
        numbers = [e164(self._steps[place][1]) for place in places]
        outcomes: list[Outcome[Row]] = []
        if places:
            outcomes = yield Together([suppression.get_suppressed_number(number) for number in numbers])
        todo: dict[int, str] = {}
        yield from self._scope.learn(Scope.of(outcome.value) for outcome in outcomes if outcome.value)
        for place, outcome in zip(places, outcomes, strict=True):
            action = self._steps[place][0]
            if outcome.error is not None and self._is_missing(outcome.error):
                todo |= {} if action == REMOVE else {place: POST}
            elif outcome.error is not None:
                self._fail(place, outcome.error)
            else:
                todo |= self._still(place, action, outcome.value or {})
        return todo

    def _still(self, place: int, action: str, row: Row) -> dict[int, str]:
        """Return what a number that is suppressed still needs."""
        scope = Scope.of(row)
        ours = self._scope.covers(scope)
        # A number that is being added for a campaign is suppressed for the company until it is given the campaign.
        if not ours and not (action == ADD and scope.is_company):
            self._conflict(place, scope)
            return {}
        if action == REMOVE:
            return {place: DELETE}
        as_wanted = ours and row.get("can_resubscribe") is self._wanted.can_resubscribe
        return {} if as_wanted else {place: PUT}

    def _conflict(self, place: int, scope: Scope) -> None:
        self.changed_by_others += 1
        self.failures[place] = Failure(final=True, reason=f"It was suppressed for {scope} in the meantime.")

    def _operation(self, place: int, verb: str) -> Operation[object]:
        number = e164(self._steps[place][1])
        if verb == POST:
            return suppression.suppress_number(number, can_resubscribe=self._wanted.can_resubscribe)
        if verb == PUT:
            return suppression.update_suppressed_number(
                number, can_resubscribe=self._wanted.can_resubscribe, campaign_id=self._wanted.campaign
            )
        return suppression.unsuppress_number(number)

    def _fail(self, place: int, error: RetreaverError) -> None:
        # With the legacy routes also 410: the server does not have them.
        account = isinstance(error, RUN_ENDING) or (isinstance(error, Gone) and self._wanted.legacy)
        final = not (account or isinstance(error, (*TEMPORARY, OutcomeUnknown, ProtocolError)))
        self.failures[place] = Failure(final, str(error))
        if isinstance(error, TEMPORARY):
            self._temporary.append(error)
        if account:
            self.stop = self.stop or error


def _is_lost(error: RetreaverError | None) -> bool:
    """Return whether the outcome is unknown: no response, or a success that cannot be read."""
    return isinstance(error, (OutcomeUnknown, ProtocolError))
