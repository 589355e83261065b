"""TrackDrive's buyer groups: list, get, create, update and delete. TrackDrive's docs: "Buyer Groups"."""

from __future__ import annotations

import re
import uuid
from typing import Any

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.trackdrive import group_changes, usage, values
from airflow_provider_retreaver.sandbox.api.trackdrive.listing import (
    FORMATS,
    Parameters,
    answer_list,
    read_page,
    read_shape,
    read_span,
)
from airflow_provider_retreaver.sandbox.api.trackdrive.names import COLUMNS, LIMITS, ORDERS, TEXT_COLUMNS
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row
from airflow_provider_retreaver.sandbox.state.time_zones import get_zone

PATH, ROOT, ONE = "api/v1/buyer_groups", "buyer_groups", "buyer_group"
_TIMES = ("created_at", "updated_at", "deleted_at", "user_updated_at", "paused_at", "unpaused_at")
_NUMBERS = ("weight", "tier", *LIMITS)
_COUNTS = ("in_progress_count", "in_progress_used")


def create(context: RequestContext, changes: dict[str, Any]) -> Row:
    """Add a group.

    :param context: The request and the sandbox's state.
    :param changes: Values by attribute, see :func:`group_changes.read_changes`.
    :return: Its row.
    """
    now = context.now
    number = str(uuid.UUID(int=context.state.random.getrandbits(128), version=4))
    stamp = {"name": changes["name"], "uuid": number, "created_at": now, "updated_at": now}
    row_id = context.store.insert("trackdrive_groups", stamp)
    group_changes.save(context, _row(context, row_id), changes)
    return _row(context, row_id)


def render(context: RequestContext, row: Row) -> dict[str, Any]:
    """Write all columns of a group.

    :param context: The request and the sandbox's state.
    :param row: Row of the group.
    :return: Values by column.
    """
    store, id_ = context.store, row["id"]
    amounts = usage.used(store, row, context.now)
    sql = "SELECT buyer_id FROM trackdrive_members WHERE group_id = ? ORDER BY id"
    members = [member["buyer_id"] for member in store.rows(sql, (id_,))]
    return {
        **row,
        **{name: format_milliseconds(row[name]) for name in _TIMES},
        **{name: _number(row[name]) for name in _NUMBERS},
        **{name: _number(amount) for name, amount in amounts.items()},
        "legacy_id": id_,
        "type": "BuyerGroup",
        "routes_show_path": f"/buyer_groups/{id_}",
        "routes_edit_path": f"/buyer_groups/{id_}/edit",
        "buyer_ids": members,
        "buyers_count": len(members),
        "company_id": context.state.options.company_id,
        "maxed_out": usage.is_maxed_out(row, amounts),
        "paused": bool(row["paused"]),
        "paused_by_user_id": None,
    }


def _number(value: float | None) -> float | None:
    return int(value) if value is not None and value == int(value) else value


def _row(context: RequestContext, row_id: int) -> Row:
    return context.store.one("SELECT * FROM trackdrive_groups WHERE id = ?", (row_id,))


def find(context: RequestContext, id_: str) -> Row:
    """Return the row of a group that was not deleted.

    :param context: The request and the sandbox's state.
    :param id_: Its ID.
    :return: The row.
    :raises ApiError: With status 404, if there is none.
    """
    sql = "SELECT * FROM trackdrive_groups WHERE id = ? AND deleted_at IS NULL"
    row = context.store.row(sql, (id_,)) if re.fullmatch("[0-9]{1,15}", id_) else None
    if row is None:
        raise api_error(404, f"Couldn't find BuyerGroup with 'id'={id_}")
    return row


def _answer(context: RequestContext, row: Row, status: int = 200) -> Reply:
    columns, parameters = COLUMNS, Parameters(context)
    shape = read_shape(parameters, ONE, columns)
    parameters.check()
    rendered = render(context, row)
    shown = {name: rendered[name] for name in shape.columns}
    return Reply({shape.root: shown} if shape.has_root else shown, status)


def _list(context: RequestContext) -> Reply:
    parameters = Parameters(context)
    shape, at = read_shape(parameters, ROOT, COLUMNS), read_page(parameters)
    zone = parameters.read("time_zone", values.time_zone, get_zone("UTC"))
    span, bounds = read_span(parameters, zone)
    order = parameters.read("order", values.one_of(*ORDERS), "created_at").removeprefix("call_limits.")
    ascending = parameters.read("order_dir", values.one_of("desc", "asc"), "desc") == "asc"
    parameters.check()
    sql = f"SELECT * FROM trackdrive_groups WHERE deleted_at IS NULL{span} ORDER BY id"
    wanted = (context.request.param("fulltext") or "").strip().lower()
    rows = [row for row in context.store.rows(sql, bounds) if _matches(row, wanted)]
    rows.sort(key=lambda row: (*_sort_key(context, row, order), row["id"]), reverse=not ascending)
    page = [render(context, row) for row in rows[at.offset : at.offset + at.size]]
    return answer_list(context, shape, page, len(rows))


def _matches(row: Row, wanted: str) -> bool:
    return any(wanted in str(row[name] or "").lower() for name in ("id", *TEXT_COLUMNS))


def _sort_key(context: RequestContext, row: Row, order: str) -> tuple[bool, Any]:
    """Return what a row is sorted by; one without a value comes first."""
    if order in _COUNTS:
        value = row["concurrency_cap_used"]
    elif order in row:
        value = row[order]
    else:
        value = render(context, row)[order]
    return value is not None, value if value is not None else 0


def _get(context: RequestContext) -> Reply:
    return _answer(context, find(context, context.args["id"]))


def _create(context: RequestContext) -> Reply:
    return _answer(context, create(context, group_changes.read_changes(context, creating=True)), 201)


def _update(context: RequestContext) -> Reply:
    row = find(context, context.args["id"])
    group_changes.save(context, row, group_changes.read_changes(context, creating=False))
    return _answer(context, _row(context, row["id"]))


def _delete(context: RequestContext) -> Reply:
    row = find(context, context.args["id"])
    context.store.update("trackdrive_groups", row["id"], {"deleted_at": context.now})
    return _answer(context, _row(context, row["id"]))


ROUTES = [
    Route("GET", PATH, _list, access="trackdrive", formats=FORMATS),
    Route("POST", PATH, _create, access="trackdrive", formats=("json",)),
    Route("GET", f"{PATH}/{{id}}", _get, access="trackdrive", formats=("json",)),
    Route("PUT", f"{PATH}/{{id}}", _update, access="trackdrive", formats=("json",)),
    Route("DELETE", f"{PATH}/{{id}}", _delete, access="trackdrive", formats=("json",)),
]
