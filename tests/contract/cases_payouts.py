# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of payout tables: uploaded once whatever answer is lost, activated while nobody else does, put back."""

from __future__ import annotations

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidRequest, NotFound
from airflow_provider_retreaver.domain.payout_tables.restoring import Restoration, RestoreTable
from airflow_provider_retreaver.domain.payout_tables.rules import read_table
from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells
from airflow_provider_retreaver.domain.payout_tables.upload import Upload, UploadTable
from airflow_provider_retreaver.resources import payout_tables
from tests.contract.harness import CaseClient

NAME = "payout_bid_modification_table"
PATH = f"/api/v5/campaigns/1/{NAME}s"
OLD, NEW = "rule_id,payout_pct\n1,70\n", "rule_id,affiliate_id,payout_pct\n1,7,65\n2,*,current\n"


def _campaign(client: CaseClient) -> None:
    """Add a campaign with an active table."""
    menu = [{"option": "1", "target_number": "+16465551000"}]
    client.account.handle("POST", "/campaigns.json", {"campaign": {"cid": "0044", "menu_options_attributes": menu}})
    client.account.handle("POST", f"{PATH}.json", {NAME: {"csv_data": OLD, "active": True}})


def _upload(csv: str, *, activate: bool = True, version: str | None = None) -> UploadTable:
    table = read_table(csv_cells(csv, "csv"), "csv")
    return UploadTable(1, Upload(table, table_version=version, activate=activate))


def a_payout_table_is_uploaded_once_and_put_back(client: CaseClient) -> None:
    """A lost answer to the upload is looked up, one to the activation repeated; the former table is put back."""
    _campaign(client)
    client.fault(f"{PATH}.json", method="POST", cut=True, then="done")
    client.fault(f"{PATH}/2.json", method="PUT", status=502, then="done")
    result = client.run(_upload(NEW).procedure())
    assert (result["table"]["active_before"], result["table"]["active"]) == (1, 2)
    assert len(result["warnings"]) == 2, "the column means the customer's IDs, and no object has this one"
    assert client.run(_upload(NEW).procedure())["changed"] == []
    restored = client.run(RestoreTable(1, Restoration.parse(result, 1, overwrite=False)).procedure())
    assert restored["table"]["active"] == 1
    assert client.sent("POST") == [f"POST {PATH}.json"]


def a_payout_table_that_others_have_activated_stays(client: CaseClient) -> None:
    """A restoration is refused, and sends no change."""
    _campaign(client)
    result = client.run(_upload(NEW).procedure())
    client.account.handle("POST", f"{PATH}.json", {NAME: {"csv_data": "rule_id,payout_pct\n1,5\n", "active": True}})
    before = len(client.sent("PUT"))
    client.fails(ChangeRefused, RestoreTable(1, Restoration.parse(result, 1, overwrite=False)).procedure())
    assert len(client.sent("PUT")) == before


def payout_tables_that_are_refused(client: CaseClient) -> None:
    """A label with other rules, rules that Retreaver refuses, and objects that do not exist."""
    _campaign(client)
    client.run(_upload(NEW, activate=False, version="a").procedure())
    client.fails(ChangeRefused, _upload(OLD, activate=False, version="a").procedure())
    error = client.fails(InvalidRequest, payout_tables.create_payout_table(1, csv_data="rule_id\n1\n"))
    assert error.details == ["Csv data could not be parsed into rules (one column payout_pct is needed)"]
    error = client.fails(InvalidRequest, payout_tables.create_payout_table(1, csv_data=OLD, table_version="a"))
    assert "Table version has already been taken" in str(error)
    client.fails(NotFound, payout_tables.activate_payout_table(1, 9))
    client.fails(NotFound, payout_tables.delete_payout_table(9, 1))
    client.run(payout_tables.delete_payout_table(1, 1))
    client.fails(NotFound, payout_tables.get_payout_table(1, 1))
