"""Event triggers for calls, for `AssetWatcher` (Airflow 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.triggers.event_base import RetreaverEventTrigger

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.watching.call_volume import CallCountQuery, WindowCount
    from airflow_provider_retreaver.domain.watching.newest_call import NewestCallQuery


class RetreaverCallVolumeEventTrigger(RetreaverEventTrigger):
    """Send an event when the number of calls in a sliding window crosses a limit.

    The event comes once, and again after the number went back. Its payload is
    `{"count", "window", "at_least", "at_most", "filters"}`. A limit that is already crossed at the first poll without
    state is announced as well: without Airflow's state store (before 3.3) a restart of the triggerer announces a
    crossing that still holds once more, and misses none.

    :param window: length of the window, see `RetreaverCallVolumeSensor`.
    :param at_least: send an event when there are at least this many calls.
    :param at_most: send an event when there are at most this many calls.
    :param filters: only calls that match, see `RetreaverCallVolumeSensor`.
    :param allow_unknown: poll also when an object that the filters name does not exist; otherwise the log says so
        every five minutes until it does.
    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls.
    :param company_id: company of the watched asset, which `retreaver_asset` fills in: a connection of another company
        is refused.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that is not valid.
    """

    def __init__(
        self,
        *,
        window: str | float | timedelta,
        at_least: int | None = None,
        at_most: int | None = None,
        filters: Mapping[str, object] | None = None,
        allow_unknown: bool = False,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
        company_id: str | int | None = None,
    ) -> None:
        from airflow_provider_retreaver.domain.watching.call_volume import CallVolume

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval, company_id=company_id)
        self.condition = CallVolume.from_parameters(
            start=None,
            end=None,
            window=window,
            at_least=at_least,
            at_most=at_most,
            filters=filters,
            allow_unknown=allow_unknown,
        )

    @property
    def query(self) -> CallCountQuery:
        """The number of calls in the window."""
        return self.condition.query

    def detect(self, state: Any, result: WindowCount) -> tuple[bool, dict[str, Any] | None]:
        """Detect a crossing; the state is whether the limit is crossed."""
        evaluation = self.condition.evaluate(result)
        if evaluation.met and not state:
            limits = {name: self.parameters()[name] for name in ("window", "at_least", "at_most", "filters")}
            return True, {"count": evaluation.value, **limits}
        return evaluation.met, None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        options = self.condition.options()
        return {name: options[name] for name in ("window", "at_least", "at_most", "filters", "allow_unknown")}


class RetreaverNewCallsEventTrigger(RetreaverEventTrigger):
    """Send an event when calls were created or updated, with the window that holds them; a poll costs one request.

    The payload is `{"updated_at_start", "updated_at_end", "filters"}`, RFC 3339 by Retreaver's clock. Windows
    overlap, since calls may become visible a little after their `updated_at`: deduplicate by `uuid`. Airflow joins
    events that come in quick succession into one run, so read all of `triggering_asset_events`, from the earliest
    start to the latest end. Needs the current routes.

    Without Airflow's state store (before 3.3) each start of the triggerer begins at `since`, or where that is not
    given at the newest call of that time: calls that came while no triggerer ran are then not announced on their own;
    a reader that continues from the end of the last window does not miss them.

    :param since: where to begin when there is no state, RFC 3339; by default at the first poll.
    :param filters: `caller`, `client_afid`, `client_cid`, `client_tid`, `sub_id`; or `affiliate_name`,
        `campaign_name`, `target_name`, looked up in the first poll.
    :param allow_unknown: as for `RetreaverCallVolumeEventTrigger`.
    :param overlap: seconds by which a window reaches back beyond the end of the one before.
    :param retreaver_conn_id: id of the connection.
    :param poll_interval: seconds between polls.
    :param company_id: company of the watched asset, which `retreaver_asset` fills in: a connection of another company
        is refused.
    :raises InvalidArgument: when the DAG is parsed, naming the parameter that is not valid.
    """

    def __init__(
        self,
        *,
        since: str | None = None,
        filters: Mapping[str, object] | None = None,
        allow_unknown: bool = False,
        overlap: float = 60.0,
        retreaver_conn_id: str = "retreaver_default",
        poll_interval: float = 60.0,
        company_id: str | int | None = None,
    ) -> None:
        from airflow_provider_retreaver.core.time_parameters import duration, timestamp
        from airflow_provider_retreaver.domain.watching.newest_call import NewestCallQuery

        super().__init__(retreaver_conn_id=retreaver_conn_id, poll_interval=poll_interval, company_id=company_id)
        self.since = None if since is None else timestamp(since, "since")
        self.overlap = duration(overlap, "overlap")
        self._query = NewestCallQuery.from_filters(filters, allow_unknown=allow_unknown)

    @property
    def query(self) -> NewestCallQuery:
        """The latest update of all calls."""
        return self._query

    def detect(self, state: str | None, result: str | None) -> tuple[str | None, dict[str, Any] | None]:
        """Detect calls that are newer than the announced ones.

        The state is the latest update that was announced, `""` when there was no call at the first poll.
        """
        from airflow_provider_retreaver.domain.watching.newest_call import new_calls_window

        if state is None and self.since is None:
            # At the first poll no call is new; all that come later are, also when there was none before.
            return result or "", None
        window = new_calls_window(result, state or self.since, timedelta(seconds=self.overlap))
        if window is None:
            return state, None
        return result, {**window, "filters": self._query.filters.as_dict()}

    def parameters(self) -> dict[str, Any]:
        """Return the parameters."""
        return {
            "since": self.since,
            "filters": self._query.filters.as_dict(),
            "allow_unknown": self._query.allow_unknown,
            "overlap": self.overlap,
        }
