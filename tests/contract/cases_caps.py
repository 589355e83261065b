# ruff: noqa: D401 - a case says what holds, as a test does
"""Procedures: several steps, the same on every carrier."""

from __future__ import annotations

from airflow_provider_retreaver.core.errors import AuthenticationError, NotFound
from airflow_provider_retreaver.core.operations import Count, Each, Moment, Outcome, Together, VendorTime, Wait
from airflow_provider_retreaver.domain.objects.selection import Chosen
from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps
from airflow_provider_retreaver.resources.targets import get_target, list_targets
from tests.contract.harness import Caller


def steps_of_every_kind(caller: Caller) -> None:
    """Operations, lists, several at once, counts, rows one by one and waits; errors are thrown in."""
    caller.concurrent = True
    ids = caller.targets(30)

    def procedure():
        one = yield get_target(id=ids[0])
        try:
            yield get_target(id=999)
        except NotFound as error:
            missing = error.path
        rows = yield list_targets()
        number = yield Count(list_targets())
        seen: list[int] = []
        yield Each(list_targets(), lambda row: seen.append(row["id"]))
        nothing = yield Together([])
        several = yield Together([get_target(id=ids[1]), get_target(id=888), get_target(id=ids[2])])
        assert isinstance((yield VendorTime()), Moment)
        yield Wait(12.5)
        return one["id"], missing, len(rows), number, len(seen), nothing, several

    found = caller.run(procedure())
    assert found[:6] == (ids[0], "/targets/999.json", 30, 30, 30, [])
    several: list[Outcome] = found[6]
    assert [outcome.value and outcome.value["id"] for outcome in several] == [ids[1], None, ids[2]]
    assert isinstance(several[1].error, NotFound)
    assert caller.waits == [12.5]
    # Errors are equal by what they show, not by themselves.
    caller.results[-1] = [*found[:6], [str(outcome.error) for outcome in several]]


def an_error_that_a_procedure_does_not_catch_ends_it(caller: Caller) -> None:
    """And is the caller's."""

    def procedure():
        yield Wait(1)
        yield get_target(id=5)

    caller.fails(NotFound, procedure())


def a_procedure_may_end_without_a_step(caller: Caller) -> None:
    """Then its result is there at once."""

    def procedure():
        if caller is None:
            yield Wait(1)
        return 3

    assert caller.run(procedure()) == 3
    assert caller.entries() == []


def caps_are_reset_and_read_back(caller: Caller) -> None:
    """Filled ones only, with answers lost on the way."""
    caller.racing = caller.concurrent = True
    full = caller.targets(3, filled=10)
    caller.target(filled=4)
    caller.fault(method="POST", status=500, then="done")
    caller.fault(method="POST", cut=True)
    result = caller.run(ResetCaps(Chosen(only_filled=True)).procedure())
    assert sorted(row["id"] for row in result["reset"]) == full
    assert result["failed"] == []
    assert [caller.filled(id_) for id_ in full] == [0, 0, 0]
    # Which of the three met which fault is chance where they run at once.
    caller.results[-1] = sorted(row["id"] for row in result["reset"])


def a_refused_key_ends_a_procedure_with_the_first_request(caller: Caller) -> None:
    """Nothing is tried on every object where the account is the reason."""
    caller.connect(password="another-key")
    caller.fails(AuthenticationError, ResetCaps(Chosen(only_filled=True)).procedure())
    assert len(caller.entries()) == 1
