"""The call log (Retreaver's reference: "Calls"): five versions (current routes) and one (legacy)."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from airflow_provider_retreaver.core import parameters, phone_parameters, time_parameters
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation
from airflow_provider_retreaver.core.routes import CALLS_VERSIONS
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.requested_calls import read_calls
from airflow_provider_retreaver.resources.resource import Resource

Timestamp = datetime | str


class Call(TypedDict, total=False):
    """A call as Retreaver sends it; versions 2 and later have many of these keys, and more."""

    uuid: str
    caller: str
    caller_zip: str | None
    caller_state: str | None
    caller_city: str | None
    caller_country: str | None
    dialed_call_duration: int | None
    total_duration: int | None
    status: str
    start_time: str | None
    forwarded_time: str | None
    end_time: str | None
    cid: str | None
    afid: str | None
    sid: str | None
    tid: str | None
    dialed_number: str
    number: str | dict[str, object]
    campaign: dict[str, object]
    revenue: float | None
    payout: float | None
    charge_total: str
    converted: bool
    tags: dict[str, str]
    target_group: dict[str, object]
    recording_url: str | None
    updated_at: str
    created_at: str


CALLS: Resource[Call] = Resource("calls", "call", key="uuid", row_key="uuid")


def list_calls(
    *,
    created_at_start: Timestamp | None = None,
    created_at_end: Timestamp | None = None,
    updated_at_start: Timestamp | None = None,
    updated_at_end: Timestamp | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    caller: str | None = None,
    client_afid: str | None = None,
    client_cid: str | None = None,
    client_tid: str | None = None,
    sub_id: str | None = None,
    call_flow_events: bool | None = None,
    version: str | None = None,
) -> Listing:
    """List calls.

    The default order is newest first; `sort_by="updated_at"` is newest first whatever the `order`. A list that is
    read newest first moves while it is read; `order="asc"` with an end in the past does not. Retreaver's reference:
    "Get recent Calls", "Enumerate through all calls", "… in a specific date/time range".

    :param created_at_start: only calls created after; RFC 3339 with an offset, or an aware datetime.
    :param created_at_end: only calls created before.
    :param updated_at_start: only calls updated after (current routes only, as are all parameters from `caller` on).
    :param updated_at_end: only calls updated before (current routes only).
    :param sort_by: `created_at` or `updated_at`.
    :param order: `asc` or `desc`.
    :param caller: only calls of this caller.
    :param client_afid: only calls of this affiliate (customer's ID).
    :param client_cid: only calls of this campaign (customer's ID).
    :param client_tid: only calls of this target (customer's ID).
    :param sub_id: only calls of this SubID.
    :param call_flow_events: adds the events of each call's flow; version 2 and later.
    :param version: `v1` … `v5` instead of the connection's `calls_version`.
    :return: a listing of `Call` rows.
    """
    created = time_parameters.time_span(created_at_start, created_at_end, ("created_at_start", "created_at_end"))
    updated = time_parameters.time_span(updated_at_start, updated_at_end, ("updated_at_start", "updated_at_end"))
    _one_of_if_given(sort_by, ("created_at", "updated_at"), "sort_by")
    _one_of_if_given(order, ("asc", "desc"), "order")
    _one_of_if_given(version, CALLS_VERSIONS, "version")
    flow = "true" if call_flow_events is not None and checks.truth(call_flow_events, "call_flow_events") else None
    plain = {"created_at_start": created[0], "created_at_end": created[1], "sort_by": sort_by, "order": order}
    ids = {"client_afid": client_afid, "client_cid": client_cid, "client_tid": client_tid, "sub_id": sub_id}
    versioned = {
        "updated_at_start": updated[0],
        "updated_at_end": updated[1],
        "caller": None if caller is None else phone_parameters.caller(caller, "caller"),
        **{name: None if value is None else parameters.text(value, name) for name, value in ids.items()},
        "call_flow_events": flow,
    }
    used = [name for name, value in (versioned | {"version": version}).items() if value is not None]
    legacy: Request | CurrentOnly = Request("GET", "/calls.json", _pairs(plain))
    if used:
        legacy = CurrentOnly(f"its call log does not know {', '.join(used)}")
    current = Request("GET", _versioned(".json", version), _pairs(plain | versioned))
    return Listing(
        current,
        "call",
        key="uuid",
        page_size=None,
        legacy=legacy,
        read=read_calls,
        oldest_calls_version=2 if flow else 1,
    )


def get_call(uuid: str, *, version: str | None = None) -> Operation[Call]:
    """Get one call.

    Retreaver's reference: "Get a specific Call".

    :param uuid: of the call.
    :param version: `v1` … `v5` instead of the connection's `calls_version`.
    :return: a `Call`; it may come wrapped or bare, both are read.
    """
    _one_of_if_given(version, CALLS_VERSIONS, "version")
    part = f"/{segment(uuid, 'call uuid')}.json"
    legacy = Request("GET", f"/calls{part}") if version is None else CurrentOnly("its call log has no versions")
    return CALLS.returning_object(Request("GET", _versioned(part, version)), legacy, asked=uuid)


def _one_of_if_given(value: str | None, allowed: tuple[str, ...], name: str) -> None:
    if value is not None:
        parameters.one_of(value, allowed, name)


def _versioned(rest: str, version: str | None) -> str:
    return f"/api/{version or '{calls_version}'}/calls{rest}"


def _pairs(query: dict[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in query.items() if value is not None)
