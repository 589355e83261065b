"""What the generic operators share: which resource, which object, and parameters that came out of a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, identifier, mapping

if TYPE_CHECKING:
    from airflow_provider_retreaver.resources.entry import Entry, Which


def entry_for(resource: Any, verb: str) -> Entry:
    """Return a resource that has a verb.

    :raises InvalidArgument: when there is no such resource, or the vendor does not have that verb for it.
    """
    from airflow_provider_retreaver.resources.registry import entry_of

    entry = entry_of(resource)
    entry.function(verb)
    return entry


def which(resource_id: Any, customer_id: Any, owner: Any) -> Which:
    """Return which object is meant; blank texts, as templates may render, are refused.

    :raises InvalidArgument: naming the parameter.
    """
    from airflow_provider_retreaver.resources.entry import Which

    return Which(
        identifier(resource_id, "resource_id"), identifier(customer_id, "customer_id"), mapping(owner, "list_owner")
    )


def attributes_of(value: Any) -> dict[str, Any]:
    """Return attributes, and have the secrets among them masked in everything that is written from now on.

    :raises InvalidArgument: when they are no mapping.
    """
    attributes = mapping(value, "attributes")
    _hide(attributes)
    return attributes


def told_of(entry: Entry, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the events of the outlets say about a result: no values, and no phone number in an ID's place."""
    return {
        "resource": entry.name,
        "action": result["action"],
        "id": result["id"] if entry.key == "id" else None,
        "fields": sorted(result.get("changed", ())),
        "dry_run": result.get("dry_run", False),
    }


def confirmed(warning: str | None, confirm: Any) -> None:
    """Refuse what needs a confirmation and has none.

    :param warning: why it needs one, as a sentence; None when it does not.
    :raises InvalidArgument: with the reason.
    """
    if warning is not None and not flag(confirm, "confirm"):
        raise InvalidArgument(f"{warning} Set confirm=True if that is meant; nothing was sent.")


def _hide(attributes: Mapping[str, Any]) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_retreaver.core.secrets import LEAST_LENGTH, Secret, remember

    for name, value in attributes.items():
        if name.endswith("password") and isinstance(value, str) and len(value) >= LEAST_LENGTH:
            remember([Secret(value)])
            mask_secret(value)
