"""What one run of a schedule meant to change and changed, as kept between its attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Record:
    """A plan, written down before the first change, and what was done of it, written down as it is done.

    :param plan: the value before the change, by key of the object (`target 3`, `group 5`).
    :param done: the value before and after, by key; after is None where it was accepted and not read back.
    """

    plan: dict[str, int] = field(default_factory=dict)
    done: dict[str, list[int | None]] = field(default_factory=dict)

    @classmethod
    def load(cls, value: Mapping[str, Any] | None) -> Record:
        """Build a record from what `dump` made; nothing makes an empty one."""
        value = value or {}
        return cls(dict(value.get("plan", {})), dict(value.get("done", {})))

    def dump(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {"plan": self.plan, "done": self.done}
