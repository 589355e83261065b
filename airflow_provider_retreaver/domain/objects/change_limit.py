"""The guard that keeps a change small."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """How much one run may change.

    :param number: of changes, or None.
    :param share: of all that could be changed, 0 to 1, or None.
    :param name: of the parameter that says so.
    """

    number: int | None = None
    share: float | None = None
    name: str = field(default="max_changes", compare=False)

    @classmethod
    def parse(cls, given: Any, name: str = "max_changes") -> ChangeLimit:
        """Read a limit: a whole number, a share as a fraction (`0.1`) or in percent (`"10%"`), or None for no limit.

        :raises InvalidArgument: naming the parameter.
        """
        text = str(given).strip()
        if given is None or text.lower() == "none":
            return cls(name=name)
        if not isinstance(given, bool):
            if re.fullmatch(r"\d{1,9}", text, re.ASCII):
                return cls(number=int(text), name=name)
            found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text, re.ASCII)
            share = float(found[1]) / 100 if found else _fraction(text)
            if share is not None and 0 <= share <= 1:
                return cls(share=share, name=name)
        raise InvalidArgument(
            f"{name} must be a number of changes, a share like 0.1 or '10%', or None for no limit, not {given!r}."
        )

    def most(self, of: int) -> int:
        """Return how many changes are allowed, of so many that could be made."""
        if self.share is not None:
            # A thousandth of a change more, since 0.29 * 100 is a little less than 29.
            return int(self.share * of + 0.001)
        return self.number if self.number is not None else of

    def exceeded(self, changes: int, of: int) -> bool:
        """Whether these are too many changes."""
        return changes > self.most(of) and (self.number is not None or self.share is not None)

    def told(self, of: int) -> str:
        """Return the limit in words: `5`, or `0.1 of 50, which is 5`."""
        return f"{self.share:.4g} of {of}, which is {self.most(of)}" if self.share is not None else str(self.most(of))

    def check(self, changes: int, of: int, what: str, *, verb: str = "changed", more: str = "") -> None:
        """Refuse too many changes.

        :param changes: to be made.
        :param of: what there is that could be changed.
        :param what: what is counted, e.g. `targets`.
        :param verb: what would happen to them.
        :param more: a sentence with other figures, or nothing.
        :raises ChangeRefused: naming both numbers.
        """
        if self.exceeded(changes, of):
            raise ChangeRefused(
                f"{changes} of {of} {what} would be {verb}, and {self.name} allows {self.told(of)}; nothing was "
                f"sent. {more}{' ' if more else ''}Look at the difference with dry_run=True, then raise {self.name} "
                f"if it is meant."
            )


def _fraction(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[01]?\.\d+|[01]\.\d*", text, re.ASCII) else None
