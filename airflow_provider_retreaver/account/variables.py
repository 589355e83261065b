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
        written = root.value.get("vars") if isinstance(root.value, dict) else None
        own = written.plain() if written is not None and isinstance(written.value, dict) else {}
        self._values = {**own, **given}
        unknown = [name for name in given if name not in own]
        self._used: set[str] = set()
        self._unknown = unknown

    def expanded(self) -> Node:
        """Return the files with values in the place of variables.

        :return: the files.
        """
        expanded = self._expand(self._root, "")
        unused = [name for name in self._unknown if name not in self._used]
        if unused:
            self._problems.add(
                self._root.place, "", f"the variable {quoted(unused[0])} was given, and no file uses it; leave it out"
            )
        return expanded

    def _expand(self, node: Node, path: str) -> Node:
        if path == "vars":
            return node
        if isinstance(node.value, dict):
            value: Any = {key: self._expand(one, f"{path}/{key}".strip("/")) for key, one in node.value.items()}
        elif isinstance(node.value, list):
            value = [self._expand(one, path) for one in node.value]
        else:
            value = self._scalar(node, path)
        return Node(value, node.place)

    def _scalar(self, node: Node, path: str) -> Any:
        text = node.value
        if not isinstance(text, str) or "${" not in text:
            return text
        whole = _VARIABLE.fullmatch(text)
        if whole is not None and whole[1]:
            return self._value(whole[1], node, path)
        return _VARIABLE.sub(lambda found: self._text(found, node, path), text)

    def _text(self, found: re.Match[str], node: Node, path: str) -> str:
        if found[0] == "$${":
            return "${"
        if found[2]:
            self._problems.add(node.place, path, "`${` begins a variable like `${name}`; write `$${` for the text")
            return ""
        value = self._value(found[1], node, path)
        return "" if value is None else str(value)

    def _value(self, name: str, node: Node, path: str) -> Any:
        self._used.add(name)
        if name not in self._values:
            hint = did_you_mean(name, self._values, "add it to vars, or give it with --var")
            self._problems.add(node.place, path, f"there is no variable {quoted(name)}; {hint}")
            return None
        return self._values[name]


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
