"""The kinds of objects: their fields, the order of their changes, and the objects that an account has of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from airflow_provider_retreaver.account import nested_parts, parts, schema
from airflow_provider_retreaver.account.nodes import is_writable
from airflow_provider_retreaver.account.parts import Part, Plain, World
from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.lists.phones import from_e164
from airflow_provider_retreaver.domain.objects.at_once import complete
from airflow_provider_retreaver.domain.objects.names import comparable
from airflow_provider_retreaver.domain.resources.comparison import actual_values
from airflow_provider_retreaver.resources.companies import get_active_company
from airflow_provider_retreaver.resources.entry import Entry, ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.resources.resource import Id


@dataclass(frozen=True)
class Kind:
    """One kind of objects.

    :param name: of the resource and of the section in the files.
    :param struct: what files may write.
    :param own: the fields that are more than one attribute, or have another name or form.
    :param key_name: attribute that is the key in files; blank where the key is only a label.
    :param needed: nested fields which a list may leave out, so that the object is then read by itself.
    """

    name: str
    struct: type[schema.Managed]
    own: tuple[Part, ...] = ()
    key_name: str = ""
    needed: tuple[str, ...] = ()

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All fields; what is shared with other kinds comes last."""
        own = {part.name: part for part in self.own}
        fields = [one for one in self.struct.__struct_fields__ if one not in ("id", "ignore", "purchase")]
        fields.sort(key=schema.CallHandling.__struct_fields__.__contains__)
        key = (Plain(self.key_name),) if self.entry.has_customer_id else ()
        return (*key, *(own.get(one, Plain(one)) for one in fields))

    @property
    def entry(self) -> Entry:
        """The resource."""
        return entry_of(self.name)

    @property
    def by_customer_id(self) -> bool:
        """Whether objects are named by the customer's ID, since lists may not show another one."""
        return self.entry.row_key != "id"

    def key(self, row: Row) -> str | None:
        """Return the key by which files name an object.

        :param row: the object as Retreaver returns it.
        :return: the key; None where Retreaver has nothing that can be one.
        """
        text = self.comparable(str(self._key_value(row) or ""))
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
        return self._key_value(row) if self.by_customer_id else row.get("id")

    def _key_value(self, row: Row) -> Any:
        return next((value for value in actual_values(self.key_name, row) if value), None)

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
            if any(map(part.owns, after)):
                sent |= part.attributes(after, row, world)
        return sent


_HANDLING = (nested_parts.Handling("timers"), nested_parts.Handling("menu_options"))
_HANDLED = ("greeting", "timers", "menu_options")
_PLACED = (parts.reference("campaign", "cid"), parts.reference("affiliate", "afid"))
_BEHAVIOR = parts.words("behavior", {1: "separately", 2: "simuldial"})
_KINDS = (
    Kind("affiliates", schema.Affiliate, key_name="afid"),
    Kind("campaigns", schema.Campaign, _HANDLING, "cid", _HANDLED),
    Kind("target_groups", schema.TargetGroup, (_BEHAVIOR, nested_parts.Caps("caps")), "name", ("caps",)),
    Kind(
        "targets",
        schema.Target,
        (
            Plain("number", canonical=partial(parts.written_phone, name="number")),
            nested_parts.Caps("caps"),
            parts.Zone("time_zone"),
            nested_parts.BusinessHours("hours"),
            nested_parts.Tags("tags"),
            nested_parts.Groups("groups"),
            parts.Secret("sip_password"),
            nested_parts.Conversions("conversion_groups"),
        ),
        "tid",
        ("caps", "business_hours", "tag_values", "target_group_ids"),
    ),
    Kind("numbers", schema.Number, (*_PLACED, *_HANDLING), "number", _HANDLED),
    Kind("number_pools", schema.NumberPool, _PLACED),
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


def references(fields: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return what fields refer to.

    :param fields: of an object.
    :return: kind and key of each object, with the name of the field.
    """
    for name, kind in REFERENCES.items():
        value = fields.get(name)
        for item in value if isinstance(value, list) else [value]:
            key = item.get("campaign") if isinstance(item, dict) else item
            if key is not None:
                yield kind, key, name


@dataclass
class Live:
    """The objects of an account.

    :param company: Retreaver's ID of the company.
    :param rows: objects as Retreaver returns them, by kind.
    """

    company: int
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @cached_property
    def keys(self) -> dict[str, dict[str, list[Row]]]:
        """The objects by kind and the key that files name them by; several have one key where Retreaver lets them."""
        found: dict[str, dict[str, list[Row]]] = {name: {} for name in KINDS}
        for name, kind in KINDS.items():
            for row in self.rows.get(name, ()):
                if (key := kind.key(row)) is not None:
                    found[name].setdefault(key, []).append(row)
        return found

    def named(self, kind: Kind) -> Iterable[tuple[Row, str]]:
        """Return the objects of a kind with the key that files name each by.

        :param kind: of the objects.
        :return: pairs; an object without a key of its own is named like `id-7`.
        """
        keys = self.keys[kind.name]
        for row in self.rows.get(kind.name, ()):
            key = kind.key(row)
            if key is None or len(keys[key]) > 1:
                key = f"id-{row.get('id')}"
                while key in keys:
                    key += "-"
            yield row, key


def read_company() -> Procedure[int]:
    """Read which company the connection leads to.

    :return: Retreaver's ID of the company.
    """
    operation = get_active_company()
    company: Row = yield operation
    return int(require(company, "id", operation.request))


def read_account(kinds: Collection[str] = tuple(KINDS)) -> Procedure[Live]:
    """Read the account: each list once, and the objects one by one of which a list does not show everything.

    Numbers of pools are left out: their pool buys and releases them.

    :param kinds: names of the kinds to read.
    :return: the account.
    """
    live = Live((yield from read_company()))
    for kind in (KINDS[name] for name in KINDS if name in kinds):
        rows: list[Row] = yield kind.entry.list()
        own = dict(enumerate(row for row in rows if row.get("number_pool_id") is None))
        known = {place: identity for place, row in own.items() if (identity := kind.identity(row)) is not None}
        yield from complete(own, known, kind.needed, partial(_operation, kind, known))
        live.rows[kind.name] = list(own.values())
    return live


def _operation(kind: Kind, identities: Mapping[int, Id], place: int) -> Operation[Row]:
    return kind.entry.get(kind.reference(identities[place]))


def world_of(live: Live, world: World, labels: Mapping[str, int], moves: Mapping[str, str]) -> World:
    """Return what fields need to know of an account.

    :param live: the account.
    :param world: with secrets and date.
    :param labels: IDs of objects that files name by one, by address.
    :param moves: addresses that were given up, with the new ones.
    :return: the world of this account.
    """
    addresses = {int(row["id"]): f"target_groups/{key}" for row, key in live.named(KINDS["target_groups"])}
    addresses = {id_: moves.get(address, address) for id_, address in addresses.items()}
    addresses |= {id_: address for address, id_ in labels.items() if address.startswith("target_groups/")}
    groups = {id_: address.partition("/")[2] for id_, address in addresses.items()}
    keys: dict[str, Collection[str]] = {**live.keys, "target_groups": dict.fromkeys(groups.values())}
    return World(dict(moves), groups, keys, world.secrets, world.today)
