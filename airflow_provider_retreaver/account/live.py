"""The account as it is: one read of all lists, and who is who in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from airflow_provider_retreaver.account.files import AccountFiles
from airflow_provider_retreaver.account.kinds import KINDS, REFERENCES, Kind
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row
from airflow_provider_retreaver.domain.objects.at_once import complete
from airflow_provider_retreaver.resources.companies import get_active_company
from airflow_provider_retreaver.resources.resource import Id


@dataclass(slots=True)
class Live:
    """The objects of an account.

    :param company: Retreaver's ID of the company.
    :param rows: objects as Retreaver returns them, by kind.
    """

    company: int
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def by_key(self, kind: Kind) -> dict[str, list[Row]]:
        """Return the objects of a kind by the key that files name them by.

        :param kind: of the objects.
        :return: objects by key; several have one key where Retreaver lets them.
        """
        found: dict[str, list[Row]] = {}
        for row in self.rows.get(kind.name, ()):
            key = kind.key(row)
            if key is not None:
                found.setdefault(key, []).append(row)
        return found

    def named(self, kind: Kind) -> Iterable[tuple[Row, str]]:
        """Return the objects of a kind with the key that files name each by.

        :param kind: of the objects.
        :return: pairs; an object without a key of its own is named like `id-7`.
        """
        by_key = self.by_key(kind)
        for row in self.rows.get(kind.name, ()):
            key = kind.key(row)
            if key is None or len(by_key[key]) > 1:
                key = f"id-{row.get('id')}"
                while key in by_key:
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


def needed_kinds(files: AccountFiles) -> set[str]:
    """Return which kinds of objects files are compared with; the others need not be read.

    :param files: what is wanted.
    :return: the kinds of the objects in them, and those that objects of these kinds refer to.
    """
    addresses = (*files.objects, *files.moves, *files.removed)
    kinds = {address.partition("/")[0] for address in addresses}
    parts = {part.name for kind in kinds for part in KINDS[kind].parts}
    return kinds | {REFERENCES[name] for name in parts & REFERENCES.keys()}


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
    return World(dict(moves), groups, world.secrets, world.today)
