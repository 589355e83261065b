"""Readers of parameters: what DAG authors write, templates render and database drivers return.

Every reader takes a value as it comes (see `core/rendered.py` for texts), raises `InvalidArgument` with the name of
the parameter before anything is sent, and treats the same value in the same way, whatever the parameter:

* None, and the text `"None"` that a template renders for it, mean "not given". An empty list means "none of them".
* A text with commas is a list of texts; a text that begins like a list, a mapping or a set is parsed.
* A whole float or `Decimal` (a column of a warehouse that has nulls) is a whole number.
* NaN, which stands for a null in data frames, is refused: taking it for "no value" would change what is meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted
from airflow_provider_retreaver.core.rendered import read_rendered

_WHOLE = re.compile(r"(-?[0-9]{1,18})(?:\.0+)?")


def is_given(value: object) -> bool:
    """Return whether a parameter was given.

    :param value: the parameter; None, blank text and the text `"None"` (what a template renders for None) were not.
    :return: True when it was given.
    """
    return value is not None and not (isinstance(value, str) and value.strip() in {"", "None"})


def plain(value: object, name: str) -> Any:
    """Return a value of a database driver as the plain value that it stands for.

    :param value: any value.
    :param name: name of the parameter, for the error.
    :return: an `int` for a whole `float` or `Decimal`, a text for a `UUID`, everything else as it is.
    :raises InvalidArgument: when it is NaN or infinite.
    """
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, (float, Decimal)):
        return value
    # A signaling NaN of a Decimal is an error of its own for `math`.
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise InvalidArgument(
            f"{name} is {value}, which data frames put where a value is missing; leave it out or give a value."
        )
    # A Decimal may have a billion digits, which `int` would write out.
    small = -(2**53) < value < 2**53
    return int(value) if small and value == int(value) else value


def items(value: object, name: str, separators: str = ",", *, as_given: bool = False) -> list[Any] | None:
    """Return the items of a parameter that takes one or several.

    :param value: one item; a list, tuple, set or other iterable of them; a text with separators; or one of these as
        rendered text.
    :param name: name of the parameter, for the error.
    :param separators: characters that separate the items of a text.
    :param as_given: keep numbers in the types that they have, since a `float` may have been rounded, which matters
        for phone numbers.
    :return: the items, driver values made plain; None when the parameter was not given.
    :raises InvalidArgument: when it is a mapping, bytes or no collection at all, or holds NaN.
    """
    value = read_rendered(value, name)
    if value is None:
        return None
    if isinstance(value, str):
        return [part.strip() for part in re.split(f"[{re.escape(separators)}]", value) if part.strip()]
    if isinstance(value, (int, float, Decimal, UUID)):
        value = [value]
    if isinstance(value, (Mapping, bytes, bytearray)) or not isinstance(value, Iterable):
        raise InvalidArgument(f"{name} must be one value or a list of values, not {type(value).__name__}.")
    found = list(value)
    plainly = [plain(item, name) for item in found]
    return found if as_given else plainly


def texts(value: object, name: str, problem: str = "not an ID; give numbers or texts") -> list[str] | None:
    """Return the distinct texts of a parameter, such as customer IDs, in the order given.

    :param value: see `items`; whole numbers become texts.
    :param name: name of the parameter, for the error.
    :param problem: what is wrong with another item, as the end of a sentence.
    :return: texts without surrounding spaces; None when the parameter was not given.
    :raises InvalidArgument: naming the item that is neither a text nor a whole number, or is blank.
    """
    found = items(value, name)
    if found is None:
        return None
    for item in found:
        if isinstance(item, bool) or not isinstance(item, (int, str)) or not str(item).strip():
            raise InvalidArgument(f"{name} holds {quoted(item)}, which is {problem}.")
    return list(dict.fromkeys(str(item).strip() for item in found))


def names(value: object, name: str) -> list[str] | None:
    """Return the distinct names of a parameter, in the order given.

    :param value: see `items`. A text with commas is several names: one that has a comma itself, or begins with a
        bracket, has to be in a list.
    :param name: name of the parameter, for the error.
    :return: names without surrounding spaces; None when the parameter was not given.
    :raises InvalidArgument: naming the item that is neither a text nor a whole number, or is blank.
    """
    return texts(value, name, "not a name; give texts")


def text(value: object, name: str, *, decimals: bool = False) -> str:
    """Return one text, such as the value of a filter or a tag.

    :param value: a text, or a whole number of any type, whose digits are meant; truth values have several spellings.
    :param name: name of the parameter, for the error.
    :param decimals: whether other numbers are read as well, e.g. 2.5.
    :return: the text without surrounding spaces.
    :raises InvalidArgument: when it is blank, or not one text.
    """
    value = plain(value, name)
    numbers = (int, float, Decimal) if decimals else (int,)
    found = str(value).strip() if isinstance(value, (str, *numbers)) and not isinstance(value, bool) else ""
    # A lone surrogate, half of a character, cannot be sent.
    sendable = found.isascii() or not any("\ud800" <= char <= "\udfff" for char in found)
    if not found or not sendable or (isinstance(value, (float, Decimal)) and "e" in found.lower()):
        raise InvalidArgument(f"{name} must be a text, not {quoted(value)}.")
    return found


NOT_AN_ID = "not one of Retreaver's own IDs (a whole number); customer IDs go into the parameter for tids"


def ids(value: object, name: str, problem: str = NOT_AN_ID) -> list[int] | None:
    """Return the distinct IDs of a parameter, in the order given.

    :param value: see `items`; every item must be a whole number above 0, or its text.
    :param name: name of the parameter, for the error.
    :param problem: what is wrong with another item, as the end of a sentence.
    :return: the IDs; None when the parameter was not given.
    :raises InvalidArgument: naming the item that is no ID.
    """
    found = texts(value, name)
    if found is None:
        return None
    numbers = [_whole(text) for text in found]
    for text, number in zip(found, numbers, strict=True):
        if number is None or number <= 0:
            raise InvalidArgument(f"{name} holds {quoted(text)}, which is {problem}.")
    return list(dict.fromkeys(number for number in numbers if number is not None))


def identifier(value: object, name: str) -> int | str | None:
    """Return one ID, of Retreaver or of the customer.

    :param value: a number or a text.
    :param name: name of the parameter, for the error.
    :return: the ID, a text without surrounding spaces; None when the parameter is None.
    :raises InvalidArgument: when it is blank, `"None"` or not an ID.
    """
    if value is None:
        return None
    value = plain(value, name)
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not text or text == "None":
        raise InvalidArgument(f"{name} must be an ID, not {quoted(value)}.")
    return value if isinstance(value, int) else text


def mapping(value: object, name: str) -> dict[str, Any]:
    """Return a mapping of names to values.

    :param value: a mapping, or one as rendered text; nothing given is an empty one.
    :param name: name of the parameter, for the error.
    :return: a new dictionary; its values are as they were given.
    :raises InvalidArgument: when it is not a mapping, or a key is not a text.
    """
    if not is_given(value):
        return {}
    value = read_rendered(value, name)
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidArgument(f"{name} must be a mapping of names to values, not {type(value).__name__}.")
    return dict(value)


def flag(value: object, name: str) -> bool:
    """Return a truth value.

    :param value: True or False, 1 or 0, or a text of them (`"True"`, `"false"`, `"yes"`, `"no"`); nothing given is
        False.
    :param name: name of the parameter, for the error.
    :return: the truth value.
    :raises InvalidArgument: when it is something else.
    """
    text = str(plain(value, name)).strip().lower()
    if text in {"true", "1", "yes"}:
        return True
    if text in {"false", "0", "no", "", "none"}:
        return False
    raise InvalidArgument(f"{name} must be true or false, not {quoted(value)}.")


def known(given: Mapping[str, Any], names: Collection[str], what: str) -> None:
    """Refuse names that Retreaver does not document.

    :param given: mapping whose keys are checked.
    :param names: the documented ones.
    :param what: what the names are, e.g. `filter of calls`.
    :raises InvalidArgument: naming the first unknown one and a near known one.
    """
    for name in given:
        if name not in names:
            hint = did_you_mean(str(name), names, f"known are {', '.join(sorted(names)) or 'none'}.")
            raise InvalidArgument(f"{quoted(name)} is not a documented {what}; {hint}")


def one_of(value: Any, allowed: Iterable[Any], name: str) -> Any:
    """Return a value that is one of several choices.

    :param value: the value.
    :param allowed: the choices.
    :param name: name of the parameter, for the error.
    :return: the value.
    :raises InvalidArgument: listing the choices.
    """
    choices = tuple(allowed)
    if isinstance(value, bool) or value not in choices:
        raise InvalidArgument(f"{name} must be one of {', '.join(map(str, choices))}, not {quoted(value)}.")
    return value


def any_or_all(value: object) -> Literal["any", "all"]:
    """Return the parameter `match` of sensors that watch several objects.

    :param value: `"any"` or `"all"`, in any case of letters.
    :return: the value in lower case.
    :raises InvalidArgument: when it is neither.
    """
    text: Literal["any", "all"] = one_of(str(value).strip().lower(), ("any", "all"), "match")
    return text


def whole(value: object, name: str, least: int = 0, most: int | None = None) -> int:
    """Return a whole number within bounds.

    :param value: an `int`, a whole `float` or `Decimal`, or the text of one.
    :param name: name of the parameter, for the error.
    :param least: the smallest number allowed.
    :param most: the largest number allowed, None for no bound.
    :return: the number.
    :raises InvalidArgument: when it is not a whole number, or out of bounds.
    """
    number = None if isinstance(value, bool) else _whole(str(plain(value, name)))
    if number is None or number < least or (most is not None and number > most):
        bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise InvalidArgument(f"{name} must be a whole number {bounds}, not {quoted(value)}.")
    return number


def number(value: object, name: str, least: int = 0) -> int | None:
    """Return a whole number that may be left out.

    :param value: see `whole`.
    :param name: name of the parameter, for the error.
    :param least: the smallest number allowed.
    :return: the number, None when the parameter was not given.
    :raises InvalidArgument: when it is not a whole number, or too small.
    """
    return whole(value, name, least) if is_given(value) else None


def share(value: object, name: str) -> float | None:
    """Return a share, e.g. of a cap.

    :param value: a number from 0 to 1, or the text of one.
    :param name: name of the parameter, for the error.
    :return: the share, None when the parameter was not given.
    :raises InvalidArgument: when it is out of bounds; for 90 the error says to write 0.9.
    """
    if not is_given(value):
        return None
    found = math.nan
    if isinstance(value, (int, float, Decimal, str)) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
    if not 0 <= found <= 1:
        hint = f"; for {found:g} % write {found / 100:g}" if 1 < found <= 100 else ""
        raise InvalidArgument(f"{name} must be a share from 0 to 1, not {quoted(value)}{hint}.")
    return found


def _whole(text: str) -> int | None:
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None
