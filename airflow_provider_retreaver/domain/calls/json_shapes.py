"""JSON of a column whose values are mostly alike: the same objects with the same fields in the same order.

Objects of known fields are read into structs, which takes less time than dictionaries do and leaves nothing to the
garbage collector. A value is taken for compact only where writing what was read results in the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.domain.calls.plain_json import as_list, compact_texts, plain_float, plain_values

# Pages of other shapes from which a column learns; more of them than known ones, and it no longer tries.
_MOST_LEARNED = 10
# Values of such a page from which it does.
_MOST_SAMPLES = 20
# Fields of an object and levels of values above which objects are dictionaries.
_MOST_FIELDS = 50
_MOST_LEVELS = 5


class CompactColumn:
    """Returns the JSON of one column as compact texts, page after page.

    :param objects: whether each value must be an object or null.
    """

    def __init__(self, *, objects: bool = False) -> None:
        self._objects = objects
        self._samples: list[Any] = [{}] if objects else []
        self._decoder: msgspec.json.Decoder[Any] | None = None
        self._alike = 0
        self._others = 0

    def texts(self, values: Sequence[Any]) -> list[bytes | None]:
        """Return JSON values as `fields.format_json` writes them.

        :param values: JSON in bytes-like objects, None for none.
        :return: the compact JSON of each, None for none and null.
        :raises ValueError: when one has a number that is not plain, or is not what it must be.
        """
        if self._are_known(values):
            self._alike += 1
            return [None if value is None or (text := bytes(value)) == b"null" else text for value in values]
        found = plain_values(values, objects=self._objects)
        self._others += 1
        if self._others <= _MOST_LEARNED:
            self._learn([row for row, value in zip(found, values, strict=True) if not self._are_known([value])])
        elif self._others > self._alike:
            self._decoder = None
        return compact_texts(found)

    def _are_known(self, values: Sequence[Any]) -> bool:
        if self._decoder is not None:
            with suppress(*ODD):
                together = as_list(values)
                return msgspec.json.encode(self._decoder.decode(together)) == together
        return False

    def _learn(self, others: list[Any]) -> None:
        self._samples += others[:_MOST_SAMPLES]
        shape = _shape(self._samples, _MOST_LEVELS)
        self._decoder = msgspec.json.Decoder(list[shape], float_hook=plain_float)  # type: ignore[valid-type]


def _shape(samples: list[Any], levels: int) -> Any:
    """Return the type that values are read into: structs for objects, Any where they differ."""
    kinds = set(map(type, samples)) - {type(None)}
    if kinds == {list} and levels:
        return list[_shape([item for sample in samples for item in sample or ()], levels - 1)] | None  # type: ignore[misc]
    if kinds != {dict} or not levels:
        return Any
    found: dict[str, list[Any]] = {}
    for sample in samples:
        for name, value in (sample or {}).items():
            found.setdefault(name, []).append(value)
    return (_struct(found, levels - 1) if len(found) <= _MOST_FIELDS else dict[str, Any]) | None


def _struct(samples: dict[str, list[Any]], levels: int) -> Any:
    """Return a struct of the fields of an object, of which any may be absent."""
    names = {f"field_{place}": name for place, name in enumerate(samples)}
    members = [(field, _shape(samples[name], levels), msgspec.UNSET) for field, name in names.items()]
    try:
        return msgspec.defstruct("_Object", members, rename=names, gc=False, forbid_unknown_fields=True)
    except ValueError:  # a name has characters that those of a struct cannot have
        return dict[str, Any]
