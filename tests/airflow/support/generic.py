"""Helpers of the tests of generic operators: executing them and adding objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.operators import resources
from tests.airflow.support.account import Account

PHONE = "+18668987878"


def execute(verb: str, resource: str, context: Mapping[str, Any] | None = None, **parameters: Any) -> Any:
    """Execute a generic operator as a worker would after rendering, and return its result as JSON."""
    kind = getattr(resources, f"Retreaver{verb.capitalize()}Operator")
    operator = kind(task_id=f"{verb}_{resource}", resource=resource, **parameters)
    return json.loads(json.dumps(operator.execute({} if context is None else context)))


def send(account: Account, method: str, path: str, body: Any = None) -> Any:
    """Send a request to the sandbox directly."""
    return account._handle(method, path, body)


def add(account: Account, resource: str, envelope: str, **attributes: Any) -> dict[str, Any]:
    """Add an object to the sandbox directly and return it."""
    added: dict[str, Any] = send(account, "POST", f"/{resource}.json", {envelope: attributes})[envelope]
    return added


def campaign(account: Account, cid: str = "0044", **attributes: Any) -> dict[str, Any]:
    """Add a campaign."""
    options = [{"option": "1", "target_number": PHONE}]
    return add(account, "campaigns", "campaign", cid=cid, menu_options_attributes=options, **attributes)


def payout_table(account: Account, campaign_id: int = 1, **attributes: Any) -> dict[str, Any]:
    """Add a payout table to a campaign."""
    name = "payout_bid_modification_table"
    body = {name: {"csv_data": "rule_id,payout_pct\n1,current\n", **attributes}}
    added: dict[str, Any] = send(account, "POST", f"/api/v5/campaigns/{campaign_id}/{name}s.json", body)
    return added


def number(account: Account, cid: str = "0044", afid: str = "0002", **attributes: Any) -> dict[str, Any]:
    """Add a number."""
    return add(account, "numbers", "number", type="Toll-free", cid=cid, afid=afid, **attributes)


def numbers(account: Account) -> list[int]:
    """Return the IDs of all numbers."""
    return [row["number"]["id"] for row in send(account, "GET", "/numbers.json")]
