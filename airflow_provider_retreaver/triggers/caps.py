"""Event triggers for caps, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.triggers.event_base import RetreaverEventTrigger

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.watching.target_counts import ObjectCounts, TargetCountsQuery


class RetreaverCapFilledEventTrigger(RetreaverEventTrigger):
    """Send an event when caps are filled to a share of their limit.

    Each object is announced once, and again after it fell below the share. The payload is
    `{"reached": [{"kind", "id", "tid", "name", "cap", "filled", "limit"}, …]}` with the objects that have reached the
    share since the last poll. Those that have reached it already at the first poll without state are announced as
    well: without Airflow's state store (before 3.3) a restart of the triggerer announces them once more.

    :param target_id: Retreaver's ID of a target, or several.
    :param tid: the customer's ID of a target, or several.
    :param target_names: a target by name, as written at Retreaver, or several; looked up in the first poll.
    :param target_group_id: Retreaver's ID of a target group, or several, whose own caps are checked.
    :param target_group_names: the same by name.
    :param cap: `hard`, `hourly`, `daily`, `monthly`, or `concurrency` (calls in progress; targets only).
    :param at_least: share of the cap from 0 to 1; 1.0 when neither this nor `remaining` is given.
    :param remaining: instead of a share: most calls that are left.
    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls.
    :param company_id: company of the watched asset, which `retreaver_asset` fills in: a connection of another company
        is refused.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that is not valid.
    """

    def __init__(
        self,
        *,
        target_id: str | int | Iterable[str | int] | None = None,
        tid: str | int | Iterable[str | int] | None = None,
        target_group_id: str | int | Iterable[str | int] | None = None,
        target_names: str | Iterable[str] | None = None,
        target_group_names: str | Iterable[str] | None = None,
        cap: Literal["hard", "hourly", "daily", "monthly", "concurrency"] = "hard",
        at_least: float | None = None,
        remaining: int | None = None,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
        company_id: str | int | None = None,
    ) -> None:
        from airflow_provider_retreaver.domain.watching.cap_filled import CapFilled

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval, company_id=company_id)
        self.condition = CapFilled.from_parameters(
            target_id=target_id,
            tid=tid,
            target_group_id=target_group_id,
            target_names=target_names,
            target_group_names=target_group_names,
            cap=cap,
            at_least=at_least,
            remaining=remaining,
            match="any",
        )

    @property
    def query(self) -> TargetCountsQuery:
        """The counts of the targets and groups."""
        return self.condition.query

    def detect(self, state: list[str] | None, result: list[ObjectCounts]) -> tuple[list[str], dict[str, Any] | None]:
        """Detect objects that have newly reached the share; the state is the labels of all that have reached it."""
        matches = self.condition.evaluate(result).matches
        announced = set(state or ())
        reached = [row for label, row in matches.items() if label not in announced]
        return sorted(matches), {"reached": reached} if reached else None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return {name: value for name, value in self.condition.options().items() if name != "match"}
