"""Target groups: targets that belong together, with caps of the group."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import caps
from airflow_provider_retreaver.sandbox.api.columns import Column, InvalidValue, integer, natural
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Attributes, Errors, Resource, Route, routes
from airflow_provider_retreaver.sandbox.http.wire import Reply, validation_error
from airflow_provider_retreaver.sandbox.state.store import Row

SIMULDIAL = 2


def _behavior(value: Any) -> int | None:
    number = integer(value)
    if number not in (1, SIMULDIAL):
        raise InvalidValue("is not included in the list")
    return number


_COLUMNS = (
    Column("name", required=True),
    Column("behavior", _behavior, optional=False),
    Column("priority", integer),
    Column("weight", natural),
    Column("concurrency_cap", natural),
)


def _prepare(
    _context: RequestContext, _attributes: Attributes, values: dict[str, Any], _errors: Errors, row: Row | None
) -> None:
    """Keep priority and weight for simuldial only."""
    behavior = values.get("behavior", row["behavior"] if row else 1)
    if behavior != SIMULDIAL:
        for name in ("priority", "weight"):
            values[name] = None


def _initialize(context: RequestContext, group_id: int, _attributes: Attributes) -> None:
    caps.create(context.store, "target_group", group_id)


def _save_nested(context: RequestContext, group_id: int, attributes: Attributes) -> None:
    caps.change(context, "target_group", group_id, attributes)
    if "target_ids" in attributes:
        requested = _target_ids(context, attributes, "target_ids")
        context.store.run("DELETE FROM group_members WHERE group_id = ?", (group_id,))
        _join(context, group_id, requested)
    if "add_targets_by_id" in attributes:
        _join(context, group_id, _target_ids(context, attributes, "add_targets_by_id"))
    if "remove_targets_by_id" in attributes:
        for target_id in _ids(attributes, "remove_targets_by_id"):
            sql = "DELETE FROM group_members WHERE group_id = ? AND target_id = ?"
            context.store.run(sql, (group_id, target_id))


def _ids(attributes: Attributes, name: str) -> list[int]:
    value = attributes[name] if attributes[name] is not None else []
    try:
        if isinstance(value, list):
            return [number for number in map(integer, value) if number is not None]
    except InvalidValue as error:
        raise validation_error({name: [str(error)]}) from error
    raise validation_error({name: ["is not a list"]})


def _target_ids(context: RequestContext, attributes: Attributes, name: str) -> list[int]:
    """Return a list of IDs of the company's targets; ApiError 422 names others."""
    requested = _ids(attributes, name)
    sql = "SELECT id FROM targets WHERE company_id = ? AND deleted = 0"
    known = {row["id"] for row in context.store.rows(sql, (context.company_id,))}
    unknown = [target_id for target_id in requested if target_id not in known]
    if unknown:
        raise validation_error({name: [f"there is no target {', '.join(map(str, unknown))}"]})
    return requested


def _join(context: RequestContext, group_id: int, target_ids: list[int]) -> None:
    sql = "INSERT OR IGNORE INTO group_members VALUES (?, ?)"
    context.store.run_many(sql, [(group_id, target_id) for target_id in target_ids])


def members(context: RequestContext, group_id: int) -> list[int]:
    """Return the targets of a group.

    :param context: The request and the sandbox's state.
    :param group_id: ID of the group.
    :return: IDs of the targets.
    """
    sql = "SELECT target_id FROM group_members WHERE group_id = ? ORDER BY target_id"
    return [row["target_id"] for row in context.store.rows(sql, (group_id,))]


def render(context: RequestContext, row: Row) -> dict[str, Any]:
    """Write a group with its targets and caps.

    :param context: The request and the sandbox's state.
    :param row: Row of the group.
    :return: Fields of the group by name.
    """
    sql = (
        "SELECT t.id, t.number, t.name, t.priority, t.weight FROM targets t "
        "JOIN group_members m ON m.target_id = t.id WHERE m.group_id = ? ORDER BY t.id"
    )
    return {
        **_summary(context, row),
        "targets": context.store.rows(sql, (row["id"],)),
        "caps": caps.render(context, "target_group", row["id"]),
    }


def _summary(context: RequestContext, row: Row) -> dict[str, Any]:
    ids = members(context, row["id"])
    marks = ",".join("?" * len(ids))
    busy = context.store.value(f"SELECT sum(calls_in_progress) FROM targets WHERE id IN ({marks})", ids)
    return {
        "id": row["id"],
        "name": row["name"],
        "target_ids": ids,
        "concurrency_cap": row["concurrency_cap"],
        "calls_in_progress": busy or 0,
        "behavior": row["behavior"],
        "priority": row["priority"],
        "weight": row["weight"],
    }


def groups_of_target(context: RequestContext, target_id: int) -> list[dict[str, Any]]:
    """Write the groups that a target is in, without their caps and targets.

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :return: Fields of each group by name.
    """
    groups = context.store.rows(
        "SELECT g.* FROM target_groups g JOIN group_members m ON m.group_id = g.id "
        "WHERE m.target_id = ? AND g.deleted = 0 ORDER BY g.id",
        (target_id,),
    )
    return [_summary(context, group) for group in groups]


def _cleanup(context: RequestContext, row: Row) -> None:
    context.store.run("DELETE FROM group_members WHERE group_id = ?", (row["id"],))


TARGET_GROUPS = Resource(
    table="target_groups",
    envelope="target_group",
    columns=_COLUMNS,
    render=render,
    prepare=_prepare,
    initialize=_initialize,
    save_nested=_save_nested,
    cleanup=_cleanup,
)


def reset_cap(context: RequestContext) -> Reply:
    """Reset the hard caps of a group and of all its targets.

    Retreaver's reference: "Resetting all Hard Caps on Targets in a Target Group".

    :param context: The request and the sandbox's state.
    :return: A reply without a body.
    """
    group = TARGET_GROUPS.find(context)
    caps.reset_hard(context.store, "target_group", group["id"])
    for target_id in members(context, group["id"]):
        caps.reset_hard(context.store, "target", target_id)
    return Reply()


ROUTES = [
    Route("POST", "target_groups/{id}/reset_cap", reset_cap),
    *routes(TARGET_GROUPS, "target_groups"),
]
