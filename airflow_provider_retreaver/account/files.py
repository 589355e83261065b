"""Files to objects: checked against the format, with the defaults, every error with its place."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast, get_args, get_origin

import msgspec
from msgspec import UNSET

from airflow_provider_retreaver.account.kinds import KINDS, Kind
from airflow_provider_retreaver.account.merging import document, joined, overlaid, with_defaults
from airflow_provider_retreaver.account.nodes import Node, Place
from airflow_provider_retreaver.account.problems import Problems
from airflow_provider_retreaver.account.schema import AccountFile, Move, Prices
from airflow_provider_retreaver.account.variables import Variables, escaped
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import did_you_mean, one_line, quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.lists.phones import from_e164


@dataclass(frozen=True, slots=True)
class Declared:
    """An object of the files.

    :param kind: of the object.
    :param key: in its section.
    :param spec: what is written about it, with the defaults.
    :param places: where each of its fields is written; blank for the object itself.
    """

    kind: Kind
    key: str
    spec: Any
    places: Mapping[str, Place]

    @property
    def address(self) -> str:
        """Section and key."""
        return f"{self.kind.name}/{self.key}"

    def place(self, name: str = "") -> Place:
        """Return where a field is written.

        :param name: of the field; blank for the object.
        :return: the place.
        """
        return self.places.get(name.partition(".")[0], self.places[""])

    def given(self, name: str) -> Any:
        """Return what is written about a field.

        :param name: of the field.
        :return: the value; None for nothing.
        """
        value = getattr(self.spec, name, UNSET)
        return None if value is UNSET else value

    def ignores(self, name: str) -> bool:
        """Return whether a field is left alone.

        :param name: of the field.
        :return: True when `ignore` has it, or what it is inside of.
        """
        return any(name == one or name.startswith(f"{one}.") for one in self.spec.ignore)


@dataclass(slots=True)
class AccountFiles:
    """What the files say.

    :param company: Retreaver's ID of the company.
    :param prices: what a number costs a month.
    :param objects: by address.
    :param moves: new addresses by old ones.
    :param removed: addresses to delete.
    :param content: what they say without variables, as one file that `read_files` reads again.
    :param sha256: of what the files say; comments and their order do not count.
    """

    company: int | None = None
    prices: Prices = field(default_factory=Prices)
    objects: dict[str, Declared] = field(default_factory=dict)
    moves: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""


def read_files(
    files: Iterable[tuple[str, str]],
    overlay: tuple[str, str] | None = None,
    variables: Mapping[str, object] | None = None,
) -> AccountFiles:
    """Read files as one account.

    :param files: names and texts.
    :param overlay: name and text of an environment's file, which overrides the others field by field.
    :param variables: which override those of the files.
    :return: what they say.
    :raises InvalidArgument: naming every place where something is wrong; nothing was sent.
    """
    problems = Problems()
    root: Node | None = None
    for file, text in files:
        one = document(text, file)
        root = one if root is None else joined(root, one, "", problems)
    if root is None:
        raise InvalidArgument("There is no file to read: give a folder with files that end in .yaml or .yml.")
    if overlay is not None:
        root = overlaid(root, document(overlay[1], overlay[0]), "")
    problems.refuse()
    root = Variables(root, variables or {}, problems).expanded()
    problems.refuse()
    return _Building(root, problems).account()


@cache
def _fields(struct: Any) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of a class by the names that files write; msgspec reads its annotations anew each time."""
    return {one.encode_name: one for one in msgspec.structs.fields(struct)}


class _Building:
    """Makes objects of nodes, and notes the place of everything that does not fit."""

    def __init__(self, root: Node, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def account(self) -> AccountFiles:
        sections: dict[str, Node] = dict(self._root.value) if isinstance(self._root.value, dict) else {}
        self._known(sections, list(_fields(AccountFile)), "")
        defaults = self._mapping(sections.get("defaults"), "defaults")
        self._known(defaults, list(KINDS), "defaults")
        objects: dict[str, Declared] = {}
        for kind in KINDS.values():
            for key, node in self._mapping(sections.get(kind.name), kind.name).items():
                declared = self._declared(kind, key, node, defaults.get(kind.name))
                if declared is not None:
                    objects[declared.address] = declared
        values = {
            name: self._value(node, _fields(AccountFile)[name].type, name)
            for name, node in sections.items()
            if name in ("company", "prices", "moved", "removed", "vars")
        }
        self._problems.refuse()
        account = AccountFiles(
            company=values.get("company"),
            prices=values.get("prices", Prices()),
            objects=objects,
            removed=list(dict.fromkeys(values.get("removed", ()))),
            content={name: escaped(node.plain()) for name, node in sections.items() if name != "vars"},
            sha256=hashlib.sha256(msgspec.json.encode(self._root.plain(), order="sorted")).hexdigest(),
        )
        account.moves = self._moves(values.get("moved", ()), account)
        self._check_removed(account)
        self._problems.refuse()
        return account

    def _declared(self, kind: Kind, key: str, node: Node, defaults: Node | None) -> Declared | None:
        path = f"{kind.name}/{key}"
        if not isinstance(node.value, dict):
            self._problems.add(node.place, path, "an object is a mapping of fields; write `{}` for none")
            return None
        merged = node if defaults is None else with_defaults(node, defaults)
        fields = dict(merged.value) if isinstance(merged.value, dict) else {}
        spec = self._struct(fields, merged.place, kind.struct, path)
        if spec is None:
            return None
        declared = Declared(kind, key, spec, {"": node.place, **{name: one.place for name, one in fields.items()}})
        self._check(declared)
        return declared

    def _check(self, declared: Declared) -> None:
        """Refuse what no object can have, before anything is read."""
        spec, add = declared.spec, self._problems.add
        for name in spec.ignore:
            if declared.kind.part(name.partition(".")[0]) is None:
                known = ", ".join(part.name for part in declared.kind.parts)
                add(
                    declared.place("ignore"),
                    declared.address,
                    f"ignore has the unknown field {quoted(name)}; known are {known}",
                )
        for name, value in msgspec.to_builtins(spec).items():
            if without_secrets(value) != value:
                add(declared.place(name), declared.address, f"{name} holds a secret; take it out of the file")
        if declared.kind.name == "target_groups" and spec.name is not UNSET and spec.id is UNSET:
            add(declared.place("name"), declared.address, "the key is the name of a group; use `moved` to rename it")
        if declared.kind.name == "numbers":
            self._check_number(declared)
        secret = getattr(spec, "sip_password", UNSET)
        if secret is not UNSET and (secret.connection is UNSET) == (secret.env is UNSET):
            add(declared.place("sip_password"), declared.address, "sip_password takes either connection or env")

    def _check_number(self, declared: Declared) -> None:
        spec, e164 = declared.spec, from_e164(declared.key) is not None
        where, address = declared.place(), declared.address
        if spec.purchase is UNSET and not e164:
            self._problems.add(
                where,
                address,
                'the key of a number is the number in E.164, such as "+18005550100"; '
                "one that is to be bought needs `purchase`",
            )
        if spec.purchase is not UNSET:
            for name in ("campaign", "affiliate"):
                if getattr(spec, name) is UNSET:
                    self._problems.add(declared.place("purchase"), address, f"a number to buy needs its {name}")
            if spec.sid is not UNSET:
                self._problems.add(
                    declared.place("sid"), address, "the key of `purchase` is the SubID of the number; leave out sid"
                )
            if e164:
                self._problems.add(
                    declared.place("purchase"),
                    address,
                    "which number is bought is not known before; give it any other key",
                )

    def _moves(self, moved: Sequence[Move], account: AccountFiles) -> dict[str, str]:
        moves: dict[str, str] = {}
        place = self._place("moved")
        for move in moved:
            kinds = {self._kind_of(address, "moved") for address in (move.source, move.to)} - {None}
            if len(kinds) > 1 or kinds & {"numbers", "number_pools"}:
                self._problems.add(place, "moved", f"{move.source} cannot become {move.to}")
            elif move.source in moves or move.to in moves.values() or move.source == move.to:
                self._problems.add(place, "moved", f"{move.source} or {move.to} is moved twice; keep the latest move")
            elif move.to not in account.objects:
                self._problems.add(place, "moved", f"{move.to} is not in the files; add it, or delete the move")
            elif move.source in account.objects:
                self._problems.add(place, "moved", f"{move.source} is in the files still; rename it to {move.to}")
            moves[move.source] = move.to
        for source, to in moves.items():
            if to in moves:
                self._problems.add(
                    place,
                    "moved",
                    f"{source} becomes {to}, which is moved itself: a circle or a chain; move it to where it ends",
                )
        return moves

    def _check_removed(self, account: AccountFiles) -> None:
        for address in account.removed:
            self._kind_of(address, "removed")
            if address in account.objects:
                self._problems.add(
                    account.objects[address].place(),
                    address,
                    "it is in the files and in removed; delete it from one of them",
                )

    def _kind_of(self, address: str, section: str) -> str | None:
        kind, _, key = address.partition("/")
        if kind in KINDS and key:
            return kind
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]}/{key}?" if near and key else "an address is like targets/acme-1"
        self._problems.add(self._place(section), section, f"{quoted(address)} is no address; {hint}")
        return None

    def _place(self, section: str) -> Place:
        root = self._root.value
        return root[section].place if isinstance(root, dict) and section in root else self._root.place

    # -- values

    def _mapping(self, node: Node | None, path: str) -> dict[str, Node]:
        if node is None or node.value is None:
            return {}
        if isinstance(node.value, dict):
            return node.value
        self._problems.add(node.place, path, "this must be a mapping of keys to objects")
        return {}

    def _known(self, given: Mapping[str, Node], names: Sequence[str], path: str) -> None:
        for key, node in given.items():
            if key not in names:
                hint = did_you_mean(key, names, f"known are {', '.join(names)}")
                self._problems.add(node.place, path, f"unknown key {quoted(key)}; {hint}")

    def _struct(self, given: Mapping[str, Node], place: Place, struct: type[Any], path: str) -> Any:
        fields: dict[str, msgspec.structs.FieldInfo] = _fields(cast("Any", struct))
        self._known(given, list(fields), path)
        values = {
            fields[key].name: self._value(node, fields[key].type, f"{path}: {key}")
            for key, node in given.items()
            if key in fields
        }
        missing = [name for name, one in fields.items() if one.required and name not in given]
        if missing:
            self._problems.add(place, path, f"{missing[0]} is missing")
            return None
        return struct(**values)

    def _value(self, node: Node, type_: Any, path: str) -> Any:
        struct = _inner(type_, lambda one: isinstance(one, type) and issubclass(one, msgspec.Struct))
        if struct is not None and isinstance(node.value, dict):
            return self._struct(node.value, node.place, struct, path)
        rows = _inner(type_, lambda one: _origin(one) is list)
        item = get_args(rows)[0] if rows is not None else None
        if isinstance(node.value, list) and _inner(item, lambda one: isinstance(one, type)) is not None:
            return [self._value(one, item, path) for one in node.value]
        try:
            return msgspec.convert(node.plain(), type_)
        except msgspec.ValidationError as error:
            quotes = "; put a text in quotes" if "Expected `str" in str(error) else ""
            self._problems.add(node.place, path, f"{one_line(str(error).partition(' - at')[0])}{quotes}")
            return UNSET


def _inner(type_: Any, fits: Any) -> Any:
    """Return the alternative of a type that fits, None when there is none."""
    if fits(type_):
        return type_
    alternatives = () if _origin(type_) in (dict, list) else get_args(type_)
    return next((found for one in alternatives if (found := _inner(one, fits)) is not None), None)


def _origin(type_: Any) -> Any:
    return get_origin(type_)
