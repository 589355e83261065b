"""How much one run may change."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from decimal import Decimal

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.parameters import plain
from airflow_provider_retreaver.core.quoting import quoted

log = logging.getLogger(__name__)


def warn_of_refusal(refusal: ChangeRefused) -> None:
    """Log in a dry run what a guard would refuse in a real one.

    :param refusal: of the guard.
    """
    log.warning("Without dry_run this would be refused: %s", refusal)


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """A limit for the changes of one run; without number and share there is none.

    :param number: of changes; None for no such limit.
    :param share: of everything that could be changed, 0 to 1; None for no such limit.
    :param name: of the parameter, for errors.
    """

    number: int | None = None
    share: float | None = None
    name: str = field(default="max_changes", compare=False)

    @classmethod
    def parse(cls, value: object, name: str = "max_changes") -> ChangeLimit:
        """Read a limit.

        :param value: a whole number, a share as a fraction (`0.1`) or in percent (`"10%"`), or None for no limit;
            1.0 may be either and is refused.
        :param name: of the parameter, for errors.
        :return: the limit.
        :raises InvalidArgument: when the value is none of these.
        """
        # A driver's 5.0 is five changes.
        known = plain(value, name)
        value = known if isinstance(value, (float, Decimal)) and known > 1 else value
        text = str(value).strip()
        if value is None or text.lower() == "none":
            return cls(name=name)
        if re.fullmatch(r"1\.0*", text):
            raise InvalidArgument(f"{name} is {text}, one change or a share of all; write 1 or '100%'.")
        if not isinstance(value, bool):
            if re.fullmatch(r"\d{1,9}", text, re.ASCII):
                return cls(number=int(text), name=name)
            percent = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text, re.ASCII)
            share = float(percent[1]) / 100 if percent else _fraction(text)
            if share is not None and 0 <= share <= 1:
                return cls(share=share, name=name)
        raise InvalidArgument(
            f"{name} must be a number of changes, a share like 0.1 or '10%', or None for no limit, "
            f"not {quoted(value)}."
        )

    def most(self, of: int) -> int:
        """Return how many changes are allowed.

        :param of: how many could be made.
        :return: the number.
        """
        if self.share is not None:
            # A thousandth of a change more, since 0.29 * 100 is a little less than 29.
            return int(self.share * of + 0.001)
        return self.number if self.number is not None else of

    def exceeded(self, changes: int, of: int) -> bool:
        """Return whether there are too many changes.

        :param changes: to be made.
        :param of: how many could be made.
        :return: True when the limit is exceeded.
        """
        return changes > self.most(of) and (self.number is not None or self.share is not None)

    def describe(self, of: int) -> str:
        """Return the limit in words.

        :param of: how many changes could be made.
        :return: e.g. `5`, or `0.1 of 50, which is 5`.
        """
        return f"{self.share:.4g} of {of}, which is {self.most(of)}" if self.share is not None else str(self.most(of))

    def check(self, changes: int, of: int, what: str, *, verb: str = "changed", more: str = "") -> None:
        """Refuse too many changes.

        :param changes: to be made.
        :param of: how many could be made.
        :param what: is counted, e.g. `targets`.
        :param verb: what would be done to them.
        :param more: a sentence with other counts, or nothing.
        :raises ChangeRefused: with both numbers.
        """
        if self.exceeded(changes, of):
            raise ChangeRefused(
                f"{changes} of {of} {what} would be {verb}, and {self.name} allows {self.describe(of)}; nothing was "
                f"sent. {more}{' ' if more else ''}Check the changes with dry_run=True, then raise {self.name} if "
                f"they are intended."
            )


def _fraction(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[01]?\.\d+|[01]\.\d*", text, re.ASCII) else None
