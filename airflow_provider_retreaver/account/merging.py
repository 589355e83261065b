"""Files as one document: laid over each other, with the values of variables; there is no other logic in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.account.nodes import Node, Problems, read_yaml
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted

# Sections whose lines add up over files; all other keys are written once.
_LISTS = (("moved",), ("removed",))
# Fields that are one thing: days and tags of two places do not add up.
_WHOLE = ("hours", "tags", "sip_password")
_VARIABLE = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}|(\$\{)")


def document(text: str, file: str) -> Node:
    """Read one file.

    :param text: of the file.
    :param file: its name, for errors.
    :return: a mapping.
    :raises InvalidArgument: when it is none.
    """
    root = read_yaml(text, file)
    if not isinstance(root.value, dict):
        raise root.place.error("a file is a mapping, like `targets: {acme: {…}}`; correct it.")
    return root


def merged(base: Node, over: Node, path: tuple[str, ...] = (), problems: Problems | None = None) -> Node:
    """Return a file with another one laid over it: mappings key by key, lists of moves added, the rest replaced.

    :param base: a file, an object, or a part of them.
    :param over: the same part of the other one.
    :param path: of the part.
    :param problems: is added to where the two must not say the same; None where the second one may replace it.
    :return: both as one.
    """
    one, other = base.value, over.value
    if isinstance(one, dict) and isinstance(other, dict) and not _is_whole(path, exclusive=problems is not None):
        both = {key: merged(one[key], node, (*path, key), problems) for key, node in other.items() if key in one}
        return Node({**one, **other, **both}, base.place)
    if path in _LISTS and isinstance(one, list) and isinstance(other, list):
        return Node([*one, *other], base.place)
    if problems is not None and (len(path) > 1 or base.plain() != over.plain()):
        problems.add(over.place, "/".join(path), f"this is written at {base.place} too; write it once")
    return over


def _is_whole(path: tuple[str, ...], *, exclusive: bool) -> bool:
    """Return whether a mapping is not merged key by key; of two files only sections and defaults are."""
    if exclusive:
        return len(path) > (2 if path[:1] == ("defaults",) else 1)
    return len(path) in (1, 3) and path[-1] in _WHOLE


class Variables:
    """Puts the values of variables, `${name}`, in.

    :param root: of the files.
    :param given: values that override those of the files.
    :param problems: is added to.
    """

    def __init__(self, root: Node, given: Mapping[str, object], problems: Problems) -> None:
        self._root = root
        self._problems = problems
        own = {name: node.plain() for name, node in root.inside("vars").items()}
        self._values = {**own, **given}
        self._unused = dict.fromkeys(name for name in given if name not in own)

    def expanded(self) -> Node:
        """Return the files with values in the place of variables.

        :return: the files.
        """
        expanded = self._expand(self._root, "")
        if self._unused:
            problem = f"the variable {quoted(next(iter(self._unused)))} was given, and no file uses it; leave it out"
            self._problems.add(self._root.place, "", problem)
        return expanded

    def _expand(self, node: Node, path: str) -> Node:
        value: Any = node.value
        if isinstance(value, dict) and path != "vars":
            value = {key: self._expand(one, f"{path}/{key}".strip("/")) for key, one in value.items()}
        elif isinstance(value, list):
            value = [self._expand(one, path) for one in value]
        elif isinstance(value, str):
            # A text that is one variable gets its value with its type.
            whole = _VARIABLE.fullmatch(value)
            value = (
                _VARIABLE.sub(lambda found: _text(self._value(found, node, path)), value)
                if whole is None
                else self._value(whole, node, path)
            )
        return Node(value, node.place)

    def _value(self, found: re.Match[str], node: Node, path: str) -> Any:
        name = found[1]
        if found[0] == "$${":
            return "${"
        if name in self._values:
            self._unused.pop(name, None)
            return self._values[name]
        problem = "`${` begins a variable like `${name}`; write `$${` for the text"
        if name is not None:
            hint = did_you_mean(name, self._values, "add it to vars, or give it with --var")
            problem = f"there is no variable {quoted(name)}; {hint}"
        self._problems.add(node.place, path, problem)
        return None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def escaped(value: Any) -> Any:
    """Return a value in whose texts nothing is taken for a variable.

    :param value: plain JSON.
    :return: the same, which `Variables` turns back.
    """
    if isinstance(value, dict):
        return {key: escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [escaped(one) for one in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
