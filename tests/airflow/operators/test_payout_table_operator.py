"""The operator of payout tables: its sources, its confirmation, its retries and its result."""

from __future__ import annotations

import gzip
import json
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, PartialFailure, Unavailable
from airflow_provider_retreaver.operators.payout_tables import RetreaverPayoutTableOperator
from tests.airflow.support.account import StateStore, context_of
from tests.airflow.support.generic import campaign, payout_table, send

pytestmark = pytest.mark.airflow
NAME = "payout_bid_modification_table"
PATH = f"/api/v5/campaigns/1/{NAME}s"
RULES = "rule_id,age,payout_pct\n1,>=30,65\n2,*,current\n"
LIVE = {"activate": True, "confirm": True}


@pytest.fixture
def tables(account):
    """Provide an account whose campaign has an active table."""
    campaign(account)
    payout_table(account, active=True)
    return account


def execute(context=None, **parameters):
    """Execute the operator, and return its result as XCom keeps it."""
    if not {"csv", "source", "rows", "restore"} & parameters.keys():
        parameters["csv"] = RULES
    operator = RetreaverPayoutTableOperator(task_id="rates", **{"campaign_id": 1, **parameters})
    return json.loads(json.dumps(operator.execute({} if context is None else context)))


def state(account):
    """Return ID, label, activity and rules of all tables, the newest first."""
    rows = send(account, "GET", f"{PATH}.json")
    return [(row["id"], row["table_version"], row["active"], row["csv_data"]) for row in rows]


def active(account):
    """Return the ID of the active table."""
    return next((row[0] for row in state(account) if row[2]), None)


@pytest.mark.parametrize("kind", ["csv", "source", "packed", "rows", "rendered rows", "cells"])
def test_sources(tables, tmp_path, kind):
    """Text, a file with a byte order mark, a packed one and rows of another task are the same table."""
    content = RULES.encode("utf-8-sig")
    (tmp_path / "rates.csv").write_bytes(content)
    (tmp_path / "rates.csv.gz").write_bytes(gzip.compress(content))
    rows = [{"rule_id": 1, "age": ">=30", "payout_pct": 65.0}, {"rule_id": 2, "payout_pct": "current"}]
    parameters = {
        "csv": {"csv": RULES},
        "source": {"source": f"file://{tmp_path}/rates.csv"},
        "packed": {"source": f"file://{tmp_path}/rates.csv.gz"},
        "rows": {"rows": rows},
        "rendered rows": {"rows": str(rows)},
        "cells": {"rows": [line.split(",") for line in RULES.splitlines()]},
    }[kind]
    result = execute(**parameters, table_version=7, salt="s")
    assert state(tables)[0] == (2, "7", False, RULES)
    assert (result["table"]["rules"], result["table"]["active"]) == (2, 1)


def test_activating_needs_a_confirmation(tables):
    """Without `confirm` nothing is sent; a dry run needs none."""
    for parameters in ({"activate": True}, {"activate": True, "confirm": "false"}, {"restore": 1}):
        with pytest.raises(InvalidArgument, match=r"payouts of live traffic.*confirm=True") as raised:
            execute(**parameters)
        assert isinstance(raised.value, AirflowFailException)
    assert tables.sent() == []
    result = execute(activate="True", dry_run=True)
    assert [row["field"] for row in result["would_change"]] == ["rules", "active_payout_table"]
    assert tables.sent("POST", "PUT") == []
    assert execute(activate="True", confirm="True")["table"]["active"] == active(tables) == 2


def test_the_former_table_is_put_back(tables):
    """The result of an upload, as XCom or a template has it, is what `restore` takes."""
    uploaded = execute(**LIVE)
    assert execute(restore=str(uploaded), confirm=True)["table"]["active"] == active(tables) == 1
    assert execute(restore=2, confirm=True)["table"]["active_before"] == 1
    send(tables, "PUT", f"{PATH}/{payout_table(tables)['id']}.json", {NAME: {"active": True}})
    with pytest.raises(ChangeRefused, match="overwrite=True") as raised:
        execute(restore=uploaded, confirm=True)
    assert isinstance(raised.value, AirflowFailException)
    assert execute(restore=uploaded, confirm=True, overwrite="yes")["changed_by_others"] == 1
    assert active(tables) == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"csv": RULES, "rows": []}, "exactly one of csv, source, rows, restore, not csv and rows"),
        ({"csv": None}, "exactly one of csv, source, rows, restore, not none"),
        ({"csv": ""}, "rule_id is missing"),
        ({"csv": "None"}, "rule_id is missing"),
        ({"csv": 5}, "csv must be a text, not int"),
        ({"csv": "rule_id,payout_pct\n1,0.7\n"}, "csv cannot be used: line 2: payout_pct is 0.7"),
        ({"max_payout_pct": 0}, "max_payout_pct"),
        ({"max_payout_pct": 60}, "max_payout_pct allows 60"),
        ({"campaign_id": "0044"}, "campaign_id must be Retreaver's own ID"),
        ({"campaign_id": "{{ x }}"}, "campaign_id must be Retreaver's own ID"),
        ({"table_version": {}}, "table_version must be a text"),
        ({"salt": True}, "salt must be a text"),
        ({"check_ids": "maybe"}, "check_ids"),
        ({"overwrite": True}, "overwrite goes with restore"),
        ({"restore": 1, "confirm": True, "salt": "s"}, "salt goes with an upload"),
        ({"restore": 1, "confirm": True, "activate": True}, "activate goes with an upload"),
        ({"restore": "None", "confirm": True}, "restore must be Retreaver's own ID"),
        ({"source": "file:///none/rates.csv"}, "There is no file file:///none/rates.csv"),
        ({"source": " "}, "source must be a path"),
    ],
)
def test_wrong_parameters(tables, parameters, message):
    """What cannot be meant is refused by name, and nothing is sent."""
    with pytest.raises(InvalidArgument, match=message) as raised:
        execute(**parameters)
    assert isinstance(raised.value, AirflowFailException)
    assert tables.sent() == []


@pytest.mark.parametrize("keeper", ["store", "file"])
def test_a_retry_continues(tables, tmp_path, keeper):
    """An attempt that ends after activating is continued: no second upload, and the former table is still known."""
    parameters = {"state_path": f"file://{tmp_path}"} if keeper == "file" else {}
    context = context_of(**({"task_state_store": StateStore()} if keeper == "store" else {}))
    tables.fault(f"{PATH}/2.json", method="PUT", status=500, then="done")
    with pytest.raises(Unavailable):
        execute(context, **LIVE, **parameters)
    assert context["ti"].pushed["return_value"]["changed"][0]["field"] == "rules"
    result = execute(context, **LIVE, **parameters)
    assert (result["table"]["active_before"], result["table"]["active"]) == (1, 2)
    assert len(tables.sent("POST")) == 1


@pytest.mark.parametrize(
    ("parameters", "warned"), [(LIVE, True), ({}, False), ({"activate": True, "dry_run": True}, False)]
)
def test_a_retry_without_state_is_warned_of(tables, caplog, capfd, parameters, warned):
    """Where nothing is kept between attempts, the log says what a retry does not know, when it activates."""
    execute(retries=2, **parameters)
    message = caplog.text + "".join(capfd.readouterr())
    assert ("would not know which table was active before" in message) == warned


def test_another_table_is_active_afterwards(tables):
    """The task fails and names what is active; the result is pushed."""
    tables.fault(f"{PATH}/2.json", method="PUT", status=200, body="")
    context = context_of()
    with pytest.raises(PartialFailure, match="campaign 1: Table 2 was to be active and 1 is"):
        execute(context, **LIVE)
    assert context["ti"].pushed["return_value"]["failed"][0]["kind"] == "campaign"


def test_the_log_and_the_key(tables, monkeypatch, caplog):
    """A log line says what was changed; a label that holds the key is masked in the result and the log."""
    caplog.set_level(logging.DEBUG)
    key = tables.connection()["password"]
    result = execute(**LIVE, table_version=f"v-{key}")
    text = json.dumps(result) + "".join(record.getMessage() for record in caplog.records)
    assert "active_payout_table 1 -> 2" in text
    assert key not in text
