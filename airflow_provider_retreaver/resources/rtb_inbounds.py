"""The log of real-time bidding, and its export jobs (Retreaver's reference: "RtbInbounds", "Exports").

A row is one ping of a publisher; `call_uuid` is its call, and is not the row's own `uuid`. UUIDs that are absent are
`NO_UUID`, never null. Rows change without an `updated_at` (an open one is claimed, then ends), so read the last days
again rather than only what is new.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypedDict

from airflow_provider_retreaver.core.envelopes import Row, json_body, protocol_error
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response, segment
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.core.policy import http_date
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources.resource import Id
from airflow_provider_retreaver.resources.rtb_inbound_filters import NO_UUID, InboundFilters, InboundWindow

__all__ = [
    "NO_UUID", "ExportFile", "ExportJob", "RtbInbound", "create_rtb_inbound_export", "get_rtb_inbound_choices",
    "get_rtb_inbound_export", "list_rtb_inbounds", "locate_rtb_inbound_file",
]  # fmt: skip

# Versions 2 to 5 serve the same; export jobs have version 5 only.
LOG = "/api/v5/rtb_inbounds.json"
JOBS = "/api/v5/exports/rtb_inbounds"
# Rows of a page; `per_page` is ignored.
PAGE_SIZE = 100
# A path on the API's host: nothing that could lead to another one, or to another place than it seems.
_PATH = re.compile(r"(?:/[\w.~%-]*\w[\w.~%-]*)+")

Ids = Id | Iterable[Id]
Amount = int | float | Decimal | str
Timestamp = datetime | str


class RtbInbound(TypedDict, total=False):
    """A row as Retreaver sends it; the keys `pbm_…` only where payout bid modification is on."""

    call_uuid: str
    uuid: str
    postback_key_id: int | None
    caller_number: str | None
    affiliate_id: int | None
    campaign_id: int | None
    target_id: int | None
    revenue: float | None
    payout: float | None
    status: str
    duplicate_order: int
    duplicate_original_uuid: str
    caller_state: str | None
    caller_city: str | None
    caller_zip: str | None
    caller_country: str | None
    created_at: str
    confirmed_at: str | None
    ended_at: str | None
    time_to_resolve: float | None
    fired_pixels_count: int
    fired_pixels_error_count: int
    pbm_table_version: str
    pbm_rule_id: int
    pbm_bucket: int
    pbm_variant: str
    pbm_original_payout: float
    pbm_percent_of_revenue: float


class ExportJob(TypedDict, total=False):
    """An export job as Retreaver sends it; there is no partial progress, so only `in_progress` says when it ends."""

    id: int
    export_count: int | None
    export_progress: int
    export_percentage: float
    format: str
    file_upload_url: str | None
    in_progress: bool
    errors: dict[str, object] | list[object]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """Where the file of a job is; whoever knows the address can read the file.

    :param url: of the file, on another host; never log it, and never send the API key to it.
    """

    url: str = field(repr=False)


def list_rtb_inbounds(
    *,
    campaign_id: Ids | None = None,
    affiliate_id: Ids | None = None,
    target_id: Ids | None = None,
    postback_key_id: Ids | None = None,
    status: str | Iterable[str] | None = None,
    duplicate: bool | None = None,
    caller_state: str | None = None,
    caller_country: str | None = None,
    revenue: tuple[Amount, Amount] | None = None,
    payout: tuple[Amount, Amount] | None = None,
    created_at: str | None = None,
    created_at_start: Timestamp | None = None,
    created_at_end: Timestamp | None = None,
) -> Listing:
    """List the log of real-time bidding, 100 rows a page.

    Retreaver drops IDs that the API key may not see from the filter; a row that was not asked for is an error. The
    order of rows is not documented. Retreaver's reference: "Get all RTB Inbounds".

    :param campaign_id: only pings of these campaigns (Retreaver's own IDs, as all of these).
    :param affiliate_id: only pings of these publishers.
    :param target_id: only pings that these targets won.
    :param postback_key_id: only pings with these postback keys.
    :param status: `expired`, `claimed`, `no-target`, `rejected`, or several of them.
    :param duplicate: only duplicates, or only others.
    :param caller_state: two letters.
    :param caller_country: two letters.
    :param revenue: the least and the most.
    :param payout: the least and the most.
    :param created_at: a relative window, such as `last_7d`; instead of the following two.
    :param created_at_start: only pings from then on; RFC 3339 with an offset, an aware datetime, or a date (midnight
        UTC).
    :param created_at_end: only pings before; at most two months later.
    :return: a listing of `RtbInbound` rows.
    :raises InvalidArgument: naming the filter that is not valid.
    """
    filters = InboundFilters.of(
        {
            "campaign_id": campaign_id,
            "affiliate_id": affiliate_id,
            "target_id": target_id,
            "postback_key_id": postback_key_id,
            "status": status,
            "duplicate": duplicate,
            "caller_state": caller_state,
            "caller_country": caller_country,
            "revenue": revenue,
            "payout": payout,
        }
    )
    window = InboundWindow.of(created_at, created_at_start, created_at_end)
    request = Request("GET", LOG, (*filters.pairs(), *window.as_dict().items()))
    read = partial(_read_rows, filters, window)
    return Listing(request, "RTB inbound", key="uuid", page_size=PAGE_SIZE, read=read)


def get_rtb_inbound_choices() -> Operation[dict[str, Any]]:
    """Get every value that the filters can have in the account.

    Retreaver's reference: "Get all RTB Inbounds" (`with_filters`), which does not show the shape of the answer.

    :return: campaigns, publishers, targets, keys and statuses, as Retreaver sends them.
    """
    return Operation(Request("GET", LOG, (("with_filters", "true"),)), _read_choices)


def create_rtb_inbound_export(
    *,
    filters: Mapping[str, object] | None = None,
    created_at: str | None = None,
    created_at_start: Timestamp | None = None,
    created_at_end: Timestamp | None = None,
) -> Operation[ExportJob]:
    """Create an export job: a gzip CSV of the log, made in the background.

    Filters that Retreaver refuses show in the job's `errors`. Retreaver's reference: "Create an export".

    :param filters: those of `list_rtb_inbounds` by name.
    :param created_at: a relative window, such as `last_7d`; instead of the following two.
    :param created_at_start: only pings from then on; RFC 3339 with an offset, an aware datetime, or a date (midnight
        UTC).
    :param created_at_end: only pings before; at most two months later.
    :return: an `ExportJob`.
    :raises InvalidArgument: naming the parameter that is not valid, or when there is no window.
    """
    window = InboundWindow.of(created_at, created_at_start, created_at_end).as_dict()
    if not window:
        raise InvalidArgument("An export needs created_at, or created_at_start and created_at_end.")
    body = {"export": {"format": "csv", "params": {**InboundFilters.of(filters or {}).as_dict(), **window}}}
    return Operation(Request("POST", f"{JOBS}.json", body=body), _read_job)


def get_rtb_inbound_export(id: Id) -> Operation[ExportJob]:  # noqa: A002 - Retreaver's name
    """Get an export job.

    Retreaver's reference: "Check an export's status".

    :param id: of the job.
    :return: an `ExportJob`; with `in_progress` false it has ended, well or not.
    """
    return Operation(Request("GET", f"{JOBS}/{segment(id, 'export id')}.json"), _read_job)


def locate_rtb_inbound_file(job: ExportJob) -> Operation[ExportFile]:
    """Ask where the file of an export job is.

    The API answers with a redirect to another host. It is not followed, so that the key does not get there.
    Retreaver's reference: "Download the export".

    :param job: that has a `file_upload_url`.
    :return: an `ExportFile`.
    :raises ProtocolError: when its `file_upload_url` is no path on the API's host.
    """
    path = job.get("file_upload_url")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        request = Request("GET", f"{JOBS}/{job.get('id')}.json")
        raise protocol_error(
            request, Response(200, {}, b""), f"has the file_upload_url {quoted(path)}, which is no path of the API"
        )
    return Operation(Request("GET", path, redirects=True), _read_location)


def _read_rows(
    filters: InboundFilters, window: InboundWindow, request: Request, response: Response, envelope: str
) -> tuple[list[Row], None]:
    body = json_body(request, response)
    rows = body.get("rtb_inbounds") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise protocol_error(request, response, f"holds no 'rtb_inbounds' with {envelope}s")
    asked_at = http_date(response.headers.get("date", ""))
    for row in rows:
        name = window.excludes(row, asked_at) or filters.mismatch(row)
        if name is not None:
            raise protocol_error(
                request,
                response,
                f"contains {envelope} {quoted(row.get('uuid'))}, which does not match the filter {name} (Retreaver "
                f"drops IDs that the key may not see)",
            )
    return rows, None


def _read_choices(request: Request, response: Response) -> dict[str, Any]:
    body = json_body(request, response)
    found = body.get("filters") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise protocol_error(request, response, "holds no 'filters' object")
    return found


def _read_job(request: Request, response: Response) -> ExportJob:
    body = json_body(request, response)
    inner = body.get("export", body) if isinstance(body, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("id"), (int, str)):
        raise protocol_error(request, response, "holds no export job with an id")
    if not isinstance(inner.get("in_progress"), bool):
        raise protocol_error(request, response, "does not say whether the export job is in progress")
    job: ExportJob = {**inner}  # type: ignore[typeddict-item]
    return job


def _read_location(request: Request, response: Response) -> ExportFile:
    location = response.headers.get("location", "")
    if not location:
        raise protocol_error(request, response, "is no redirect to a file")
    return ExportFile(location)
