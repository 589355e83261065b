"""The fields of an object: how each is read from Retreaver's row, what is wanted of it, and what is sent for it.

Values are plain JSON and comparable: the same setting is always the same value. What Retreaver does not return is
not among the current fields. The rules of caps, hours, zones, tags and nested rows are those of `domain`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from airflow_provider_retreaver.account.schema import SecretReference
from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.phone_parameters import phone_or_sip
from airflow_provider_retreaver.core.phone_text import in_e164
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.resources.comparison import actual_values
from airflow_provider_retreaver.domain.resources.equality import same_value
from airflow_provider_retreaver.domain.routing.time_zones import rails_name, same_zone
from airflow_provider_retreaver.resources.targets import is_placeholder

SET, NOT_SET = "set", "not set"

# Fields that change, as they should be.
Values = Mapping[str, Any]
# Returns a secret by its reference; None when there is none.
Secrets = Callable[[SecretReference], str | None]


@dataclass(slots=True)
class World:
    """What fields need to know besides their own object.

    :param moves: addresses that were given up, with the new ones.
    :param groups: keys of target groups by Retreaver's own ID.
    :param keys: of objects by kind, which references may name.
    :param secrets: returns the secrets that files refer to.
    :param today: the day from which the clocks of time zones are compared.
    """

    moves: dict[str, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    keys: dict[str, Collection[str]] = field(default_factory=dict)
    secrets: Secrets = lambda _: None
    today: date = field(default_factory=date.today)

    def key(self, kind: str, customer_id: object) -> str | None:
        """Return the key in files of an object that Retreaver names by a customer's ID.

        :param kind: `affiliates` or `campaigns`.
        :param customer_id: as Retreaver returns it.
        :return: the key; None without ID.
        """
        if customer_id is None:
            return None
        return self.moves.get(f"{kind}/{customer_id}", f"{kind}/{customer_id}").partition("/")[2]

    def group_id(self, key: str) -> int:
        """Return the ID of a target group.

        :param key: in files.
        :return: Retreaver's own ID.
        :raises InvalidArgument: when there is none.
        """
        found = next((id_ for id_, other in self.groups.items() if other == key), None)
        if found is None:
            raise InvalidArgument(f"There is no target group {key}; make a new plan.")
        return found


@dataclass(frozen=True, slots=True)
class Part(ABC):
    """A field of an object, or fields that belong together.

    :param name: in the files; fields inside it are `name.other`.
    """

    name: str

    @abstractmethod
    def current(self, row: Row, world: World) -> Fields:
        """Return the fields as they are.

        :param row: the object as Retreaver returns it.
        :param world: what is known besides.
        :return: values by field, without those that Retreaver does not return.
        """

    @abstractmethod
    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return the fields as they are written.

        :param written: the value in the files.
        :param row: the object as it is; None for a new one.
        :param world: what is known besides.
        :return: values by field.
        :raises InvalidArgument: when the value cannot be read.
        :raises ChangeRefused: when the object cannot have it.
        """

    @abstractmethod
    def attributes(self, after: Values, row: Row | None, world: World) -> Row:
        """Return what is sent for the fields of this part.

        :param after: all fields of the object that change, as they should be.
        :param row: the object as it is; None for a new one.
        :param world: what is known besides.
        :return: attributes as Retreaver takes them.
        :raises ChangeRefused: when they cannot express the values.
        """

    def owns(self, name: str) -> bool:
        """Return whether a field belongs to this part.

        :param name: of the field.
        :return: True when it does.
        """
        return name == self.name or name.startswith(f"{self.name}.")

    def inside(self, after: Values) -> dict[str, Any]:
        """Return the fields that are inside of this one.

        :param after: fields of the object.
        :return: values by the name without that of this part.
        """
        return {name.removeprefix(f"{self.name}."): value for name, value in after.items() if self.owns(name)}


@dataclass(frozen=True, slots=True)
class Plain(Part):
    """A field that is one attribute, under whatever name Retreaver returns it.

    :param attribute: Retreaver's name of it; blank for the same name.
    :param read: returns a value of Retreaver's as files have it.
    :param write: returns a value of files as Retreaver takes it.
    :param canonical: returns a written value as it is compared.
    """

    attribute: str = ""
    read: Callable[[Any, World], Any] = lambda value, _: value
    write: Callable[[Any], Any] = lambda value: value
    canonical: Callable[[Any], Any] = lambda value: value

    def current(self, row: Row, world: World) -> Fields:
        """Return the attribute."""
        values = actual_values(self.attribute or self.name, row)
        return {self.name: self.read(values[0], world)} if values else {}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return the value; one that means the same as the current one is the current one."""
        current = self.current(row, world) if row is not None else {}
        same = self.name in current and same_value(current[self.name], written, self.attribute or self.name)
        return {self.name: current[self.name] if same else self.canonical(written)}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the attribute."""
        return {self.attribute or self.name: self.write(after[self.name])}


def reference(name: str, attribute: str) -> Plain:
    """Return the field that names an affiliate or campaign.

    :param name: of the field; the kind of objects is its plural.
    :param attribute: Retreaver's name of it.
    :return: the field.
    """
    return Plain(name, attribute, read=lambda value, world: world.key(f"{name}s", value))


def words(name: str, meanings: Mapping[Any, str]) -> Plain:
    """Return the field for which Retreaver has numbers, and files have words.

    :param name: of the field.
    :param meanings: words by number; other values stay as they are.
    :return: the field.
    """
    numbers = {word: number for number, word in meanings.items()}
    return Plain(name, read=lambda value, _: meanings.get(value, value), write=lambda word: numbers.get(word, word))


class Zone(Plain):
    """A time zone, by either kind of name."""

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return Retreaver's name; a target with another name of the same zone keeps it."""
        if row is not None and same_zone(row.get(self.name), written, world.today):
            return {self.name: row[self.name]}
        return {self.name: rails_name(written, world.today)}


class Secret(Part):
    """A secret, of which only is shown whether it is set."""

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return whether it is set."""
        return {self.name: SET if row[self.name] else NOT_SET} if self.name in row else {}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return the reference, or the current value when that is the secret, or when nobody knows the secret."""
        if row is not None and row.get(self.name) and secret_of(written, world) in (None, row[self.name]):
            return self.current(row, world)
        self.attributes({self.name: written}, row, world)
        return {self.name: written}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the secret itself."""
        reference = after[self.name]
        secret = secret_of(reference, world)
        if secret is None:
            place = secret_place(reference)
            raise ChangeRefused(f"{self.name} refers to {place}, which does not exist or is blank; create it.")
        return {self.name: secret}


def secret_of(reference: Mapping[str, str], world: World) -> str | None:
    """Return a secret.

    :param reference: of the secret, as files write it.
    :param world: finds it.
    :return: the secret; None when there is none.
    """
    return world.secrets(msgspec.convert(reference, SecretReference))


def secret_place(reference: Mapping[str, str]) -> str:
    """Return where a secret is kept, for messages.

    :param reference: of the secret.
    :return: e.g. `connection acme_sip`.
    """
    return " ".join(f"{kind} {name}" for kind, name in reference.items())


def written_phone(written: str, name: str) -> str:
    """Return a phone number of a file as it is compared and sent.

    :param written: a phone number in any writing, a SIP address or a placeholder.
    :param name: of the field, for the error.
    :return: a number in E.164; the others as they are.
    :raises InvalidArgument: when it is none of these.
    """
    if is_placeholder(written):
        return written
    separated = re.fullmatch(r"[+0-9().\s/-]+", written, re.ASCII)
    return phone_or_sip(in_e164(written) if separated else written, name)
