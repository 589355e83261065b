"""Runs that take turns: they wait for others, say who was at work, give up after a while, and stop when replaced."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused, OutcomeUnknown, RetreaverError, RunUnderWay
from airflow_provider_retreaver.core.operations import Wait
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.turn import LOOKS, TakesTurns
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.resources.registry import RESOURCES

HELD = "Another run is at work on the same objects: run 1 of hourly.reset holds the lease."


class Busy:
    """A turn that another run has for a number of looks.

    :param looks: how often it is refused; None for always.
    :param lost: whether it is lost after it was taken.
    """

    def __init__(self, looks, lost=False):
        self.looks = looks
        self.lost = lost
        self.taken = 0

    def take(self):
        """Refuse as often as asked for."""
        self.taken += 1
        if self.looks is None or self.taken <= self.looks:
            raise RunUnderWay(HELD, holder="run 1 of hourly.reset\x1b")

    def confirm(self):
        """Fail when it is lost."""
        if self.lost:
            raise RunUnderWay("Another run has taken over.")


def test_a_run_waits_and_knows_for_whom(caplog):
    """It looks until the other has ended, tells it once, and what it was told is printable."""
    run = TakesTurns()
    run.turn = Busy(3)
    procedure = run.wait_for_turn()
    waits = [next(procedure) for _ in range(3)]
    assert all(isinstance(wait, Wait) for wait in waits)
    with pytest.raises(StopIteration) as end:
        next(procedure)
    assert end.value.value is True
    assert run.at_work() == r" (run 1 of hourly.reset\x1b)"
    assert caplog.text.count("holds the lease. This run waits.") == 1


def test_a_run_that_never_gets_its_turn_gives_up():
    """After more than the time for which the lease of a killed run holds, it says who is at work."""
    from airflow_provider_retreaver.storage.lease import HOLDS

    run = TakesTurns()
    run.turn = Busy(None)
    procedure = run.wait_for_turn()
    assert sum(next(procedure).seconds for _ in range(LOOKS - 1)) > HOLDS
    with pytest.raises(RunUnderWay, match=r"run 1 of hourly\.reset"):
        next(procedure)


def answers(procedure, *given):
    """Return the requests of a procedure that gets these answers, without its waits, and its result or error."""
    asked, left = [], list(given)
    try:
        step = next(procedure)
        while True:
            if isinstance(step, Wait):
                step = procedure.send(None)
                continue
            asked.append(step.request.label)
            answer = left.pop(0)
            step = procedure.throw(answer) if isinstance(answer, Exception) else procedure.send(answer)
    except StopIteration as end:
        return asked, end.value
    except RetreaverError as error:
        return asked, error


NUMBER = {"type": "Toll-free", "afid": "a", "cid": "c"}
LIST, BUY = "GET /numbers.json", "POST /numbers.json"
OLD, THEIRS, MINE = ({"id": id_, "toll_free": True, "afid": "a", "cid": "c"} for id_ in (4, 5, 6))


def creation(turn, reloaded=None, resource="numbers", attributes=None):
    """Return a create that finds a turn, and a record when it reads its own again."""
    made = Creation(RESOURCES[resource], attributes or NUMBER, reload=None if reloaded is None else lambda: reloaded)
    made.turn = turn
    return made


def test_an_equal_number_of_the_run_that_was_waited_for_is_refused():
    """Of two that buy the same at once one buys; a number that was there before is another one, and counts not."""
    asked, error = answers(creation(Busy(1)).procedure(), [OLD], [OLD, THEIRS])
    assert (asked, type(error)) == ([LIST, LIST], ChangeRefused)
    assert r"created by others (run 1 of hourly.reset\x1b) while this run waited (ids 5); nothing was sent" in str(
        error
    )
    asked, result = answers(creation(Busy(1)).procedure(), [OLD], [OLD], MINE, [OLD, MINE])
    assert (asked, result["id"]) == ([LIST, LIST, BUY, LIST], 6)


def test_what_another_attempt_has_bought_is_taken_over():
    """Whether that attempt could still note its result, or only its plan."""
    done = Record(plan={"before": [4]}, done={"result": {"id": 6, "action": "created"}})
    assert answers(creation(Busy(1), done).procedure(), [OLD]) == ([LIST], {"id": 6, "action": "created"})
    asked, result = answers(creation(Busy(1), Record(plan={"before": [4]})).procedure(), [OLD], [OLD, MINE])
    assert (asked, result["id"]) == ([LIST, LIST], 6)
    asked, result = answers(
        creation(Busy(1), Record(plan={"before": [4]})).procedure(), [OLD], [OLD], MINE, [OLD, MINE]
    )
    assert (asked, result["id"]) == ([LIST, LIST, BUY, LIST], 6)
    target = {"number": "+18668987878"}
    asked, error = answers(creation(Busy(1), Record(plan={"sent": True}), "targets", target).procedure())
    assert (asked, type(error)) == ([], OutcomeUnknown)
    asked, result = answers(creation(Busy(1), done, "targets", target).procedure())
    assert (asked, result["id"]) == ([], 6)


def test_a_create_that_was_replaced_sends_nothing():
    """A newer attempt has taken over while this one was reading."""
    asked, error = answers(creation(Busy(0, lost=True)).procedure(), [OLD], [OLD])
    assert (asked, str(error)) == ([LIST, LIST], "Another run has taken over.")
