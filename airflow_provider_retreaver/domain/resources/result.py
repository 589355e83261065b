"""What reading, creating, changing and deleting one object returns, as plain JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.resources.resource import Id

Action = Literal[
    "created", "would_create", "updated", "would_update", "unchanged", "deleted", "would_delete", "missing"
]


class AttributeChange(TypedDict):
    """One attribute before and after; secrets are masked."""

    before: object
    after: object


class ObjectResult(TypedDict, total=False):
    """What became of one object.

    `not_compared` names attributes that Retreaver does not return, `not_taken` those that it did not take over;
    `object` is a created object as Retreaver returned it, and `created_meanwhile` has the IDs of equal objects that
    others created while a run was at work.
    """

    id: Id | None
    customer_id: Id | None
    action: Action
    changed: dict[str, AttributeChange]
    not_compared: list[str]
    not_taken: list[str]
    object: Row
    dry_run: bool
    created_meanwhile: list[Id]
