"""Answers as XML, as Rails writes them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

# XML has no way to write these.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def document(value: Any) -> bytes:
    """Write an object in its envelope, or a list of them, as XML.

    :param value: For example ``{"affiliate": {...}}``, or a list of such objects.
    :return: The document in UTF-8.
    """
    if isinstance(value, list):
        name = next(iter(value[0])) if value else "object"
        root = ET.Element("nil-classes" if not value else name.replace("_", "-") + "s", type="array")
        for item in value:
            _add(root, name, item[name])
    else:
        name = next(iter(value)) if len(value) == 1 else "hash"
        holder = ET.Element("holder")
        _add(holder, name, value[name] if len(value) == 1 else value)
        root = holder[0]
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _add(parent: ET.Element, name: str, value: Any) -> None:
    """Add one element with Rails' type attributes."""
    element = ET.SubElement(parent, name.replace("_", "-"))
    if value is None:
        element.set("nil", "true")
    elif isinstance(value, bool):
        element.set("type", "boolean")
        element.text = "true" if value else "false"
    elif isinstance(value, int):
        element.set("type", "integer")
        element.text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))
    elif isinstance(value, float):
        element.set("type", "float")
        element.text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _add(element, key, inner)
    elif isinstance(value, list):
        element.set("type", "array")
        for inner in value:
            own = next(iter(inner)) if isinstance(inner, dict) and len(inner) == 1 else None
            _add(element, own or name.removesuffix("s"), inner[own] if own else inner)
    else:
        if _MOMENT.match(str(value)):
            element.set("type", "datetime")
        element.text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))
