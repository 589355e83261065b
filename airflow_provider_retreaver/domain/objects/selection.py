"""Which targets a task selects.

`None` means that a parameter was not given, an empty list that it selects nothing: the two are never confused, since
the first may stand for all targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import text
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that selects targets.

    :param key: of the tag.
    :param value: that the tag must have.
    """

    key: str
    value: str

    @classmethod
    def parse(cls, value: object) -> Tag | None:
        """Read the parameter `tag`.

        :param value: `"key:value"`, a mapping of one key to its value, either as rendered text, or None.
        :return: the tag; None when the parameter was not given.
        :raises InvalidArgument: when the value is none of these.
        """
        value = read_rendered(value, "tag")
        if value is None:
            return None
        if isinstance(value, Mapping) and len(value) == 1:
            key, tag_value = next(iter(value.items()))
        elif isinstance(value, str) and ":" in value:
            key, _, tag_value = value.partition(":")
        else:
            raise InvalidArgument(f"tag must be 'key:value' or {{'key': 'value'}}, not {quoted(value)}.")
        if not str(key).strip() or not str(tag_value).strip():
            raise InvalidArgument(f"tag must have a key and a value, not {quoted(value)}.")
        return cls(text(key, "tag: the key"), text(tag_value, "tag: the value", decimals=True))

    def matches(self, row: Mapping[str, object]) -> bool:
        """Return whether a target has the tag.

        :param row: the target as read.
        :return: True when one of its tags has this key, this value and the operator `==`.
        """
        tags = row.get("tag_values")
        return isinstance(tags, list) and any(
            tag.get("key") == self.key and str(tag.get("value")) == self.value and tag.get("operator", "==") == "=="
            for tag in tags
        )


@dataclass(frozen=True, slots=True)
class TargetSelection:
    """The targets that a task works on: those that any of the parameters selects.

    :param ids: targets by Retreaver's own ID; None when not given.
    :param tids: targets by the customer's ID; None when not given.
    :param groups: target groups by ID; None when not given.
    :param tag: targets with this tag; None when not given.
    :param only_filled: only targets with a full cap.
    :param names: targets by name; None when not given.
    :param group_names: target groups by name; None when not given.
    """

    ids: Sequence[int] | None = None
    tids: Sequence[str] | None = None
    groups: Sequence[int] | None = None
    tag: Tag | None = None
    only_filled: bool = False
    names: Sequence[str] | None = None
    group_names: Sequence[str] | None = None

    @property
    def everything(self) -> bool:
        """Whether no parameter was given, which stands for all targets of the company."""
        chosen = (self.ids, self.tids, self.groups, self.tag, self.names, self.group_names)
        return all(one is None for one in chosen)

    def check(self) -> None:
        """Refuse a selection that would reset the caps of every target, full or not.

        :raises InvalidArgument: in that case.
        """
        if self.everything and not self.only_filled:
            raise InvalidArgument(
                "No targets are selected, and resetting the caps of all of them would lose every count; give "
                "target_ids, tids, target_names, target_group_ids, target_group_names or tag, or set "
                "only_filled=True for those with a full cap."
            )
