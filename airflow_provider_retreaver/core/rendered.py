"""Values that a template rendered to text, read back as what they were.

A DAG author writes `"{{ ti.xcom_pull('query') }}"`, and Jinja renders the Python value as text: JSON where the author
used `tojson`, otherwise Python's own notation, with the constructors of the types that database drivers and pendulum
return. Nothing is executed: the text is parsed, and only the constructors in `_CONSTRUCTORS` are applied.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

# A text that begins like this stands for a list, a mapping, a set or a tuple, never for itself.
_STRUCTURED = re.compile(r"[\[({]|(?:set|frozenset|dict|OrderedDict)\(")
_EXCERPT = 80


def read_rendered(value: object, name: str) -> Any:
    """Return the value that a rendered parameter stands for.

    :param value: any value; a text that begins like a list, a mapping, a set or a tuple is parsed as JSON or as a
        Python literal (`Decimal`, `datetime`, `date`, `timedelta`, `UUID`, pendulum's types and sets included).
        Every other value is returned as it is, and `"None"` as None.
    :param name: name of the parameter, for the error.
    :return: the value; mappings are dictionaries without repeated keys.
    :raises InvalidArgument: when the text begins like a structure and cannot be read, or when a mapping has one key
        twice.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text == "None":
        return None
    if not _STRUCTURED.match(text):
        return value
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _mapping(pairs, name))
    except InvalidArgument:
        raise
    except (ValueError, RecursionError):
        pass
    try:
        found = _evaluate(ast.parse(text, mode="eval").body, name)
    except InvalidArgument:
        raise
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, ArithmeticError, KeyError, OSError):
        # A phone number may begin with a bracket too.
        if text.startswith("("):
            return value
        raise InvalidArgument(
            f"{name} is the text {quoted(text)}, which is neither JSON nor a Python value; check what the "
            f"template renders, or pass it through `| tojson`."
        ) from None
    return value if text.startswith("(") and not isinstance(found, tuple) else found


def _mapping(pairs: Iterable[tuple[Any, Any]], name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, item in pairs:
        if key in found:
            raise InvalidArgument(f"{name} has the key {quoted(key)} twice; give it once.")
        found[key] = item
    return found


def _evaluate(node: ast.expr, name: str) -> Any:
    match node:
        case ast.List(items):
            return [_evaluate(item, name) for item in items]
        case ast.Tuple(items):
            return tuple(_evaluate(item, name) for item in items)
        case ast.Set(items):
            return {_evaluate(item, name) for item in items}
        case ast.Dict(keys, values):
            # A None among the keys is an unpacking, `{**other}`, which has no value here.
            pairs = [(_evaluate(key, name), item) for key, item in zip(keys, values, strict=True) if key is not None]
            return _mapping(((key, _evaluate(item, name)) for key, item in pairs), name)
        case ast.Call(function, items, keywords):
            constructor = _CONSTRUCTORS[_path(function).rpartition(".")[2]]
            named = {word.arg: _evaluate(word.value, name) for word in keywords if word.arg is not None}
            return constructor(*(_evaluate(item, name) for item in items), **named)
        case _:
            return _scalar(node)


def _scalar(node: ast.expr) -> Any:
    match node:
        case ast.Name("nan" | "inf" as value):
            return float(value)
        case ast.Attribute(attr="utc" | "UTC"):
            return UTC
        case ast.UnaryOp(ast.UAdd(), ast.Constant(int() as number)):
            # A phone number: the sign says that it begins with a country code.
            return f"+{number}"
        case _:
            return ast.literal_eval(node)


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("not a name")


def _zone(name: str = "UTC", *_: object, **named: str) -> ZoneInfo:
    return ZoneInfo(named.get("key", name))


def _decimal(text: object) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        raise ValueError("not a number") from None


# By the last part of the name in the text: `datetime.datetime(…)`, `DateTime(…)` of pendulum, `np.float64(…)`.
_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "Decimal": _decimal,
    "datetime": datetime,
    "DateTime": datetime,
    "Timestamp": datetime.fromisoformat,
    "date": date,
    "Date": date,
    "time": time,
    "timedelta": timedelta,
    "Duration": timedelta,
    "timezone": timezone,
    "Timezone": _zone,
    "ZoneInfo": _zone,
    "UUID": UUID,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "OrderedDict": dict,
    "int64": int,
    "int32": int,
    "float64": float,
    "float32": float,
    "str_": str,
    "bool_": bool,
}
