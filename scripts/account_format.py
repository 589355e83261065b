"""Write docs/account-format.md: every section and field of the files of an account, from the schema in the code.

`--check` changes nothing and fails when the file is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_retreaver.account.schema import json_schema

DESTINATION = Path(__file__).resolve().parent.parent / "docs" / "account-format.md"
HEAD = """# The files of an account

Written by `scripts/account_format.py` from the code; a test keeps it up to date. `retreaver-account schema` prints
the same as JSON Schema. [Account as code](account.md) tells how the files are used.

Every field may be left out unless it is marked; what is not written is not managed. `null` is written where Retreaver
has no value.
"""


def document() -> str:
    """Return the page."""
    definitions: Mapping[str, Any] = json_schema()["$defs"]
    names = ["AccountFile", *sorted(name for name in definitions if name != "AccountFile")]
    return "\n".join([HEAD, *(line for name in names for line in _section(name, definitions[name]))])


def _section(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield from [definition["description"].split("\n")[0], ""]
    yield "| field | type | |"
    yield "|---|---|---|"
    required = definition.get("required", ())
    for field, value in definition["properties"].items():
        note = value.get("description", "")
        mark = " Required." if field in required else ""
        yield f"| `{field}` | {_type(value)} | {note}{mark} |"
    yield ""


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(map(_type, value["anyOf"]))
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"mapping of keys to {_type(value['additionalProperties'])}"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(value["type"], value["type"])


def main() -> int:
    """Write or check the page."""
    if "--check" in sys.argv[1:]:
        up_to_date = DESTINATION.read_text(encoding="utf-8") == document()
        print(f"{DESTINATION.name} is {'up to date' if up_to_date else 'out of date: run scripts/account_format.py'}")
        return 0 if up_to_date else 1
    DESTINATION.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
