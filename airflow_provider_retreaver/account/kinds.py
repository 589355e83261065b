"""The kinds of objects: their fields, how they are found, and in which order they are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_retreaver.account import schema
from airflow_provider_retreaver.account.nested_parts import BusinessHours, Caps, Conversions, Groups, Handling, Tags
from airflow_provider_retreaver.account.nodes import is_writable
from airflow_provider_retreaver.account.parts import (
    Greeting,
    Part,
    Pause,
    Plain,
    Secret,
    World,
    Zone,
    reference,
    written_phone,
)
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.lists.phones import from_e164
from airflow_provider_retreaver.domain.objects.names import comparable
from airflow_provider_retreaver.resources.entry import Entry, ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.resources.resource import Id


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of objects.

    :param name: of the resource and of the section in the files.
    :param struct: what files may write.
    :param parts: the fields.
    :param key_names: Retreaver's fields of the key in files; none where the key is only a label.
    :param needed: nested fields which a list may leave out, so that the object is then read by itself.
    """

    name: str
    struct: type[schema.Managed]
    parts: tuple[Part, ...]
    key_names: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()

    @property
    def entry(self) -> Entry:
        """The resource."""
        return entry_of(self.name)

    @property
    def title(self) -> str:
        """What one object is called."""
        return self.entry.title

    @property
    def by_customer_id(self) -> bool:
        """Whether objects are named by the customer's ID, since lists may not show another one."""
        return self.entry.row_key != "id"

    def key(self, row: Row) -> str | None:
        """Return the key by which files name an object.

        :param row: the object as Retreaver returns it.
        :return: the key; None where Retreaver has nothing that can be one.
        """
        text = self.comparable(str(_first(row, self.key_names) or ""))
        usable = text.strip() and is_writable(text) and (self.name != "numbers" or from_e164(text) is not None)
        return text if usable else None

    def comparable(self, key: str) -> str:
        """Return a key as it is compared: names of groups as people see them, IDs as they are.

        :param key: of an object.
        :return: the key.
        """
        return comparable(key) if self.name == "target_groups" else key

    def identity(self, row: Row) -> Id | None:
        """Return by what requests name an object.

        :param row: the object as Retreaver returns it.
        :return: the customer's ID or Retreaver's own.
        """
        return _first(row, self.key_names if self.by_customer_id else ("id",))

    def reference(self, identity: Id) -> ObjectReference:
        """Return which object requests name.

        :param identity: see `identity`.
        :return: the reference.
        """
        return ObjectReference(customer_id=identity) if self.by_customer_id else ObjectReference(id=identity)

    def current(self, row: Row, world: World) -> dict[str, object]:
        """Return all fields of an object as they are, without secrets.

        :param row: the object as Retreaver returns it.
        :param world: what is known besides.
        :return: values by field, without those that cannot be read.
        """
        fields: dict[str, object] = {}
        for part in self.parts:
            with suppress(ProtocolError):
                fields |= part.current(row, world)
        # Of the password is only known whether it is set.
        return {
            name: fields[name] if name == "sip_password" else without_secrets(fields[name], name) for name in fields
        }

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:
        """Return what is sent for fields.

        :param after: the fields that change, as they should be.
        :param row: the object as it is; None for a new one.
        :param world: what is known besides.
        :return: attributes as Retreaver takes them.
        """
        sent: Row = {}
        for part in self.parts:
            if own := {name: value for name, value in after.items() if part.owns(name)}:
                new = part.attributes(own, row, world)
                # What another part has sent to keep the rows of this one is not what this one sends itself.
                sent = new | sent | {name: new[name] for name in new if name == f"{part.name}_attributes"}
        return sent

    def part(self, name: str) -> Part | None:
        """Return the part that a field belongs to.

        :param name: of the field.
        :return: the part; None when there is none.
        """
        return next((part for part in self.parts if part.owns(name)), None)


def _first(row: Row, names: Sequence[str]) -> Id | None:
    return next((row[name] for name in names if row.get(name)), None)


def _kind(
    name: str,
    struct: type[schema.Managed],
    *parts: Part,
    key_names: tuple[str, ...] = (),
    needed: tuple[str, ...] = (),
) -> Kind:
    """Return a kind; a field of the files without a part of its own is one that Retreaver returns as it takes it."""
    own = {part.name: part for part in parts}
    fields = [one for one in struct.__struct_fields__ if one not in ("id", "ignore", "purchase")]
    # What is shared with other kinds comes last.
    fields.sort(key=schema.CallHandling.__struct_fields__.__contains__)
    key = (Plain(key_names[0], key_names),) if entry_of(name).has_customer_id else ()
    return Kind(name, struct, (*key, *(own.get(one, Plain(one)) for one in fields)), key_names, needed)


_HANDLING = (Greeting("message"), Greeting("voice_gender"), Handling("timers"), Handling("menu_options"))
_HANDLED = ("greeting", "timers", "menu_options")
_PLACED = (reference("campaign", "cid"), reference("affiliate", "afid"))
_WORDS: dict[Any, Any] = {1: "separately", 2: "simuldial"}
_NUMBERS = {word: number for number, word in _WORDS.items()}
_KINDS = (
    _kind("affiliates", schema.Affiliate, key_names=("afid",)),
    _kind("campaigns", schema.Campaign, *_HANDLING, key_names=("cid",), needed=_HANDLED),
    _kind(
        "target_groups",
        schema.TargetGroup,
        Plain(
            "behavior", read=lambda value, _: _WORDS.get(value, value), write=lambda word: _NUMBERS.get(word, word)
        ),
        Caps("caps"),
        key_names=("name",),
        needed=("caps",),
    ),
    _kind(
        "targets",
        schema.Target,
        Plain("number", canonical=partial(written_phone, name="number")),
        Pause("paused"),
        Caps("caps"),
        Zone("time_zone"),
        BusinessHours("hours"),
        Tags("tags"),
        Groups("groups"),
        Secret("sip_password"),
        Conversions("conversion_groups"),
        key_names=("tid", "client_tid"),
        needed=("caps", "business_hours", "tag_values", "target_group_ids"),
    ),
    _kind("numbers", schema.Number, *_PLACED, *_HANDLING, key_names=("number",), needed=_HANDLED),
    _kind("number_pools", schema.NumberPool, *_PLACED),
)
# In the order in which they are created and changed: what others refer to comes first.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
# What a field refers to, by its name; of menu options a field of their rows.
REFERENCES = {
    "campaign": "campaigns",
    "affiliate": "affiliates",
    "groups": "target_groups",
    "menu_options": "campaigns",
}
# In the order in which Retreaver lets them be deleted.
DELETION = ("numbers", "number_pools", "targets", "target_groups", "campaigns", "affiliates")
# Kinds whose objects cost money, and are gone for good when they are deleted.
PAID = ("numbers", "number_pools")
