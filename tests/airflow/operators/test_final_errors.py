"""What no retry mends ends a task at once; everything else is left to Airflow's retries."""

from __future__ import annotations

import re
from contextlib import nullcontext
from logging import getLogger

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook

from airflow_provider_retreaver.core.errors import (
    ConnectionFailed,
    InvalidArgument,
    InvalidConnection,
    InvalidRequest,
    NotFound,
    PartialFailure,
    ProtocolError,
    is_final,
)
from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
from airflow_provider_retreaver.operators.base import final_errors
from airflow_provider_retreaver.operators.boundary import TaskBoundary
from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator
from airflow_provider_retreaver.operators.caps import RetreaverResetCapOperator, RetreaverSetCapsOperator
from airflow_provider_retreaver.operators.resources import (
    RetreaverDeleteOperator,
    RetreaverGetOperator,
    RetreaverListOperator,
    RetreaverUpdateOperator,
)
from airflow_provider_retreaver.operators.suppression import RetreaverSuppressionSyncOperator
from airflow_provider_retreaver.operators.tags import RetreaverUpdateTagsOperator
from airflow_provider_retreaver.operators.target_groups import RetreaverUpdateTargetGroupOperator
from airflow_provider_retreaver.operators.targets import (
    RetreaverSetPausedOperator,
    RetreaverUpdateBusinessHoursOperator,
)
from airflow_provider_retreaver.resources.targets import get_target
from airflow_provider_retreaver.sensors.calls import RetreaverCallSensor, RetreaverCallVolumeSensor
from airflow_provider_retreaver.sensors.caps import RetreaverCapFilledSensor
from airflow_provider_retreaver.sensors.targets import RetreaverTargetIdleSensor
from airflow_provider_retreaver.transfers.calls import RetreaverCallsToObjectStorageOperator
from airflow_provider_retreaver.transfers.calls_sql import RetreaverCallsToSqlOperator
from airflow_provider_retreaver.transfers.recordings import RetreaverRecordingsToObjectStorageOperator
from tests.airflow.support.account import KEY, context_of

pytestmark = pytest.mark.airflow

WINDOW = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-05T12:00:00+00:00"}
NOBODY = {**WINDOW, "filters": {"client_cid": "no-such-campaign"}}


def run(operator, **parameters):
    """Execute an operator, or poke a sensor once."""
    made = operator(task_id="task", **parameters)
    return made.poke(context_of()) if hasattr(made, "poke") else made.execute(context_of())


# Operator, parameters, the type of the error.
WRONG_IDS = {
    "reset": (RetreaverResetCapOperator, {"target_ids": [998, 999]}, PartialFailure),
    "reset by tid": (RetreaverResetCapOperator, {"tids": "nobody"}, PartialFailure),
    "reset a group": (RetreaverResetCapOperator, {"target_group_ids": 999}, PartialFailure),
    "caps": (RetreaverSetCapsOperator, {"target_ids": 999, "hard": 5}, PartialFailure),
    "caps by rows": (RetreaverSetCapsOperator, {"rows": [{"target_group_id": 999, "hard": 5}]}, PartialFailure),
    "pause": (RetreaverSetPausedOperator, {"tids": "nobody", "paused": True}, PartialFailure),
    "hours": (RetreaverUpdateBusinessHoursOperator, {"target_ids": 999, "hours": "closed"}, PartialFailure),
    "tags": (RetreaverUpdateTagsOperator, {"target_ids": 999, "add": "a:1"}, PartialFailure),
    "members": (RetreaverUpdateTargetGroupOperator, {"target_group_id": 999, "add": 1}, PartialFailure),
    "get": (RetreaverGetOperator, {"resource": "targets", "resource_id": 999}, NotFound),
    "update": (
        RetreaverUpdateOperator, {"resource": "targets", "resource_id": 999, "attributes": {"name": "A"}}, NotFound,
    ),
    "delete": (RetreaverDeleteOperator, {"resource": "targets", "resource_id": 999, "missing_ok": False}, NotFound),
    "sensor of caps": (RetreaverCapFilledSensor, {"target_id": 999}, NotFound),
    "sensor of idle targets": (RetreaverTargetIdleSensor, {"target_id": 999}, NotFound),
    "sensor of a call": (RetreaverCallSensor, {"uuid": "no-such-call", "status": "ended"}, NotFound),
    "sensor of calls": (RetreaverCallVolumeSensor, {"at_most": 0, **NOBODY}, NotFound),
    "export": (RetreaverCallsToObjectStorageOperator, {"destination": "file://{}/calls", **NOBODY}, NotFound),
    "recordings": (RetreaverRecordingsToObjectStorageOperator, {"destination": "file://{}/r", **NOBODY}, NotFound),
}  # fmt: skip


def placed(parameters, folder):
    """Return parameters with paths below a folder."""
    return {name: value.format(folder) if isinstance(value, str) else value for name, value in parameters.items()}


@pytest.mark.parametrize(("operator", "parameters", "kind"), WRONG_IDS.values(), ids=WRONG_IDS)
def test_a_wrong_id_is_not_tried_again(account, tmp_path, operator, parameters, kind):
    """An object that does not exist ends the task at its first attempt, with the type that the error had."""
    with pytest.raises(kind) as caught:
        run(operator, **placed(parameters, tmp_path))
    assert isinstance(caught.value, AirflowFailException)
    assert "999" in str(caught.value) or "no" in str(caught.value)


def test_one_failure_that_may_pass_keeps_the_retries(account):
    """A wrong ID beside a request that failed is retried, for the sake of the other."""
    good = account.target(filled=10)
    account.fault(f"/targets/{good}/reset_cap", status=422)
    with pytest.raises(PartialFailure, match="a retry changes only what is left") as caught:
        run(RetreaverResetCapOperator, target_ids=[good, 999])
    assert not isinstance(caught.value, AirflowFailException)
    with pytest.raises(PartialFailure, match="no retry mends this") as caught:
        run(RetreaverResetCapOperator, target_ids=[good, 999])
    assert isinstance(caught.value, AirflowFailException)
    assert caught.value.result["failed"][0]["id"] == 999


def test_a_failure_that_turned_out_temporary_is_retried(account):
    """A target that was there, and whose change is not read back, is retried although others do not exist."""
    good = account.target()
    account.fault(f"/targets/{good}.json", method="PUT", status=200, then="nothing", body='{"target": {}}')
    with pytest.raises(PartialFailure) as caught:
        run(RetreaverSetCapsOperator, target_ids=[good, 999], hard=7)
    assert not isinstance(caught.value, AirflowFailException)


SOURCE = {"numbers": ["+19195550123"], "can_resubscribe": False, "mode": "add"}
OURS = {
    "reset": (RetreaverResetCapOperator, {"target_ids": 1}),
    "list": (RetreaverListOperator, {"resource": "targets", "limit": 5}),
    "suppression": (RetreaverSuppressionSyncOperator, SOURCE),
    "caller list": (
        RetreaverCallerListSyncOperator,
        {"numbers": ["+19195550123"], "list_name": "vip", "target_id": 1, "mode": "add"},
    ),
    "export": (RetreaverCallsToObjectStorageOperator, {"destination": "file://{}/calls", **WINDOW}),
    "load": (RetreaverCallsToSqlOperator, {"sql_conn_id": "database", "table": "calls", **WINDOW}),
    "recordings": (RetreaverRecordingsToObjectStorageOperator, {"destination": "file://{}/calls", **WINDOW}),
    "sensor": (RetreaverCapFilledSensor, {"target_id": 1}),
}


@pytest.mark.parametrize(("operator", "parameters"), OURS.values(), ids=OURS)
def test_an_undefined_connection_is_not_tried_again(account, tmp_path, operator, parameters):
    """The error names the connection and what to do, and the task is not retried."""
    with pytest.raises(InvalidConnection, match=r"`nowhere` isn't defined.*create the connection") as caught:
        run(operator, retreaver_conn_id="nowhere", **placed(parameters, tmp_path))
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


ELSEWHERE = {
    "database": (RetreaverCallsToSqlOperator, {"sql_conn_id": "nowhere", "table": "calls"}),
    "storage": (RetreaverCallsToObjectStorageOperator, {"destination": "gs://nowhere@bucket/calls"}),
    "recordings": (RetreaverRecordingsToObjectStorageOperator, {"destination": "gs://nowhere@bucket/calls"}),
    "secret of hashes": (
        RetreaverCallsToObjectStorageOperator,
        {"destination": "file://{}/calls", "phone_numbers": "hash", "phone_numbers_conn_id": "nowhere"},
    ),
}


@pytest.mark.parametrize(("operator", "parameters"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_undefined_connection_of_others_is_not_tried_again(account, tmp_path, monkeypatch, operator, parameters):
    """The same holds for the connection of a database, of a storage, and of a secret; no call is read."""
    try:
        from airflow.sdk.io import fs as io
    except ImportError:
        from airflow import io
    # As Google's provider, which is not installed here, does it.
    monkeypatch.setitem(io._register_filesystems(), "gs", lambda conn_id, _options: BaseHook.get_connection(conn_id))
    with pytest.raises(InvalidConnection, match=r"`nowhere` isn't defined.*create the connection") as caught:
        run(operator, **WINDOW, **placed(parameters, tmp_path))
    assert isinstance(caught.value, AirflowFailException)
    assert [request for request in account.sent() if "calls" in request] == []


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (InvalidArgument("x"), True),
        (ConnectionFailed("x", final=True), True),
        (ConnectionFailed("x"), False),
        (PartialFailure("x", final=True), True),
        (PartialFailure("x"), False),
        (InvalidRequest("x", status=422), False),
        (ProtocolError("x"), False),
        (ValueError("x"), False),
    ],
)
def test_which_errors_are_final(error, final):
    """Every final error becomes one that Airflow does not retry, of its own type and with its fields."""
    assert is_final(error) is final
    with pytest.raises(type(error)) as caught, final_errors():
        raise error
    assert isinstance(caught.value, AirflowFailException) is final
    assert {**vars(error)}.items() <= {**vars(caught.value)}.items()


def test_a_sensor_that_fails_silently_waits_for_an_object(account):
    """With Airflow's silent_fail an object may still be created: the sensor keeps waiting, as for other errors."""
    with pytest.raises(NotFound) as caught:
        run(RetreaverCapFilledSensor, target_id=999, silent_fail=True)
    assert not isinstance(caught.value, AirflowFailException)


def test_the_traceback_of_an_error_is_logged_at_debug(account, caplog):
    """What is raised has no frame of this package and no earlier error; the log has both, without the key."""
    caplog.set_level("DEBUG")

    def fails_twice(hook):
        try:
            hook.run(get_target(id=998))
        except NotFound:
            hook.run(get_target(id=999))

    with pytest.raises(NotFound) as caught, TaskBoundary(RetreaverHook(), getLogger("task")) as hook:
        fails_twice(hook)
    assert caught.value.__cause__ is caught.value.__context__ is caught.value.__traceback__ is None
    text = next(text for text in caplog.messages if text.startswith("The traceback of the error:"))
    assert re.findall(r"Error|/targets/\d+|During handling", text) == [
        "/targets/998",
        "During handling",
        "/targets/999",
    ]
    assert "in judge" in text
    assert KEY not in text


def test_an_odd_name_of_a_connection_is_printable_everywhere(account, caplog):
    """Neither the error nor the traceback in the log has characters that change how other text is shown."""
    caplog.set_level("DEBUG")
    with (
        pytest.raises(InvalidConnection, match="isn't defined") as caught,
        TaskBoundary(final_errors(), getLogger("task")),
    ):
        RetreaverHook("\u202e\x1b[2J\ud800").run(get_target(id=1))
    ours = [text for text in caplog.messages if text.startswith("The traceback of the error:")]
    assert ours
    assert all(line.isprintable() for text in [str(caught.value), *ours] for line in text.split("\n"))


def test_an_error_of_others_keeps_its_traceback():
    """A bug has no sentence: Airflow's log needs the frames."""
    with pytest.raises(ZeroDivisionError) as caught, TaskBoundary(nullcontext(), getLogger("task")):
        1 / 0  # noqa: B018
    assert caught.value.__traceback__ is not None
