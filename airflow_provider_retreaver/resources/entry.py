"""What a resource is to the generic operators: its verbs, and how one of its objects is named."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, get_args

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.core.quoting import mask_number, one_line
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource

Verb = Literal["list", "get", "create", "update", "delete"]
VERBS: tuple[Verb, ...] = get_args(Verb)


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """Which object of a resource is meant.

    :param id: Retreaver's own ID, or what takes its place (a call's UUID, a phone number, a list's name).
    :param customer_id: the customer's ID.
    :param owner: of a caller list or of its numbers, see `caller_list_verbs.ListOwner`.
    """

    id: Id | None = None
    customer_id: Id | None = None
    owner: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource.

    :param name: as operators take it, e.g. `targets`.
    :param title: what one object is called in a sentence.
    :param functions: the function of each verb that Retreaver has.
    :param key: parameter of those functions that takes `ObjectReference.id`; None where there is one object only.
    :param customer_key: parameter that takes `ObjectReference.customer_id`.
    :param row_key: field that every row has.
    :param natural_key: attribute of a create by which the object is found again; no two objects share its value.
    :param filter_attributes: attributes of a create that are also filters of the list.
    :param create_attributes: attributes that a create takes, where an update takes others.
    :param has_owner: whether it belongs to a target or campaign that must be named (`list_owner` of operators).
    :param delete_warning: why deleting needs a confirmation, as a sentence.
    :param create_warning: returns why creating with these attributes needs a confirmation, as a sentence.
    :param costs_money: whether creating one costs money.
    :param create_is_repeatable: whether a create may be sent twice.
    :param inviting_attributes: attributes of a create that send e-mails.
    :param address_attributes: lists of people's e-mail addresses, which no result, state or log holds.
    """

    name: str
    title: str
    functions: Mapping[Verb, Callable[..., Any]]
    key: str | None = "id"
    customer_key: str | None = None
    row_key: str = "id"
    natural_key: str | None = None
    filter_attributes: tuple[str, ...] = ()
    create_attributes: frozenset[str] | None = None
    has_owner: bool = False
    delete_warning: str | None = None
    create_warning: Callable[[Attributes], str | None] | None = None
    costs_money: bool = False
    create_is_repeatable: bool = False
    inviting_attributes: tuple[str, ...] = ()
    address_attributes: tuple[str, ...] = ()

    @classmethod
    def of(cls, module: ModuleType, resource: Resource[Any]) -> Entry:
        """Return the entry of a resource whose functions have the usual names (`list_targets`, `get_target` …).

        :param module: that has the functions.
        :param resource: whose names and keys the entry takes over; the accessor is the natural key.
        :return: the entry, with the verbs whose functions the module has.
        """
        names: dict[Verb, str] = {verb: f"{verb}_{resource.envelope}" for verb in VERBS}
        names["list"] = f"list_{resource.name}"
        return cls(
            resource.name,
            resource.title,
            {verb: getattr(module, name) for verb, name in names.items() if hasattr(module, name)},
            key=resource.key,
            customer_key=resource.accessor,
            row_key=resource.row_key,
            natural_key=resource.accessor,
        )

    @property
    def has_customer_id(self) -> bool:
        """Whether rows hold an ID that the customer chose."""
        return self.customer_key is not None and self.customer_key == self.natural_key

    @property
    def key_is_natural(self) -> bool:
        """Whether the customer chooses what takes the place of the ID (a phone number, a name)."""
        return self.natural_key is not None and self.natural_key == self.key

    def has(self, verb: Verb) -> bool:
        """Return whether Retreaver has a verb for this resource.

        :param verb: one of `VERBS`.
        :return: whether there is a function for it.
        """
        return verb in self.functions

    def function(self, verb: Verb) -> Callable[..., Any]:
        """Return the function of a verb.

        :param verb: one of `VERBS`.
        :return: the function, which returns an operation or a listing.
        :raises InvalidArgument: when Retreaver does not have the verb.
        """
        if verb not in self.functions:
            available = ", ".join(name for name in VERBS if name in self.functions)
            raise InvalidArgument(f"Retreaver has no {verb} for {self.name}; it has {available}.")
        return self.functions[verb]

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the list's filters."""
        return tuple(name for name in inspect.signature(self.function("list")).parameters if name != "owner")

    def list(self, filters: Mapping[str, object] | None = None, owner: Mapping[str, object] | None = None) -> Listing:
        """Return the listing.

        :param filters: as the function takes them, e.g. `{"cid": "0044"}` for numbers.
        :param owner: of the numbers of a caller list, see `caller_list_verbs.ListOwner`.
        :return: the listing.
        :raises InvalidArgument: when a filter is unknown, blank, wrong or missing.
        """
        function, values = self.function("list"), dict(filters or {})
        parameters.known(values, self.filters, f"filter of {self.name}")
        for name, value in values.items():
            if isinstance(value, str) and not value.strip():
                raise InvalidArgument(f"The filter {name} is blank; give a value, or leave it out for all.")
        for name, parameter in inspect.signature(function).parameters.items():
            if name != "owner" and parameter.default is parameter.empty and values.get(name) is None:
                raise InvalidArgument(f"The filter {name} is required to list {self.name}.")
        listing: Listing = function(**self._owner(owner), **values)
        return listing

    def get(self, reference: ObjectReference) -> Operation[Row]:
        """Return the operation that reads one object.

        :param reference: which object.
        :return: the operation; its result is the object.
        :raises InvalidArgument: when the object is not named as this resource needs it.
        """
        operation: Operation[Row] = self.function("get")(**self._arguments(reference))
        return operation

    def create(self, attributes: Attributes, owner: Mapping[str, object] | None = None) -> Operation[Row]:
        """Return the operation that creates an object.

        :param attributes: of the new object.
        :param owner: of a caller list or of its numbers, see `caller_list_verbs.ListOwner`.
        :return: the operation; its result is the object.
        :raises InvalidArgument: when an attribute is unknown, wrong or missing.
        """
        function = self.function("create")
        if self.create_attributes is not None:
            parameters.known(attributes, self.create_attributes, f"attribute to create a {self.title} with")
        operation: Operation[Row] = function(attributes, **self._owner(owner))
        return operation

    def update(self, reference: ObjectReference, attributes: Attributes) -> Operation[Row]:
        """Return the operation that changes an object.

        :param reference: which object.
        :param attributes: to change.
        :return: the operation; its result is the object, empty where Retreaver answers without one.
        :raises InvalidArgument: when an attribute is unknown or wrong, or the object is not named as needed.
        """
        operation: Operation[Row] = self.function("update")(attributes, **self._arguments(reference))
        return operation

    def delete(self, reference: ObjectReference) -> Operation[None]:
        """Return the operation that deletes an object.

        :param reference: which object.
        :return: an operation without a result.
        :raises InvalidArgument: when the object is not named as this resource needs it.
        """
        operation: Operation[None] = self.function("delete")(**self._arguments(reference))
        return operation

    def warning_before_create(self, attributes: Attributes) -> str | None:
        """Return why creating an object with these attributes needs a confirmation.

        :param attributes: of the new object.
        :return: a sentence; None when no confirmation is needed.
        """
        return self.create_warning(attributes) if self.create_warning is not None else None

    def without_addresses(self, attributes: Mapping[str, object]) -> Row:
        """Return attributes, or an object, for results, state and logs: of lists of addresses only their length.

        :param attributes: of an object.
        :return: the same, where needed with e.g. `2 addresses` in the place of a list.
        """
        return {
            name: _length(value) if name in self.address_attributes and isinstance(value, (list, tuple)) else value
            for name, value in attributes.items()
        }

    def describe(self, reference: ObjectReference) -> str:
        """Return what an object is called in a sentence, with phone numbers masked.

        :param reference: which object.
        :return: e.g. `target 3` or `target with tid A1`.
        """
        if reference.customer_id is not None:
            name = self.customer_key or self.natural_key
            return f"{self.title} with {name} {_masked_number(name, reference.customer_id)}"
        return f"{self.title} {_masked_number(self.key, reference.id)}" if reference.id is not None else self.title

    def _arguments(self, reference: ObjectReference) -> dict[str, object]:
        owner = self._owner(reference.owner)
        if self.key is None:
            if reference.id is not None or reference.customer_id is not None:
                raise InvalidArgument(f"There is one {self.title}: leave out resource_id and customer_id.")
            return owner
        if reference.customer_id is not None and self.customer_key is None:
            raise InvalidArgument(f"A {self.title} has no customer ID; name it by resource_id ({self.key}).")
        if (reference.id is None) == (reference.customer_id is None):
            either = f" or by customer_id ({self.customer_key})" if self.customer_key else ""
            both = ", not both" if reference.id is not None else ""
            raise InvalidArgument(f"Name the {self.title} by resource_id ({self.key}){either}{both}.")
        if reference.customer_id is not None:
            return {str(self.customer_key): reference.customer_id, **owner}
        return {self.key: reference.id, **owner}

    def _owner(self, owner: Mapping[str, object] | None) -> dict[str, object]:
        if self.has_owner:
            return {"owner": owner or {}}
        if owner:
            raise InvalidArgument(
                f"list_owner goes with caller lists, their numbers and payout tables, not with {self.name}."
            )
        return {}


def _masked_number(name: str | None, value: object) -> str:
    return mask_number(value) if name == "number" else one_line(value, numbers=False)


def _length(addresses: Sequence[object]) -> str:
    return "1 address" if len(addresses) == 1 else f"{len(addresses)} addresses"
