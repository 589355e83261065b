"""In which order objects are changed, and what each of them needs before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_retreaver.account.kinds import KINDS
from airflow_provider_retreaver.account.plan import Change

# What a field refers to, by its name; `menu_options` refer to campaigns by a field of their rows.
REFERENCES = {"campaign": "campaigns", "affiliate": "affiliates", "groups": "target_groups"}


def ordered(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return changes so that what others refer to comes first, each with what it needs.

    :param changes: creates and updates.
    :return: the changes in order, and those that need each other in a circle.
    """
    made = {one.address for one in changes if one.action == "create" or _moves(one)}
    needing = [msgspec.structs.replace(one, needs=sorted(_needs(one) & made - {one.address})) for one in changes]
    order = list(KINDS)
    waiting = sorted(needing, key=lambda one: (order.index(one.kind), one.action != "create"))
    done: list[Change] = []
    while waiting:
        names = {one.address for one in waiting}
        ready = next((one for one in waiting if not names & set(one.needs)), None)
        if ready is None:
            return done, waiting
        done.append(ready)
        waiting.remove(ready)
    return done, []


def references(fields: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return what fields refer to.

    :param fields: of an object.
    :return: kind and key of each object, with the name of the field.
    """
    for name, kind in REFERENCES.items():
        value = fields.get(name)
        for key in value if isinstance(value, list) else [value]:
            if key is not None:
                yield kind, key, name
    for row in fields.get("menu_options") or ():
        if row.get("campaign") is not None:
            yield "campaigns", row["campaign"], "menu_options"


def _moves(change: Change) -> bool:
    return any(name in change.fields for name in KINDS[change.kind].key_names)


def _needs(change: Change) -> set[str]:
    return {f"{kind}/{key}" for kind, key, _ in references(change.after)}
