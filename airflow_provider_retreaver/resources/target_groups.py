"""Target groups: buyers that are routed to together (vendor's reference: "Target Groups")."""

from __future__ import annotations

from typing import Any, TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_nothing
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything, at_least_0
from airflow_provider_retreaver.resources.targets import CAPS, Cap


class TargetGroup(TypedDict, total=False):
    """A target group as the vendor sends it; `behavior` 1 dials separately, 2 dials all at once (simuldial)."""

    id: int
    name: str
    target_ids: list[int]
    concurrency_cap: int | None
    calls_in_progress: int
    behavior: int
    priority: int | None
    weight: int | None
    caps: list[Cap]


def behavior(value: Any, name: str) -> None:
    """Refuse a behavior that is neither 1 (separately) nor 2 (simuldial)."""
    parameters.one_of(value, (1, 2), name)


def target_ids(value: Any, name: str) -> None:
    """Refuse anything but a list of Retreaver's own target IDs."""
    if not isinstance(value, (list, tuple)):
        raise InvalidArgument(f"{name} must be a list of target IDs, not {type(value).__name__}.")
    for item in value:
        checks.whole(item, name, 1)


TARGET_GROUPS = Resource(
    "target_groups",
    "target_group",
    attributes={
        "name": anything,
        "priority": at_least_0,
        "weight": at_least_0,
        "behavior": behavior,
        "target_ids": target_ids,
        "add_targets_by_id": target_ids,
        "remove_targets_by_id": target_ids,
        **CAPS,
    },
    required=("name",),
)


def list_target_groups() -> Listing:
    """List all target groups of the company, 25 a page ("Get all Target Groups").

    :return: a listing of `TargetGroup` rows.
    """
    return TARGET_GROUPS.listing()


def get_target_group(id: Id) -> Operation[Row]:  # noqa: A002
    """Get one target group ("Get a specific Target Group").

    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.get(id)


def create_target_group(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Row]:
    """Create a target group ("Create a Target Group").

    :param attributes: `name` (required), `target_ids`, `behavior` (1 separately, 2 simuldial), `priority` and
        `weight` (with behavior 2), `concurrency_cap`, the four `*_cap_attributes`.
    :param undocumented: attributes to send that the vendor does not document.
    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.create(attributes, undocumented)


def update_target_group(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[Row]:
    """Change attributes of a target group ("Update a Target Group", "Adding Targets to a Target Group" …).

    :param attributes: those of `create_target_group`, where `target_ids` replaces the whole list, and
        `add_targets_by_id` and `remove_targets_by_id`, which change it beside other writers.
    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.update(attributes, id, undocumented=undocumented)


def delete_target_group(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a target group ("Delete a Target Group"); its targets stay."""
    return TARGET_GROUPS.delete(id)


def reset_cap(id: Id) -> Operation[None]:  # noqa: A002
    """Set the counts of the group's hard cap and of all its targets' hard caps to 0.

    Vendor's reference: "Resetting all Hard Caps on Targets in a Target Group". See `targets.reset_cap` for what
    happens when the answer is lost.
    """
    return Operation(Request("POST", f"/target_groups/{segment(id, 'target group id')}/reset_cap.json"), read_nothing)
