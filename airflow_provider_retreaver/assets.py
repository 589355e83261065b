"""Assets: the resources of a Retreaver account as URIs that Airflow knows.

A URI is `retreaver://host/company/resource`, for example `retreaver://api.retreaver.com/12345/calls`. Sensors and
event triggers watch such assets. Operators describe what they did in the events of the assets among their outlets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset, Context

    from airflow_provider_retreaver.core.client_settings import ClientSettings

SCHEME = "retreaver"
HOST = "api.retreaver.com"
# Earlier than any call at Retreaver.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def asset_uri(company: str | int, resource: str, host: str = HOST) -> str:
    """Return the URI of a resource of a company.

    :param company: company ID.
    :param resource: plural name, e.g. `calls`, `targets`, or a path such as `targets/3`.
    :param host: host of the connection, with its port if it has one.
    :return: the URI, e.g. `retreaver://api.retreaver.com/12345/calls`.
    :raises InvalidArgument: when a part is missing or not valid.
    """
    return urlunsplit(sanitize_uri(SplitResult(SCHEME, host, f"/{company}/{resource}", "", "")))


def retreaver_asset(
    company: str | int, resource: str, host: str = HOST, *, name: str | None = None, **kwargs: Any
) -> Asset:
    """Return the asset of a resource of a company.

    :param company: company ID.
    :param resource: plural name, e.g. `calls`, `targets`, or a path such as `targets/3`.
    :param host: host of the connection, with its port if it has one.
    :param name: of the asset; by default its URI. Airflow 2 has no names and accepts none.
    :param kwargs: further arguments of Airflow's `Asset`, e.g. `watchers`, whose event triggers are told the company.
    :return: the asset.
    :raises InvalidArgument: when a part of the URI is missing or not valid, or a watcher is of another company.
    """
    from airflow.providers.common.compat.sdk import Asset

    uri = asset_uri(company, resource, host)
    for watcher in kwargs.get("watchers", ()):
        # Only event triggers of this package have it.
        watch = getattr(watcher.trigger, "watch_company", None)
        if watch is not None:
            watch(int(company))
    if name is not None:
        kwargs["name"] = name
    asset: Asset = Asset(uri=uri, **kwargs)
    return asset


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return a URI in its normal form; Airflow calls this for every asset with this scheme.

    :param uri: the parts of the URI.
    :return: the parts with a lower-case host and no superfluous slashes.
    :raises InvalidArgument: when it is not `retreaver://host/company/resource`, or has a user, password or query.
    """
    company, _, resource = uri.path.strip("/").partition("/")
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise InvalidArgument(
            "The URI of a Retreaver asset has a host, a company and a resource only; remove the key or query."
        )
    if not uri.netloc or not (company.isascii() and company.isdecimal()) or not resource or "//" in resource:
        raise InvalidArgument(
            f"{uri.scheme}://{uri.netloc}{uri.path} is not the URI of a Retreaver asset; write "
            f"{SCHEME}://host/company/resource with a numeric company ID."
        )
    return uri._replace(scheme=SCHEME, netloc=uri.netloc.lower(), path=f"/{company}/{resource}")


def to_openlineage(asset: Asset, lineage_context: object) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """Return the OpenLineage dataset of an asset; called only if OpenLineage is installed.

    :param asset: an asset with the scheme `retreaver`.
    :param lineage_context: Airflow's argument, not used.
    :return: the dataset: namespace `retreaver://host`, name `company/resource`.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    uri = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{uri.netloc}", name=uri.path.lstrip("/"))


def update_outlet_events(context: Context, outlets: Iterable[object], extra: Mapping[str, Any]) -> None:
    """Add to the `extra` of the events of a task's outlets what the task did.

    This is done for every asset, whatever its scheme. Aliases are skipped, since only the DAG's author knows which
    assets they stand for.

    :param context: the task's context; without outlet events (a plain `execute({})`) nothing is done.
    :param outlets: of the task.
    :param extra: small plain JSON, without phone numbers and secrets.
    """
    from airflow.providers.common.compat.sdk import Asset

    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if isinstance(outlet, Asset):
            events[outlet].extra = {**events[outlet].extra, **extra}


def require_company(outlets: Iterable[object], settings: Callable[[], ClientSettings]) -> None:
    """Refuse outlets of another company than that of the connection, which would get its events.

    :param outlets: of the task.
    :param settings: returns the connection's settings; called only for outlets with the scheme `retreaver`.
    :raises InvalidArgument: naming both companies; nothing was sent.
    """
    from airflow.providers.common.compat.sdk import Asset

    from airflow_provider_retreaver.core.settings import Settings

    for outlet in outlets:
        if isinstance(outlet, Asset) and outlet.uri.startswith(f"{SCHEME}://"):
            company = urlsplit(outlet.uri).path.split("/")[1]
            known = settings()
            if isinstance(known, Settings):
                known.require_company(int(company), f"The outlet {outlet.uri}")


def window_of_events(triggering_asset_events: Mapping[Any, Iterable[Any]]) -> dict[str, str | None]:
    """Return the window that covers all events that started a run, for an export's `start` and `end`.

    Airflow joins events that come while a run cannot start into one run: the window then reaches from the earliest
    start to the latest end. Events of `RetreaverNewCallsEventTrigger` hold a window of `updated_at`, events of
    exports the window that was exported.

    :param triggering_asset_events: of the task's context: events by asset.
    :return: `{"start", "end"}` in RFC 3339, UTC; both None for a run that no event has started (a manual run), for
        which exports use the run's data interval.
    :raises InvalidArgument: when there are events and none of them holds a window, or a time of one is not valid.
    """
    events = [event for several in triggering_asset_events.values() for event in several]
    windows = [window for window in map(_window, events) if window is not None]
    if events and not windows:
        raise InvalidArgument(
            f"None of the {len(events)} events that started this run holds a window of calls; watch the asset with "
            f"RetreaverNewCallsEventTrigger, or make it an outlet of an export of calls."
        )
    if not windows:
        return {"start": None, "end": None}
    return {
        "start": min(start for start, _ in windows).isoformat(),
        "end": max(end for _, end in windows).isoformat(),
    }


def _window(event: Any) -> tuple[datetime, datetime] | None:
    from airflow_provider_retreaver.domain.calls.time_window import aware_time

    extra = event.extra or {}
    for key, start, end in (("payload", "updated_at_start", "updated_at_end"), ("window", "start", "end")):
        window = extra.get(key)
        if isinstance(window, Mapping) and window.get(end):
            # The first window of a trigger that found no call at first has no start: it covers all calls.
            first = aware_time(window.get(start) or BEGINNING, f"{start} of an event")
            return first.astimezone(UTC), aware_time(window[end], f"{end} of an event").astimezone(UTC)
    return None
