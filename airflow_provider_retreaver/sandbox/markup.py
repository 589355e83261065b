"""Answers as XML, the way Rails writes them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as tree

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def document(value: Any) -> bytes:
    """Write a wrapped item or a list of wrapped items."""
    if isinstance(value, list):
        name = next(iter(value[0])) if value else "object"
        root = tree.Element("nil-classes" if not value else name.replace("_", "-") + "s", type="array")
        for item in value:
            _add(root, name, item[name])
    else:
        name = next(iter(value)) if len(value) == 1 else "hash"
        holder = tree.Element("holder")
        _add(holder, name, value[name] if len(value) == 1 else value)
        root = holder[0]
    tree.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tree.tostring(root, encoding="utf-8") + b"\n"


def _add(parent: tree.Element, name: str, value: Any) -> None:
    """Add one element with Rails' type attributes."""
    element = tree.SubElement(parent, name.replace("_", "-"))
    if value is None:
        element.set("nil", "true")
    elif isinstance(value, bool):
        element.set("type", "boolean")
        element.text = "true" if value else "false"
    elif isinstance(value, int):
        element.set("type", "integer")
        element.text = str(value)
    elif isinstance(value, float):
        element.set("type", "float")
        element.text = str(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _add(element, key, inner)
    elif isinstance(value, list):
        element.set("type", "array")
        for inner in value:
            wrapped = isinstance(inner, dict) and len(inner) == 1
            _add(element, next(iter(inner)) if wrapped else name.removesuffix("s"), next(iter(inner.values())) if wrapped else inner)
    else:
        if _MOMENT.match(str(value)):
            element.set("type", "datetime")
        element.text = str(value)
