"""Assets: what lies in a Retreaver account, named by URIs that Airflow knows.

A URI is `retreaver://host/company/resource`, for example `retreaver://api.retreaver.com/12345/calls`. Sensors and
event triggers watch such assets, operators that list one among their outlets fill in the event's `extra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlunsplit

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset, Context

SCHEME = "retreaver"
HOST = "api.retreaver.com"


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
    """Add what was done to the events of a task's outlets that are Retreaver's.

    :param context: the task's context; without events (a plain `execute({})`) nothing happens.
    :param outlets: of the task.
    :param extra: small plain JSON.
    """
    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        if str(getattr(outlet, "uri", "")).startswith(f"{SCHEME}://"):
            events[outlet].extra = {**events[outlet].extra, **extra}
