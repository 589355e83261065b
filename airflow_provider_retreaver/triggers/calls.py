"""Event triggers for calls, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.triggers.event_base import RetreaverEventTrigger

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.watching.call_volume import CallCount
    from airflow_provider_retreaver.domain.watching.newest_call import NewestCall


class RetreaverCallVolumeEventTrigger(RetreaverEventTrigger):
    """Announce that the number of calls in a sliding window crosses a line: once, and again after it went back.

    The payload is `{"count", "window", "at_least", "at_most", "filters"}`. When the line is crossed already at the
    first look and nothing is remembered, that is announced too: without Airflow's state store (before 3.3) a restart
    of the triggerer on the far side of the line announces once more, and no crossing is missed that still holds.

    :param window: as for `RetreaverCallVolumeSensor`.
    :param at_least: announce when there are at least so many calls.
    :param at_most: announce when there are at most so many calls: a quiet line.
    :param filters: as for `RetreaverCallVolumeSensor`.
    :param retreaver_conn_id: the connection.
    :param poll_interval: seconds between looks.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that cannot be right.
    """

    def __init__(
        self,
        *,
        window: str | float | timedelta,
        at_least: int | None = None,
        at_most: int | None = None,
        filters: Mapping[str, Any] | None = None,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
    ) -> None:
        from airflow_provider_retreaver.domain.watching.call_volume import CallVolume

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval)
        self.condition = CallVolume.of(
            start=None, end=None, window=window, at_least=at_least, at_most=at_most, filters=filters
        )

    @property
    def question(self) -> CallCount:
        """How many calls there are."""
        return self.condition.question

    def react(self, kept: Any, found: Any) -> tuple[Any, dict[str, Any] | None]:
        """Announce a crossing; what is kept is whether the line is crossed."""
        verdict = self.condition.judge(found)
        if verdict.met and not kept:
            return True, {"count": verdict.value, **self.parameters()}
        return verdict.met, None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        options = self.condition.options()
        return {name: options[name] for name in ("window", "at_least", "at_most", "filters")}


class RetreaverNewCallsEventTrigger(RetreaverEventTrigger):
    """Announce that calls were made or updated, with the window in which to find them; a look costs one request.

    The payload is `{"updated_at_start", "updated_at_end", "filters"}`, RFC 3339 by the vendor's clock. Windows
    overlap, since calls may become visible a little after their `updated_at`: deduplicate by `uuid`. Airflow joins
    events that come in quick succession into one run, so read all of `triggering_asset_events`, from the earliest
    start to the latest end. Needs the current routes.

    Without Airflow's state store (before 3.3) each start of the triggerer begins at `since`, or where it is not given
    at the newest call of that moment: what came while no triggerer ran is then not announced by itself, and not lost
    for a reader who goes on from the end of the last window.

    :param since: where to begin when nothing is remembered, RFC 3339; by default at the first look.
    :param filters: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`.
    :param overlap: seconds by which a window reaches back beyond the end of the one before.
    :param retreaver_conn_id: the connection.
    :param poll_interval: seconds between looks.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that cannot be right.
    """

    def __init__(
        self,
        *,
        since: str | None = None,
        filters: Mapping[str, Any] | None = None,
        overlap: float = 60.0,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
    ) -> None:
        from airflow_provider_retreaver.core import time_parameters
        from airflow_provider_retreaver.core.time_parameters import duration
        from airflow_provider_retreaver.domain.watching.newest_call import NewestCall

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval)
        self.since = None if since is None else time_parameters.timestamp(since, "since")
        self.overlap = duration(overlap, "overlap")
        self._question = NewestCall.of(filters)

    @property
    def question(self) -> NewestCall:
        """The newest call."""
        return self._question

    def react(self, kept: Any, found: Any) -> tuple[Any, dict[str, Any] | None]:
        """Announce what is newer than all that was announced; what is kept is the newest update."""
        from airflow_provider_retreaver.domain.watching.newest_call import Frontier

        if kept is None and self.since is None:
            # Nothing is new at the first look; what comes after it is, also when there was no call at all.
            return found or "", None
        frontier, window = Frontier(kept or self.since).passed(found, timedelta(seconds=self.overlap))
        payload = None if window is None else {**window, "filters": self._question.filters.as_mapping()}
        return frontier.newest if window else kept, payload

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return {"since": self.since, "filters": self._question.filters.as_mapping(), "overlap": self.overlap}
