"""How log lines, errors and results name objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.objects.key import ObjectKey


def describe(key: ObjectKey, row: Mapping[str, object]) -> str:
    """Return the name of an object in a log line.

    :param key: of the object.
    :param row: the object as read; empty when it could not be read.
    :return: e.g. `target 3 (tid A7, "Acme Roofing")`.
    """
    tid, name = customer_id(row), row.get("name")
    known = [f"tid {one_line(tid, numbers=False)}"] if tid else []
    known += [f'"{one_line(name)}"'] if name else []
    return f"{key} ({', '.join(known)})" if known else str(key)


def customer_id(row: Mapping[str, object]) -> Any:
    """Return the tid of a target, under either of Retreaver's names for it.

    :param row: the target as read.
    :return: the tid with secrets masked; None when the target has none.
    """
    return safe_field(row, "tid") or safe_field(row, "client_tid")


def safe_field(row: Mapping[str, object], name: str) -> Any:
    """Return a field of an object with secrets masked, since a key may have been pasted into a name.

    :param row: the object as read.
    :param name: of the field.
    :return: the field's value; None when the object does not have it.
    """
    return without_secrets(row.get(name), name)


def object_name(row: Mapping[str, object], kind: str = "target") -> str:
    """Return the name of an object in an error about its contents.

    :param row: the object as read.
    :param kind: of the object.
    :return: e.g. `target 3`.
    """
    return f"{kind} {row.get('id')}"
