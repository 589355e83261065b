"""Targets: the buyers' phone numbers that calls are routed to (vendor's reference: "Targets", "Target API")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_item, read_nothing


class Cap(TypedDict, total=False):
    """One of the four caps of a target or group; `cap` None is no cap, `type` is Hard, Hourly, Daily or Monthly."""

    id: int
    filled: int
    cap: int | None
    type: str


class BusinessHour(TypedDict, total=False):
    """One row of business hours: `day_of_week` 0 is Sunday, times are whole numbers HHMM from 0 to 2400."""

    id: int
    target_id: int
    work_day: bool
    time_open: int
    time_close: int
    day_of_week: int
    invert: bool
    created_at: str
    updated_at: str


class TagValue(TypedDict, total=False):
    """One tag of a target or contact."""

    id: int
    key: str
    value: str
    operator: str


class Target(TypedDict, total=False):
    """A target as the vendor sends it; further keys may be present, and lists may leave out the nested ones."""

    id: int
    tid: str | None
    name: str | None
    number: str
    sip_username: str | None
    sip_password: str | None
    cid_number_id: int | None
    obfuscate_cid: bool
    object_key: str
    priority: int
    weight: int
    timeout_seconds: int
    timer_offset: int
    send_digits: str | None
    concurrency_cap: int | None
    calls_in_progress: int
    inband_signals: bool
    time_zone: str
    paused: bool
    paused_at: str | None
    caps: list[Cap]
    business_hours: list[BusinessHour]
    tag_values: list[TagValue]
    target_group_ids: list[int]
    created_at: str
    updated_at: str


def list_targets() -> Listing:
    """List all targets of the company, 25 a page ("Get all Targets").

    :return: a listing of `Target` rows; a row may lack `caps`, `business_hours` and `tag_values`.
    """
    return Listing(Request("GET", "/targets.json"), "target")


def get_target(*, id: int | str | None = None, tid: str | None = None) -> Operation[Row]:  # noqa: A002
    """Get one target ("Get a specific Target").

    :param id: Retreaver's own ID.
    :param tid: the customer's ID; exactly one of the two is given.
    :return: a `Target`.
    :raises InvalidArgument: when none or both are given, or one is blank.
    """
    return Operation(Request("GET", f"/targets/{_which(id, tid)}.json"), read_item("target"))


def reset_cap(id: int | str) -> Operation[None]:  # noqa: A002
    """Set the count of a target's hard cap to 0 ("Resetting a Hard Cap").

    The answer's body is not promised. Repeating it forgets the calls that were counted in between, so it is never
    repeated blindly: when its answer is lost, `OutcomeUnknown` is raised.

    :param id: Retreaver's own ID of the target.
    """
    return Operation(Request("POST", f"/targets/{segment(id, 'target id')}/reset_cap.json"), read_nothing)


def _which(id: int | str | None, tid: str | None) -> str:  # noqa: A002
    if (id is None) == (tid is None):
        raise InvalidArgument("Name a target by its id or by its tid: exactly one of the two.")
    return segment(id, "target id") if tid is None else f"tid/{segment(tid, 'target tid')}"
