"""The name of an object that is created, or deleted, by it."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.objects.names import NamedKind, has_name


def require_name(kind: NamedKind, row: Row, name: str) -> None:
    """Refuse an object that was found by a name which it has no longer.

    :param kind: of the object.
    :param row: the object as it was read just now.
    :param name: by which it was found.
    :raises ChangeRefused: when it has another name.
    """
    if not has_name(kind, row, name):
        raise ChangeRefused(
            f"object_name: the {kind.label(row)} was found by the name {quoted(name)}, and has another name now, so "
            f"that nothing was sent; give the ID of the one that is meant."
        )


def with_name(kind: NamedKind, attributes: Mapping[str, object], name: str) -> Row:
    """Return attributes that give a new object the name by which it is found again.

    :param kind: of the object.
    :param attributes: of the object.
    :param name: by which it is found.
    :return: the attributes with the name.
    :raises InvalidArgument: when the attributes have another name.
    """
    if has_name(kind, attributes, name):
        return dict(attributes)
    if kind.attribute in attributes:
        raise other_name(kind)
    return {**attributes, kind.attribute: name}


def other_name(kind: NamedKind) -> InvalidArgument:
    """Return the error of attributes that would give an object another name than the one by which it is found.

    :param kind: of the object.
    :return: the error.
    """
    return InvalidArgument(
        f"The attributes would give the {kind.title} another name than the object_name by which it is to be found; "
        f"leave the name out, or rename it with the update operator."
    )
