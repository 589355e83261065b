"""Which objects a task means: IDs as DAG authors write them.

An ID may be given as a number, a text, a comma-separated text, a JSON array in a text (what a template renders), a
list, or the result of another task. `None` means "not said", an empty list means "none of them": the two are never
confused, since the first may stand for everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag by which targets are chosen.

    :param key: of the tag.
    :param value: that it must equal.
    """

    key: str
    value: str

    @classmethod
    def parse(cls, given: Any) -> Tag | None:
        """Read `"key:value"`, or a mapping of one key to its value; None when not given.

        :raises InvalidArgument: when it is neither.
        """
        if given is None:
            return None
        if isinstance(given, Mapping) and len(given) == 1:
            key, value = next(iter(given.items()))
        elif isinstance(given, str) and ":" in given:
            key, _, value = given.partition(":")
        else:
            raise InvalidArgument(f"tag must be 'key:value' or {{'key': 'value'}}, not {given!r}.")
        if not str(key).strip() or not str(value).strip():
            raise InvalidArgument(f"tag must have a key and a value, not {given!r}.")
        return cls(str(key).strip(), str(value).strip())

    def on(self, row: Mapping[str, Any]) -> bool:
        """Whether a target carries it (with the operator `==`)."""
        return any(
            tag.get("key") == self.key and str(tag.get("value")) == self.value and tag.get("operator", "==") == "=="
            for tag in row.get("tag_values") or ()
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose caps are to be reset; None means "not said", an empty list "none".

    :param ids: targets by Retreaver's ID.
    :param tids: targets by the customer's ID.
    :param groups: target groups by ID.
    :param tag: targets that carry this tag.
    :param only_filled: only hard caps that are full.
    """

    ids: Sequence[int] | None = None
    tids: Sequence[str] | None = None
    groups: Sequence[int] | None = None
    tag: Tag | None = None
    only_filled: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing was named, which stands for all targets of the company."""
        return self.ids is None and self.tids is None and self.groups is None and self.tag is None

    def check(self) -> None:
        """Refuse a choice that would reset every target, full or not.

        :raises InvalidArgument: in that case.
        """
        if self.everything and not self.only_filled:
            raise InvalidArgument(
                "Nothing says whose caps to reset, and resetting all of them would forget every count; give "
                "target_ids, tids, target_group_ids or tag, or set only_filled=True for the full ones."
            )
