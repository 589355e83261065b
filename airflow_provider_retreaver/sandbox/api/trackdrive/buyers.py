"""TrackDrive's buyers, as far as buyer groups need them: their list, and how a request names them."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.trackdrive.listing import (
    FORMATS,
    Parameters,
    answer_list,
    read_page,
    read_shape,
)
from airflow_provider_retreaver.sandbox.http.wire import Reply
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

COLUMNS = ("id", "name", "user_buyer_id", "number", "paused", "created_at", "updated_at")


def add(store: Store, now: int, **attributes: Any) -> int:
    """Add a buyer.

    :param store: The sandbox's database.
    :param now: The sandbox's time in milliseconds.
    :param attributes: ``name`` and others by column.
    :return: Its ID.
    """
    return store.insert("trackdrive_buyers", {"created_at": now, "updated_at": now, **attributes})


def ids_of(store: Store, user_buyer_ids: list[str]) -> tuple[list[int], list[str]]:
    """Find buyers by their ``user_buyer_id``.

    :param store: The sandbox's database.
    :param user_buyer_ids: The texts.
    :return: IDs of those that exist, and the texts that no buyer has.
    """
    sql = "SELECT id FROM trackdrive_buyers WHERE user_buyer_id = ?"
    found = {text: store.value(sql, (text,)) for text in user_buyer_ids}
    return [id_ for id_ in found.values() if id_ is not None], [text for text, id_ in found.items() if id_ is None]


def _list(context: RequestContext) -> Reply:
    """Answer a page of buyers. TrackDrive's docs: "Buyers", as the pages of buyer groups name it."""
    parameters = Parameters(context)
    shape, at = read_shape(parameters, "buyers", COLUMNS), read_page(parameters)
    parameters.check()
    sql = "SELECT * FROM trackdrive_buyers ORDER BY id DESC LIMIT ? OFFSET ?"
    rows = [_render(row) for row in context.store.rows(sql, (at.size, at.offset))]
    return answer_list(context, shape, rows, context.store.value("SELECT count(*) FROM trackdrive_buyers"))


def _render(row: Row) -> dict[str, Any]:
    times = {name: format_milliseconds(row[name]) for name in ("created_at", "updated_at")}
    return {**row, **times, "paused": bool(row["paused"])}


ROUTES = [Route("GET", "api/v1/buyers", _list, access="trackdrive", formats=FORMATS)]
