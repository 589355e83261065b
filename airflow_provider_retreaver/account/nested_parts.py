"""The fields that are made of several: caps, hours, tags, groups, timers, menu options, conversion groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from airflow_provider_retreaver.account.parts import Part, Values, World, written_phone
from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.resources.nested_rows import NESTED, match_rows
from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps, cap_attributes
from airflow_provider_retreaver.domain.routing.hours_change import DesiredHours
from airflow_provider_retreaver.domain.routing.hours_rows import ALL_DAY, WEEK, of_day
from airflow_provider_retreaver.domain.routing.tag_change import TagEdit
from airflow_provider_retreaver.domain.routing.tags import read_tags, tag_list, tag_text
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours

# A target is open around the clock unless hours are given.
_ALWAYS_OPEN: Row = {"business_hours": [{"id": day, "day_of_week": day} for day in range(7)]}
_GROUPS = NESTED["conversion_groups_attributes"]
# Kinds of rows, each with Retreaver's names of its fields by those of the files.
_ROWS = {
    "timers": (NESTED["timers_attributes"], {"seconds": "seconds", "url": "url"}),
    "menu_options": (
        NESTED["menu_options_attributes"],
        {"option": "option", "number": "target_number", "campaign": "target_cid"},
    ),
    "conversion_groups": (_GROUPS, {name: name for name in ("name", "dedupe_seconds", "conversions")}),
    "conversions": (_GROUPS.children["conversions_attributes"], {"seconds": "seconds", "revenue": "revenue"}),
}


class Caps(Part):
    """The five caps."""

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return the caps as `caps.hard` and so on."""
        return {f"{self.name}.{name.removesuffix('_cap')}": cap for name, cap in DesiredCaps({}).current(row).items()}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the caps that are written."""
        return {f"{self.name}.{name}": cap for name, cap in written.items()}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the caps as Retreaver takes them."""
        return cap_attributes({f"{name}_cap": cap for name, cap in self.inside(after).items()})


class BusinessHours(Part):
    """The hours of each day, in the target's time zone."""

    def current(self, row: Row, world: World) -> Fields:
        """Return when each day is open, as `hours.monday` and so on."""
        week = DesiredHours(WeeklyHours((), ()), today=world.today)
        return {f"{self.name}.{day}": hours for day, hours in week.current(row).items()}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return the days that are written, and those that a span across midnight reaches."""
        week = DesiredHours(WeeklyHours.parse(written, self.name), today=world.today)
        known = row if row is not None and "business_hours" in row else _ALWAYS_OPEN
        return {f"{self.name}.{day}": hours for day, hours in week.desired(known).items()}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:
        """Return the rows that change; of a new target the rows of the whole week."""
        days = self.inside(after)
        week = WeeklyHours.parse(days, self.name)
        if row is not None:
            return DesiredHours(week, today=world.today).attributes(row, days)
        opened = week.applied(((0, WEEK),))
        rows = [
            {"day_of_week": day, **hours.wire()}
            for day in range(7)
            for hours in [replace(ALL_DAY, time_open=start, time_close=end) for start, end in of_day(opened, day)]
            or [replace(ALL_DAY, work_day=False)]
        ]
        return {"business_hours_attributes": rows}


class Tags(Part):
    """All tags."""

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return the tags in alphabetical order, since Retreaver documents none; those with an operator show it."""
        if "tag_values" not in row:
            return {}
        operators = [one for one in row["tag_values"] if one.get("operator", "==") not in {"==", None}]
        plain = row | {"tag_values": [one for one in row["tag_values"] if one not in operators]}
        texts = [f"{one.get('key')} {one['operator']} {one.get('value')}" for one in operators]
        return {self.name: sorted([*map(tag_text, read_tags(plain, object_name(row))), *texts])}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the tags."""
        pairs = {key: values if isinstance(values, list) else [values] for key, values in written.items()}
        texts = [f"{key}:{value}" for key, values in pairs.items() for value in values]
        return {self.name: sorted(map(tag_text, TagEdit.parse(replace=texts).replace or ()))}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the list that replaces the tags; a tag with an operator is refused rather than lost."""
        pairs: Any = [tuple(text.split(":", 1)) for text in after[self.name]]
        owner = row if row is not None else {"tag_values": []}
        return {"tag_list": tag_list(owner, pairs, object_name(owner))}


class Groups(Part):
    """The groups that a target is in; the groups are changed, not the target."""

    def current(self, row: Row, world: World) -> Fields:
        """Return the keys of the groups."""
        ids = row.get("target_group_ids")
        return {self.name: sorted(world.groups.get(id_, f"id-{id_}") for id_ in ids)} if isinstance(ids, list) else {}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the keys of the groups."""
        return {self.name: sorted(set(written))}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return nothing: what is sent is sent to the groups."""
        return {}


class Handling(Part):
    """Timers or menu options: all rows are replaced together, as Retreaver documents it."""

    def current(self, row: Row, world: World) -> Fields:
        """Return the object's own rows, not those that it inherits."""
        rows = _rows(self.name, row)
        for one in rows or ():
            if "campaign" in one:
                one["campaign"] = world.key("campaigns", one["campaign"])
        return {} if rows is None else {self.name: _sorted(rows)}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the rows."""
        rows = [
            one | {"number": written_phone(one["number"], f"{self.name}: number")} if one.get("number") else one
            for one in written
        ]
        return {self.name: _sorted(rows)}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the rows, and those of the other kind that would be lost with them."""
        sent: Row = {"destroy_nested": True} if row is not None else {}
        for name in ("timers", "menu_options"):
            if row is not None or name in after:
                fields = _ROWS[name][1].items()
                rows = after[name] if name in after else _rows(name, row or {})
                sent[f"{name}_attributes"] = [
                    {own: one[field] for field, own in fields if one.get(field) is not None} for one in rows or ()
                ]
        return sent


class Conversions(Part):
    """All conversion groups."""

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return the groups in Retreaver's order, which is the order in which they are evaluated."""
        groups = _rows(self.name, row)
        for group in groups or ():
            group["conversions"] = _sorted(_rows("conversions", group) or [])
        return {} if groups is None else {self.name: groups}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the groups."""
        return {self.name: [group | {"conversions": _sorted(group["conversions"])} for group in written]}

    def attributes(self, after: Values, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the groups that change, with their IDs; a conversion cannot be deleted without its group."""
        wanted = [
            {"conversion_type": "timer", "conversions_attributes": group["conversions"]}
            | {name: value for name, value in group.items() if name != "conversions"}
            for group in after[self.name]
        ]
        present = (_GROUPS.present(row) or []) if row is not None else []
        changes = match_rows(_GROUPS, wanted, present)
        kept = {group["name"]: group["conversions_attributes"] for group in wanted}
        for group in present:
            rows = kept.get(group.get("name"))
            if rows is not None and len(group.get("conversions") or ()) > len(rows):
                changes.ambiguous.append(
                    f"{group['name']} has a conversion that is not wanted, and only whole groups can be deleted: "
                    f"delete the group first, or do it in the portal"
                )
        if changes.ambiguous:
            raise ChangeRefused(f"{self.name}: {'; '.join(changes.ambiguous)}. Nothing was sent.")
        deleted = [{"id": group["id"], "_destroy": True} for group in present if group.get("name") not in kept]
        return {"conversion_groups_attributes": [*deleted, *changes.send]}


def _rows(name: str, row: Row) -> list[Row] | None:
    """Return an object's own rows with the fields that files have; None where the answer does not hold them."""
    kind, fields = _ROWS[name]
    rows = kind.present(row)
    return None if rows is None else [{field: one.get(own) for field, own in fields.items()} for one in rows]


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: msgspec.json.encode(row, order="deterministic"))
