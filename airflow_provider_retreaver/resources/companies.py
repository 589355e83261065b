"""Companies: a reseller's separate accounts (vendor's reference: "Companies")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Operation, Row, read_item


class Company(TypedDict, total=False):
    """A company as the vendor sends it; further keys may be present."""

    id: int
    name: str
    default_click_url: str | None
    default_sale_url: str | None
    created_at: str
    updated_at: str


def get_active_company() -> Operation[Row]:
    """Ask for the company that the key and Company ID reach ("Get the active Company").

    :return: a `Company`.
    """
    return Operation(Request("GET", "/company.json"), read_item("company"))
