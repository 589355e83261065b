"""Sensor for drift of an account that is managed as code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_retreaver.sensors.base import DEFERRABLE, FAILURE_BUDGET, RetreaverSensor


class RetreaverAccountDriftSensor(RetreaverSensor):
    """Wait until others have changed what the last apply of an account's files had set.

    What is not applied yet is no drift: a field is drift when the last `RetreaverAccountApplyOperator` with the same
    `applied_path` has set it to what the files want still. Returns `{"company", "plan", "count", "rows"}` with the
    first 100 rows `{"address", "field", "wanted", "now", "reason"}`; `field` is blank for an object that was deleted.
    A poll reads the lists of the kinds of objects that are in the files. While an apply changes the account nothing
    is reported. Retreaver's reference: "Targets", "Target Groups", "Campaigns", "Affiliates", "Numbers",
    "Number Pools".

    :param applied_path: file on object storage that `RetreaverAccountApplyOperator` writes, its `applied_path`.
    :param paths: files and folders of the account; None for the files of the last apply, which are in that file. A
        deferred sensor reads them on the triggerer's disk.
    :param environment: lay `environments/<name>.yaml` over these files.
    :param variables: which override those of these files.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :param deferrable: wait in the triggerer; see `RetreaverSensor`.
    :param failure_budget: for how long consecutive failures are tolerated, a timedelta or seconds; None until
        `timeout`.
    :param state_path: folder on object storage for the state of a rescheduled sensor; this sensor keeps only since
        when polls have failed.
    :raises InvalidArgument: when a parameter is not valid, nothing was applied yet, or the files are not valid.
    """

    kind = "account_drift"
    template_fields = (*RetreaverSensor.template_fields, "applied_path", "paths", "environment", "variables")

    def __init__(
        self,
        *,
        applied_path: str,
        paths: str | Iterable[str] | None = None,
        environment: str | None = None,
        variables: Mapping[str, object] | None = None,
        retreaver_conn_id: str = "retreaver_default",
        deferrable: bool = DEFERRABLE,
        failure_budget: timedelta | float | None = FAILURE_BUDGET,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retreaver_conn_id=retreaver_conn_id,
            deferrable=deferrable,
            failure_budget=failure_budget,
            state_path=state_path,
            **kwargs,
        )
        self.applied_path = applied_path
        self.paths = paths
        self.environment = environment
        self.variables = variables
