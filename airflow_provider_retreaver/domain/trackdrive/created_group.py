"""The result of creating a buyer group, in the shape that every change of one has."""

from __future__ import annotations

from typing import NotRequired, cast

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import FieldChange, format_value
from airflow_provider_retreaver.domain.changes.report import ChangeReport, ChangeResult
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.resources.result import Action, ObjectResult
from airflow_provider_retreaver.resources.resource import Id
from airflow_provider_retreaver.resources.trackdrive.checks import read_number


class CreateResult(ChangeResult):
    """The result of a create: that of every run of changes, and what `ObjectResult` has of the one group."""

    id: Id | None
    customer_id: Id | None
    action: Action
    not_compared: list[str]
    not_taken: NotRequired[list[str]]
    object: NotRequired[Row]
    created_meanwhile: NotRequired[list[Id]]


def with_rows(created: ObjectResult) -> CreateResult:
    """Return the result of a create with rows for its attributes.

    :param created: as the create returned it, whose `changed` is by attribute.
    :return: the same with the rows `changed` (of a dry run `would_change`), `unchanged` and `failed`; attributes that
        are read back otherwise than requested are a failure, as they are after a change.
    """
    attributes, not_taken = created["changed"], created.get("not_taken", [])
    number, row = read_number(created["id"]), created.get("object", {})
    name = attributes["name"]["after"] if "name" in attributes else None
    key = ObjectKey("buyer group", number if isinstance(number, int) else None, name=str(name))
    report = ChangeReport({key: row})
    changes = [
        FieldChange(field, one["before"], one["after"]) for field, one in attributes.items() if field not in not_taken
    ]
    if created.get("dry_run"):
        report.would_change(key, changes)
    elif changes:
        report.changed(key, changes)
    if not_taken:
        shown = ", ".join(f"{field} is {format_value(attributes[field]['after'])}" for field in not_taken)
        report.fail(
            key,
            f"It was created, but not all of it is read back as requested: {shown}. Set it with the operator that "
            f"changes groups.",
        )
    return cast("CreateResult", {**created, **report.as_json()})
