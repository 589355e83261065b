"""What the generic operators share: reading the resource, the object and the attributes that are meant."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound
from airflow_provider_retreaver.core.parameters import flag, identifier, is_given, mapping, text
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.name_choice import find_for_run

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.objects.named_values import NamedValues
    from airflow_provider_retreaver.domain.objects.names import FoundNames, NamedKind
    from airflow_provider_retreaver.domain.resources.result import ObjectResult
    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.operators.base import ApiOperator
    from airflow_provider_retreaver.resources.entry import Entry, ObjectReference, Verb

log = logging.getLogger(__name__)


def entry_with(verb: Verb, resource: object) -> Entry:
    """Return a resource that has a verb.

    :param verb: e.g. `update`.
    :param resource: name of the resource, e.g. `targets`.
    :return: its entry in the registry.
    :raises InvalidArgument: when there is no such resource, or Retreaver does not have that verb for it.
    """
    from airflow_provider_retreaver.resources.registry import entry_of

    entry = entry_of(resource)
    entry.function(verb)
    return entry


def read_reference(
    resource_id: object, customer_id: object, owner: Mapping[str, object] | None = None
) -> ObjectReference:
    """Return which object is meant; blank texts, as templates may render, are refused.

    :param resource_id: parameter of the operator.
    :param customer_id: parameter of the operator.
    :param owner: of a caller list, its numbers or a payout table, by ID.
    :return: the reference, which may name no object.
    :raises InvalidArgument: naming the parameter.
    """
    from airflow_provider_retreaver.resources.entry import ObjectReference

    return ObjectReference(
        identifier(resource_id, "resource_id"),
        identifier(customer_id, "customer_id"),
        owner or {},
    )


def read_named(object_name: object, entry: Entry, reference: ObjectReference) -> tuple[NamedKind, str] | None:
    """Return by which name an object is meant; nothing is looked up.

    :param object_name: parameter of the operator.
    :param entry: the resource.
    :param reference: which object is meant by the other parameters.
    :return: what the object is, and its name, in which a comma is a part of it; None where it is not chosen by name.
    :raises InvalidArgument: when the name is blank or came out as "None", the resource has no names, or an ID is
        given as well.
    """
    from airflow_provider_retreaver.domain.objects.names import KINDS

    if object_name is None:
        return None
    if entry.name not in KINDS:
        raise InvalidArgument(
            f"object_name chooses {', '.join(KINDS)}, and {entry.name} have no names that identify them; give the ID."
        )
    if reference.id is not None or reference.customer_id is not None:
        raise InvalidArgument("Give object_name, or an ID, not both: each chooses the object.")
    if not is_given(object_name):
        raise InvalidArgument("object_name is blank, or came out as None; give a name, or an ID.")
    return KINDS[entry.name], text(object_name, "object_name")


def find_reference(named: tuple[NamedKind, str], known: FoundNames) -> Procedure[ObjectReference]:
    """Find an object by its name, by one list.

    :param named: what `read_named` returned.
    :param known: what the run has found before, which is not looked up again; what is found is added.
    :return: the reference, by the customer's ID for campaigns and affiliates, whose lists always show it.
    :raises NotFound: when no object has the name; without a status, which one of Retreaver's answers has.
    :raises InvalidArgument: when several have it.
    """
    from airflow_provider_retreaver.domain.objects.names import AFFILIATE, CAMPAIGN, find_customer_id, find_ids
    from airflow_provider_retreaver.resources.entry import ObjectReference

    kind, name = named
    if kind in (CAMPAIGN, AFFILIATE):
        return ObjectReference(customer_id=(yield from find_customer_id(kind, name, "object_name", known)))
    (id_,) = yield from find_ids(kind, [name], "object_name", known)
    return ObjectReference(id_)


def find_reference_or_none(named: tuple[NamedKind, str], known: FoundNames) -> Procedure[ObjectReference | None]:
    """Find an object by its name, where none may have it.

    :param named: see `find_reference`.
    :param known: see `find_reference`.
    :return: the reference; None when no object has the name.
    :raises NotFound: when there is no such list.
    :raises InvalidArgument: when several have the name.
    """
    try:
        return (yield from find_reference(named, known))
    except NotFound as error:
        if error.status is not None:
            raise
        log.info("%s", error)
        return None


def find_values(
    run: Callable[[Procedure[dict[str, object]]], dict[str, object]],
    context: Context,
    state_path: str | None,
    values: NamedValues,
    *,
    dry_run: bool = False,
) -> dict[str, object]:
    """Find the objects that a mapping chooses by name, once in a run; without names nothing is sent.

    :param run: see `find_for_run`.
    :param context: of the task.
    :param state_path: see `find_for_run`.
    :param values: the mapping.
    :param dry_run: see `find_for_run`.
    :return: the mapping as Retreaver's functions take it.
    :raises NotFound: when no object has one of the names.
    :raises InvalidArgument: when several have one of the names.
    """
    if not values.names:
        return dict(values.others)
    return find_for_run(run, context, state_path, values.find, dry_run=dry_run)


def read_owner(list_owner: object) -> NamedValues:
    """Return where a caller list or a payout table belongs, by ID or by name.

    :param list_owner: parameter of the operator.
    :return: the owner, in which nothing was looked up.
    :raises InvalidArgument: naming the part that is wrong.
    """
    from airflow_provider_retreaver.domain.objects.named_values import LIST_OWNER, NamedValues

    return NamedValues.of(mapping(list_owner, "list_owner"), LIST_OWNER, "list_owner")


def read_named_attributes(value: object, entry: Entry) -> NamedValues:
    """Return attributes, some of which may choose objects by name; see `read_attributes`.

    :param value: parameter of the operator.
    :param entry: the resource.
    :return: the attributes, in which nothing was looked up.
    :raises InvalidArgument: naming the attribute that is wrong.
    """
    from airflow_provider_retreaver.domain.objects.named_values import ATTRIBUTES, NamedValues

    return NamedValues.of(read_attributes(value), ATTRIBUTES.get(entry.name, {}), "attributes")


def read_attributes(value: object) -> dict[str, Any]:
    """Return attributes, and have the secrets among them masked in everything that is written from now on.

    :param value: parameter of the operator: a mapping, or one as rendered text.
    :return: the attributes by name.
    :raises InvalidArgument: when they are no mapping.
    """
    attributes = mapping(value, "attributes")
    _mask_passwords(attributes)
    return attributes


def event_extra(entry: Entry, result: ObjectResult) -> dict[str, Any]:
    """Return what the events of the outlets hold: no values, and no phone number in place of an ID.

    :param entry: the resource.
    :param result: of the operator.
    :return: `{"resource", "action", "id", "fields", "dry_run"}`.
    """
    return {
        "resource": entry.name,
        "action": result["action"],
        "id": result["id"] if entry.key == "id" else None,
        "fields": sorted(result.get("changed", ())),
        "dry_run": result.get("dry_run", False),
    }


def note_entry(operator: ApiOperator, context: Context, hook: ClientHook[Any], entry: Entry, id_: object) -> None:
    """Note for the task's link where an object is shown; none is known by a phone number or a name.

    :param operator: of the task.
    :param context: of the task.
    :param hook: of the account.
    :param entry: the resource.
    :param id_: of the object; None for no link.
    """
    if id_ is not None and entry.key in {"id", "uuid"}:
        note_objects(operator, context, hook, entry.name, (id_,))


def report_change(
    operator: ApiOperator, context: Context, hook: ClientHook[Any], entry: Entry, result: ObjectResult, described: str
) -> None:
    """Log what changed, and pass it on to the task's link and its outlets.

    :param operator: the operator.
    :param context: of the task.
    :param hook: of the account.
    :param entry: the resource.
    :param result: of the task.
    :param described: the object, for the log.
    """
    note_entry(operator, context, hook, entry, result["id"])
    operator.log.info("%s: %s (%s)", result["action"], described, ", ".join(result["changed"]) or "nothing")
    operator.update_outlet_events(context, **event_extra(entry, result))


def require_confirmation(warning: str | None, confirm: object) -> None:
    """Refuse what needs a confirmation and has none.

    :param warning: why it needs one, as a sentence; None when it does not.
    :param confirm: parameter of the operator.
    :raises InvalidArgument: with the reason.
    """
    if warning is not None and not flag(confirm, "confirm"):
        raise InvalidArgument(f"{warning} Set confirm=True if that is meant; nothing was sent.")


def _mask_passwords(attributes: Mapping[str, object]) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_provider_retreaver.core.row_secrets import is_secret_field
    from airflow_provider_retreaver.core.secrets import MIN_LENGTH, Secret, register_secrets

    for name, value in attributes.items():
        if is_secret_field(name) and isinstance(value, str) and len(value) >= MIN_LENGTH:
            register_secrets([Secret(value)])
            mask_secret(value)
