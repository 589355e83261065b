"""Static caller numbers: caller IDs of a call center."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, phone
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Resource, routes
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row


def _render(context: RequestContext, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "number": row["number"],
        "created_at": format_milliseconds(row["created_at"], context.zone()),
    }


STATIC_CALLERS = Resource(
    table="static_caller_numbers",
    envelope="static_caller_number",
    render=_render,
    columns=(Column("number", phone, required=True),),
    unique="number",
)
ROUTES = routes(STATIC_CALLERS, "static_caller_numbers", "lcd")
