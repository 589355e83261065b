"""Whether a value that was given and a value that came back mean the same."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

PHONES = frozenset({"number", "target_number"})


def same(there: Any, wanted: Any, name: str = "") -> bool:
    """Compare two values of an attribute.

    A number and its text are the same (`1000` and `"1000"`), and so are the ways to write one phone number.
    """
    if isinstance(there, bool) or isinstance(wanted, bool) or there is None or wanted is None:
        return there is wanted
    if name in PHONES and isinstance(there, (str, int)) and isinstance(wanted, (str, int)):
        return _phone(str(there)) == _phone(str(wanted))
    if isinstance(there, (int, float)) or isinstance(wanted, (int, float)):
        amounts = (_amount(there), _amount(wanted))
        return None not in amounts and amounts[0] == amounts[1]
    return bool(there == wanted)


def _amount(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _phone(text: str) -> str:
    """Return a phone number's digits with its country code; ten digits are North American. SIP stays as it is."""
    if ":" in text:
        return text.strip()
    digits = re.sub(r"[^0-9]", "", text)
    return f"1{digits}" if len(digits) == 10 and not text.strip().startswith("+") else digits
