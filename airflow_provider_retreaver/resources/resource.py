"""What Retreaver's resources have in common: envelopes, two ways to name an object, checked attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import Asked, read_item, read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response, segment
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation, Row
from airflow_provider_retreaver.resources import checks

Attributes = Mapping[str, object]
# Raises InvalidArgument for a wrong value; the second argument is the attribute's name.
Check = Callable[[object, str], object]
Id = int | str
ObjectT = TypeVar("ObjectT")


def anything(value: object, name: str) -> object:  # noqa: ARG001 - one signature for all checks
    """Accept any value: Retreaver documents no more than the attribute's name.

    :param value: of the attribute.
    :param name: of the attribute.
    :return: the value.
    """
    return value


def at_least_0(value: object, name: str) -> int:
    """Accept a whole number that is not negative.

    :param value: of the attribute.
    :param name: of the attribute.
    :return: the number.
    :raises InvalidArgument: naming the attribute.
    """
    return checks.whole(value, name, 0)


@dataclass(frozen=True, slots=True)
class Resource(Generic[ObjectT]):
    """One kind of object, as Retreaver documents it; its operations return objects of the type `ObjectT`.

    :param name: as in paths, e.g. `targets`.
    :param envelope: as around bodies, e.g. `target`.
    :param attributes: documented attributes of a body, each with the check of its value.
    :param required: attributes that a create must have.
    :param accessor: name of the customer's ID in paths (`tid`), where there is one.
    :param key: what names an object in paths: Retreaver's `id`, a call's `uuid`, or a phone `number`.
    :param row_key: field by which a row of the list is recognized.
    :param root: what the current routes put before the name.
    :param legacy_root: what the legacy routes put before it.
    :param renamed: attributes that one edition calls differently: `{name: (current, legacy)}`.
    :param named_twice: nested rows with an attribute that the documents give two names, which are sent both:
        `{attribute of the rows: (name, other name)}`.
    """

    name: str
    envelope: str
    attributes: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    accessor: str | None = None
    key: str = "id"
    row_key: str = "id"
    root: str = ""
    legacy_root: str = ""
    renamed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    named_twice: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What an object is called in a sentence, e.g. `target group`."""
        return self.envelope.replace("_", " ")

    @property
    def title_with_article(self) -> str:
        """What an object is called in a sentence, e.g. `a target group` or `an affiliate`."""
        return f"{'an' if self.title[0] in 'aeiou' else 'a'} {self.title}"

    def listing(self, filters: Mapping[str, object] | None = None) -> Listing:
        """Return the listing of all objects.

        :param filters: parameters of the query; those that are None are left out.
        :return: a listing of rows of this resource.
        """
        current, legacy = self._requests("GET", "", query=_query(filters))
        return Listing(current, self.envelope, key=self.row_key, legacy=legacy)

    def get(self, id: Id | None, customer_id: str | None = None) -> Operation[ObjectT]:  # noqa: A002
        """Return the operation that reads one object.

        :param id: Retreaver's own ID, or
        :param customer_id: the customer's ID; exactly one of the two is given.
        :return: the operation; its result is the object.
        :raises InvalidArgument: when none or both are given, or one is blank.
        """
        current, legacy = self._requests("GET", self._place(id, customer_id))
        return self.returning_object(current, legacy, asked=id)

    def create(self, attributes: Attributes, undocumented: Attributes | None = None) -> Operation[ObjectT]:
        """Return the operation that creates one object.

        :param attributes: documented attributes of the new object.
        :param undocumented: attributes to send that Retreaver does not document.
        :return: the operation; its result is the object.
        :raises InvalidArgument: when an attribute is unknown or wrong, or a required one is missing.
        """
        for name in self.required:
            if attributes.get(name) in (None, "", [], ()):
                raise InvalidArgument(
                    f"{name} is required to create {self.title_with_article}, and is missing or blank."
                )
        current, legacy = self._requests("POST", "", body=self._checked(attributes, undocumented))
        return self.returning_object(current, legacy)

    def update(
        self,
        attributes: Attributes,
        id: Id | None,  # noqa: A002
        customer_id: str | None = None,
        undocumented: Attributes | None = None,
    ) -> Operation[ObjectT]:
        """Return the operation that changes the given attributes and no others.

        :param attributes: documented attributes to change.
        :param id: Retreaver's own ID, or
        :param customer_id: the customer's ID; exactly one of the two is given.
        :param undocumented: attributes to send that Retreaver does not document.
        :return: the operation; its result is the object, empty where Retreaver answers without one.
        :raises InvalidArgument: when an attribute is unknown or wrong, or there is nothing to change.
        """
        place = self._place(id, customer_id)
        current, legacy = self._requests("PUT", place, body=self.changes(attributes, undocumented))
        return self.returning_change(current, legacy)

    def delete(self, id: Id | None, customer_id: str | None = None) -> Operation[None]:  # noqa: A002
        """Return the operation that deletes one object.

        :param id: Retreaver's own ID, or
        :param customer_id: the customer's ID; exactly one of the two is given.
        :return: the operation, without a result.
        :raises InvalidArgument: when none or both are given, or one is blank.
        """
        current, legacy = self._requests("DELETE", self._place(id, customer_id))
        return Operation(current, read_nothing, legacy=legacy)

    def changes(self, attributes: Attributes, undocumented: Attributes | None = None) -> Row:
        """Return checked attributes for a change, before they are wrapped.

        :param attributes: documented attributes to change.
        :param undocumented: attributes to send that Retreaver does not document.
        :return: all of them in one mapping.
        :raises InvalidArgument: when an attribute is unknown or wrong, or there is nothing to change.
        """
        if not attributes and not undocumented:
            raise InvalidArgument(f"attributes is empty: there is nothing to change on the {self.title}.")
        return self._checked(attributes, undocumented)

    def returning_object(
        self, request: Request, legacy: Request | CurrentOnly | None = None, *, asked: Id | None = None
    ) -> Operation[ObjectT]:
        """Return an operation whose answer is one object of this resource.

        :param request: under the current routes.
        :param legacy: under the legacy routes, where it differs or does not exist.
        :param asked: Retreaver's own ID of the object, which the answer must not contradict; None where it has none.
        :return: the operation; its result is the object.
        """
        # A phone number may be written in several ways.
        known = None if asked is None or self.key == "number" else Asked(self.key, asked, self.key == self.row_key)
        read = cast("Callable[[Request, Response], ObjectT]", read_item(self.envelope, known))
        return Operation(request, read, legacy=legacy)

    def returning_change(self, request: Request, legacy: Request | CurrentOnly | None = None) -> Operation[ObjectT]:
        """Return an operation whose answer is the changed object, or status 204 without one.

        :param request: under the current routes.
        :param legacy: under the legacy routes, where it differs or does not exist.
        :return: the operation; its result is the object, empty after status 204.
        """
        read = cast("Callable[[Request, Response], ObjectT]", _read_unless_empty(self.envelope))
        return Operation(request, read, legacy=legacy)

    def _requests(
        self, method: str, place: str, *, query: tuple[tuple[str, str], ...] = (), body: Row | None = None
    ) -> tuple[Request, Request | None]:
        current, legacy = (
            Request(method, f"{root}/{self.name}{place}.json", query, self._wrapped(body, edition))
            for edition, root in enumerate((self.root, self.legacy_root))
        )
        return current, legacy if legacy != current else None

    def _wrapped(self, body: Row | None, edition: int) -> Row | None:
        if body is None:
            return None
        names = {name: names[edition] for name, names in self.renamed.items()}
        return {self.envelope: {names.get(name, name): self._written(name, value) for name, value in body.items()}}

    def _written(self, name: str, value: object) -> object:
        """Return a value as it is sent: rows with an attribute of two names hold it under both."""
        names = self.named_twice.get(name)
        if names is None or value is None:
            return value
        return [_with_both_names(row, names) for row in checks.rows_of(value, name)]

    def _checked(self, attributes: Attributes, undocumented: Attributes | None) -> Row:
        known = {*self.attributes, *self.renamed}
        parameters.known(attributes, known, f"attribute of {self.title_with_article} (pass others as undocumented)")
        for name, value in attributes.items():
            alias = next(
                (other for other in self.renamed if other != name and self.renamed[other] == self.renamed.get(name)),
                "",
            )
            if alias in attributes:
                raise InvalidArgument(f"{name} and {alias} are two names of one attribute: give one of them.")
            if value is not None:
                self.attributes.get(name, anything)(value, name)
        return {**attributes, **(undocumented or {})}

    def _place(self, id: Id | None, customer_id: str | None) -> str:  # noqa: A002
        """Return where one object is, behind the path of the resource."""
        if (id is None) == (customer_id is None):
            either = f"its id or its {self.accessor}: exactly one of the two" if self.accessor else "its id"
            raise InvalidArgument(f"Name the {self.title} by {either}.")
        if customer_id is None:
            return f"/{segment(id, f'{self.title} id')}"
        if self.accessor is None:
            raise InvalidArgument(f"A {self.title} has no customer ID; name it by its id.")
        return f"/{self.accessor}/{segment(customer_id, f'{self.title} {self.accessor}')}"


def _with_both_names(row: Mapping[str, object], names: tuple[str, str]) -> Row:
    given = [row[name] for name in names if name in row]
    return {**row, **dict.fromkeys(names, given[0])} if given else dict(row)


def _read_unless_empty(envelope: str) -> Callable[[Request, Response], Row]:
    read = read_item(envelope)

    def read_unless_empty(request: Request, response: Response) -> Row:
        return {} if response.status == 204 else read(request, response)

    return read_unless_empty


def _query(filters: Mapping[str, object] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in (filters or {}).items() if value is not None)
