"""Variables in files: `${name}`, and no other logic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.account.nodes import Node
from airflow_provider_retreaver.account.problems import Problems
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted

_VARIABLE = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}|(\$\{)")


class Variables:
    """Puts the values of variables in; there is no other logic in files.

    :param root: of the files.
    :param given: values that override those of the files.
    :param problems: is added to.
    """

    def __init__(self, root: Node, given: Mapping[str, object], problems: Problems) -> None:
        self._root = root
        self._problems = problems
        written = root.fields.get("vars")
        own = {name: node.plain() for name, node in written.fields.items()} if written is not None else {}
        self._values = {**own, **given}
        self._unused = [name for name in given if name not in own]

    def expanded(self) -> Node:
        """Return the files with values in the place of variables.

        :return: the files.
        """
        expanded = self._expand(self._root, "")
        for name in self._unused[:1]:
            problem = f"the variable {quoted(name)} was given, and no file uses it; leave it out"
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
                _VARIABLE.sub(lambda found: self._text(found, node, path), value)
                if whole is None
                else self._value(whole, node, path)
            )
        return Node(value, node.place)

    def _text(self, found: re.Match[str], node: Node, path: str) -> str:
        value = self._value(found, node, path)
        return "" if value is None else str(value)

    def _value(self, found: re.Match[str], node: Node, path: str) -> Any:
        name = found[1]
        if found[0] == "$${":
            return "${"
        if name in self._values:
            self._unused = [one for one in self._unused if one != name]
            return self._values[name]
        if name is None:
            problem = "`${` begins a variable like `${name}`; write `$${` for the text"
        else:
            hint = did_you_mean(name, self._values, "add it to vars, or give it with --var")
            problem = f"there is no variable {quoted(name)}; {hint}"
        self._problems.add(node.place, path, problem)
        return None


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
