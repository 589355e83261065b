# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of procedures, which consist of several requests."""

from __future__ import annotations

from airflow_provider_retreaver.core.errors import AuthenticationError, InvalidArgument, NotFound
from airflow_provider_retreaver.core.operations import (
    Blocking,
    ClockReading,
    Count,
    Each,
    Outcome,
    ServerTime,
    Together,
    Wait,
)
from airflow_provider_retreaver.domain.objects.selection import TargetSelection
from airflow_provider_retreaver.domain.routing.cap_reset import ResetCaps
from airflow_provider_retreaver.resources.targets import get_target, list_targets
from tests.contract.harness import CaseClient


def steps_of_every_kind(client: CaseClient) -> None:
    """Operations, lists, counts, rows, concurrent operations and waits; errors are raised in the procedure."""
    client.concurrent = True
    ids = client.targets(30)

    def refuse() -> None:
        raise InvalidArgument("No.")

    def procedure():
        target = yield get_target(id=ids[0])
        try:
            yield get_target(id=999)
        except NotFound as error:
            missing = error.path
        rows = yield list_targets()
        number = yield Count(list_targets())
        ids_read: list[int] = []
        yield Each(list_targets(), lambda row: ids_read.append(row["id"]))
        nothing = yield Together([])
        several = yield Together([get_target(id=ids[1]), get_target(id=888), get_target(id=ids[2])])
        assert isinstance((yield ServerTime()), ClockReading)
        yield Wait(12.5)
        away = yield Blocking(lambda: 3 + 4)
        try:
            yield Blocking(refuse)
        except InvalidArgument as error:
            refused = error.message
        return target["id"], missing, len(rows), number, len(ids_read), nothing, away, refused, several

    result = client.run(procedure())
    assert result[:8] == (ids[0], "/targets/999.json", 30, 30, 30, [], 7, "No.")
    several: list[Outcome] = result[8]
    assert [outcome.value and outcome.value["id"] for outcome in several] == [ids[1], None, ids[2]]
    assert isinstance(several[1].error, NotFound)
    assert client.waits == [12.5]
    # Errors are compared by their text.
    client.results[-1] = [*result[:8], [str(outcome.error) for outcome in several]]


def an_error_that_a_procedure_does_not_catch_ends_it(client: CaseClient) -> None:
    """The client raises it."""

    def procedure():
        yield Wait(1)
        yield get_target(id=5)

    client.fails(NotFound, procedure())


def a_procedure_may_end_without_a_step(client: CaseClient) -> None:
    """It returns its result without a request."""

    def procedure():
        if client is None:
            yield Wait(1)
        return 3

    assert client.run(procedure()) == 3
    assert client.entries() == []


def caps_are_reset_and_read_back(client: CaseClient) -> None:
    """Only filled caps are reset, although answers are lost."""
    client.racing = client.concurrent = True
    full = client.targets(3, filled=10)
    client.target(filled=4)
    client.fault(method="POST", status=500, then="done")
    client.fault(method="POST", cut=True)
    result = client.run(ResetCaps(TargetSelection(only_filled=True)).procedure())
    assert sorted(row["id"] for row in result["reset"]) == full
    assert result["failed"] == []
    assert [client.filled(id_) for id_ in full] == [0, 0, 0]
    # Which of the three concurrent requests fail varies.
    client.results[-1] = sorted(row["id"] for row in result["reset"])


def a_refused_key_ends_a_procedure_with_the_first_request(client: CaseClient) -> None:
    """The other objects are not tried, because the key would be refused for all of them."""
    client.connect(password="another-key")
    client.fails(AuthenticationError, ResetCaps(TargetSelection(only_filled=True)).procedure())
    assert len(client.entries()) == 1
