"""Making a plan: what the files say, beside what the account is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from airflow_provider_retreaver.account.files import AccountFiles, Declared
from airflow_provider_retreaver.account.kinds import DELETION, KINDS
from airflow_provider_retreaver.account.live import Live, world_of
from airflow_provider_retreaver.account.nodes import Place
from airflow_provider_retreaver.account.ordering import creation_attributes, ordered, references
from airflow_provider_retreaver.account.parts import SET, World, secret_place
from airflow_provider_retreaver.account.plan import Change, FieldDiff, Plan
from airflow_provider_retreaver.account.problems import Problems
from airflow_provider_retreaver.account.risks import cost_of, risks_of
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.objects.names import KINDS as NAMED
from airflow_provider_retreaver.domain.objects.names import comparable, select_named

# Attributes without which Retreaver creates no object, by their names in files.
REQUIRED = {"targets": ("number",), "number_pools": ("campaign",)}


@dataclass(slots=True)
class Planner:
    """Compares files with an account.

    :param files: what is wanted.
    :param live: the account as it is.
    :param world: secrets and date.
    :param comparing: only compare, for drift: an object that is missing is a difference like others, and what matters
        to an apply alone is not checked.
    """

    files: AccountFiles
    live: Live
    world: World
    comparing: bool = False
    _problems: Problems = field(default_factory=Problems, init=False)
    _rows: dict[str, Row] = field(default_factory=dict, init=False)
    _managed: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _warnings: list[str] = field(default_factory=list, init=False)
    _keys: dict[str, dict[str, list[Row]]] = field(default_factory=dict, init=False)

    def plan(self, *, git_commit: str | None = None, environment: str | None = None) -> Plan:
        """Return the plan.

        :param git_commit: of the files.
        :param environment: name of the overlay.
        :return: the plan with its hash.
        :raises InvalidArgument: naming every place of the files that does not fit the account; nothing was sent.
        """
        if self.files.company is not None and self.files.company != self.live.company:
            raise InvalidArgument(
                f"The files are of company {self.files.company}, and the connection is to company "
                f"{self.live.company}; correct one of them."
            )
        labels = {
            address: one.spec.id
            for address, one in self.files.objects.items()
            if getattr(one.spec, "id", UNSET) is not UNSET
        }
        self._keys = {name: self.live.by_key(kind) for name, kind in KINDS.items()}
        self.world = world_of(self.live, self.world, labels, self.files.moves.items())
        for declared in self.files.objects.values():
            row = self._find(declared)
            if row is not None:
                self._rows[declared.address] = row
        self._refuse_doubles()
        deletions = list(self._deletions())
        self._problems.refuse()
        changes = [one for declared in self.files.objects.values() if (one := self._change(declared)) is not None]
        self._problems.refuse()
        updates, circle = ordered(changes)
        if circle:
            names = ", ".join(sorted(one.address for one in circle))
            self._problem(
                self.files.objects[circle[0].address],
                "",
                f"{names} are new and refer to each other in a circle; create them without one reference first",
            )
        self._problems.refuse()
        everything = [*updates, *deletions]
        return Plan(
            company=self.live.company,
            files_sha256=self.files.sha256,
            git_commit=git_commit,
            environment=environment,
            objects=len(self.files.objects),
            changes=everything,
            cost=cost_of(everything, self._rows, self.files.prices),
            moves=self.files.moves,
            labels=labels,
            files=self.files.content,
            managed=self._managed,
            warnings=self._warnings,
        ).hashed()

    # -- finding

    def _find(self, declared: Declared) -> Row | None:
        kind, spec = declared.kind, declared.spec
        if (id_ := getattr(spec, "id", UNSET)) is not UNSET:
            row = next((row for row in self.live.rows.get(kind.name, ()) if row.get("id") == id_), None)
            if row is None:
                self._missing(
                    declared,
                    "id",
                    f"there is no {kind.title} with the id {id_}; it was deleted, or the id is another company's",
                )
            return row
        if kind.name == "number_pools":
            return self._one(declared, [row for row in self.live.rows[kind.name] if self._is_pool(declared, row)])
        if getattr(spec, "purchase", UNSET) is not UNSET:
            bought = [row for row in self.live.rows[kind.name] if row.get("sid") == spec.purchase.key]
            return self._one(declared, bought)
        found = self._by_address(declared.address)
        source = next((old for old, new in self.files.moves.items() if new == declared.address), None)
        if source is not None:
            before = self._by_address(source)
            if before and found:
                self._problem(
                    declared,
                    "",
                    f"{source} and {declared.address} both exist, so one cannot become the "
                    f"other; delete the move, or remove one of them",
                )
            elif not before and not found:
                self._missing(declared, "", f"neither {source} nor {declared.address} exists; delete the move")
            found = found or before
        if not found and kind.name == "numbers":
            self._missing(declared, "", "the account has no such number; a number is bought by `purchase`")
        return self._one(declared, found)

    def _by_address(self, address: str) -> list[Row]:
        kind, _, key = address.partition("/")
        return self._keys[kind].get(comparable(key) if kind == "target_groups" else key, [])

    def _is_pool(self, declared: Declared, row: Row) -> bool:
        wanted = {name: getattr(declared.spec, name) for name in ("campaign", "affiliate")}
        current = declared.kind.current(row, self.world)
        return all(current.get(name) == (None if value is UNSET else value) for name, value in wanted.items())

    def _one(self, declared: Declared, found: list[Row]) -> Row | None:
        if len(found) > 1:
            try:
                named = NAMED.get(declared.kind.name)
                if named is not None:
                    select_named(named, found, [declared.key], declared.address)
                problem = (
                    f"{len(found)} {declared.kind.title}s fit (ids {', '.join(str(row['id']) for row in found)})"
                )
            except InvalidArgument as error:
                problem = error.message.removeprefix(f"{declared.address}: ").rstrip(".")
            self._problem(
                declared,
                "",
                f"{problem}; write the `id` of the one that is meant"
                if "id" in declared.kind.struct.__struct_fields__
                else problem,
            )
            return None
        return found[0] if found else None

    def _refuse_doubles(self) -> None:
        seen: dict[tuple[str, Any], str] = {}
        for address, row in self._rows.items():
            kind = KINDS[address.partition("/")[0]]
            identity = (kind.name, kind.identity(row))
            if identity in seen:
                self._problem(
                    self.files.objects[address], "", f"it is the same object as {seen[identity]}; write it once"
                )
            seen[identity] = address

    def _missing(self, declared: Declared, name: str, problem: str) -> None:
        if not self.comparing:
            self._problem(declared, name, problem)

    def _problem(self, declared: Declared, name: str, problem: str) -> None:
        self._problems.add(declared.place(name), declared.address, problem)

    # -- changes

    def _change(self, declared: Declared) -> Change | None:
        kind, row = declared.kind, self._rows.get(declared.address)
        current = kind.current(row, self.world) if row is not None else {}
        if self.comparing and row is None:
            return Change(address=declared.address, action="create")
        desired = self._desired(declared, row)
        if not self.comparing:
            self._refer(declared, desired, current)
        unknown = [name for name in desired if row is not None and name not in current]
        for name in unknown:
            self._warnings.append(f"{declared.address}: Retreaver does not return {name}, so it is not compared.")
        if desired.get("sip_password") == SET and self.world.secrets(declared.spec.sip_password) is None:
            where = secret_place(declared.spec.sip_password)
            self._warnings.append(f"{declared.address}: {where} does not exist, so sip_password is not compared.")
        desired = {name: value for name, value in desired.items() if name not in unknown}
        self._managed[declared.address] = desired
        fields = {
            name: FieldDiff(current.get(name), after) for name, after in desired.items() if current.get(name) != after
        }
        fields = {name: diff for name, diff in fields.items() if row is None or not declared.ignores(name)}
        if row is not None and not fields:
            return None
        purchase = getattr(declared.spec, "purchase", UNSET)
        change = Change(
            address=declared.address,
            action="create" if row is None else "update",
            id=kind.identity(row) if row is not None else None,
            name=_name_of(row or {name: diff.after for name, diff in fields.items()}),
            fields=fields,
            purchase=None if purchase is UNSET or row is not None else msgspec.to_builtins(purchase),
            risks=risks_of(
                "create" if row is None else "update", kind.name, fields, buys=row is None and purchase is not UNSET
            ),
        )
        if not self.comparing:
            self._check_sendable(declared, change, row)
        return change

    def _desired(self, declared: Declared, row: Row | None) -> dict[str, Any]:
        kind, spec = declared.kind, declared.spec
        desired: dict[str, Any] = {}
        for part in kind.parts:
            written = getattr(spec, part.name, UNSET)
            if written is UNSET:
                continue
            try:
                desired |= part.desired(written, row, self.world)
            except RetreaverError as error:
                self._problem(declared, part.name, error.message)
        if row is None and getattr(spec, "purchase", UNSET) is not UNSET:
            desired["sid"] = spec.purchase.key
        key_name = next(iter(kind.key_names), None)
        labelled = getattr(spec, "id", UNSET) is not UNSET
        if (
            key_name is not None
            and kind.name != "numbers"
            and not labelled
            and (
                row is None
                or kind.key(row) != (comparable(declared.key) if kind.name == "target_groups" else declared.key)
            )
        ):
            desired = {key_name: declared.key} | desired
        return desired

    def _refer(self, declared: Declared, desired: Fields, current: Fields) -> None:
        """Refuse references to nothing; what Retreaver has in place already is none of ours."""
        for kind, key, name in references(desired):
            if current.get(name) == desired[name] or self._exists(kind, key):
                continue
            known = [*self._keys[kind], *(one.key for one in self.files.objects.values() if one.kind.name == kind)]
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {quoted(near[0])}?" if near else f"add it to {kind}, or correct the reference"
            title = KINDS[kind].title
            self._problem(declared, name, f"{name} refers to the {title} {quoted(key)}, which does not exist; {hint}")

    def _exists(self, kind: str, key: str) -> bool:
        address = f"{kind}/{key}"
        if address in self.files.removed or address in self.files.moves:
            return False
        if kind == "target_groups" and key in self.world.groups.values():
            return True
        return address in self.files.objects or (kind != "target_groups" and key in self._keys[kind])

    def _check_sendable(self, declared: Declared, change: Change, row: Row | None) -> None:
        """Refuse before anything is sent what Retreaver would refuse, or what cannot be expressed."""
        kind = declared.kind
        after = {name: diff.after for name, diff in change.fields.items()}
        missing = [name for name in REQUIRED.get(kind.name, ()) if row is None and not after.get(name)]
        if missing:
            self._problem(declared, "", f"it does not exist, and a new {kind.title} needs its {missing[0]}")
            return
        try:
            attributes = kind.attributes(after, row, self.world)
            if change.action == "create":
                kind.entry.create(creation_attributes(change, attributes))
            elif attributes:
                kind.entry.update(kind.reference(change.id or ""), attributes)
        except RetreaverError as error:
            name = next((part.name for part in kind.parts if part.name in error.message), "")
            self._problem(declared, name, error.message)

    def _deletions(self) -> Iterable[Change]:
        found: list[Change] = []
        for address in self.files.removed:
            kind = KINDS[address.partition("/")[0]]
            rows = self._by_address(address) if kind.key_names else []
            label = address.partition("/")[2].removeprefix("id-")
            if not rows and address.partition("/")[2].startswith("id-"):
                rows = [row for row in self.live.rows.get(kind.name, ()) if str(row.get("id")) == label]
            if len(rows) > 1:
                ids = ", ".join(f"{kind.name}/id-{row['id']}" for row in rows)
                self._problems.add(Place("removed", 1), address, f"several have this address; write one of {ids}")
            for row in rows[:1]:
                self._rows[address] = row
                before = {name: FieldDiff(value, None) for name, value in kind.current(row, self.world).items()}
                found.append(
                    Change(
                        address=address,
                        action="delete",
                        id=kind.identity(row),
                        name=_name_of(row),
                        fields=before,
                        risks=risks_of("delete", kind.name, before, buys=False),
                    )
                )
        return sorted(found, key=lambda one: DELETION.index(one.kind))


def _name_of(row: Mapping[str, Any]) -> str | None:
    name = row.get("name") or row.get("company_name")
    return None if name is None else without_secrets(str(name))
