"""The types of the client's objects have every key that Retreaver's reference shows for them."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from airflow_provider_retreaver.resources import (
    affiliates,
    campaigns,
    companies,
    contacts,
    number_pools,
    numbers,
    static_caller_numbers,
    suppression,
    target_groups,
    targets,
)
from tests.documents.examples import EXAMPLES

TYPES = {
    "affiliate": affiliates.Affiliate,
    "campaign": campaigns.Campaign,
    "company": companies.Company,
    "contact": contacts.Contact,
    "number_pool": number_pools.NumberPool,
    "number": numbers.Number,
    "static_caller_number": static_caller_numbers.StaticCallerNumber,
    "suppressed_number": suppression.SuppressedNumber,
    "target_group": target_groups.TargetGroup,
    "target": targets.Target,
}


def documented(envelope: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that the reference shows in an envelope."""
    for example in EXAMPLES:
        for row in example.answer if isinstance(example.answer, list) else [example.answer]:
            if isinstance(row, dict) and row.keys() == {envelope}:
                yield row[envelope]


def unknown_keys(value: Any, hint: Any, where: str) -> Iterator[str]:
    """Yield the keys of a value that its type has not; types without keys have any."""
    if get_origin(hint) in (Union, types.UnionType):
        # A row of several types: the one that fits best.
        yield from min((list(unknown_keys(value, part, where)) for part in get_args(hint)), key=len)
    elif isinstance(value, list) and get_origin(hint) is list:
        for item in value:
            yield from unknown_keys(item, get_args(hint)[0], f"{where}[]")
    elif isinstance(value, dict) and get_origin(hint) is dict:
        part = get_args(hint)[1]
        for name, inner in value.items():
            is_other = hasattr(part, "__required_keys__") and not isinstance(inner, dict)
            yield from [f"{where}.{name}"] if is_other else unknown_keys(inner, part, where)
    elif isinstance(value, dict) and hasattr(hint, "__required_keys__"):
        hints = get_type_hints(hint)
        for name, inner in value.items():
            yield from unknown_keys(inner, hints[name], f"{where}.{name}") if name in hints else [f"{where}.{name}"]


@pytest.mark.parametrize("envelope", TYPES)
def test_every_documented_key_is_in_the_type(envelope: str) -> None:
    """Objects, and the rows and objects inside them."""
    rows = list(documented(envelope))
    assert rows
    assert {line for row in rows for line in unknown_keys(row, TYPES[envelope], envelope)} == set()


def test_unknown_keys_are_found() -> None:
    """A key that the type lacks is named, also in a row inside, whether or not that may come in an envelope."""
    row = {"id": 1, "moon": 2, "target_groups": [{"id": 1, "stars": 3}]}
    assert list(unknown_keys(row, targets.Target, "target")) == ["target.moon", "target.target_groups[].stars"]
    timers = [{"timer": {"id": 1, "inherited": True}}, {"id": 1, "sound": 2}]
    assert set(unknown_keys({"timers": timers}, numbers.Number, "number")) == {"number.timers[].sound"}
