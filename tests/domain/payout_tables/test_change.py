"""Uploading payout tables once, activating them, and putting former ones back, with others at work in between."""

from __future__ import annotations

import json
from itertools import count

import pytest

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    Unavailable,
)
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.payout_tables.ids import doubtful_ids
from airflow_provider_retreaver.domain.payout_tables.restoring import Restoration, RestoreTable
from airflow_provider_retreaver.domain.payout_tables.rules import read_table
from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells
from airflow_provider_retreaver.domain.payout_tables.upload import Upload, UploadTable
from tests.domain.support.retreaver import SimulatedRetreaver

PATH = "/api/v5/campaigns/1/payout_bid_modification_tables"
NAME = "payout_bid_modification_table"
OLD = "rule_id,caller_state,payout_pct\n1,NY,70\n2,*,current\n"
NEW = "rule_id,caller_state,payout_pct\n1,NY,65\n3,TX,50\n4,*,current\n"


class Account(SimulatedRetreaver):
    """An account with one campaign."""

    def __init__(self):
        super().__init__()
        menu = [{"option": "1", "target_number": "+16465551000"}]
        self.ask("POST", "/campaigns.json", {"campaign": {"cid": "0044", "menu_options_attributes": menu}})

    def table(self, csv=OLD, **attributes):
        """Upload a table as someone else; return its ID."""
        return self.ask("POST", f"{PATH}.json", {NAME: {"csv_data": csv, **attributes}})["id"]

    def activate(self, id_, *, active=True):
        """Activate a table as someone else."""
        self.ask("PUT", f"{PATH}/{id_}.json", {NAME: {"active": active}})

    def tables(self):
        """Return IDs and whether they are active, the newest first."""
        return [(row["id"], row["active"]) for row in self.ask("GET", f"{PATH}.json")]

    def changes(self):
        """Return method and last part of the path of what the client has changed."""
        return [(method, path.rpartition("/")[2]) for method, path, _ in self.sent if method != "GET"]


@pytest.fixture
def retreaver():
    """Provide an account whose campaign has one active table."""
    account = Account()
    account.table(active=True)
    return account


class Run:
    """Runs uploads and restorations that share a record, as the attempts of one run do."""

    def __init__(self, retreaver):
        self.retreaver = retreaver
        self.saved = {}

    def _run(self, kind, what, *, dry_run=False):
        def save(record):
            self.saved = json.loads(json.dumps(record.dump()))

        run = kind(1, what, record=Record.load(self.saved), save=save, dry_run=dry_run)
        self.last = run
        return json.loads(json.dumps(self.retreaver.client.run(run.procedure())))

    def upload(self, csv=NEW, *, dry_run=False, activate=True, **parameters):
        """Upload a table."""
        table = read_table(csv_cells(csv, "csv"), "csv")
        return self._run(UploadTable, Upload(table, activate=activate, **parameters), dry_run=dry_run)

    def restore(self, value, *, overwrite=False, dry_run=False):
        """Put a table back."""
        return self._run(RestoreTable, Restoration.parse(value, 1, overwrite=overwrite), dry_run=dry_run)


@pytest.fixture
def run(retreaver):
    """Provide one run."""
    return Run(retreaver)


def test_a_table_is_uploaded_and_activated(retreaver, run):
    """It is uploaded without being active, read back and activated; the result says what was active before."""
    result = run.upload()
    assert retreaver.tables() == [(2, True), (1, False)]
    assert retreaver.changes() == [("POST", f"{NAME}s.json"), ("PUT", "2.json")]
    sent = next(body for method, _, body in retreaver.sent if method == "POST")
    assert sent == {NAME: {"csv_data": NEW, "active": False}}
    assert result == {
        "changed": [
            {"kind": "payout_table", "id": 2, "name": "2", "field": "rules", "before": None, "after": 3},
            {"kind": "campaign", "id": 1, "field": "active_payout_table", "before": 1, "after": 2},
        ],
        "unchanged": [],
        "failed": [],
        "changed_by_others": 0,
        "warnings": [],
        "table": {
            "campaign_id": 1, "id": 2, "table_version": "2", "rules": 3, "active_before": 1, "active": 2,
        },
        "difference": {
            "added": 2, "removed": 1, "changed": 1, "reordered": False,
            "added_ids": ["3", "4"], "removed_ids": ["2"], "changed_ids": ["1"],
        },
    }  # fmt: skip


def test_the_same_rules_are_not_uploaded_again(retreaver, run):
    """Another run, and rules that are quoted in another way, find the table that is there."""
    run.upload()
    for csv in (NEW, NEW.replace("\n", "\r\n"), NEW.replace("NY", '"NY"'), NEW.replace("NY", "==NY")):
        again = Run(retreaver).upload(csv)
        assert (again["changed"], again["table"]["id"]) == ([], 2)
        assert [row["kind"] for row in again["unchanged"]] == ["payout_table", "campaign"]
    assert len(retreaver.changes()) == 2


def test_an_older_upload_is_activated_again(retreaver, run):
    """Rules that were uploaded before become active without a second upload."""
    run.upload()
    result = Run(retreaver).upload(OLD)
    assert retreaver.tables() == [(2, False), (1, True)]
    assert [row["field"] for row in result["changed"]] == ["active_payout_table"]


def test_an_upload_without_activating(retreaver, run):
    """The active table stays the one that it was, whoever changes it meanwhile."""
    other = retreaver.table("rule_id,payout_pct\n1,10\n")
    retreaver.before_next("POST", f"{PATH}.json", lambda: retreaver.activate(other))
    result = run.upload(activate=False, table_version="rates-2", salt="s")
    assert result["table"] == {
        "campaign_id": 1, "id": 3, "table_version": "rates-2", "rules": 3, "active_before": 1, "active": 1,
    }  # fmt: skip
    assert retreaver.tables() == [(3, False), (2, True), (1, False)]
    again = run.upload(activate=False, table_version="rates-2", salt="s")
    assert again["table"]["active"] == 2
    assert len(retreaver.changes()) == 1


def test_label_and_salt_belong_to_an_upload(retreaver, run):
    """A label is taken once; the same rules with another label or salt are another table."""
    run.upload(table_version="a", salt="s")
    for parameters, csv in (({"table_version": "a"}, OLD), ({"table_version": "a", "salt": "t"}, NEW)):
        with pytest.raises(ChangeRefused, match="'a' is payout table 2 already"):
            Run(retreaver).upload(csv, **parameters)
    assert Run(retreaver).upload(table_version="a")["changed"] == []
    assert Run(retreaver).upload(table_version="b")["table"]["id"] == 3
    assert Run(retreaver).upload(salt="t")["table"]["id"] == 4


def test_a_dry_run_shows_the_difference(retreaver, run):
    """Nothing is sent; what would change is named, whether the table is there already or not."""
    result = run.upload(dry_run=True, table_version="b")
    assert (result["changed"], result["dry_run"]) == ([], True)
    assert [(row["field"], row["before"], row["after"]) for row in result["would_change"]] == [
        ("rules", None, 3),
        ("active_payout_table", 1, "b"),
    ]
    assert (result["difference"]["added"], result["table"]["active"]) == (2, 1)
    assert run.upload(activate=False, dry_run=True)["would_change"][0]["id"] is None
    there = retreaver.table(NEW)
    assert [row["after"] for row in run.upload(dry_run=True)["would_change"]] == [there]
    assert run.restore(there, dry_run=True)["would_change"][0]["after"] == there
    assert (retreaver.changes(), run.saved) == ([], {})


@pytest.mark.parametrize("fault", [{"cut": True}, {"status": 500}])
def test_a_lost_upload_that_was_done(retreaver, run, fault):
    """The table is found by its rules, and not uploaded twice."""
    retreaver.fault(f"{PATH}.json", method="POST", then="done", **fault)
    assert run.upload()["table"]["active"] == 2
    assert retreaver.tables() == [(2, True), (1, False)]


def test_a_lost_upload_that_was_not_done(retreaver, run):
    """The outcome is unknown; the next attempt looks first, and then uploads it."""
    retreaver.fault(f"{PATH}.json", method="POST", status=502)
    with pytest.raises(OutcomeUnknown):
        run.upload()
    assert run.upload()["table"] == {
        "campaign_id": 1, "id": 2, "table_version": "2", "rules": 3, "active_before": 1, "active": 2,
    }  # fmt: skip


def test_a_retry_uploads_nothing_and_knows_what_was_active(retreaver, run):
    """An attempt that is killed after each of its steps is continued by the next one, which reports the same."""
    other = Account()
    other.table(active=True)
    expected = Run(other).upload()
    for fault in (
        {"path": f"{PATH}/2.json", "method": "GET"},
        {"path": f"{PATH}/2.json", "method": "PUT"},
        {"path": f"{PATH}/2.json", "method": "PUT", "then": "done"},
    ):
        retreaver.fault(fault.pop("path"), status=503, times=20, **fault)
        with pytest.raises(Unavailable):
            run.upload()
        retreaver.ask("DELETE", "/__sandbox__/faults")
    assert run.upload() == expected
    assert retreaver.tables() == [(2, True), (1, False)]
    assert [one for one in retreaver.changes() if one[0] == "POST"] == [("POST", f"{NAME}s.json")]


class Killed(BaseException):
    """The worker is gone."""


def until_killed(procedure, step, *, after):
    """Run a procedure until one of its steps, which is done or not when the worker is killed."""
    value = None
    for number in count(1):
        try:
            work = procedure.send(value)
        except StopIteration:
            return number - 1
        if number == step and not after:
            raise Killed
        value = yield work
        if number == step:
            raise Killed
    return None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, 7))
def test_an_attempt_that_is_killed_at_any_step(retreaver, step, after):
    """Whether the step was done or not, the next attempt ends as one that was not killed, with one upload."""
    saved = {}
    upload = Upload(read_table(csv_cells(NEW, "csv"), "csv"), activate=True)

    def attempt():
        save = lambda record: saved.update(json.loads(json.dumps(record.dump())))  # noqa: E731 - as short as it is
        return UploadTable(1, upload, record=Record.load(saved), save=save).procedure()

    with pytest.raises(Killed):
        retreaver.client.run(until_killed(attempt(), step, after=after))
    result = retreaver.client.run(attempt())
    assert (result["table"]["active_before"], result["table"]["active"]) == (1, 2)
    assert retreaver.tables() == [(2, True), (1, False)]
    assert len([method for method, _ in retreaver.changes() if method == "POST"]) == 1


def test_an_upload_has_six_steps(retreaver):
    """The test above kills at each of them."""
    upload = Upload(read_table(csv_cells(NEW, "csv"), "csv"), activate=True)
    assert retreaver.client.run(until_killed(UploadTable(1, upload).procedure(), 0, after=False)) == 6


def test_a_former_table_that_was_deleted_is_not_compared(retreaver, run):
    """A retry whose former table is gone leaves the difference out."""
    run.upload()
    retreaver.ask("DELETE", f"{PATH}/1.json")
    result = run.upload()
    assert (result["table"]["active_before"], "difference" in result) == (1, False)
    assert [row["field"] for row in result["changed"]] == ["rules", "active_payout_table"]


def test_others_who_activate_a_table_meanwhile(retreaver, run):
    """Another active table right before the change is refused: nothing is activated, the upload stays."""
    other = retreaver.table("rule_id,payout_pct\n1,10\n")
    retreaver.before_next("POST", f"{PATH}.json", lambda: retreaver.activate(other))
    with pytest.raises(ChangeRefused, match=r"it is 2, and was 1 or 3\. Nothing was activated"):
        run.upload()
    assert (run.last.result()["changed_by_others"], len(run.last.result()["changed"])) == (1, 1)
    assert retreaver.tables() == [(3, False), (2, True), (1, False)]
    with pytest.raises(ChangeRefused, match="since this run began"):
        run.upload()
    assert Run(retreaver).upload()["table"]["active_before"] == 2


def test_others_who_activate_a_table_at_the_same_time(retreaver, run):
    """A table that is active after the change and was not meant is a failure that names all three."""
    other = retreaver.table("rule_id,payout_pct\n1,10\n")
    reads = []

    def act():
        reads.append(1)
        if len(reads) == 3:
            retreaver.activate(other)
        retreaver.before_next("GET", f"{PATH}.json", act)

    retreaver.before_next("GET", f"{PATH}.json", act)
    result = run.upload()
    assert result["changed_by_others"] == 1
    assert "Table 3 was to be active and 2 is" in result["failed"][0]["error"]
    assert (result["table"]["active_before"], result["table"]["active"]) == (1, 2)


def test_a_change_that_is_not_taken_over(retreaver, run):
    """An answer of success alone does not count."""
    retreaver.fault(f"{PATH}/2.json", method="PUT", status=200, body="")
    assert "Table 2 was to be active and 1 is" in run.upload()["failed"][0]["error"]


def test_other_rules_are_read_back(retreaver, run):
    """A table that comes back with other rules is not activated, and not uploaded again."""
    row = {"id": 2, "table_version": 2, "active": False, "salt": "s", "csv_data": OLD}
    for _ in range(2):
        retreaver.fault(f"{PATH}/2.json", method="GET", status=200, body=json.dumps(row))
    with pytest.raises(ChangeRefused, match="table 2 was uploaded, and Retreaver returns other rules"):
        run.upload()
    assert retreaver.tables() == [(2, False), (1, True)]
    assert retreaver.changes() == [("POST", f"{NAME}s.json")]


def test_rules_that_retreaver_refuses(retreaver, run):
    """The message of a refusal, which comes as a list, is in the error; nothing is activated."""
    retreaver.fault(f"{PATH}.json", method="POST", status=422, body={"errors": ["Csv data could not be parsed (x)"]})
    with pytest.raises(InvalidRequest, match=r"Csv data could not be parsed \(x\)"):
        run.upload()
    assert retreaver.tables() == [(1, True)]


def test_an_unknown_campaign(retreaver):
    """A campaign that does not exist is an error before anything is sent."""
    upload = UploadTable(9, Upload(read_table(csv_cells(NEW, "csv"), "csv")))
    with pytest.raises(NotFound):
        retreaver.client.run(upload.procedure())
    assert retreaver.changes() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"active": "false"}, "active is 'false'"),
        ({"id": "1"}, "id is '1'"),
        ({"csv_data": None}, "csv_data is None"),
        ({"active": True, "id": 7}, r"several active tables \(1, 7\)"),
    ],
)
def test_tables_that_cannot_be_read(retreaver, run, change, message):
    """What cannot be read is not taken for inactive or absent."""
    rows = retreaver.ask("GET", f"{PATH}.json")
    body = json.dumps([*rows[: "id" in change and change["id"] == 7], {**rows[0], **change}])
    retreaver.fault(f"{PATH}.json", method="GET", status=200, body=body)
    with pytest.raises(ProtocolError, match=message):
        run.upload()


def test_a_field_that_is_missing(retreaver, run):
    """A table without `active` is an error."""
    retreaver.fault(f"{PATH}.json", method="GET", status=200, body=json.dumps([{"id": 1, "table_version": 1}]))
    with pytest.raises(ProtocolError, match="lacks the documented field 'active'"):
        run.upload()


def test_the_former_table_is_put_back(retreaver, run):
    """The result of an upload says which table was active; a second restoration finds it done."""
    uploaded = run.upload()
    restored = Run(retreaver).restore(str(uploaded))
    assert retreaver.tables() == [(2, False), (1, True)]
    assert restored["changed"] == [
        {"kind": "campaign", "id": 1, "field": "active_payout_table", "before": 2, "after": 1},
    ]
    assert restored["table"]["id"] == 1
    assert Run(retreaver).restore(uploaded)["changed"] == []
    assert Run(retreaver).restore(restored)["table"]["active"] == 2, "a restoration is undone in the same way"


def test_no_table_was_active(retreaver):
    """Where no table was active, restoring deactivates the one that was uploaded."""
    retreaver.activate(1, active=False)
    uploaded = Run(retreaver).upload()
    assert (uploaded["table"]["active_before"], uploaded["difference"]["added"]) == (None, 3)
    restored = Run(retreaver).restore(json.dumps(uploaded))
    assert (restored["table"]["active_before"], restored["table"]["active"]) == (2, None)
    assert retreaver.tables() == [(2, False), (1, False)]
    assert Run(retreaver).restore(uploaded)["unchanged"] == [{"kind": "campaign", "id": 1}]


def test_what_others_have_activated_since_stays(retreaver):
    """A table that is neither ours nor the former one is left active, unless it is to be overwritten."""
    uploaded = Run(retreaver).upload()
    other = retreaver.table("rule_id,payout_pct\n1,10\n", active=True)
    with pytest.raises(ChangeRefused, match=r"active_payout_table: 1 before, 2 by us, 3 now.*overwrite=True"):
        Run(retreaver).restore(uploaded)
    assert (other, True) in retreaver.tables()
    restored = Run(retreaver).restore(uploaded, overwrite=True)
    assert (restored["changed_by_others"], restored["table"]["active"]) == (1, 1)


def test_a_table_is_activated_by_its_id(retreaver):
    """An ID is activated whatever is active; one that was deleted is refused."""
    uploaded = Run(retreaver).upload()
    assert Run(retreaver).restore("1")["table"]["active"] == 1
    retreaver.ask("DELETE", f"{PATH}/2.json")
    for value in (2, {**uploaded, "table": {**uploaded["table"], "active_before": 2, "active": 1}}):
        with pytest.raises(ChangeRefused, match="no payout table 2"):
            Run(retreaver).restore(value)


def test_a_table_that_is_deleted_before_it_is_activated(retreaver):
    """It is refused before anything is changed."""
    retreaver.table(NEW)
    run = Run(retreaver)
    reads = []

    def act():
        reads.append(1)
        if len(reads) == 2:
            retreaver.ask("DELETE", f"{PATH}/2.json")
        retreaver.before_next("GET", f"{PATH}.json", act)

    retreaver.before_next("GET", f"{PATH}.json", act)
    with pytest.raises(ChangeRefused, match="table 2 is not there any more"):
        run.restore(2)
    assert retreaver.tables() == [(1, True)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "restore must be Retreaver's own ID"),
        ("experiment-1", "restore must be Retreaver's own ID"),
        ({"changed": []}, "restore must be the result of"),
        ({"table": {"campaign_id": 1}}, "restore must be the result of"),
        (
            {"table": {"campaign_id": 2, "active_before": 1, "active": 2}},
            "restore is a result of campaign 2, and not of 1, which is chosen",
        ),
        ({"table": {"campaign_id": 1, "active_before": "a", "active": 2}}, "restore: active_before"),
        ({"table": {"campaign_id": 1, "active_before": 1, "active": 2}, "dry_run": True}, "dry run"),
    ],
)
def test_what_cannot_be_restored(value, message):
    """Anything but a result of this campaign, or an ID, is refused by name."""
    with pytest.raises(InvalidArgument, match=message):
        Restoration.parse(value, 1, overwrite=False)


def test_ids_of_the_wrong_kind_are_seen(retreaver, run):
    """IDs that no object has in that way are warned of; those that are right are not."""
    retreaver.ask("POST", "/api/v1/affiliates.json", {"affiliate": {"afid": "pub-1"}})
    retreaver.target(tid="T1")
    csv = (
        "rule_id,affiliate_id,system_affiliate_id,system_campaign_id,target_id,system_target_id,payout_pct\n"
        "1,1,*,*,*,*,70\n2,pub-1,*,*,*,*,70\n3,*,pub-1,*,*,*,70\n4,*,!=1,*,*,*,70\n5,*,*,1,*,*,70\n"
        "6,*,*,*,T1,*,70\n7,*,*,*,T9,*,70\n8,*,*,*,*,1,70\n9,*,*,*,*,=~^9$,70\n10,*,*,*,*,*,current\n"
    )
    warnings = run.upload(csv, activate=False)["warnings"]
    assert warnings[2:] == [
        "affiliate_id holds 1, which no object has there; the column system_affiliate_id has such IDs.",
        "system_affiliate_id holds pub-1, which no object has there; the column affiliate_id has such IDs.",
        "target_id holds T9, which no object of the account has.",
    ]
    assert "system_affiliate_id" in warnings[0]
    before = len(retreaver.sent)
    assert len(Run(retreaver).upload(csv, activate=False, check_ids=False)["warnings"]) == 2
    assert len(retreaver.sent) == before + 1


def test_lists_that_do_not_show_every_id():
    """Where a list has no Retreaver IDs, as in the examples of affiliates, nothing is said about those."""
    csv = "rule_id,affiliate_id,system_affiliate_id,payout_pct\n1,pub-1,7,70\n2,pub-9,*,70\n3,*,*,current\n"
    procedure = doubtful_ids(read_table(csv_cells(csv, "x"), "x"))
    lists = next(procedure)
    for row in ({"afid": "pub-1"}, {"afid": None, "id": None}):
        lists.visit(row)
    with pytest.raises(StopIteration) as done:
        procedure.send(None)
    assert done.value.value == ["affiliate_id holds pub-9, which no object of the account has."]
