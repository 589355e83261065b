"""Target groups: buyers that are routed to together (Retreaver's reference: "Target Groups")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, segment
from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything, at_least_0
from airflow_provider_retreaver.resources.targets import CAPS, Cap


class TargetOfGroup(TypedDict, total=False):
    """A target as a target group lists it."""

    id: int
    number: str
    name: str | None
    priority: int
    weight: int


class TargetGroup(TypedDict, total=False):
    """A target group as Retreaver sends it; `behavior` 1 dials separately, 2 dials all at once (simuldial)."""

    id: int
    name: str
    target_ids: list[int]
    targets: list[TargetOfGroup]
    concurrency_cap: int | None
    calls_in_progress: int
    behavior: int
    priority: int | None
    weight: int | None
    caps: list[Cap]


def behavior(value: object, name: str) -> None:
    """Refuse a behavior that is neither 1 (separately) nor 2 (simuldial).

    :param value: of the attribute.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    parameters.one_of(value, (1, 2), name)


def target_ids(value: object, name: str) -> None:
    """Refuse anything but a list of Retreaver's own target IDs.

    :param value: of the attribute.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    if not isinstance(value, (list, tuple)):
        raise InvalidArgument(f"{name} must be a list of target IDs, not {type(value).__name__}.")
    for item in value:
        checks.whole(item, name, 1)


TARGET_GROUPS: Resource[TargetGroup] = Resource(
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
    """List all target groups of the company, 25 a page.

    Retreaver's reference: "Get all Target Groups".

    :return: a listing of `TargetGroup` rows.
    """
    return TARGET_GROUPS.listing()


def get_target_group(id: Id) -> Operation[TargetGroup]:  # noqa: A002
    """Get one target group.

    Retreaver's reference: "Get a specific Target Group".

    :param id: Retreaver's own ID.
    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.get(id)


def create_target_group(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[TargetGroup]:
    """Create a target group.

    Retreaver's reference: "Create a Target Group".

    :param attributes: `name` (required), `target_ids`, `behavior` (1 separately, 2 simuldial), `priority` and
        `weight` (with behavior 2), `concurrency_cap`, the four `*_cap_attributes`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.create(attributes, undocumented)


def update_target_group(
    attributes: Attributes,
    *,
    id: Id,  # noqa: A002
    undocumented: Attributes | None = None,
) -> Operation[TargetGroup]:
    """Change attributes of a target group.

    Retreaver's reference: "Update a Target Group", "Adding Targets to a Target Group" …

    :param attributes: those of `create_target_group`, where `target_ids` replaces the whole list, and
        `add_targets_by_id` and `remove_targets_by_id`, which keep what others add or remove at the same time.
    :param id: Retreaver's own ID.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `TargetGroup`.
    """
    return TARGET_GROUPS.update(attributes, id, undocumented=undocumented)


def delete_target_group(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a target group; its targets stay.

    Retreaver's reference: "Delete a Target Group".

    :param id: Retreaver's own ID.
    :return: an operation without a result.
    """
    return TARGET_GROUPS.delete(id)


def reset_cap(id: Id) -> Operation[None]:  # noqa: A002
    """Set the counts of the group's hard cap and of all its targets' hard caps to 0.

    See `targets.reset_cap` for what happens when the answer is lost.
    Retreaver's reference: "Resetting all Hard Caps on Targets in a Target Group".

    :param id: Retreaver's own ID of the group.
    :return: an operation without a result.
    """
    return Operation(Request("POST", f"/target_groups/{segment(id, 'target group id')}/reset_cap.json"), read_nothing)
