"""What an object is against what it should be, whatever its kind.

The vendor returns attributes under other names than it takes them: `hard_cap_attributes` comes back in `caps`,
`tag_list` as `tag_values`, a greeting's `message` inside `greeting`. Here each is compared in the form in which it
comes back. What does not come back at all (an uploaded file) cannot be compared: it is sent, and said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.core.errors import ChangeRefused, ProtocolError
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.secrets import MASK
from airflow_provider_retreaver.domain.resources.equality import same
from airflow_provider_retreaver.domain.resources.nested_rows import NESTED, match
from airflow_provider_retreaver.domain.routing import tags

CAPS = {f"{kind.lower()}_cap_attributes": kind for kind in ("Hard", "Hourly", "Daily", "Monthly")}
# Names under which one attribute may come back.
READ_AS = {"tid": ("tid", "client_tid"), "client_tid": ("client_tid", "tid"), "campaign_id": ("campaign_id", "cid")}
GREETING = ("message", "voice_gender")
# With destroy_nested, what is given replaces what there is.
REPLACEABLE = ("timers_attributes", "menu_options_attributes")
LONGEST_SHOWN = 200


@dataclass(slots=True)
class Difference:
    """What is to be sent so that an object is as wanted.

    :param send: attributes that differ, or that cannot be compared.
    :param changed: `{attribute: {"before", "after"}}` of those that differ.
    :param not_compared: names of those that the vendor does not return.
    :param refused: why the change would lose or confuse something, as sentences.
    """

    send: Row = field(default_factory=dict)
    changed: dict[str, Row] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def differ(self, name: str, before: Any, after: Any, send: Any) -> None:
        """Note an attribute that is not as wanted."""
        self.changed[name] = {"before": before, "after": after}
        self.send[name] = send


def compare(attributes: Mapping[str, Any], row: Mapping[str, Any], called: str) -> Difference:
    """Compare the attributes wanted with an object as the vendor returns it.

    :param called: what the object is called in a sentence.
    """
    found = Difference()
    rest = dict(attributes)
    if rest.pop("destroy_nested", None):
        _replaced(rest, row, found)
    for name, wanted in rest.items():
        if name in CAPS:
            _cap(name, wanted, row, found)
        elif name == "tag_list":
            _tags(wanted, row, called, found)
        elif name in NESTED and wanted is not None:
            _nested(name, wanted, row, found)
        elif name in {"target_ids", "add_targets_by_id", "remove_targets_by_id"}:
            _members(name, wanted or [], row, found)
        else:
            _plain(name, wanted, row, found)
    return found


def shown(value: Any, name: str = "") -> Any:
    """Return a value for a result or a log: secrets masked, long texts (files) cut."""
    if isinstance(value, Mapping):
        return {key: shown(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item, name) for item in value]
    if value and name.endswith(("password", "secret")):
        return MASK
    if isinstance(value, str) and len(value) > LONGEST_SHOWN and name.endswith("_b64_data"):
        return f"{value[:20]}… ({len(value)} characters)"
    return value


def _cap(name: str, wanted: Any, row: Mapping[str, Any], found: Difference) -> None:
    caps = row.get("caps")
    if not isinstance(caps, list):
        _unknown(name, wanted, found)
        return
    there = next((cap.get("cap") for cap in caps if isinstance(cap, Mapping) and cap.get("type") == CAPS[name]), None)
    if not same(there, wanted["cap"]):
        found.differ(name, {"cap": there}, {"cap": wanted["cap"]}, wanted)


def _tags(wanted: Any, row: Mapping[str, Any], called: str, found: Difference) -> None:
    if not isinstance(row.get("tag_values"), list):
        _unknown("tag_list", wanted, found)
        return
    try:
        before = tags.read(row, called)
    except ProtocolError:
        _unknown("tag_list", wanted, found)
        return
    after = list(tags.TagEdit.parse(replace=wanted).replace or ())
    if sorted(before) == sorted(set(after)):
        return
    try:
        tags.tag_list(row, after, called)
    except ChangeRefused as refusal:
        found.refused.append(refusal.message)
    found.differ("tag_list", sorted(map(tags.text_of, before)), sorted(map(tags.text_of, set(after))), wanted)


def _nested(name: str, wanted: Any, row: Mapping[str, Any], found: Difference) -> None:
    present = NESTED[name].present(row)
    if present is None:
        _unknown(name, wanted, found)
        return
    matched = match(NESTED[name], wanted, present)
    found.refused.extend(matched.unclear)
    if matched.send:
        found.differ(name, matched.before, matched.after, matched.send)


def _replaced(rest: Row, row: Mapping[str, Any], found: Difference) -> None:
    """Compare nested rows that replace all others: they are as wanted only when none is missing and none too many."""
    given = {name: rest.pop(name, None) or [] for name in REPLACEABLE}
    there = {name: NESTED[name].present(row) for name in REPLACEABLE}
    as_wanted = all(
        present is not None
        and len(present) == len(given[name])
        and not match(NESTED[name], given[name], present).send
        for name, present in there.items()
    )
    if as_wanted:
        return
    found.send["destroy_nested"] = True
    for name, rows in given.items():
        if rows or there[name]:
            found.differ(name, there[name], rows, rows)


def _members(name: str, wanted: Any, row: Mapping[str, Any], found: Difference) -> None:
    there = row.get("target_ids")
    if not isinstance(there, list):
        _unknown(name, wanted, found)
        return
    before, ids = {int(item) for item in there}, {int(item) for item in wanted}
    after = {"target_ids": ids, "add_targets_by_id": before | ids, "remove_targets_by_id": before - ids}[name]
    if after != before:
        found.differ(name, sorted(before), sorted(after), wanted)


def _plain(name: str, wanted: Any, row: Mapping[str, Any], found: Difference) -> None:
    there = _there(name, row)
    if not there:
        _unknown(name, wanted, found)
    elif not any(same(value, wanted, name) for value in there):
        found.differ(name, shown(there[0], name), shown(wanted, name), wanted)


def _there(name: str, row: Mapping[str, Any]) -> list[Any]:
    """Return the values under which an attribute may have come back, none when it has not."""
    if name == "paused" and "paused" not in row and "paused_at" in row:
        return [row["paused_at"] is not None]
    if name == "type" and "type" not in row and isinstance(row.get("toll_free"), bool):
        return ["Toll-free" if row["toll_free"] else "Local"]
    if name in GREETING and isinstance(row.get("greeting"), Mapping):
        greeting = row["greeting"]
        return [None] if greeting.get("inherited") else [greeting[name]] if name in greeting else []
    return [row[alias] for alias in READ_AS.get(name, (name,)) if alias in row]


def _unknown(name: str, wanted: Any, found: Difference) -> None:
    found.not_compared.append(name)
    found.send[name] = wanted
