"""Assets: what lies in a Retreaver account, named by URIs that Airflow knows.

A URI is `retreaver://host/company/resource`, for example `retreaver://api.retreaver.com/12345/calls`. Sensors and
event triggers watch such assets. Operators tell what they did in the events of the assets among their outlets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlunsplit

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset, Context

SCHEME = "retreaver"
HOST = "api.retreaver.com"
# Earlier than any call of the vendor's.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def asset_uri(company: str | int, resource: str, host: str = HOST) -> str:
    """Return the URI of a resource of a company.

    :param company: company ID.
    :param resource: plural name, e.g. `calls`, `targets`, or a path such as `targets/3`.
    :param host: host of the connection, with its port where it has one.
    :raises InvalidArgument: when a part is missing or cannot be right.
    """
    return urlunsplit(sanitize_uri(SplitResult(SCHEME, host, f"/{company}/{resource}", "", "")))


def retreaver_asset(
    company: str | int, resource: str, host: str = HOST, *, name: str | None = None, **kwargs: Any
) -> Asset:
    """Return the asset of a resource of a company; further arguments go to `Asset`, e.g. `watchers`.

    :param name: of the asset; its URI when not given. Airflow 2 knows no names and takes none.
    """
    from airflow.providers.common.compat.sdk import Asset

    if name is not None:
        kwargs["name"] = name
    asset: Asset = Asset(uri=asset_uri(company, resource, host), **kwargs)
    return asset


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI in its one spelling; Airflow calls this for every asset with this scheme.

    :raises InvalidArgument: when it is not `retreaver://host/company/resource`, or holds a user, password or query.
    """
    company, _, resource = uri.path.strip("/").partition("/")
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise InvalidArgument("A Retreaver asset's URI holds host, company and resource only: no key, no query.")
    if not uri.netloc or not (company.isascii() and company.isdecimal()) or not resource or "//" in resource:
        raise InvalidArgument(
            f"{uri.scheme}://{uri.netloc}{uri.path} is not the URI of a Retreaver asset, which is "
            f"{SCHEME}://host/company/resource with a company ID in digits."
        )
    return uri._replace(scheme=SCHEME, netloc=uri.netloc.lower(), path=f"/{company}/{resource}")


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:  # noqa: ARG001 - Airflow's signature
    """Return the OpenLineage dataset of an asset; called only where OpenLineage is installed."""
    from urllib.parse import urlsplit

    from airflow.providers.common.compat.openlineage.facet import Dataset

    uri = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{uri.netloc}", name=uri.path.lstrip("/"))


def tell_outlets(context: Context, outlets: Iterable[Any], extra: Mapping[str, Any]) -> None:
    """Add what was done to the events of a task's outlets: of every asset, whatever its scheme.

    An alias is left alone, since it stands for assets that only the DAG's author knows.

    :param context: the task's context; without events (a plain `execute({})`) nothing happens.
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


def window_of_events(triggering_asset_events: Mapping[Any, Iterable[Any]]) -> dict[str, str | None]:
    """Return the one window that covers all events that started a run, for an export's `start` and `end`.

    Airflow joins events that come while a run cannot start into one run: the window then reaches from the earliest
    start to the latest end. Windows are those of `RetreaverNewCallsEventTrigger` (of `updated_at`) and those that
    exports tell the assets among their outlets.

    :param triggering_asset_events: of the task's context, by asset.
    :return: `{"start", "end"}` in RFC 3339, UTC; both None for a run that no event has started (by hand), which
        exports take for the run's data interval.
    :raises InvalidArgument: when there are events, and none of them tells a window, or one tells no time.
    """
    events = [event for several in triggering_asset_events.values() for event in several]
    windows = [window for window in map(_window, events) if window is not None]
    if events and not windows:
        raise InvalidArgument(
            f"None of the {len(events)} events that started this run tells a window of calls; watch the asset with "
            f"RetreaverNewCallsEventTrigger, or name it among the outlets of an export of calls."
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
        told = extra.get(key)
        if isinstance(told, Mapping) and told.get(end):
            # Before any call was seen a watched window has no start: it is about all calls there are.
            first = aware_time(told.get(start) or BEGINNING, f"{start} of an event")
            return first.astimezone(UTC), aware_time(told[end], f"{end} of an event").astimezone(UTC)
    return None
