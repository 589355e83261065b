"""How an object differs from the attributes that are requested, whatever its resource.

Retreaver returns attributes under other names than it takes them: `hard_cap_attributes` comes back in `caps`,
`tag_list` as `tag_values`, a greeting's `message` inside `greeting`. Here each is compared in the form in which it
comes back. What does not come back at all (an uploaded file) cannot be compared: it is always sent, and named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.row_secrets import without_secrets
from airflow_provider_retreaver.domain.resources.equality import same_value
from airflow_provider_retreaver.domain.resources.nested_rows import NESTED, RequestedRow, match_rows
from airflow_provider_retreaver.domain.resources.result import AttributeChange
from airflow_provider_retreaver.domain.routing.tag_change import TagEdit
from airflow_provider_retreaver.domain.routing.tags import read_tags, tag_list, tag_text

CAPS = {f"{kind.lower()}_cap_attributes": kind for kind in ("Hard", "Hourly", "Daily", "Monthly")}
# Names under which one attribute may come back.
READ_NAMES = {
    "tid": ("tid", "client_tid"),
    "client_tid": ("client_tid", "tid"),
    "campaign_id": ("campaign_id", "cid"),
}
GREETING_ATTRIBUTES = ("message", "voice_gender")
# With destroy_nested, the requested rows replace those that exist.
REPLACEABLE = ("timers_attributes", "menu_options_attributes")
MAX_FILE_TEXT = 200

ReturnedObject = Mapping[str, object]


@dataclass(slots=True)
class Difference:
    """What to send so that an object has the requested attributes.

    :param send: attributes that differ, or that cannot be compared.
    :param changed: `{attribute: {"before", "after"}}` of those that differ.
    :param not_compared: names of those that Retreaver does not return.
    :param refusals: why the change would lose or confuse something, as sentences.
    """

    send: Row = field(default_factory=dict)
    changed: dict[str, AttributeChange] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def add_change(self, name: str, before: object, after: object, send: object) -> None:
        """Add an attribute that differs.

        :param name: of the attribute.
        :param before: its value now, for the result.
        :param after: its requested value, for the result.
        :param send: the value to send.
        """
        self.changed[name] = {"before": before, "after": after}
        self.send[name] = send

    def add_not_compared(self, name: str, send: object) -> None:
        """Add an attribute that Retreaver does not return.

        :param name: of the attribute.
        :param send: the value to send.
        """
        self.not_compared.append(name)
        self.send[name] = send


def compare_attributes(attributes: Mapping[str, object], row: ReturnedObject, description: str) -> Difference:
    """Compare the requested attributes with an object as Retreaver returns it.

    :param attributes: checked, as a create or update takes them.
    :param row: the object.
    :param description: what the object is called in a sentence, e.g. `target 3`.
    :return: what differs.
    """
    difference = Difference()
    rest = dict(attributes)
    if rest.pop("destroy_nested", None):
        _compare_replaced(rest, row, difference)
    for name, expected in rest.items():
        if name in CAPS:
            _compare_cap(name, expected, row, difference)
        elif name == "tag_list":
            _compare_tags(expected, row, description, difference)
        elif name in NESTED and expected is not None:
            _compare_nested(name, expected, row, difference)
        elif name == "buyer_ids":
            _compare_buyers(expected, row, difference)
        elif name in {"target_ids", "add_targets_by_id", "remove_targets_by_id"}:
            _compare_members(name, expected, row, difference)
        else:
            _compare_plain(name, expected, row, difference)
    return difference


def actual_values(name: str, row: ReturnedObject) -> list[object]:
    """Return the values under which an attribute may have come back, none when it has not.

    :param name: of the attribute, as a create or update takes it.
    :param row: the object.
    :return: values, the likeliest first.
    """
    if name == "paused" and not isinstance(row.get("paused"), bool) and "paused_at" in row:
        return [row["paused_at"] is not None]
    if name == "type" and "type" not in row and isinstance(row.get("toll_free"), bool):
        return ["Toll-free" if row["toll_free"] else "Local"]
    greeting = row.get("greeting")
    if name in GREETING_ATTRIBUTES and isinstance(greeting, Mapping):
        return [None] if greeting.get("inherited") else [greeting[name]] if name in greeting else []
    return [row[alias] for alias in READ_NAMES.get(name, (name,)) if alias in row]


def mask_secrets(value: object, name: str = "") -> Any:
    """Return a value for a result or a log, with secrets masked and long texts (files) cut.

    :param value: of an attribute, or a whole object or list.
    :param name: of the attribute.
    :return: a value of the same shape.
    """
    if isinstance(value, Mapping):
        return {without_secrets(key): mask_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_secrets(item, name) for item in value]
    if isinstance(value, str) and len(value) > MAX_FILE_TEXT and name.endswith("_b64_data"):
        return f"{value[:20]}… ({len(value)} characters)"
    return without_secrets(value, name)


def _compare_cap(name: str, expected: object, row: ReturnedObject, difference: Difference) -> None:
    caps = row.get("caps")
    if not isinstance(caps, list) or not isinstance(expected, Mapping):
        difference.add_not_compared(name, expected)
        return
    actual = next(
        (cap.get("cap") for cap in caps if isinstance(cap, Mapping) and cap.get("type") == CAPS[name]), None
    )
    if not same_value(actual, expected["cap"]):
        difference.add_change(name, {"cap": actual}, {"cap": expected["cap"]}, expected)


def _compare_tags(expected: object, row: ReturnedObject, description: str, difference: Difference) -> None:
    if not isinstance(row.get("tag_values"), list):
        difference.add_not_compared("tag_list", expected)
        return
    try:
        before = read_tags(row, description)
    except ProtocolError:
        difference.add_not_compared("tag_list", expected)
        return
    after = list(TagEdit.parse(replace=expected).replace or ())
    if sorted(before) == sorted(set(after)):
        return
    try:
        tag_list(row, after, description)
    except ChangeRefused as refusal:
        difference.refusals.append(refusal.message)
    texts_before, texts_after = (sorted(map(tag_text, pairs)) for pairs in (before, set(after)))
    difference.add_change("tag_list", texts_before, texts_after, expected)


def _compare_nested(name: str, expected: object, row: ReturnedObject, difference: Difference) -> None:
    present = NESTED[name].present(row)
    if present is None:
        difference.add_not_compared(name, expected)
        return
    changes = match_rows(NESTED[name], _rows(expected), present)
    difference.refusals.extend(changes.ambiguous)
    if changes.send:
        difference.add_change(name, changes.before, changes.after, changes.send)


def _compare_replaced(rest: dict[str, object], row: ReturnedObject, difference: Difference) -> None:
    """Compare nested rows that replace all others: nothing differs only when none is missing and none too many."""
    requested = {name: _rows(rest.pop(name, None)) for name in REPLACEABLE}
    present = {name: NESTED[name].present(row) for name in REPLACEABLE}
    unchanged = all(
        rows is not None
        and len(rows) == len(requested[name])
        and not match_rows(NESTED[name], requested[name], rows).send
        for name, rows in present.items()
    )
    if unchanged:
        return
    difference.send["destroy_nested"] = True
    for name, rows in requested.items():
        if rows or present[name]:
            difference.add_change(name, present[name], rows, rows)


def _compare_members(name: str, expected: object, row: ReturnedObject, difference: Difference) -> None:
    actual = row.get("target_ids")
    if not isinstance(actual, list):
        difference.add_not_compared(name, expected or [])
        return
    before, ids = ({int(item) for item in cast("Sequence[int | str]", part or ())} for part in (actual, expected))
    after = {"target_ids": ids, "add_targets_by_id": before | ids, "remove_targets_by_id": before - ids}[name]
    if after != before:
        difference.add_change(name, sorted(before), sorted(after), expected or [])


def _compare_buyers(expected: object, row: ReturnedObject, difference: Difference) -> None:
    """Compare the buyers of a buyer group, whose order and types are not documented."""
    actual = row.get("buyer_ids")
    if not isinstance(actual, list):
        difference.add_not_compared("buyer_ids", expected)
        return
    before, after = (sorted({str(item) for item in part}) for part in (actual, cast("Sequence[object]", expected)))
    if before != after:
        difference.add_change("buyer_ids", before, after, expected)


def _compare_plain(name: str, expected: object, row: ReturnedObject, difference: Difference) -> None:
    actual = actual_values(name, row)
    if not actual:
        difference.add_not_compared(name, expected)
    elif not any(same_value(value, expected, name) for value in actual):
        difference.add_change(name, mask_secrets(actual[0], name), mask_secrets(expected, name), expected)


def _rows(value: object) -> Sequence[RequestedRow]:
    # The check of the attribute has refused anything but rows.
    return cast("Sequence[RequestedRow]", value or [])
