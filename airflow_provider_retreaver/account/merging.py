"""Several files as one, and an environment's file laid over them."""

from __future__ import annotations

from airflow_provider_retreaver.account.nodes import Node, read_yaml
from airflow_provider_retreaver.account.problems import Problems
from airflow_provider_retreaver.core.errors import InvalidArgument

# Sections whose lines add up over files; all other keys are written once.
_LISTS = ("moved", "removed")


def document(text: str, file: str) -> Node:
    """Read one file.

    :param text: of the file.
    :param file: its name, for errors.
    :return: a mapping.
    :raises InvalidArgument: when it is none.
    """
    root = read_yaml(text, file)
    if not isinstance(root.value, dict):
        raise InvalidArgument(f"{root.place}: a file is a mapping, like `targets: {{acme: {{…}}}}`; correct it.")
    return root


def joined(one: Node, other: Node, path: str, problems: Problems) -> Node:
    """Return two files as one; what both say is a problem.

    :param one: a file, or a part of it.
    :param other: the same part of another file.
    :param path: of the part; blank for the file.
    :param problems: is added to.
    :return: both.
    """
    if isinstance(one.value, dict) and isinstance(other.value, dict) and path.count("/") < _depth(path):
        both = dict(one.value)
        for key, node in other.value.items():
            inner = f"{path}/{key}" if path else key
            both[key] = joined(both[key], node, inner, problems) if key in both else node
        return Node(both, one.place)
    if path in _LISTS and isinstance(one.value, list) and isinstance(other.value, list):
        return Node([*one.value, *other.value], one.place)
    if one.plain() != other.plain() or "/" in path:
        problems.add(other.place, path, f"this is written at {one.place} too; write it once")
    return one


def _depth(path: str) -> int:
    """Return how deep two files may share mappings: defaults field by field, sections object by object."""
    return 2 if path.startswith("defaults") else 1


def overlaid(base: Node, over: Node, path: str) -> Node:
    """Return a file with another one laid over it: mappings key by key, lists of moves added, the rest replaced.

    :param base: a file, or a part of it.
    :param over: the same part of the other one.
    :param path: of the part; blank for the file.
    :return: the result.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict) and not _whole(path):
        merged = dict(base.value)
        for key, node in over.value.items():
            merged[key] = overlaid(merged[key], node, f"{path}/{key}") if key in merged else node
        return Node(merged, over.place)
    if path.removeprefix("/") in _LISTS and isinstance(base.value, list) and isinstance(over.value, list):
        return Node([*base.value, *over.value], over.place)
    return over


def _whole(path: str) -> bool:
    """Return whether a value is one thing: days and tags of two places do not add up."""
    return path.count("/") in (1, 3) and path.endswith(("/hours", "/tags", "/sip_password"))


def with_defaults(node: Node, defaults: Node) -> Node:
    """Return an object with the defaults of its kind.

    :param node: the object.
    :param defaults: of its kind.
    :return: the object with all fields.
    """
    return Node(overlaid(defaults, node, "").value, node.place)
