"""In which order objects are changed, and what each of them needs before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_retreaver.account.kinds import KINDS, REFERENCES
from airflow_provider_retreaver.account.plan import Change


def ordered(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return changes so that what others refer to comes first, each with what it needs.

    :param changes: creates and updates.
    :return: the changes in order, and those that need each other in a circle.
    """
    made = {
        one.address
        for one in changes
        if one.action == "create" or any(name in one.fields for name in KINDS[one.kind].key_names)
    }
    needing: list[Change] = []
    for one in changes:
        needs = {f"{kind}/{key}" for kind, key, _ in references(one.after)} & made - {one.address}
        needing.append(msgspec.structs.replace(one, needs=sorted(needs)))
    order = list(KINDS)
    waiting = sorted(needing, key=lambda one: (order.index(one.kind), one.action != "create"))
    done: list[Change] = []
    while waiting:
        names = {one.address for one in waiting}
        ready = next((one for one in waiting if not names & set(one.needs)), None)
        if ready is None:
            break
        done.append(ready)
        waiting.remove(ready)
    return done, waiting


def references(fields: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return what fields refer to.

    :param fields: of an object.
    :return: kind and key of each object, with the name of the field.
    """
    for name, kind in REFERENCES.items():
        value = fields.get(name)
        for item in value if isinstance(value, list) else [value]:
            key = item.get("campaign") if isinstance(item, dict) else item
            if key is not None:
                yield kind, key, name
