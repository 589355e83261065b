"""Targets: the buyers' phone numbers that calls are routed to (Retreaver's reference: "Targets", "Target API")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Attributes, Check, Id, Resource, anything, at_least_0


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


class Conversion(TypedDict, total=False):
    """What a call of so many seconds earns; revenue is in the currency of the account."""

    id: int
    type: str | None
    seconds: int
    revenue: float
    payout: float
    payout_modifier: str | None
    postback_timeout: int
    match_trigger: str | None


class ConversionGroup(TypedDict, total=False):
    """Conversions of a target, deduplicated together."""

    id: int
    name: str
    conversion_type: str
    dedupe_seconds: int
    eval_order: int
    postback: bool
    postback_uuid: str | None
    tag_values: list[TagValue]
    conversions: list[Conversion]


# "Conversion groups": the windows that Retreaver takes; -1 is forever.
_DAY = 86_400
DEDUPE_SECONDS = (
    *(0, 3_600, 7_200, 21_600, 43_200),
    *(days * _DAY for days in (1, 2, 3, 4, 7, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330)),
    *(31_556_952, 315_569_520, -1),
)


class GroupOfTarget(TypedDict, total=False):
    """A target group as a target lists it."""

    id: int
    name: str
    target_ids: list[int]
    concurrency_cap: int | None
    calls_in_progress: int
    behavior: int
    priority: int | None
    weight: int | None


class Target(TypedDict, total=False):
    """A target as Retreaver sends it; further keys may be present, and lists may leave out the nested ones.

    The customer's ID comes as `tid`, in the answer to a create as `client_tid`.
    """

    id: int
    tid: str | None
    client_tid: str | None
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
    conversion_groups: list[ConversionGroup]
    target_group_ids: list[int]
    target_groups: list[GroupOfTarget]
    created_at: str
    updated_at: str


_PLACEHOLDER = re.compile(r"\[[^\[\]]*\]")


def is_placeholder(number: object) -> bool:
    """Return whether the number of a target stands for one that comes with a bid.

    :param number: of a target, e.g. `[number]`.
    :return: True for a text in brackets.
    """
    return isinstance(number, str) and _PLACEHOLDER.fullmatch(number.strip()) is not None


def cap(value: object, name: str) -> None:
    """Refuse a cap that is neither a count nor None (no cap).

    :param value: `{"cap": n}`.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    if not isinstance(value, Mapping) or "cap" not in value:
        raise InvalidArgument(f"{name} must be a mapping with the key cap, like {{'cap': 100}}.")
    if value["cap"] is not None:
        checks.whole(value["cap"], f"{name}: cap", 0)


def conversion_groups(value: object, name: str) -> None:
    """Refuse conversion groups with an undocumented type or window; a row with an `id` changes that group.

    :param value: rows of conversion groups.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    for row in checks.rows_of(value, name):
        if row.get("_destroy"):
            if "id" not in row:
                raise InvalidArgument(f"{name}: a group to delete needs its id.")
            continue
        if "conversion_type" in row:
            parameters.one_of(row["conversion_type"], ("timer",), f"{name}: conversion_type")
        if "dedupe_seconds" in row:
            parameters.one_of(row["dedupe_seconds"], DEDUPE_SECONDS, f"{name}: dedupe_seconds")
        for conversion in checks.rows_of(row.get("conversions_attributes", []), f"{name}: conversions_attributes"):
            if "seconds" in conversion:
                checks.whole(conversion["seconds"], f"{name}: seconds", 0)


# Attributes that targets and target groups share.
CAPS: dict[str, Check] = {
    "hard_cap_attributes": cap,
    "hourly_cap_attributes": cap,
    "daily_cap_attributes": cap,
    "monthly_cap_attributes": cap,
    "concurrency_cap": at_least_0,
}
TARGETS: Resource[Target] = Resource(
    "targets",
    "target",
    attributes={
        "name": anything,
        "number": anything,
        "sip_username": anything,
        "sip_password": anything,
        "cid_number_id": anything,
        "obfuscate_cid": checks.truth,
        "tid": anything,
        "client_tid": anything,
        "priority": at_least_0,
        "weight": at_least_0,
        "timeout_seconds": at_least_0,
        "inband_signals": checks.truth,
        "timer_offset": anything,
        "send_digits": anything,
        "paused": checks.truth,
        "time_zone": anything,
        "business_hours_attributes": checks.business_hours,
        "tag_list": checks.tag_list,
        "conversion_groups_attributes": conversion_groups,
        **CAPS,
    },
    required=("number",),
    accessor="tid",
    # The newer documents call the customer's ID client_tid in bodies, the older ones tid.
    renamed={"tid": ("client_tid", "tid"), "client_tid": ("client_tid", "tid")},
    # The table of parameters has inverted, the examples of requests and answers have invert.
    named_twice={"business_hours_attributes": ("invert", "inverted")},
)


def list_targets() -> Listing:
    """List all targets of the company, 25 a page.

    Retreaver's reference: "Get all Targets".

    :return: a listing of `Target` rows; a row may lack `caps`, `business_hours` and `tag_values`.
    """
    return TARGETS.listing()


def get_target(*, id: Id | None = None, tid: str | None = None) -> Operation[Target]:  # noqa: A002
    """Get one target.

    Retreaver's reference: "Get a specific Target".

    :param id: Retreaver's own ID, or
    :param tid: the customer's ID; exactly one of the two is given.
    :return: a `Target`.
    :raises InvalidArgument: when none or both are given, or one is blank.
    """
    return TARGETS.get(id, tid)


def create_target(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Target]:
    """Create a target; it is open around the clock unless hours are given.

    Retreaver's reference: "Create a Target".

    :param attributes: `number` (required; E.164, `sip:user@domain`, or a placeholder such as `[number]` for a number
        that comes with a bid), `name`, `tid`, `priority`, `weight`,
        `timeout_seconds`, `timer_offset`, `inband_signals`, `send_digits`, `sip_username`, `sip_password`, `paused`,
        `time_zone` (Rails name), `concurrency_cap`, the four `*_cap_attributes` (`{"cap": n}`),
        `business_hours_attributes`, `tag_list`, `conversion_groups_attributes`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Target`.
    :raises InvalidArgument: when an attribute is unknown or wrong, a conversion group lacks its `conversion_type`, or
        the number is missing.
    """
    operation = TARGETS.create(attributes, undocumented)
    name = "conversion_groups_attributes"
    for row in checks.rows_of(attributes.get(name) or [], name):
        if not row.get("conversion_type"):
            raise InvalidArgument(f"{name}: a new group needs its conversion_type, which is timer.")
    return operation


def update_target(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    tid: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Target]:
    """Change attributes of a target.

    A row of business hours or of conversion groups is changed by sending its `id`: without it, it is added.
    `tag_list` replaces all tags. Retreaver's reference: "Update a Target".

    :param attributes: to change; see `create_target`.
    :param id: Retreaver's own ID, or
    :param tid: the customer's ID; exactly one of the two is given.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Target`.
    """
    return TARGETS.update(attributes, id, tid, undocumented)


def delete_target(*, id: Id | None = None, tid: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete a target.

    Retreaver's reference: "Remove a Target".

    :param id: Retreaver's own ID, or
    :param tid: the customer's ID; exactly one of the two is given.
    :return: an operation without a result.
    """
    return TARGETS.delete(id, tid)


def reset_cap(id: Id) -> Operation[None]:  # noqa: A002
    """Set the count of a target's hard cap to 0.

    Sending it twice loses the calls that were counted in between, so it is not repeated: when its answer is lost,
    `OutcomeUnknown` is raised. Retreaver's reference: "Resetting a Hard Cap", which promises no body.

    :param id: Retreaver's own ID of the target.
    :return: an operation without a result.
    """
    return Operation(Request("POST", f"/targets/{segment(id, 'target id')}/reset_cap.json"), read_nothing)
