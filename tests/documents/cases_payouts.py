"""Documented requests for payout bid modification tables."""

from __future__ import annotations

from airflow_provider_retreaver.resources import payout_tables
from tests.documents.account import PAYOUT_CSV
from tests.documents.case import Case, put

PATH, ENVELOPE = "/api/v5/campaigns/16728/payout_bid_modification_tables", "payout_bid_modification_table"
CAMPAIGN, TABLE = 16728, 9001

PAYOUTS = [
    Case(
        "Create a Payout Bid Modification table",
        f"POST {PATH}.json",
        lambda: payout_tables.create_payout_table(CAMPAIGN, csv_data=PAYOUT_CSV, active=True),
        put(ENVELOPE, {"csv_data": PAYOUT_CSV, "active": True}),
    ),
    Case(
        "List a campaign's Payout Bid Modification tables",
        f"GET {PATH}.json",
        lambda: payout_tables.list_payout_tables(campaign_id=CAMPAIGN),
    ),
    Case(
        "Get a specific Payout Bid Modification table",
        f"GET {PATH}/9001.json",
        lambda: payout_tables.get_payout_table(CAMPAIGN, TABLE),
    ),
    Case(
        "Activate or roll back a table",
        f"PUT {PATH}/9001.json",
        lambda: payout_tables.activate_payout_table(CAMPAIGN, TABLE),
        put(ENVELOPE, {"active": True}),
    ),
    Case(
        "Deactivate a table",
        f"PUT {PATH}/9001.json",
        lambda: payout_tables.deactivate_payout_table(str(CAMPAIGN), TABLE),
        put(ENVELOPE, {"active": False}),
    ),
    Case(
        "Delete a Payout Bid Modification table",
        f"DELETE {PATH}/9001.json",
        lambda: payout_tables.delete_payout_table(CAMPAIGN, TABLE),
    ),
]
