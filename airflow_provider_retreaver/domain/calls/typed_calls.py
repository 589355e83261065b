"""Calls as documented, decoded by their types, without a dictionary and the names of all its fields for each call.

A page of such calls is decoded at once. Any other call (with fields that are not documented, for example) is left to
those who read it as a dictionary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeAlias

import msgspec

from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.file_rows import OBJECTS
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.domain.calls.page import WRAPPED, CallKeys

Column: TypeAlias = list[Any]


class _Group(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    id: object = None
    name: object = None


class _Number(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    number: object = None
    name: object = None


# What the objects of versions 3 and 4 are decoded to; null is not one of them.
PARTS: dict[str, type[msgspec.Struct]] = {"target_group": _Group, "campaign": _Group, "number": _Number}
_TYPES: dict[str, Any] = {**PARTS, "number": str | _Number | None}
# All columns but those of tags and the last one, which every layout of tags has.
COMMON = [name for name in fields.columns("map") if name not in ("tags", fields.OTHER)]
NAMES = [*COMMON, "tags", *(name for name in OBJECTS if name not in COMMON)]
KINDS = {**fields.columns("map"), **fields.FIELDS}

_RAWS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class CallDecoder:
    """Decodes calls as documented, in less time when their fields come in the order of the first one."""

    def __init__(self) -> None:
        self._call: msgspec.json.Decoder[Any] | None = None
        self._page: msgspec.json.Decoder[Any] | None = None

    def page(self, body: bytes) -> list[CallKeys]:
        """Decode a page of calls.

        :param body: an array of calls in their envelopes.
        :return: the calls, of which each has the fields of `NAMES`: as they came, and JSON as `msgspec.Raw`.
        :raises ValueError: when it is something else, or one of its calls is not as documented.
        """
        if self._page is None:
            kind = _like(next((row.call for row in WRAPPED.decode(body)), b""))
            self._page = msgspec.json.Decoder(list[msgspec.defstruct("_Wrapped", [("call", kind)], gc=False)])  # type: ignore[misc]
        return [row.call for row in self._page.decode(body)]

    def calls(self, raws: Sequence[Any]) -> dict[int, CallKeys]:
        """Decode the calls that are as documented.

        :param raws: JSON objects.
        :return: these calls as `page` returns them, by their places among all.
        """
        if self._call is None and raws:
            self._call = msgspec.json.Decoder(_like(raws[0]))
        found: dict[int, CallKeys] = {}
        for place, raw in enumerate(raws):
            if self._call is not None:
                with suppress(*ODD):
                    found[place] = self._call.decode(raw)
        return found


def _like(raw: Any) -> Any:
    """Return the type of calls whose fields come in the order of one.

    :param raw: its JSON object; anything else has no order.
    """
    given: list[str] = []
    with suppress(*ODD):
        given = [name for name in _RAWS.decode(raw) if name in NAMES]
    nested = {fields.JSON: msgspec.Raw, fields.MAP: msgspec.Raw}
    names = dict.fromkeys([*given, *NAMES])
    found = [
        (name, _TYPES.get(name) or nested.get(KINDS[name], object), None)
        for name in names
        if name not in CallKeys.__struct_fields__
    ]
    return msgspec.defstruct("_Call", found, bases=(CallKeys,), gc=False, forbid_unknown_fields=True)


def columns_of(calls: Collection[CallKeys]) -> list[Column]:
    """Return decoded calls as columns.

    :param calls: of one decoder, all decoded together.
    :return: the columns of `NAMES` in order.
    """
    if not calls:
        return [[] for _ in NAMES]
    columns = [list(column) for column in zip(*map(msgspec.structs.astuple, calls), strict=True)]
    return [columns[place] for place in _places(next(iter(calls)).__struct_fields__)]


@cache
def _places(names: tuple[str, ...]) -> list[int]:
    return [names.index(name) for name in NAMES]
