"""Reading, changing, upserting and deleting an object, whatever its resource."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

from airflow_provider_retreaver.core.errors import ChangeRefused, Gone, InvalidRequest, NotFound
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.objects.names import (
    FoundNames,
    NamedKind,
    find_named_or_none,
    has_name,
    remember_created,
)
from airflow_provider_retreaver.domain.objects.own_name import other_name, with_name
from airflow_provider_retreaver.domain.objects.suppression_scope import Scope, WantedScope
from airflow_provider_retreaver.domain.resources.comparison import Difference, compare_attributes, mask_secrets
from airflow_provider_retreaver.domain.resources.create_once import create_or_find
from airflow_provider_retreaver.domain.resources.created import (
    identifiers,
    result_of_create,
    result_of_dry_create,
)
from airflow_provider_retreaver.domain.resources.lookup import (
    can_read,
    find_object,
    is_missing,
    natural_key_value,
    read_object,
    read_object_or_none,
    with_natural_key,
)
from airflow_provider_retreaver.domain.resources.result import Action, ObjectResult
from airflow_provider_retreaver.resources.entry import Entry, ObjectReference
from airflow_provider_retreaver.resources.resource import Attributes, Id

log = logging.getLogger(__name__)


def get(entry: Entry, reference: ObjectReference, *, missing_ok: bool = False) -> Procedure[Row | None]:
    """Read one object, with secrets masked.

    :param entry: the resource.
    :param reference: which object.
    :param missing_ok: return None when it does not exist, instead of failing.
    :return: the object; None when it does not exist and `missing_ok` is set.
    :raises NotFound: when it does not exist and `missing_ok` is not set.
    """
    row = yield from (read_object_or_none(entry, reference) if missing_ok else read_object(entry, reference))
    return None if row is None else dict(mask_secrets(row))


def update(
    entry: Entry, reference: ObjectReference, attributes: Attributes, *, dry_run: bool = False
) -> Procedure[ObjectResult]:
    """Read an object, send what differs, and read it back.

    :param entry: the resource.
    :param reference: which object.
    :param attributes: as they should be; others stay.
    :param dry_run: read and compare, send nothing.
    :return: the IDs, `action`, `changed` and `not_compared`, and `not_taken` where Retreaver's object differs still.
    :raises NotFound: when it does not exist.
    :raises ChangeRefused: when the change would lose something, or a nested row fits several.
    """
    entry.update(reference, attributes)
    row = yield from read_object(entry, reference)
    return (yield from _change(entry, reference, row, attributes, dry_run=dry_run))


def upsert(
    entry: Entry,
    value: Id,
    attributes: Attributes,
    owner: Mapping[str, object],
    *,
    dry_run: bool = False,
) -> Procedure[ObjectResult]:
    """Create an object where it does not exist, change only what differs where it does.

    :param entry: the resource.
    :param value: of the natural key, by which it is looked up.
    :param attributes: as they should be; others stay.
    :param owner: of a caller list or of its numbers.
    :param dry_run: look it up and compare, send nothing.
    :return: as `update`; a created one also has `object`.
    :raises ChangeRefused: when the change would lose something, or a nested row fits several.
    """
    complete, first = check_upsert(entry, value, attributes, owner)
    row = yield from find_object(entry, value, owner)
    if row is not None:
        reference = _reference_of(entry, row, value, owner)
        return (yield from _change(entry, reference, row, attributes, dry_run=dry_run))
    creation = entry.create(first, owner)
    if dry_run:
        return result_of_dry_create(entry, value, complete)
    if not entry.create_is_repeatable:
        log.info(
            "The %s does not exist, so it is created. An upsert takes no lease: in the time of one request others "
            "may create the same. Let such tasks share a pool with one slot.",
            entry.describe(_reference_of(entry, {}, value, owner)),
        )
    try:
        row = yield from create_or_find(entry, creation, partial(find_object, entry, value, owner))
    except InvalidRequest:
        found = yield from find_object(entry, value, owner)
        if found is None:
            raise
        reference = _reference_of(entry, found, value, owner)
        log.warning("The %s was created by others at the same moment.", entry.describe(reference))
        return (yield from _change(entry, reference, found, attributes, dry_run=False))
    if len(first) < len(complete):
        rest = {name: item for name, item in complete.items() if name not in first}
        reference = _reference_of(entry, row, value, owner)
        yield entry.update(reference, rest)
        row = yield from read_object(entry, reference)
        row = yield from _with_campaign(entry, complete, row)
    return result_of_create(entry, row, complete)


def check_upsert(
    entry: Entry, value: Id, attributes: Attributes, owner: Mapping[str, object]
) -> tuple[Attributes, Attributes]:
    """Check what an upsert would send, before anything is sent.

    :param entry: the resource.
    :param value: of the natural key.
    :param attributes: as they should be.
    :param owner: of a caller list or of its numbers.
    :return: the attributes with the natural key, and those of them that a create takes.
    :raises InvalidArgument: naming the attribute that is wrong.
    """
    complete = with_natural_key(entry, attributes, value)
    first = {
        name: item
        for name, item in complete.items()
        if entry.create_attributes is None or name in entry.create_attributes
    }
    changes = {name: item for name, item in attributes.items() if name != entry.key}
    if not entry.has("update"):
        entry.create(first, owner)
    elif changes:
        entry.update(_reference_of(entry, {}, value, owner), changes)
    return complete, first


def upsert_named(
    entry: Entry,
    named: tuple[NamedKind, str],
    reference: ObjectReference | None,
    attributes: Attributes,
    known: FoundNames,
    *,
    dry_run: bool = False,
) -> Procedure[ObjectResult]:
    """Change the object that has a name, or create it where no object has it.

    :param entry: the resource.
    :param named: what it is, and its name.
    :param reference: the object that has the name; None where there is none.
    :param attributes: as they should be; others stay.
    :param known: what the run has found by name; a created object is added.
    :param dry_run: read and compare, send nothing.
    :return: as `upsert`.
    :raises InvalidArgument: when the attributes have another name.
    :raises ChangeRefused: when the change would lose something, or a nested row fits several.
    :raises OutcomeUnknown: when the answer to a create was lost, and no object has the name.
    """
    kind, name = named
    complete = with_name(kind, attributes, name)
    if reference is not None:
        row = yield from read_object(entry, reference)
        # A retry has the object of the first attempt, also after others have renamed it.
        if has_name(kind, row, name) and not has_name(kind, {**row, **attributes}, name):
            raise other_name(kind)
        return (yield from _change(entry, reference, row, attributes, dry_run=dry_run))
    creation = entry.create(complete)
    if dry_run:
        return result_of_dry_create(entry, None, complete)
    row = yield from create_or_find(entry, creation, partial(find_named_or_none, kind, name, "object_name"))
    remember_created(kind, name, row, known)
    return result_of_create(entry, row, complete)


def delete(
    entry: Entry,
    reference: ObjectReference,
    *,
    missing_ok: bool = True,
    dry_run: bool = False,
    check: Callable[[Row], None] | None = None,
) -> Procedure[ObjectResult]:
    """Delete an object.

    :param entry: the resource.
    :param reference: which object.
    :param missing_ok: an object that does not exist is success.
    :param dry_run: check whether it exists, send nothing else.
    :param check: refuses the object as it is right before; None where it is not read for that.
    :return: the IDs, and the `action` `deleted`, `missing` (it did not exist) or, of a dry run, `would_delete`.
    :raises NotFound: when it does not exist and `missing_ok` is not set.
    """
    operation = entry.delete(reference)
    try:
        if can_read(entry) and (dry_run or check is not None):
            row = yield from read_object(entry, reference)
            if check is not None:
                check(row)
        if dry_run:
            return _result_of_delete(reference, "would_delete", dry_run=True)
        yield operation
    except (NotFound, Gone) as error:
        if not (missing_ok and is_missing(error, operation)):
            raise
        log.info("The %s does not exist.", entry.describe(reference))
        return _result_of_delete(reference, "missing", dry_run=dry_run)
    return _result_of_delete(reference, "deleted")


def _result_of_delete(reference: ObjectReference, action: Action, *, dry_run: bool = False) -> ObjectResult:
    result: ObjectResult = {
        "id": reference.id,
        "customer_id": without_secrets(reference.customer_id),
        "action": action,
    }
    if dry_run:
        result["dry_run"] = True
    return result


def _change(
    entry: Entry, reference: ObjectReference, row: Row, attributes: Attributes, *, dry_run: bool
) -> Procedure[ObjectResult]:
    description = entry.describe(reference)
    row = yield from _with_campaign(entry, attributes, row)
    difference = compare_attributes(attributes, row, description)
    if difference.refusals:
        raise ChangeRefused(f"Nothing was sent for the {description}: {'; '.join(difference.refusals)}.")
    if not difference.send:
        return _result_of_change(entry, row, "unchanged", difference, dry_run=dry_run)
    operation = entry.update(reference, difference.send)
    if dry_run:
        return _result_of_change(entry, row, "would_update", difference, dry_run=True)
    yield operation
    value = natural_key_value(entry, attributes)
    after = yield from read_object(entry, _reference_of(entry, row, value, reference.owner, reference))
    after = yield from _with_campaign(entry, attributes, after)
    remaining = compare_attributes(attributes, after, description).changed
    for name in difference.changed:
        if name in remaining:
            difference.changed[name]["after"] = remaining[name]["before"]
    result = _result_of_change(entry, after, "updated", difference)
    if remaining:
        log.warning("The %s was changed, but Retreaver did not take over %s.", description, ", ".join(remaining))
        result["not_taken"] = sorted(remaining)
    return result


def _with_campaign(entry: Entry, attributes: Attributes, row: Row) -> Procedure[Row]:
    """Return a suppressed number with its campaign as it is requested, where it is the same one.

    Retreaver takes the customer's ID and returns an integer.
    """
    campaign = attributes.get("campaign_id")
    if entry.name != "suppressed_numbers" or campaign is None:
        return row
    wanted, scope = WantedScope(str(campaign)), Scope.of(row)
    yield from wanted.learn([scope])
    return {**row, "campaign_id": campaign} if wanted.covers(scope) else row


def _result_of_change(
    entry: Entry, row: Row, action: Action, difference: Difference, *, dry_run: bool = False
) -> ObjectResult:
    id_, customer_id = identifiers(entry, row)
    result: ObjectResult = {
        "id": id_,
        "customer_id": without_secrets(customer_id),
        "action": action,
        "changed": mask_secrets(difference.changed),
        "not_compared": difference.not_compared,
    }
    if dry_run:
        result["dry_run"] = True
    return result


def _reference_of(
    entry: Entry,
    row: Mapping[str, object],
    value: Id | None,
    owner: Mapping[str, object],
    reference: ObjectReference | None = None,
) -> ObjectReference:
    """Return how an object that was read is named, also when its customer ID was changed."""
    id_, _ = identifiers(entry, row)
    if entry.key == "id" and id_ is not None:
        return ObjectReference(id=id_)
    if value is None and reference is not None:
        return reference
    if entry.customer_key is not None:
        return ObjectReference(customer_id=value)
    return ObjectReference(id=value, owner=owner)
