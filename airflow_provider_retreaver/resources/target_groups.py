"""Target groups: buyers that are routed to together (vendor's reference: "Target Groups")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_item, read_nothing
from airflow_provider_retreaver.resources.targets import Cap


class TargetGroup(TypedDict, total=False):
    """A target group as the vendor sends it; further keys may be present."""

    id: int
    name: str
    target_ids: list[int]
    concurrency_cap: int | None
    calls_in_progress: int
    behavior: int
    priority: int | None
    weight: int | None
    caps: list[Cap]


def list_target_groups() -> Listing:
    """List all target groups of the company, 25 a page ("Get all Target Groups").

    :return: a listing of `TargetGroup` rows.
    """
    return Listing(Request("GET", "/target_groups.json"), "target_group")


def get_target_group(id: int | str) -> Operation[Row]:  # noqa: A002
    """Get one target group ("Get a specific Target Group").

    :return: a `TargetGroup`.
    """
    return Operation(
        Request("GET", f"/target_groups/{segment(id, 'target group id')}.json"), read_item("target_group")
    )


def reset_cap(id: int | str) -> Operation[None]:  # noqa: A002
    """Set the counts of the group's hard cap and of all its targets' hard caps to 0.

    Vendor's reference: "Resetting all Hard Caps on Targets in a Target Group". See `targets.reset_cap` for what
    happens when the answer is lost.
    """
    return Operation(Request("POST", f"/target_groups/{segment(id, 'target group id')}/reset_cap.json"), read_nothing)
