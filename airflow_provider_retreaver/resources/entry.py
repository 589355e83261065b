"""What a resource is to the generic operators: its verbs, and how one of its objects is named."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core import parameters, secrets
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.resources.resource import Attributes, Id

VERBS = ("list", "get", "create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Which:
    """Which object is meant.

    :param id: Retreaver's own ID, or what stands in its place (a call's UUID, a phone number, a list's name).
    :param customer_id: the customer's ID.
    :param owner: of a caller list or of its numbers, see `resources.owned`.
    """

    id: Id | None = None
    customer_id: Id | None = None
    owner: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource.

    :param name: as operators are given it, e.g. `targets`.
    :param title: what one object is called in a sentence.
    :param verbs: the function of each verb that the vendor has.
    :param key: parameter of those functions that takes `Which.id`; None where there is but one object.
    :param customer_key: parameter that takes `Which.customer_id`.
    :param row_key: field that every row has.
    :param natural: attribute of a create by which the object is found again; no two objects share its value.
    :param narrowed_by: attributes of a create that are also filters of the list.
    :param on_create: attributes that a create takes, where an update takes others.
    :param owned: whether it belongs to a target or campaign that must be named.
    :param delete_warning: why deleting needs a confirmation, as a sentence.
    :param create_warning: returns why creating with these attributes needs a confirmation, as a sentence.
    :param costs: whether creating one spends money.
    :param harmless: whether a create may be sent twice.
    """

    name: str
    title: str
    verbs: Mapping[str, Callable[..., Any]]
    key: str | None = "id"
    customer_key: str | None = None
    row_key: str = "id"
    natural: str | None = None
    narrowed_by: tuple[str, ...] = ()
    on_create: frozenset[str] | None = None
    owned: bool = False
    delete_warning: str | None = None
    create_warning: Callable[[Attributes], str | None] | None = None
    costs: bool = False
    harmless: bool = False

    @property
    def named_by_customer(self) -> bool:
        """Whether rows carry an ID that the customer chose."""
        return self.customer_key is not None and self.customer_key == self.natural

    @property
    def named_by_key(self) -> bool:
        """Whether what stands in the place of the ID is the customer's own (a phone number, a name)."""
        return self.natural is not None and self.natural == self.key

    def has(self, verb: str) -> bool:
        """Whether the vendor has this verb."""
        return verb in self.verbs

    def function(self, verb: str) -> Callable[..., Any]:
        """Return the function of a verb.

        :raises InvalidArgument: when the vendor does not have it.
        """
        if verb not in self.verbs:
            there = ", ".join(name for name in VERBS if name in self.verbs)
            raise InvalidArgument(f"Retreaver has no {verb} for {self.name}; it has {there}.")
        return self.verbs[verb]

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the list's filters."""
        return tuple(name for name in inspect.signature(self.function("list")).parameters if name != "owner")

    def list(self, filters: Mapping[str, Any] | None = None, owner: Mapping[str, Any] | None = None) -> Listing:
        """Return the listing.

        :raises InvalidArgument: when a filter is unknown, blank, wrong or missing.
        """
        function, given = self.function("list"), dict(filters or {})
        parameters.known(given, self.filters, f"filter of {self.name}")
        for name, value in given.items():
            if isinstance(value, str) and not value.strip():
                raise InvalidArgument(f"The filter {name} is blank; give a value, or leave it out for all.")
        for name, parameter in inspect.signature(function).parameters.items():
            if name != "owner" and parameter.default is parameter.empty and given.get(name) is None:
                raise InvalidArgument(f"The filter {name} is required to list {self.name}.")
        listing: Listing = function(**self._owner(owner), **given)
        return listing

    def get(self, which: Which) -> Operation[Row]:
        """Return the operation that reads one object."""
        operation: Operation[Row] = self.function("get")(**self._which(which))
        return operation

    def create(self, attributes: Attributes, owner: Mapping[str, Any] | None = None) -> Operation[Row]:
        """Return the operation that creates an object."""
        function = self.function("create")
        if self.on_create is not None:
            parameters.known(attributes, self.on_create, f"attribute to create a {self.title} with")
        operation: Operation[Row] = function(attributes, **self._owner(owner))
        return operation

    def update(self, which: Which, attributes: Attributes) -> Operation[Row]:
        """Return the operation that changes an object."""
        operation: Operation[Row] = self.function("update")(attributes, **self._which(which))
        return operation

    def delete(self, which: Which) -> Operation[None]:
        """Return the operation that deletes an object."""
        operation: Operation[None] = self.function("delete")(**self._which(which))
        return operation

    def creating(self, attributes: Attributes) -> str | None:
        """Return why creating an object with these attributes needs a confirmation, None when it does not."""
        return self.create_warning(attributes) if self.create_warning is not None else None

    def called(self, which: Which) -> str:
        """Return how an object is called in a sentence, e.g. `target 3` or `target with tid A1`."""
        if which.customer_id is not None:
            name = self.customer_key or self.natural
            return f"{self.title} with {name} {_shown(name, which.customer_id)}"
        return f"{self.title} {_shown(self.key, which.id)}" if which.id is not None else self.title

    def _which(self, which: Which) -> Row:
        owner = self._owner(which.owner)
        if self.key is None:
            if which.id is not None or which.customer_id is not None:
                raise InvalidArgument(f"There is one {self.title}: leave out resource_id and customer_id.")
            return owner
        if which.customer_id is not None and self.customer_key is None:
            raise InvalidArgument(f"A {self.title} has no customer ID; name it by resource_id ({self.key}).")
        if (which.id is None) == (which.customer_id is None):
            either = f" or by customer_id ({self.customer_key})" if self.customer_key else ""
            both = ", not both" if which.id is not None else ""
            raise InvalidArgument(f"Name the {self.title} by resource_id ({self.key}){either}{both}.")
        if which.customer_id is not None:
            return {str(self.customer_key): which.customer_id, **owner}
        return {self.key: which.id, **owner}

    def _owner(self, owner: Mapping[str, Any] | None) -> Row:
        if self.owned:
            return {"owner": owner or {}}
        if owner:
            raise InvalidArgument(f"list_owner goes with caller lists and their numbers, not with {self.name}.")
        return {}


def _shown(name: str | None, value: object) -> str:
    """Write what an object is named by; callers' numbers are masked."""
    return secrets.mask_number(value) if name == "number" else str(value)
