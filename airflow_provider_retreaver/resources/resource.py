"""What the vendor's resources have in common: envelopes, two ways to name an object, checked attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row, read_item, read_nothing
from airflow_provider_retreaver.resources import checks

Attributes = Mapping[str, Any]
Check = Callable[[Any, str], Any]
Id = int | str


def anything(value: Any, name: str) -> Any:  # noqa: ARG001 - one signature for all checks
    """Accept any value: the vendor documents no more than the attribute's name."""
    return value


def at_least_0(value: Any, name: str) -> int:
    """Accept a whole number that is not negative."""
    return checks.whole(value, name, 0)


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object, as the vendor documents it.

    :param name: as in paths, e.g. `targets`.
    :param envelope: as around bodies, e.g. `target`.
    :param attributes: documented attributes of a body, each with the check of its value.
    :param required: attributes that a create must have.
    :param accessor: name of the customer's ID in paths (`tid`), where there is one.
    :param root: what the current routes put before the name.
    :param legacy_root: what the legacy routes put before it.
    :param renamed: attributes that one edition calls differently: `{name: (current, legacy)}`.
    """

    name: str
    envelope: str
    attributes: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    accessor: str | None = None
    root: str = ""
    legacy_root: str = ""
    renamed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What an object is called in a sentence."""
        return self.envelope.replace("_", " ")

    def listing(self, filters: Mapping[str, Any] | None = None, **kwargs: Any) -> Listing:
        """Return the listing of all objects."""
        current, legacy = self._requests("GET", "", query=_query(filters))
        return Listing(current, self.envelope, legacy=legacy, **kwargs)

    def get(self, id: Id | None, customer_id: str | None = None) -> Operation[Row]:  # noqa: A002
        """Return the operation that reads one object."""
        return self._operation("GET", f"/{self._which(id, customer_id)}")

    def create(self, attributes: Attributes, undocumented: Attributes | None = None) -> Operation[Row]:
        """Return the operation that creates an object."""
        for name in self.required:
            if attributes.get(name) in (None, "", [], ()):
                raise InvalidArgument(f"{name} is required to create a {self.title}, and is missing or blank.")
        return self._operation("POST", "", self._checked(attributes, undocumented))

    def update(
        self,
        attributes: Attributes,
        id: Id | None,  # noqa: A002
        customer_id: str | None = None,
        undocumented: Attributes | None = None,
    ) -> Operation[Row]:
        """Return the operation that changes the attributes given and no others."""
        where = f"/{self._which(id, customer_id)}"
        current, legacy = self._requests("PUT", where, body=self.changes(attributes, undocumented))
        return Operation(current, read_update(self.envelope), legacy=legacy)

    def changes(self, attributes: Attributes, undocumented: Attributes | None = None) -> Row:
        """Return checked attributes for a change, before they are wrapped."""
        if not attributes and not undocumented:
            raise InvalidArgument(f"attributes is empty: there is nothing to change on the {self.title}.")
        return self._checked(attributes, undocumented)

    def delete(self, id: Id | None, customer_id: str | None = None) -> Operation[None]:  # noqa: A002
        """Return the operation that deletes one object."""
        current, legacy = self._requests("DELETE", f"/{self._which(id, customer_id)}")
        return Operation(current, read_nothing, legacy=legacy)

    def _operation(self, method: str, where: str, body: Row | None = None) -> Operation[Row]:
        current, legacy = self._requests(method, where, body=body)
        return Operation(current, read_item(self.envelope), legacy=legacy)

    def _requests(
        self, method: str, where: str, *, query: tuple[tuple[str, str], ...] = (), body: Row | None = None
    ) -> tuple[Request, Request | None]:
        current, legacy = (
            Request(method, f"{root}/{self.name}{where}.json", query, self._wrapped(body, edition))
            for edition, root in enumerate((self.root, self.legacy_root))
        )
        return current, legacy if legacy != current else None

    def _wrapped(self, body: Row | None, edition: int) -> Row | None:
        if body is None:
            return None
        names = {given: both[edition] for given, both in self.renamed.items()}
        return {self.envelope: {names.get(name, name): value for name, value in body.items()}}

    def _checked(self, attributes: Attributes, undocumented: Attributes | None) -> Row:
        known = {*self.attributes, *self.renamed}
        parameters.known(attributes, known, f"attribute of a {self.title} (pass others as undocumented)")
        for name, value in attributes.items():
            twin = next(
                (one for one in self.renamed if one != name and self.renamed[one] == self.renamed.get(name)), ""
            )
            if twin in attributes:
                raise InvalidArgument(f"{name} and {twin} are two names of one attribute: give one of them.")
            if value is not None:
                self.attributes.get(name, anything)(value, name)
        return {**attributes, **(undocumented or {})}

    def _which(self, id: Id | None, customer_id: str | None) -> str:  # noqa: A002
        if (id is None) == (customer_id is None):
            either = f"its id or its {self.accessor}: exactly one of the two" if self.accessor else "its id"
            raise InvalidArgument(f"Name the {self.title} by {either}.")
        if customer_id is None:
            return segment(id, f"{self.title} id")
        if self.accessor is None:
            raise InvalidArgument(f"A {self.title} has no customer ID; name it by its id.")
        return f"{self.accessor}/{segment(customer_id, f'{self.title} {self.accessor}')}"


def read_update(envelope: str) -> Callable[[Request, Response], Row]:
    """Return a reader for the answer to a change: the object, or `{}` where the vendor says 204 without one."""
    read = read_item(envelope)

    def read_unless_empty(request: Request, response: Response) -> Row:
        return {} if response.status == 204 else read(request, response)

    return read_unless_empty


def _query(filters: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in (filters or {}).items() if value is not None)
