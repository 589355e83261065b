"""YAML with places: what a file says, the line that says it, and all that is wrong there.

PyYAML composes the document; values are read by the core schema of YAML 1.2, so that `on`, `0044` and `12:30` are
texts, and the keys of mappings are texts as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import first_of, one_line, quoted

# Aliases can make a small file a very large one.
MAX_NODES = 500_000
MAX_DEPTH = 100
# Problems that an error names at most.
MAX_PROBLEMS = 10
_NULL = ("", "~", "null", "Null", "NULL")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Numbers with leading zeros or a plus are IDs and phone numbers; they are texts.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]{1,3})?", re.ASCII)

# Texts that no version of YAML reads as something else, and words that some do.
_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9 _./&()-]*[A-Za-z0-9_./&()-])?")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written.

    :param file: name of the file.
    :param line: counted from 1.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{one_line(self.file, numbers=False)}:{self.line}"

    def error(self, problem: str) -> InvalidArgument:
        """Return the error of what is wrong here.

        :param problem: and what to do, as a sentence.
        :return: the error with the place.
        """
        return InvalidArgument(f"{self}: {problem}")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file.

    :param value: a scalar, a list of nodes, or a mapping of texts to nodes.
    :param place: where its key is, or the value itself.
    """

    value: Scalar | list[Node] | dict[str, Node]
    place: Place

    @property
    def fields(self) -> dict[str, Node]:
        """The nodes of a mapping; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def inside(self, name: str) -> dict[str, Node]:
        """Return the nodes of a mapping that is a field of this one.

        :param name: of the field.
        :return: its nodes; none where there is no such mapping.
        """
        return self.fields[name].fields if name in self.fields else {}

    def plain(self) -> Any:
        """Return the value without places.

        :return: plain JSON.
        """
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


class Problems:
    """Everything that is wrong with files, so that one run names it all."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, place: Place, key: str, problem: str) -> None:
        """Note a problem.

        :param place: where it is.
        :param key: that it is about.
        :param problem: what is wrong and what to do.
        """
        at = f"{one_line(key, numbers=False)}: " if key else ""
        self._lines[f"{place}: {at}{problem.rstrip('.')}"] = None

    def refuse(self) -> None:
        """Raise an error when there is a problem.

        :raises InvalidArgument: naming every place.
        """
        if self._lines:
            text = first_of(list(self._lines), MAX_PROBLEMS, "; ")
            raise InvalidArgument(text if text.endswith("?") else f"{text}.")


def read_yaml(text: str, file: str) -> Node:
    """Read a YAML file.

    :param text: of the file.
    :param file: its name, for errors.
    :return: its content; an empty mapping for an empty file.
    :raises InvalidArgument: naming file and line, when it is no YAML, has a key twice or contains itself.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_depth(yaml.parse(text, Loader=loader), file)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(file, mark.line + 1 if mark is not None else 1)
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise place.error(f"{one_line(problem)}; correct the file.") from None
    if root is None:
        return Node({}, Place(file, 1))
    return _Reader(file).read(root)


def _refuse_depth(events: Iterable[Any], file: str) -> None:
    """Refuse a document whose depth would exhaust the stack of the library."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if depth > MAX_DEPTH:
            place = Place(file, event.start_mark.line + 1)
            raise place.error(f"it is nested more than {MAX_DEPTH} times; correct it.")


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: Any, place: Place | None = None) -> Node:
        place = place or self._place(node)
        self._count += 1
        if id(node) in self._open or self._count > MAX_NODES:
            what = "contains itself" if id(node) in self._open else f"has more than {MAX_NODES:,} values"
            raise place.error(f"what is written here {what}; write it out without aliases.")
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise place.error(f"the tag {quoted(node.tag)} has no meaning here; delete it.")
        if node.id == "scalar":
            return Node(_scalar(node), place)
        self._open.add(id(node))
        value = self._mapping(node) if node.id == "mapping" else [self.read(item) for item in node.value]
        self._open.discard(id(node))
        return Node(value, place)

    def _mapping(self, node: Any) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            place = self._place(key)
            if key.id != "scalar" or not key.value:
                raise place.error("a key must be a text; put it in quotes.")
            if key.value in found:
                first = found[key.value].place.line
                raise place.error(f"the key {quoted(key.value)} is here and on line {first}; write it once.")
            found[key.value] = self.read(value, place)
        return found

    def _place(self, node: Any) -> Place:
        return Place(self._file, node.start_mark.line + 1)


def _scalar(node: Any) -> Scalar:
    text: str = node.value
    if node.style:
        return text
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def is_writable(value: Any) -> bool:
    """Return whether texts can be stored: lone surrogates, halves of characters, cannot.

    :param value: plain JSON.
    :return: False when a file cannot hold it.
    """
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError):
        return False
    return True


def write_yaml(value: Any, header: str = "") -> str:
    """Write plain JSON as YAML that `read_yaml` reads as the same.

    :param value: plain JSON.
    :param header: comment lines before it.
    :return: the text of a file.
    """
    body = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    return f"{header}{body}"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # PyYAML has no types
    """Writes texts in quotes wherever a plain one would be read as something else, by either version of YAML."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write equal values out."""
        return True

    def represent_str(self, data: str) -> Any:
        """Write a text, without quotes where it can only be that text."""
        plain = _PLAIN.fullmatch(data) and data.lower() not in _WORDS
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper.represent_str)
