"""Files to objects: checked against the format, with the defaults, every error with its place."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import UNSET

from airflow_provider_retreaver.account.kinds import KINDS, REFERENCES, Kind
from airflow_provider_retreaver.account.merging import Variables, document, escaped, merged
from airflow_provider_retreaver.account.nodes import Node, Place, Problems
from airflow_provider_retreaver.account.schema import AccountFile, Move, Prices
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import did_you_mean, one_line, quoted
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.lists.phones import from_e164


@dataclass(frozen=True, slots=True)
class Declared:
    """An object of the files.

    :param kind: of the object.
    :param key: in its section.
    :param written: what is written about it, with the defaults, as plain JSON.
    :param places: where each of its fields is written; blank for the object itself.
    """

    kind: Kind
    key: str
    written: dict[str, Any]
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

    def ignores(self, name: str) -> bool:
        """Return whether a field is left alone.

        :param name: of the field.
        :return: True when `ignore` has it, or what it is inside of.
        """
        return any(name == one or name.startswith(f"{one}.") for one in self.written.get("ignore", ()))


@dataclass(frozen=True, slots=True)
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

    company: int | None
    prices: Prices
    objects: dict[str, Declared]
    moves: dict[str, str]
    removed: list[str]
    content: dict[str, Any]
    sha256: str

    def kinds(self) -> set[str]:
        """Return which kinds of objects the files are compared with; the others need not be read.

        :return: the kinds of the objects in them, and those that objects of these kinds refer to.
        """
        kinds = {address.partition("/")[0] for address in (*self.objects, *self.moves, *self.removed)}
        parts = {part.name for kind in kinds for part in KINDS[kind].parts}
        return kinds | {REFERENCES[name] for name in parts & REFERENCES.keys()}


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
    documents = [document(text, file) for file, text in files]
    if not documents:
        raise InvalidArgument("There is no file to read: give a folder with files that end in .yaml or .yml.")
    root = reduce(lambda one, other: merged(one, other, problems=problems), documents)
    if overlay is not None:
        root = merged(root, document(overlay[1], overlay[0]))
    problems.refuse()
    root = Variables(root, variables or {}, problems).expanded()
    problems.refuse()
    return _Building(root, problems).account()


@cache
def _fields(struct: Any) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of a class by the names that files write; msgspec reads its annotations anew each time."""
    return {one.encode_name: one for one in msgspec.structs.fields(struct)}


@dataclass(frozen=True, slots=True)
class _Building:
    """Makes objects of nodes, and notes the place of everything that does not fit."""

    _root: Node
    _problems: Problems

    def account(self) -> AccountFiles:
        sections = self._root.fields
        for name in ("defaults", *KINDS):
            if name in sections and not isinstance(sections[name].value, (dict, type(None))):
                self._problems.add(sections[name].place, name, "this must be a mapping of keys to objects")
        defaults = self._root.inside("defaults")
        self._known(defaults, KINDS, "defaults")
        declared = [
            self._declared(kind, key, node, defaults.get(kind.name))
            for kind in KINDS.values()
            for key, node in self._root.inside(kind.name).items()
        ]
        rest = {name: node for name, node in sections.items() if name not in ("defaults", *KINDS)}
        file = self._struct(rest, self._root.place, AccountFile, "")
        self._problems.refuse()
        objects = {one.address: one for one in declared if one is not None}
        removed = list(dict.fromkeys(file.removed))
        of_sections = {"moved": _problems_of_moves(file.moved, objects), "removed": _problems_of_addresses(removed)}
        for section, problems in of_sections.items():
            for problem in problems:
                self._problems.add(sections[section].place, section, problem)
        for address in (one for one in removed if one in objects):
            self._wrong(objects[address], "", "it is in the files and in removed; delete it from one of them")
        self._problems.refuse()
        return AccountFiles(
            company=None if file.company is UNSET else file.company,
            prices=Prices() if file.prices is UNSET else file.prices,
            objects=objects,
            moves={one.source: one.to for one in file.moved},
            removed=removed,
            content={name: escaped(node.plain()) for name, node in sections.items() if name != "vars"},
            sha256=hashlib.sha256(msgspec.json.encode(self._root.plain(), order="sorted")).hexdigest(),
        )

    def _declared(self, kind: Kind, key: str, node: Node, defaults: Node | None) -> Declared | None:
        path = f"{kind.name}/{key}"
        if not isinstance(node.value, dict):
            self._problems.add(node.place, path, "an object is a mapping of fields; write `{}` for none")
            return None
        fields = node.fields if defaults is None else merged(defaults, node).fields
        spec = self._struct(fields, node.place, kind.struct, path)
        if spec is None:
            return None
        places = {"": node.place, **{name: one.place for name, one in fields.items()}}
        declared = Declared(kind, key, msgspec.to_builtins(spec), places)
        for name, problem in _problems_of(declared):
            self._wrong(declared, name, problem)
        return declared

    def _wrong(self, declared: Declared, name: str, problem: str) -> None:
        self._problems.add(declared.place(name), declared.address, problem)

    def _known(self, given: Mapping[str, Node], names: Collection[str], path: str) -> None:
        for key, node in given.items():
            if key not in names:
                hint = did_you_mean(key, names, f"known are {', '.join(names)}")
                self._problems.add(node.place, path, f"unknown key {quoted(key)}; {hint}")

    def _struct(self, given: Mapping[str, Node], place: Place, struct: Any, path: str) -> Any:
        fields: dict[str, msgspec.structs.FieldInfo] = _fields(struct)
        self._known(given, fields, path)
        values = {
            fields[key].name: self._value(node, fields[key].type, f"{path}: {key}".removeprefix(": "))
            for key, node in given.items()
            if key in fields
        }
        missing = [name for name, one in fields.items() if one.required and name not in given]
        if missing:
            self._problems.add(place, path, f"{missing[0]} is missing")
            return None
        return struct(**values)

    def _value(self, node: Node, type_: Any, path: str) -> Any:
        for one in _alternatives(type_):
            if isinstance(node.value, list) and get_origin(one) is list:
                values = [self._value(item, get_args(one)[0], path) for item in node.value]
                return [value for value in values if value is not UNSET]
            if isinstance(node.value, dict) and isinstance(one, type) and issubclass(one, msgspec.Struct):
                return self._struct(node.value, node.place, one, path)
        try:
            return msgspec.convert(node.plain(), type_)
        except msgspec.ValidationError as error:
            quotes = "; put a text in quotes" if "Expected `str" in str(error) else ""
            self._problems.add(node.place, path, f"{one_line(str(error).partition(' - at')[0])}{quotes}")
            return UNSET


def _alternatives(type_: Any) -> Iterable[Any]:
    """Return what a value may be: the types of a union, without what is noted about them."""
    if get_origin(type_) in (Annotated, Union, UnionType):
        return [one for inner in get_args(type_) for one in _alternatives(inner)]
    return [type_]


def _problems_of(declared: Declared) -> Iterable[tuple[str, str]]:
    """Return what no object can have, whatever the account is: fields and what is wrong with them."""
    written, kind = declared.written, declared.kind
    known = [part.name for part in kind.parts]
    for name in written.get("ignore", ()):
        if name.partition(".")[0] not in known:
            yield "ignore", f"ignore has the unknown field {quoted(name)}; known are {', '.join(known)}"
    for name, value in written.items():
        if without_secrets(value) != value:
            yield name, f"{name} holds a secret; take it out of the file"
    if kind.name == "target_groups" and "name" in written and "id" not in written:
        yield "name", "the key is the name of a group; use `moved` to rename it"
    if kind.name == "numbers":
        yield from _problems_of_number(declared)
    if "sip_password" in written and len(written["sip_password"]) != 1:
        yield "sip_password", "sip_password takes either connection or env"


def _problems_of_number(declared: Declared) -> Iterable[tuple[str, str]]:
    known, written = from_e164(declared.key) is not None, declared.written
    if "purchase" not in written:
        if not known:
            key = 'the key of a number is the number in E.164, such as "+18005550100"'
            yield "", f"{key}; one that is to be bought needs `purchase`"
        return
    for name in ("campaign", "affiliate"):
        if name not in written:
            yield "purchase", f"a number to buy needs its {name}"
    if "sid" in written:
        yield "sid", "the key of `purchase` is the SubID of the number; leave out sid"
    if known:
        yield "purchase", "which number is bought is not known before; give it any other key"


def _problems_of_addresses(addresses: Iterable[str]) -> Iterable[str]:
    for address in addresses:
        kind, _, key = address.partition("/")
        if kind not in KINDS or not key:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {near[0]}/{key}?" if near and key else "an address is like targets/acme-1"
            yield f"{quoted(address)} is no address; {hint}"


def _problems_of_moves(moved: Sequence[Move], objects: Collection[str]) -> Iterable[str]:
    sources, targets = [one.source for one in moved], [one.to for one in moved]
    yield from _problems_of_addresses([*sources, *targets])
    for source, to in zip(sources, targets, strict=True):
        kinds = {address.partition("/")[0] for address in (source, to)} & KINDS.keys()
        if len(kinds) > 1 or kinds & {"numbers", "number_pools"}:
            yield f"{source} cannot become {to}"
        elif sources.count(source) > 1 or targets.count(to) > 1 or source == to:
            yield f"{source} or {to} is moved twice; keep the latest move"
        elif to in sources:
            yield f"{source} becomes {to}, which is moved itself: a circle or a chain; move it to where it ends"
        elif to not in objects:
            yield f"{to} is not in the files; add it, or delete the move"
        elif source in objects:
            yield f"{source} is in the files still; rename it to {to}"
