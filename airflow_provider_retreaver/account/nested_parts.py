"""The fields that are made of several: caps, hours, tags, groups, timers, menu options, conversion groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_retreaver.account.parts import Part, World
from airflow_provider_retreaver.account.phones import written_phone
from airflow_provider_retreaver.core.errors import ChangeRefused
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.domain.changes.differences import Fields
from airflow_provider_retreaver.domain.objects.naming import object_name
from airflow_provider_retreaver.domain.resources.nested_rows import NESTED, match_rows
from airflow_provider_retreaver.domain.routing.cap_change import DesiredCaps, cap_attributes
from airflow_provider_retreaver.domain.routing.hours_change import DesiredHours
from airflow_provider_retreaver.domain.routing.hours_rows import ALL_DAY, DAY, DAYS, Hours, of_day, spans_text
from airflow_provider_retreaver.domain.routing.tag_change import TagEdit
from airflow_provider_retreaver.domain.routing.tags import read_tags, tag_list, tag_text
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours


class Caps(Part):
    """The five caps."""

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return the caps as `caps.hard` and so on."""
        if "caps" not in row:
            return {}
        return {f"{self.name}.{name.removesuffix('_cap')}": cap for name, cap in DesiredCaps({}).current(row).items()}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the caps that are written."""
        return {f"{self.name}.{name}": cap for name, cap in msgspec.to_builtins(written).items()}

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the caps as Retreaver takes them."""
        return cap_attributes({f"{name.partition('.')[2]}_cap": cap for name, cap in after.items()})


class BusinessHours(Part):
    """The hours of each day, in the target's time zone."""

    def current(self, row: Row, world: World) -> Fields:
        """Return when each day is open, as `hours.monday` and so on."""
        if "business_hours" not in row:
            return {}
        week = DesiredHours(WeeklyHours((), ()), today=world.today)
        return {f"{self.name}.{day}": hours for day, hours in week.current(row).items()}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:
        """Return the days that are written, and those that a span across midnight reaches."""
        week = WeeklyHours.parse(written, self.name)
        if row is not None and "business_hours" in row:
            days = DesiredHours(week, today=world.today).desired(row)
        else:
            days = {
                DAYS[day]: spans_text(of_day(week.applied(((0, 7 * DAY),)), day))
                for day in range(7)
                if of_day(week.concerned, day)
            }
        return {f"{self.name}.{day}": hours for day, hours in days.items()}

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:
        """Return the rows that change; of a new target the rows of the whole week."""
        days = {name.partition(".")[2]: str(hours) for name, hours in after.items()}
        week = WeeklyHours.parse(days, self.name)
        if row is not None:
            return DesiredHours(week, today=world.today).attributes(row, days)
        opened = week.applied(((0, 7 * DAY),))
        rows = [
            {"day_of_week": day, **hours.wire()}
            for day in range(7)
            for hours in [
                Hours(work_day=True, time_open=a, time_close=b, invert=False) for a, b in of_day(opened, day)
            ]
            or [Hours(work_day=False, time_open=ALL_DAY.time_open, time_close=ALL_DAY.time_close, invert=False)]
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

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the list that replaces the tags; a tag with an operator is refused rather than lost."""
        pairs = [tuple(text.split(":", 1)) for text in _texts(after[self.name])]
        owner = row if row is not None else {"tag_values": []}
        return {"tag_list": tag_list(owner, pairs, object_name(owner))}  # type: ignore[arg-type]


class Groups(Part):
    """The groups that a target is in; the groups are changed, not the target."""

    def current(self, row: Row, world: World) -> Fields:
        """Return the keys of the groups."""
        ids = row.get("target_group_ids")
        return {self.name: sorted(map(world.group_key, ids))} if isinstance(ids, list) else {}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the keys of the groups."""
        return {self.name: sorted(set(written))}

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return nothing: `group_changes` has what is sent."""
        return {}

    def group_changes(self, after: Fields, row: Row, world: World) -> tuple[list[int], list[int]]:
        """Return which groups the target must join and leave.

        :param after: the groups that it should be in.
        :param row: the target as it is.
        :param world: what is known besides.
        :return: IDs of the groups to join, and of those to leave.
        """
        wanted = {world.group_id(key) for key in _texts(after[self.name])}
        present = set(row.get("target_group_ids") or ())
        return sorted(wanted - present), sorted(present - wanted)


class Handling(Part):
    """Timers or menu options: all rows are replaced together, as Retreaver documents it."""

    def current(self, row: Row, world: World) -> Fields:
        """Return the object's own rows, not those that it inherits."""
        rows = NESTED[f"{self.name}_attributes"].present(row)
        return {} if rows is None else {self.name: _sorted(self._line(one, world) for one in rows)}

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the rows."""
        rows = msgspec.to_builtins(written)
        for one in rows:
            if one.get("number"):
                one["number"] = written_phone(one["number"], f"{self.name}: number")
        return {self.name: _sorted(rows)}

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the rows, and those of the other kind that would be lost with them."""
        sent: Row = {f"{self.name}_attributes": [self._wire(one) for one in _rows(after[self.name])]}
        if row is None:
            return sent
        other = "menu_options" if self.name == "timers" else "timers"
        kept = NESTED[f"{other}_attributes"].present(row) or []
        fields = ("option", "target_number", "target_cid") if other == "menu_options" else ("seconds", "url")
        others = [{name: one[name] for name in fields if one.get(name) is not None} for one in kept]
        return {f"{other}_attributes": others, **sent, "destroy_nested": True}

    def _line(self, row: Row, world: World) -> Row:
        if self.name == "timers":
            return {"seconds": row.get("seconds"), "url": row.get("url")}
        return {
            "option": row.get("option"),
            "number": row.get("target_number"),
            "campaign": world.key("campaigns", row.get("target_cid")),
        }

    def _wire(self, line: Row) -> Row:
        if self.name == "timers":
            return line
        names = {"option": "option", "number": "target_number", "campaign": "target_cid"}
        return {names[name]: value for name, value in line.items() if value is not None}


class Conversions(Part):
    """All conversion groups."""

    _KIND = NESTED["conversion_groups_attributes"]

    def current(self, row: Row, world: World) -> Fields:  # noqa: ARG002
        """Return the groups in Retreaver's order, which is the order in which they are evaluated."""
        groups = self._KIND.present(row)
        if groups is None:
            return {}
        inner = self._KIND.children["conversions_attributes"]
        return {
            self.name: [
                {
                    "name": group.get("name"),
                    "dedupe_seconds": group.get("dedupe_seconds"),
                    "conversions": _sorted(
                        {"seconds": one.get("seconds"), "revenue": one.get("revenue")}
                        for one in inner.present(group) or []
                    ),
                }
                for group in groups
            ]
        }

    def desired(self, written: Any, row: Row | None, world: World) -> Fields:  # noqa: ARG002
        """Return the groups."""
        groups = msgspec.to_builtins(written)
        return {self.name: [group | {"conversions": _sorted(group["conversions"])} for group in groups]}

    def attributes(self, after: Fields, row: Row | None, world: World) -> Row:  # noqa: ARG002
        """Return the groups that change, with their IDs; a conversion cannot be deleted without its group."""
        wanted = [
            {
                "name": group["name"],
                "conversion_type": "timer",
                "dedupe_seconds": group["dedupe_seconds"],
                "conversions_attributes": group["conversions"],
            }
            for group in _rows(after[self.name])
        ]
        present = (self._KIND.present(row) or []) if row is not None else []
        changes = match_rows(self._KIND, wanted, present)
        names = [group["name"] for group in wanted]
        counts = {group["name"]: len(group["conversions_attributes"]) for group in wanted}
        lost = [
            str(group.get("name"))
            for group in present
            if len(group.get("conversions") or ())
            > counts.get(group.get("name"), len(group.get("conversions") or ()))
        ]
        if lost:
            changes.ambiguous.append(
                f"{lost[0]} has a conversion that is not wanted, and only whole groups can be "
                f"deleted: delete the group first, or do it in the portal"
            )
        if changes.ambiguous:
            raise ChangeRefused(f"{self.name}: {'; '.join(changes.ambiguous)}. Nothing was sent.")
        deleted = [{"id": group["id"], "_destroy": True} for group in present if group.get("name") not in names]
        return {"conversion_groups_attributes": [*deleted, *changes.send]}


def _sorted(rows: Any) -> list[Row]:
    return sorted(rows, key=lambda row: msgspec.json.encode(row, order="deterministic"))


def _rows(value: object) -> Sequence[Row]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
