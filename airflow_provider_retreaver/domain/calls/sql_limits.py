"""What the numeric columns of a table can hold, so that no amount is rounded by a database.

Databases round a number to a column's decimal places, or to the digits of a float, without a word, also in strict
modes. A number that would not come back as it was sent is found here before it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

# Significant decimal digits that a float of 4 and of 8 bytes holds of every number.
SINGLE, DOUBLE = 6, 15
_SINGLES = frozenset({"real", "float", "float4"})
# As Retreaver writes numbers; what is not a plain number is left to the database, which refuses it.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a numeric column holds of a number.

    :param kind: the column's type, for errors.
    :param scale: decimal places, None for any number.
    :param digits: significant digits, None for all.
    :param whole: whether whole numbers are kept with all digits in spite of `digits`.
    """

    kind: str
    scale: int | None = None
    digits: int | None = None
    whole: bool = False

    def holds_all(self, types: Collection[type]) -> bool:
        """Tell whether the column holds every value of these types as it is, so that none needs a look.

        :param types: of the values.
        :return: True when it does.
        """
        kept = {type(None), bool, int} if self.digits is None or self.whole else {type(None), bool}
        return kept.issuperset(types)

    def loses(self, value: object) -> bool:
        """Tell whether the column would hold another number than this one.

        :param value: as a row has it; texts in a numeric column are numbers there.
        :return: False also for what is no number: the database decides about it.
        """
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
            return False
        if self.whole and isinstance(value, int):
            return False
        if isinstance(value, str) and _LEADING_ZERO.match(value.strip()) and _NUMBER.fullmatch(value.strip()):
            return True
        number = _number(value)
        if number is None:
            return False
        _, digits, exponent = number.as_tuple()
        significant = len("".join(map(str, digits)).rstrip("0"))
        places = -(int(exponent) + len(digits) - significant)
        return (self.scale is not None and places > self.scale and significant > 0) or (
            self.digits is not None and significant > self.digits
        )

    def __str__(self) -> str:
        if self.scale:
            return f"{self.kind} with {self.scale} decimal places"
        return f"{self.kind} with {self.digits} digits" if self.digits else self.kind


def _number(value: int | Decimal | str) -> Decimal | None:
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return None
        value = text
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def limit_of(dialect: str, kind: str, scale: int | None) -> Limit | None:
    """Return the limit of a column.

    :param dialect: name of the database's dialect.
    :param kind: the column's type as the database's catalog names it.
    :param scale: its decimal places, where the catalog has them.
    :return: None for a column that is not numeric, or holds every number.
    """
    name = kind.lower()
    if dialect == "sqlite":
        return _limit_in_sqlite(name)
    if "int" in name and "interval" not in name and "point" not in name:
        return Limit(kind, 0)
    if name.startswith(("numeric", "decimal")):
        return None if scale is None else Limit(kind, scale)
    if name == "money":
        return Limit(kind, 2)
    if name in _SINGLES:
        return Limit(kind, scale, SINGLE)
    return Limit(kind, scale, DOUBLE) if name.startswith("double") else None


def _limit_in_sqlite(name: str) -> Limit | None:
    """By the affinity of a declared type: https://www.sqlite.org/datatype3.html."""
    if "int" in name:
        return Limit(name, digits=DOUBLE, whole=True)
    if not name or any(part in name for part in ("char", "clob", "text", "blob")):
        return None
    return Limit(name, digits=DOUBLE, whole=not any(part in name for part in ("real", "floa", "doub")))
