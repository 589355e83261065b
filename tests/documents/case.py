"""One documented request, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.operations import Listing, Operation

BOTH, CURRENT, LEGACY = ("current", "legacy"), ("current",), ("legacy",)
DAY = {"created_at_start": "2016-01-01T00:00:00+00:00", "created_at_end": "2016-01-02T00:00:00+00:00"}
IN_QUERY = "created_at_start=2016-01-01T00:00:00+00:00&created_at_end=2016-01-02T00:00:00+00:00"


@dataclass(frozen=True)
class Case:
    """One documented request.

    :param heading: heading of its section in Retreaver's reference.
    :param request: method and URL, without host, key and company.
    :param make_operation: makes the same request as an operation or a listing.
    :param body: documented JSON body.
    :param editions: in which it is documented.
    :param version: of the call log.
    :param uses_postback_key: whether it needs the key for caller lists instead of the API key.
    :param postback_key: the postback key that it needs instead of the API key.
    :param host: that serves it.
    """

    heading: str
    request: str
    make_operation: Callable[[], Operation[Any] | Listing]
    body: Any = None
    editions: tuple[str, ...] = BOTH
    version: str = "v2"
    uses_postback_key: bool = False
    postback_key: str | None = None
    host: str = "api.retreaver.com"


def put(name: str, attributes: Any) -> dict[str, Any]:
    """Return a wrapped body."""
    return {name: attributes}
