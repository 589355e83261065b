"""The result of a create: the IDs of the object, and its attributes as changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.resources.comparison import mask_secrets
from airflow_provider_retreaver.domain.resources.result import AttributeChange, ObjectResult
from airflow_provider_retreaver.resources.entry import Entry
from airflow_provider_retreaver.resources.resource import Id


def identifiers(entry: Entry, row: Mapping[str, object]) -> tuple[Id | None, Id | None]:
    """Return an object's own ID and the customer's.

    :param entry: the resource.
    :param row: the object as Retreaver returns it.
    :return: Retreaver's ID and the customer's; either may be None.
    """
    names: tuple[str, ...] = ()
    if entry.has_customer_id:
        names = (str(entry.natural_key), f"client_{entry.natural_key}")
    elif entry.row_key != "id":
        names = (entry.row_key,)
    customer_id = next((row[name] for name in names if name in row), None)
    return cast("Id | None", row.get("id")), cast("Id | None", customer_id)


def changes_of_new_object(entry: Entry, attributes: Mapping[str, object]) -> dict[str, AttributeChange]:
    """Return the attributes of a new object as changes.

    :param entry: the resource.
    :param attributes: of the object.
    :return: `{attribute: {"before": None, "after"}}`, with secrets masked and addresses counted only.
    """
    shown = entry.without_addresses(attributes)
    return {name: {"before": None, "after": mask_secrets(value, name)} for name, value in shown.items()}


def result_of_create(entry: Entry, row: Row, attributes: Mapping[str, object]) -> ObjectResult:
    """Return the result of a create.

    :param entry: the resource.
    :param row: the object as Retreaver returns it.
    :param attributes: as requested.
    :return: the IDs, the attributes as changes, and the object.
    """
    id_, customer_id = identifiers(entry, row)
    return {
        "id": id_,
        "customer_id": without_secrets(customer_id),
        "action": "created",
        "changed": changes_of_new_object(entry, attributes),
        "not_compared": [],
        "object": mask_secrets(entry.without_addresses(row)),
    }


def result_of_dry_create(entry: Entry, customer_id: Id | None, attributes: Mapping[str, object]) -> ObjectResult:
    """Return the result of a create that a dry run does not send.

    :param entry: the resource.
    :param customer_id: of the object, where it has one.
    :param attributes: as requested.
    :return: the attributes as changes.
    """
    return {
        "id": None,
        "customer_id": without_secrets(customer_id),
        "action": "would_create",
        "changed": changes_of_new_object(entry, attributes),
        "not_compared": [],
        "dry_run": True,
    }
