"""Values of database drivers, data frames and JSON as the whole numbers that they are, where no digit was lost."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Real

# Why a value is no number: there is nothing, or digits were lost.
BLANK = "blank"
ROUNDED = "in scientific notation, so it was rounded"


def whole_number(value: object) -> tuple[int] | str:
    """Return the whole number that a value is.

    :param value: of any type but a text.
    :return: the number in a tuple, or why it is none.
    """
    if is_null(value):
        return BLANK
    name = type(value).__name__
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return f"a {name}, not a phone number"
    if isinstance(value, Integral):
        return (int(value),)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        # A positive exponent is what scientific notation leaves.
        exponent = value.as_tuple().exponent
        return ROUNDED if isinstance(exponent, int) and exponent > 0 else (int(value),)
    return f"a {name}, which may have been rounded; convert the column to a text or a whole number"


def is_null(value: object) -> bool:
    """Return whether a value stands for none; data frames have NaN there.

    :param value: the value.
    :return: True for None and NaN.
    """
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or (isinstance(value, float) and math.isnan(value))
