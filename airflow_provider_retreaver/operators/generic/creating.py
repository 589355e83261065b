"""The generic operator that creates, once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import InvalidArgument, OutcomeUnknown
from airflow_provider_retreaver.operators.base import DryRuns, RetreaverWriteOperator
from airflow_provider_retreaver.operators.generic.parameters import (
    entry_with,
    event_extra,
    find_values,
    note_entry,
    read_named_attributes,
    read_owner,
    require_confirmation,
)
from airflow_provider_retreaver.operators.run_base import load_record, save_record, turn_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.resources.result import ObjectResult
    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.resources.caller_list_verbs import ListOwner
    from airflow_provider_retreaver.resources.entry import Entry
    from airflow_provider_retreaver.resources.resource_names import ResourceToCreate


class FinalOutcomeUnknown(OutcomeUnknown, AirflowFailException):
    """A create whose answer was lost, and which a retry could not know of: the task fails without trying again."""


class CreatesOnce(DryRuns):
    """Creates an object once, also when an answer is lost or the task is killed in the middle."""

    state_path: str | None

    def create_once(
        self,
        context: Context,
        hook: ClientHook[Any],
        entry: Entry,
        attributes: Mapping[str, object],
        owner: Mapping[str, object] | None = None,
    ) -> ObjectResult:
        """Create an object, or return what an earlier attempt of the same run has created.

        :param context: of the task.
        :param hook: of the account.
        :param entry: the resource.
        :param attributes: of the object.
        :param owner: of a caller list or its numbers.
        :return: the result.
        :raises FinalOutcomeUnknown: when the answer was lost and a retry could not know of it.
        """
        from airflow_provider_retreaver.domain.resources.create_once import Creation
        from airflow_provider_retreaver.storage.run_state import RunState

        dry_run = self.is_dry_run()
        state = RunState(context, f"create_{entry.name}", self.state_path)
        load, save = load_record(state), save_record(state)
        creation = Creation(entry, attributes, owner or {}, record=load(), save=save, reload=load, dry_run=dry_run)
        alone = dry_run or entry.create_is_repeatable
        lost: OutcomeUnknown | None = None
        try:
            with nullcontext() if alone else turn_of(context, hook, creation, self.state_path):
                result = hook.run(creation.procedure())
        except OutcomeUnknown as error:
            if state.lasting or entry.natural_key is not None:
                raise
            lost = error
        if lost is not None:
            raise FinalOutcomeUnknown(lost.message, method=lost.method, path=lost.path)
        note_entry(self, context, hook, entry, result["id"])
        self.log.info("%s: %s %s", result["action"], entry.title, "" if result["id"] is None else result["id"])
        self.update_outlet_events(context, **event_extra(entry, result))
        return result

    def check_retries(self, context: Context, entry: Entry, attributes: Mapping[str, object]) -> None:
        """Refuse to buy or to invite, and warn of creating, what a retry after a lost worker would do again.

        :param context: of the task.
        :param entry: the resource.
        :param attributes: of the object.
        :raises InvalidArgument: when a retry would buy, or invite, again; nothing was sent.
        """
        from airflow_provider_retreaver.storage.run_state import RunState

        if self.is_dry_run() or RunState(context, f"create_{entry.name}", self.state_path).lasting:
            return
        if not self.retries or entry.natural_key is not None:
            return
        again = f"buy a second {entry.title}" if entry.costs_money else None
        if inviting := [name for name in entry.inviting_attributes if attributes.get(name)]:
            again = f"send the invitations of {inviting[0]} again"
        if again is not None:
            raise unremembered(again)
        self.log.warning(
            "This Airflow keeps no state between attempts: a retry after a lost worker would create a second %s; set "
            "state_path.",
            entry.title,
        )


def unremembered(again: str) -> InvalidArgument:
    """Return the error of a task whose retry could not know what an earlier attempt has done.

    :param again: what a retry would do, e.g. `buy a second number`.
    :return: the error.
    """
    return InvalidArgument(
        f"This Airflow keeps no state between attempts, so a retry after a lost worker would {again}: set "
        f"state_path, or retries=0. Nothing was sent."
    )


class RetreaverCreateOperator(CreatesOnce, RetreaverWriteOperator):
    """Create an object of a resource, once.

    An object with a customer ID (or another value that no two share, as a phone number) is looked up before and,
    where the answer was lost, after: one that existed before is refused, so use the upsert where it may exist.
    Numbers, number pools, target groups and companies have no such ID: the list of similar ones (for numbers, of the
    same `cid`, `afid` and `sid`) is read before, and compared with the list after a lost answer, so that one that
    existed before is not mistaken for the new one. The plan is saved in Airflow's task state store (3.3 and later) or
    at `state_path` before anything is created, so that a task that was killed and is tried again does not create, or
    buy, it twice; a run that is cleared after success creates nothing either: trigger a new one.

    When several numbers are bought at once, each needs its own `sid` to be recognized by. Others may create the same
    at the same time: creates of a resource with the same `state_path` take turns, right before a create it is looked
    up again, and one with the same customer ID is refused, or one that equals what the run before it has created.
    Without `state_path` equal ones without such an ID are named in the result (`created_meanwhile`, their IDs). Where
    the list is read, `not_taken` names attributes that are not as requested afterwards.
    Retreaver's reference: the section "Create a …" of each resource.

    Returns `{"id", "customer_id", "action": "created", "changed": {attribute: {"before": None, "after"}},
    "not_compared": [], "object": {…}}`; a dry run has the action `would_create`.

    :param resource: affiliates, campaigns, companies, contacts, numbers, number_pools, static_caller_numbers,
        suppressed_numbers, target_groups, targets, caller_lists or caller_list_numbers.
    :param attributes: as the function of `resources` takes them, e.g. `{"number": "+18668987878", "tid": "A1"}`. They
        take names as those of `RetreaverUpdateOperator` do.
    :param list_owner: of caller_lists `{"target_id": 3}` or `{"campaign_id": 5}`; of caller_list_numbers also
        `"caller_list"`, the list's name. `target_name` and `campaign_name` take names.
    :param confirm: needed for a caller list whose name begins with `accepted`: it blocks every caller not on it.
    :param state_path: folder on object storage for the state of a run, where Airflow has no task state store;
        required there to buy numbers or pools in a task with retries.
    :param dry_run: check whether it could be created; nothing is sent.
    :param retreaver_conn_id: id of a connection of type `retreaver`.
    :raises InvalidArgument: when a parameter is wrong or a confirmation is missing; nothing was sent.
    :raises ChangeRefused: when an object with that customer ID exists already.
    :raises OutcomeUnknown: when the answer was lost, and a check did not find out either.
    :raises RunUnderWay: when another run holds the lease below `state_path` for long, or has taken over.
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
        resource: ResourceToCreate,
        attributes: Mapping[str, object] | str,
        list_owner: ListOwner | str | None = None,
        confirm: bool | str = False,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.resource = resource
        self.attributes = attributes
        self.list_owner = list_owner
        self.confirm = confirm
        self.state_path = state_path

    def execute(self, context: Context) -> ObjectResult:
        """Create the object."""
        with self.connected() as hook:
            entry = entry_with("create", self.resource)
            wanted, owner = read_named_attributes(self.attributes, entry), read_owner(self.list_owner)
            require_confirmation(entry.warning_before_create(wanted.with_stand_ins()), self.confirm)
            entry.create(wanted.with_stand_ins(), owner.with_stand_ins())
            self.check_retries(context, entry, wanted.others)
            find = partial(find_values, hook.run, context, self.state_path, dry_run=self.is_dry_run())
            return self.create_once(context, hook, entry, find(wanted), find(owner))
