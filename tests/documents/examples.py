"""The examples of Retreaver's reference, as data: requests, and answers whose long lists keep one row of each shape.

The files in `examples/` hold what the reference shows and nothing that was read from this package; hosts, people and
most phone numbers are replaced. `edition` is `legacy` or `current` where the older and the newest reference differ.
`first` holds requests that make an example possible, such as deleting what it creates. Left out are mistakes of the
reference: an address `call.json`, a campaign's update with an affiliate's body, a body that is no JSON, the ID of a
v4 call's campaign as a text. TrackDrive's reference shows requests, and the names of what is around the rows; `:id`
stands for a group that exists, and two mail addresses are replaced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "examples"
# Their keys are chosen by the account, not by Retreaver.
FREE_KEYS = ("tags",)


@dataclass(frozen=True)
class Example:
    """One request of the reference.

    :param heading: heading of its section.
    :param request: method and path with query, without host, key and company.
    :param edition: `legacy`, `current` or `both`.
    :param body: the body as it is written, None for none.
    :param answer: the JSON that is shown for it, None for none.
    :param headers: names of the headers that are shown for it.
    :param uses_postback_key: whether it takes the key for caller lists instead of the API key.
    :param first: requests to send before, with a blank before a body.
    :param key_in_request: whether the request itself holds its postback key, and takes no other.
    :param content_type: of the body.
    :param uses_key_pair: whether it is one of TrackDrive's, which take its two keys as a Basic header.
    """

    heading: str
    request: str
    edition: str
    body: str | None = None
    answer: Any = None
    headers: tuple[str, ...] = ()
    uses_postback_key: bool = False
    first: tuple[str, ...] = ()
    key_in_request: bool = False
    content_type: str = "application/json"
    uses_key_pair: bool = False

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.partition(" ")[0]

    @property
    def url(self) -> str:
        """The path with its query."""
        return self.request.partition(" ")[2]


EXAMPLES = [Example(**example) for file in sorted(FOLDER.glob("*.json")) for example in json.loads(file.read_text())]


def differences(answer: Any, documented: Any, where: str = "answer") -> list[str]:
    """Return what an answer lacks of a documented one, and what is of another kind; it may hold more.

    Each row of a list must be like one of the documented rows, and each of those must be there in some row.
    """
    if documented is None or answer is None:
        return []
    if isinstance(documented, dict):
        return _object_differences(answer, documented, where)
    if isinstance(documented, list):
        return _list_differences(answer, documented, where)
    kinds = (_kind(answer), _kind(documented))
    return [] if kinds[0] == kinds[1] else [f"{where} is a {kinds[0]}, documented as a {kinds[1]}"]


def _object_differences(answer: Any, documented: dict[str, Any], where: str) -> list[str]:
    if not isinstance(answer, dict):
        return [f"{where} is a {_kind(answer)}, documented as an object"]
    if where.rpartition(".")[2] in FREE_KEYS:
        return [line for name, value in answer.items() for line in differences(value, "", f"{where}.{name}")]
    lines = [f"{where}.{name} is missing" for name in documented if name not in answer]
    for name, value in documented.items():
        if name in answer:
            lines += differences(answer[name], value, f"{where}.{name}")
    return lines


def _list_differences(answer: Any, documented: list[Any], where: str) -> list[str]:
    if not isinstance(answer, list):
        return [f"{where} is a {_kind(answer)}, documented as a list"]
    if not documented or not answer:
        return [f"{where} is empty"] if documented else []
    by_row = [[differences(row, example, f"{where}[]") for example in documented] for row in answer]
    # A row may have none of what a documented row has several of, as long as another one has it.
    lines = [[line for line in min(row, key=len) if not line.endswith(" is empty")] for row in by_row]
    lines += [min(column, key=len) for column in zip(*by_row, strict=True)]
    return sorted({line for some in lines for line in some})


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", list: "list", dict: "object"}[type(value)]
