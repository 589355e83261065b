"""Several files as one, and an environment's file laid over them."""

from __future__ import annotations

from airflow_provider_retreaver.account.nodes import Node, read_yaml
from airflow_provider_retreaver.account.problems import Problems
from airflow_provider_retreaver.core.errors import InvalidArgument

# Sections whose lines add up over files; all other keys are written once.
_LISTS = (("moved",), ("removed",))
# Fields that are one thing: days and tags of two places do not add up.
_WHOLE = ("hours", "tags", "sip_password")


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
