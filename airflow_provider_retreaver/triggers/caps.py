"""Event triggers for caps, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.triggers.event_base import RetreaverEventTrigger

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.watching.target_counts import Watched

Ids = str | int | Iterable[str | int]


class RetreaverCapFilledEventTrigger(RetreaverEventTrigger):
    """Announce that caps have reached a share of what they allow: each once, and again after it fell below.

    The payload is `{"reached": [{"kind", "id", "tid", "name", "cap", "filled", "limit"}, …]}` with those that have
    reached it since the last look. What has reached it already at the first look, when nothing is remembered, is
    announced too: without Airflow's state store (before 3.3) a restart of the triggerer announces once more.

    :param target_id: as for `RetreaverCapFilledSensor`, and so on.
    :param tid: the customer's ID of a target, or several.
    :param target_group_id: a target group, or several: the group's own cap is meant.
    :param cap: `hard`, `hourly`, `daily`, `monthly` or `concurrency`.
    :param at_least: share of the cap from 0 to 1; 1.0 when neither this nor `remaining` is given.
    :param remaining: instead of a share: at most so many calls are left.
    :param retreaver_conn_id: the connection.
    :param poll_interval: seconds between looks.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that cannot be right.
    """

    def __init__(
        self,
        *,
        target_id: Ids | None = None,
        tid: Ids | None = None,
        target_group_id: Ids | None = None,
        cap: str = "hard",
        at_least: float | None = None,
        remaining: int | None = None,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
    ) -> None:
        from airflow_provider_retreaver.domain.watching.cap_filled import CapFilled

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval)
        self.condition = CapFilled.of(
            target_id=target_id,
            tid=tid,
            target_group_id=target_group_id,
            cap=cap,
            at_least=at_least,
            remaining=remaining,
            match="any",
        )

    @property
    def question(self) -> Watched:
        """Counts of the targets and groups."""
        return self.condition.question

    def react(self, kept: Any, found: Any) -> tuple[Any, dict[str, Any] | None]:
        """Announce who has newly reached it; what is kept is who has."""
        verdict = self.condition.judge(found)
        before = set(kept or ())
        reached = [row for key, row in zip(verdict.holding, verdict.value, strict=True) if key not in before]
        return sorted(verdict.holding), {"reached": reached} if reached else None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return {name: value for name, value in self.condition.options().items() if name != "match"}
