"""Event trigger for drift of an account that is managed as code, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.triggers.event_base import RetreaverEventTrigger

if TYPE_CHECKING:
    from airflow_provider_retreaver.account.drifting import Drift, DriftQuery


class RetreaverAccountDriftEventTrigger(RetreaverEventTrigger):
    """Send an event when others have changed what the last apply of an account's files had set.

    Each difference is announced once, and again after it was gone or changed once more. The payload is
    `{"company", "plan", "count", "rows"}` like the result of `RetreaverAccountDriftSensor`, with the differences that
    are new since the last poll. Those that are there already at the first poll without state are announced as well:
    without Airflow's state store (before 3.3) a restart of the triggerer announces them once more.

    :param applied_path: file on object storage that `RetreaverAccountApplyOperator` writes, its `applied_path`. Until
        it is there the log says so every five minutes.
    :param paths: files and folders of the account on the triggerer's disk; None for the files of the last apply.
    :param environment: lay `environments/<name>.yaml` over these files.
    :param variables: which override those of these files.
    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls.
    :param company_id: company of the watched asset, which `retreaver_asset` fills in: a connection of another company
        is refused.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that is not valid.
    """

    def __init__(
        self,
        *,
        applied_path: str,
        paths: str | Iterable[str] | None = None,
        environment: str | None = None,
        variables: Mapping[str, object] | None = None,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 300.0,
        company_id: str | int | None = None,
    ) -> None:
        from airflow_provider_retreaver.account.drifting import AccountDrift

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval, company_id=company_id)
        self.condition = AccountDrift.from_parameters(
            applied_path=applied_path, paths=paths, environment=environment, variables=variables
        )

    @property
    def query(self) -> DriftQuery:
        """The differences."""
        return self.condition.query

    def detect(self, state: list[str] | None, result: Drift) -> tuple[list[str], dict[str, Any] | None]:
        """Detect differences that are new; the state is a digest of each that is there."""
        from airflow_provider_retreaver.account.drifting import MAX_ROWS

        matches = {_digest(row): row for row in self.condition.evaluate(result).matches.values()}
        announced = set(state or ())
        rows = [row for digest, row in matches.items() if digest not in announced]
        payload = {"company": result.company, "plan": result.plan, "count": len(rows), "rows": rows[:MAX_ROWS]}
        return sorted(matches), payload if rows else None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return self.condition.options()


def _digest(row: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]
