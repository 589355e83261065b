"""Target groups: targets that belong together, with caps of the group."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api import caps
from airflow_provider_retreaver.sandbox.api.columns import Column, Wrong, integer, natural
from airflow_provider_retreaver.sandbox.api.crud import Errors, Given, Resource, Route, routes
from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.http.wire import Reply, invalid
from airflow_provider_retreaver.sandbox.state.store import Row

SIMULDIAL = 2


def _behavior(value: Any) -> int | None:
    number = integer(value)
    if number not in (1, SIMULDIAL):
        raise Wrong("is not included in the list")
    return number


_COLUMNS = (
    Column("name", required=True),
    Column("behavior", _behavior, optional=False),
    Column("priority", integer),
    Column("weight", natural),
    Column("concurrency_cap", natural),
)


def _prepare(_exchange: Exchange, _given: Given, values: dict[str, Any], _errors: Errors, row: Row | None) -> None:
    """Keep priority and weight for simuldial only."""
    behavior = values.get("behavior", row["behavior"] if row else 1)
    if behavior != SIMULDIAL:
        for name in ("priority", "weight"):
            values[name] = None


def _born(exchange: Exchange, group_id: int, _given: Given) -> None:
    caps.create(exchange.store, "target_group", group_id)


def _nested(exchange: Exchange, group_id: int, given: Given) -> None:
    caps.change(exchange, "target_group", group_id, given)
    if "target_ids" in given:
        wanted = _target_ids(exchange, given, "target_ids")
        exchange.store.run("DELETE FROM group_members WHERE group_id = ?", (group_id,))
        _join(exchange, group_id, wanted)
    if "add_targets_by_id" in given:
        _join(exchange, group_id, _target_ids(exchange, given, "add_targets_by_id"))
    if "remove_targets_by_id" in given:
        for target_id in _ids(given, "remove_targets_by_id"):
            sql = "DELETE FROM group_members WHERE group_id = ? AND target_id = ?"
            exchange.store.run(sql, (group_id, target_id))


def _ids(given: Given, name: str) -> list[int]:
    value = given[name] if given[name] is not None else []
    try:
        if isinstance(value, list):
            return [number for number in map(integer, value) if number is not None]
    except Wrong as wrong:
        raise invalid({name: [str(wrong)]}) from wrong
    raise invalid({name: ["is not a list"]})


def _target_ids(exchange: Exchange, given: Given, name: str) -> list[int]:
    """Return a list of IDs of the company's targets; Refusal 422 names others."""
    wanted = _ids(given, name)
    sql = "SELECT id FROM targets WHERE company_id = ? AND deleted = 0"
    known = {row["id"] for row in exchange.store.rows(sql, (exchange.company_id,))}
    unknown = [target_id for target_id in wanted if target_id not in known]
    if unknown:
        raise invalid({name: [f"there is no target {', '.join(map(str, unknown))}"]})
    return wanted


def _join(exchange: Exchange, group_id: int, target_ids: list[int]) -> None:
    sql = "INSERT OR IGNORE INTO group_members VALUES (?, ?)"
    exchange.store.run_many(sql, [(group_id, target_id) for target_id in target_ids])


def members(exchange: Exchange, group_id: int) -> list[int]:
    """Return the targets of a group.

    :param exchange: The request and the sandbox's state.
    :param group_id: ID of the group.
    :return: IDs of the targets.
    """
    sql = "SELECT target_id FROM group_members WHERE group_id = ? ORDER BY target_id"
    return [row["target_id"] for row in exchange.store.rows(sql, (group_id,))]


def render(exchange: Exchange, row: Row) -> dict[str, Any]:
    """Write a group with its targets and caps.

    :param exchange: The request and the sandbox's state.
    :param row: Row of the group.
    :return: Fields of the group by name.
    """
    ids = members(exchange, row["id"])
    marks = ",".join("?" * len(ids))
    busy = exchange.store.value(f"SELECT sum(calls_in_progress) FROM targets WHERE id IN ({marks})", ids)
    return {
        "id": row["id"],
        "name": row["name"],
        "target_ids": ids,
        "concurrency_cap": row["concurrency_cap"],
        "calls_in_progress": busy or 0,
        "behavior": row["behavior"],
        "priority": row["priority"],
        "weight": row["weight"],
        "caps": caps.render(exchange, "target_group", row["id"]),
    }


def _cleanup(exchange: Exchange, row: Row) -> None:
    exchange.store.run("DELETE FROM group_members WHERE group_id = ?", (row["id"],))


TARGET_GROUPS = Resource(
    table="target_groups",
    envelope="target_group",
    columns=_COLUMNS,
    render=render,
    prepare=_prepare,
    born=_born,
    nested=_nested,
    cleanup=_cleanup,
)


def reset_cap(exchange: Exchange) -> Reply:
    """Reset the hard caps of a group and of all its targets.

    Retreaver's reference: "Resetting all Hard Caps on Targets in a Target Group".

    :param exchange: The request and the sandbox's state.
    :return: A reply without a body.
    """
    group = TARGET_GROUPS.find(exchange)
    caps.reset_hard(exchange.store, "target_group", group["id"])
    for target_id in members(exchange, group["id"]):
        caps.reset_hard(exchange.store, "target", target_id)
    return Reply()


ROUTES = [
    Route("POST", "target_groups/{id}/reset_cap", reset_cap),
    *routes(TARGET_GROUPS, "target_groups"),
]
