"""Affiliates: who sends the calls."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Resource, routes
from airflow_provider_retreaver.sandbox.state.clock import format_seconds
from airflow_provider_retreaver.sandbox.state.store import Row

_COLUMNS = (Column("afid", required=True), Column("first_name"), Column("last_name"), Column("company_name"))


def _render(_context: RequestContext, row: Row) -> dict[str, Any]:
    names = ("id", "afid", "first_name", "last_name", "company_name")
    times = {name: format_seconds(row[name]) for name in ("updated_at", "created_at")}
    return {name: row[name] for name in names} | times


def _deletion_error(context: RequestContext, row: Row) -> str | None:
    sql = "SELECT count(*) FROM numbers WHERE company_id = ? AND affiliate_id = ? AND deleted = 0"
    if context.store.value(sql, (context.company_id, row["id"])):
        return "The affiliate still has Numbers: delete them first."
    return None


AFFILIATES = Resource(
    table="affiliates",
    envelope="affiliate",
    columns=_COLUMNS,
    render=_render,
    customer_id="afid",
    deletion_error=_deletion_error,
)


def find_or_create(context: RequestContext, afid: str) -> int:
    """Look up an affiliate by its ``afid``, and create it if there is none.

    :param context: The request and the sandbox's state.
    :param afid: The customer's own ID.
    :return: ID of the affiliate.
    """
    row = AFFILIATES.lookup(context, "afid", afid) or AFFILIATES.create_row(context, {"afid": afid})
    return int(row["id"])


ROUTES = [*routes(AFFILIATES, "affiliates", legacy=True), *routes(AFFILIATES, "api/v1/affiliates")]
