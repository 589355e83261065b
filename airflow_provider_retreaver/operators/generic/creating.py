"""Generic operators that create: once, or where there is none yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, OutcomeUnknown
from airflow_provider_retreaver.core.parameters import flag, identifier, mapping
from airflow_provider_retreaver.operators.base import RetreaverWriteOperator
from airflow_provider_retreaver.operators.generic.parameters import attributes_of, confirmed, entry_for, told_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.resources.entry import Entry
    from airflow_provider_retreaver.storage.run_state import RunMemory


class FinalOutcomeUnknown(OutcomeUnknown, AirflowFailException):
    """A create whose answer was lost, and nothing would tell a retry so: the task fails without trying again."""


class RetreaverCreateOperator(RetreaverWriteOperator):
    """Create an object of a resource, once.

    An object with a customer ID (or another value that no two share, as a phone number) is looked up before and,
    where the answer was lost, after: one that was there before is refused, so use the upsert where it may be.
    Numbers, number pools, target groups and companies have no such ID: the list of those alike (for numbers, of the
    same `cid`, `afid` and `sid`) is read before, and compared with the list after a lost answer, so that one that was
    there before is not taken for the new one. What is about to be created is written down in Airflow's task state
    store (3.3 and later) or `state_path`, so that a task that was killed and is tried again does not create, or buy,
    it twice; a run that is cleared after success creates nothing either: trigger a new one.

    Several numbers that are bought at once need a `sid` each to be told apart.

    Returns `{"id", "customer_id", "action": "created", "changed": {attribute: {"before": None, "after"}},
    "not_compared": [], "object": {…}}`; a dry run has the action `would_create`.

    :param resource: affiliates, campaigns, companies, contacts, numbers, number_pools, static_caller_numbers,
        suppressed_numbers, target_groups, targets, caller_lists or caller_list_numbers.
    :param attributes: as the function of `resources` takes them, e.g. `{"number": "+18668987878", "tid": "A1"}`.
    :param list_owner: of caller lists and their numbers, see `RetreaverGetOperator`.
    :param confirm: needed for a caller list whose name begins with `accepted`: it shuts out everybody not on it.
    :param state_path: folder on object storage for what a run has done, where Airflow has no task state store;
        required there to buy numbers or pools in a task with retries.
    :param dry_run: look whether it could be created; nothing is sent.
    :param retreaver_conn_id: the connection.
    :raises ChangeRefused: when there is one with that customer ID already.
    :raises OutcomeUnknown: when the answer was lost, and looking did not tell either.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "attributes",
        "list_owner",
        "confirm",
        "state_path",
    )

    def __init__(
        self,
        *,
        resource: str,
        attributes: Mapping[str, Any] | str,
        list_owner: Mapping[str, Any] | str | None = None,
        confirm: bool | str = False,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.attributes = attributes
        self.list_owner = list_owner
        self.confirm = confirm
        self.state_path = state_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the object."""
        from airflow_provider_retreaver.domain.changes.record import Record
        from airflow_provider_retreaver.domain.resources.create_once import Creation
        from airflow_provider_retreaver.storage.run_state import RunMemory

        with self.connected() as hook:
            entry = entry_for(self.resource, "create")
            attributes, owner = attributes_of(self.attributes), mapping(self.list_owner, "list_owner")
            dry_run = flag(self.dry_run_only, "dry_run")
            confirmed(entry.creating(attributes), self.confirm)
            memory = RunMemory(context, f"create_{entry.name}", self.state_path)
            if not dry_run:
                self._refuse_forgetting(entry, memory)
            creation = Creation(
                entry,
                attributes,
                owner,
                record=Record.load(memory.load()),
                remember=lambda record: memory.save(record.dump()),
                dry_run=dry_run,
            )
            lost: OutcomeUnknown | None = None
            try:
                result = hook.run(creation.procedure())
            except OutcomeUnknown as error:
                if memory.lasting or entry.natural is not None:
                    raise
                lost = error
            if lost is not None:
                raise FinalOutcomeUnknown(lost.message, method=lost.method, path=lost.path)
        self.log.info("%s: %s %s", result["action"], entry.title, "" if result["id"] is None else result["id"])
        self.tell_outlets(context, **told_of(entry, result))
        return result

    def _refuse_forgetting(self, entry: Entry, memory: RunMemory) -> None:
        if memory.lasting or not self.retries or entry.natural is not None:
            return
        if entry.costs:
            raise InvalidArgument(
                f"This Airflow keeps nothing between attempts, so a retry after a lost worker would buy a second "
                f"{entry.title}: set state_path, or retries=0. Nothing was sent."
            )
        self.log.warning(
            "This Airflow keeps nothing between attempts: a retry after a lost worker would create a second %s; set "
            "state_path.",
            entry.title,
        )


class RetreaverUpsertOperator(RetreaverWriteOperator):
    """Have an object as wanted: look it up, create it where it is not, change only what differs where it is.

    Safe to retry and to clear. It is looked up by the customer ID (`afid`, `cid`, `tid`), of contacts by a phone
    number, of static_caller_numbers, suppressed_numbers and caller_list_numbers by their phone number, of
    caller_lists by name. Numbers, number pools, target groups and companies have no such ID and are refused. How
    attributes are compared, and what is returned, is as for `RetreaverUpdateOperator`; where it was created, as for
    `RetreaverCreateOperator`.

    :param resource: affiliates, campaigns, contacts, static_caller_numbers, suppressed_numbers, targets, caller_lists
        or caller_list_numbers.
    :param customer_id: by which it is looked up; may be left out where the attributes say it.
    :param resource_id: instead, where a phone number or a name stands in the place of an ID.
    :param attributes: to be as given; others stay as they are.
    :param list_owner: of caller lists and their numbers, see `RetreaverGetOperator`.
    :param confirm: needed for a caller list whose name begins with `accepted`: it shuts out everybody not on it.
    :param dry_run: look it up and return what would be done; nothing is sent.
    :param retreaver_conn_id: the connection.
    :raises ChangeRefused: when the change would lose a tag's operator, or it is not clear which row is meant.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        "resource",
        "resource_id",
        "customer_id",
        "attributes",
        "list_owner",
        "confirm",
    )

    def __init__(
        self,
        *,
        resource: str,
        attributes: Mapping[str, Any] | str | None = None,
        resource_id: int | str | None = None,
        customer_id: int | str | None = None,
        list_owner: Mapping[str, Any] | str | None = None,
        confirm: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.attributes = attributes
        self.resource_id = resource_id
        self.customer_id = customer_id
        self.list_owner = list_owner
        self.confirm = confirm

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or change the object."""
        from airflow_provider_retreaver.domain.resources import procedures as resource_changes
        from airflow_provider_retreaver.domain.resources.lookup import with_natural
        from airflow_provider_retreaver.resources.entry import Which

        with self.connected() as hook:
            entry = entry_for(self.resource, "create")
            attributes, owner = attributes_of(self.attributes), mapping(self.list_owner, "list_owner")
            value = self._value(entry, attributes)
            confirmed(entry.creating(with_natural(entry, attributes, value)), self.confirm)
            dry_run = flag(self.dry_run_only, "dry_run")
            result = hook.run(resource_changes.upsert(entry, value, attributes, owner, dry_run=dry_run))
        changed = ", ".join(result["changed"]) or "nothing"
        self.log.info("%s: %s (%s)", result["action"], entry.called(Which(customer_id=value)), changed)
        self.tell_outlets(context, **told_of(entry, result))
        return result

    def _value(self, entry: Entry, attributes: Mapping[str, Any]) -> int | str:
        from airflow_provider_retreaver.domain.resources.lookup import natural_value

        if entry.natural is None:
            raise InvalidArgument(
                f"A {entry.title} has no customer ID by which an upsert could look it up; create it with the create "
                f"operator, or change it by its resource_id with the update operator."
            )
        customer_id = identifier(self.customer_id, "customer_id")
        resource_id = identifier(self.resource_id, "resource_id")
        if resource_id is not None and not entry.named_by_key:
            raise InvalidArgument(
                f"An upsert looks a {entry.title} up by customer_id, not by resource_id, under which none can be "
                f"created; use the update operator for one that is there."
            )
        if customer_id is not None and resource_id is not None:
            raise InvalidArgument("Give customer_id or resource_id, not both.")
        said = identifier(natural_value(entry, attributes), f"{entry.natural} of the attributes")
        value = next((one for one in (customer_id, resource_id, said) if one is not None), None)
        if value is None:
            raise InvalidArgument(
                f"Say which {entry.title} is meant by customer_id ({entry.customer_key or entry.natural})."
            )
        return value
