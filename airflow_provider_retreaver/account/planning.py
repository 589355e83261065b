"""Making a plan: what the files say, beside what the account is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_provider_retreaver.account.files import AccountFiles, Declared
from airflow_provider_retreaver.account.kinds import DELETION, KINDS, Live, references, world_of
from airflow_provider_retreaver.account.nodes import Place, Problems
from airflow_provider_retreaver.account.parts import SET, World, secret_of, secret_place
from airflow_provider_retreaver.account.plan import Action, Change, FieldDiff, Plan, cost_of, risks_of
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.changes.differences import Fields, differences

# Attributes without which Retreaver creates no object, by their names in files.
REQUIRED = {"targets": "number", "number_pools": "campaign"}


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
    _known: dict[str, dict[str, None]] = field(default_factory=dict, init=False)

    def plan(self, *, git_commit: str | None = None, environment: str | None = None) -> Plan:
        """Return the plan.

        :param git_commit: of the files.
        :param environment: name of the overlay.
        :return: the plan with its hash.
        :raises InvalidArgument: naming every place of the files that does not fit the account; nothing was sent.
        """
        files = self.files
        if files.company is not None and files.company != self.live.company:
            raise InvalidArgument(
                f"The files are of company {files.company}, and the connection is to company {self.live.company}; "
                f"correct one of them."
            )
        labels = {name: one.written["id"] for name, one in files.objects.items() if "id" in one.written}
        self.world = world_of(self.live, self.world, labels, files.moves)
        found = {name: self._find(declared) for name, declared in files.objects.items()}
        self._rows = {name: row for name, row in found.items() if row is not None}
        self._refuse_doubles()
        deletions = self._deletions()
        self._problems.refuse()
        self._known = {name: self._keys_that_will_be(name) for name in KINDS}
        changes = [change for one in files.objects.values() if (change := self._change(one)) is not None]
        updates, circle = _ordered(changes)
        if circle:
            names = ", ".join(sorted(one.address for one in circle))
            problem = f"{names} are new and refer to each other in a circle; create them without one reference first"
            self._problem(files.objects[circle[0].address], "", problem)
        self._problems.refuse()
        everything = [msgspec.structs.replace(one, risks=risks_of(one)) for one in (*updates, *deletions)]
        return Plan(
            company=self.live.company,
            files_sha256=files.sha256,
            git_commit=git_commit,
            environment=environment,
            objects=len(files.objects),
            changes=everything,
            cost=cost_of(everything, self._rows, files.prices),
            moves=files.moves,
            labels=labels,
            files=files.content,
            managed=self._managed,
            warnings=self._warnings,
        ).hashed()

    # -- finding

    def _find(self, declared: Declared) -> Row | None:
        kind, written, missing = declared.kind, declared.written, ""
        rows = self.live.rows.get(kind.name, [])
        if "id" in written:
            found = [row for row in rows if row.get("id") == written["id"]]
            there_is_none = f"there is no {kind.entry.title} with the id {written['id']}"
            missing = f"{there_is_none}; it was deleted, or the id is another company's"
        elif kind.name == "number_pools":
            found = [row for row in rows if self._is_pool(declared, row)]
        elif "purchase" in written:
            found = [row for row in rows if row.get("sid") == written["purchase"]["key"]]
        else:
            found, missing = self._find_by_key(declared)
        if missing and not found and not self.comparing:
            self._problem(declared, "id", missing)
        if len(found) > 1:
            hint = "; write the `id` of the one that is meant" if "id" in kind.struct.__struct_fields__ else ""
            ids = ", ".join(str(row["id"]) for row in found)
            self._problem(declared, "", f"{len(found)} {kind.entry.title}s fit (ids {ids}){hint}")
        return found[0] if len(found) == 1 else None

    def _find_by_key(self, declared: Declared) -> tuple[list[Row], str]:
        """Return the objects of an address, or of the one before a move, and what is wrong where there is none."""
        address, missing = declared.address, ""
        found = self._with_address(address)
        if declared.kind.name == "numbers":
            missing = "the account has no such number; a number is bought by `purchase`"
        for source in (old for old, new in self.files.moves.items() if new == address):
            before = self._with_address(source)
            if before and found:
                problem = (
                    f"{source} and {address} both exist, so one cannot become the other; delete the move, or remove "
                    f"one of them"
                )
                self._problem(declared, "", problem)
            missing = f"neither {source} nor {address} exists; delete the move"
            found = found or before
        return found, missing

    def _with_address(self, address: str) -> list[Row]:
        kind, _, key = address.partition("/")
        return self.live.keys[kind].get(KINDS[kind].comparable(key), [])

    def _is_pool(self, declared: Declared, row: Row) -> bool:
        current = declared.kind.current(row, self.world)
        return all(current.get(name) == declared.written.get(name) for name in ("campaign", "affiliate"))

    def _refuse_doubles(self) -> None:
        seen: dict[tuple[str, Any], str] = {}
        for address, row in self._rows.items():
            declared = self.files.objects[address]
            first = seen.setdefault((declared.kind.name, declared.kind.identity(row)), address)
            if first != address:
                self._problem(declared, "", f"it is the same object as {first}; write it once")

    def _deletions(self) -> list[Change]:
        found: list[Change] = []
        for address in sorted(self.files.removed, key=lambda one: DELETION.index(one.partition("/")[0])):
            kind, label = KINDS[address.partition("/")[0]], address.partition("/")[2]
            rows = self._with_address(address)
            rows = rows or [row for row in self.live.rows.get(kind.name, ()) if f"id-{row.get('id')}" == label]
            if len(rows) > 1:
                ids = ", ".join(f"{kind.name}/id-{row['id']}" for row in rows)
                self._problems.add(Place("removed", 1), address, f"several have this address; write one of {ids}")
            for row in rows[:1]:
                self._rows[address] = row
                before = {name: FieldDiff(value, None) for name, value in kind.current(row, self.world).items()}
                found.append(self._change_of(address, "delete", row, before))
        return found

    def _problem(self, declared: Declared, name: str, problem: str) -> None:
        self._problems.add(declared.place(name), declared.address, problem)

    # -- changes

    def _change(self, declared: Declared) -> Change | None:
        address, kind, row = declared.address, declared.kind, self._rows.get(declared.address)
        if self.comparing and row is None:
            return Change(address=address, action="create")
        current = kind.current(row, self.world) if row is not None else {}
        desired = self._desired(declared, row)
        if not self.comparing:
            self._refer(declared, desired, current)
        unknown = [name for name in desired if row is not None and name not in current]
        self._warnings += [f"{address}: Retreaver does not return {name}, so it is not compared." for name in unknown]
        secret: Any = declared.written.get("sip_password")
        if desired.get("sip_password") == SET and secret_of(secret, self.world) is None:
            where = secret_place(secret)
            self._warnings.append(f"{address}: {where} does not exist, so sip_password is not compared.")
        desired = {name: value for name, value in desired.items() if name not in unknown}
        self._managed[address] = desired
        fields = {
            one.field: FieldDiff(one.before, one.after)
            for one in differences(current, desired)
            if row is None or not declared.ignores(one.field)
        }
        if row is not None and not fields:
            return None
        change = self._change_of(address, "create" if row is None else "update", row, fields)
        if not self.comparing:
            self._check_sendable(declared, change, row)
        return change

    def _change_of(self, address: str, action: Action, row: Row | None, fields: dict[str, FieldDiff]) -> Change:
        known = row or {name: diff.after for name, diff in fields.items()}
        name = known.get("name") or known.get("company_name")
        return Change(
            address=address,
            action=action,
            id=KINDS[address.partition("/")[0]].identity(row) if row is not None else None,
            name=None if name is None else without_secrets(str(name)),
            fields=fields,
            purchase=self.files.objects[address].written.get("purchase") if row is None else None,
        )

    def _desired(self, declared: Declared, row: Row | None) -> dict[str, Any]:
        kind, written = declared.kind, declared.written
        desired: dict[str, Any] = {}
        for part in (one for one in kind.parts if one.name in written):
            try:
                desired |= part.desired(written[part.name], row, self.world)
            except RetreaverError as error:
                self._problem(declared, part.name, error.message)
        if row is None and "purchase" in written:
            desired["sid"] = written["purchase"]["key"]
        by_key = kind.key_name and kind.name != "numbers" and "id" not in written
        if by_key and (row is None or kind.key(row) != kind.comparable(declared.key)):
            desired = {kind.key_name: declared.key} | desired
        return desired

    def _refer(self, declared: Declared, desired: Fields, current: Fields) -> None:
        """Refuse references to nothing; what Retreaver has in place already is none of ours."""
        for kind, key, name in references(desired):
            if current.get(name) != desired[name] and key not in self._known[kind]:
                hint = did_you_mean(key, self._known[kind], f"add it to {kind}, or correct the reference")
                missing = f"{name} refers to the {KINDS[kind].entry.title} {quoted(key)}, which does not exist"
                self._problem(declared, name, f"{missing}; {hint}")

    def _keys_that_will_be(self, kind: str) -> dict[str, None]:
        """Return the keys to which references may lead, in order: those that are there, and those of the files."""
        written = (one.key for one in self.files.objects.values() if one.kind.name == kind)
        gone = {*self.files.removed, *self.files.moves}
        return {key: None for key in (*self.world.keys[kind], *written) if f"{kind}/{key}" not in gone}

    def _check_sendable(self, declared: Declared, change: Change, row: Row | None) -> None:
        """Refuse before anything is sent what Retreaver would refuse, or what cannot be expressed."""
        kind, required = declared.kind, REQUIRED.get(declared.kind.name)
        if row is None and required is not None and not change.after.get(required):
            self._problem(declared, "", f"it does not exist, and a new {kind.entry.title} needs its {required}")
            return
        try:
            attributes = kind.attributes(change.after, row, self.world)
            if change.action == "create":
                kind.entry.create({**attributes, **change.bought})
            elif attributes:
                kind.entry.update(kind.reference(change.id or ""), attributes)
        except RetreaverError as error:
            name = next((part.name for part in kind.parts if part.name in error.message), "")
            self._problem(declared, name, error.message)


def _ordered(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return changes so that what others refer to comes first, and those that need each other in a circle."""
    made = {one.address for one in changes if one.action == "create" or KINDS[one.kind].key_name in one.fields}
    waiting: list[Change] = []
    for one in sorted(changes, key=lambda one: (list(KINDS).index(one.kind), one.action != "create")):
        needs = {f"{kind}/{key}" for kind, key, _ in references(one.after)} & made - {one.address}
        waiting.append(msgspec.structs.replace(one, needs=sorted(needs)))
    done: list[Change] = []
    left = {one.address for one in waiting}
    while ready := next((one for one in waiting if not left & set(one.needs)), None):
        done.append(ready)
        waiting.remove(ready)
        left.remove(ready.address)
    return done, waiting
