"""The operators of real-time bidding: what they send and return, and what they never send twice."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    InvalidArgument,
    InvalidConnection,
    OutcomeUnknown,
    RateLimited,
)
from airflow_provider_retreaver.operators.rtb import (
    RetreaverCallReservationOperator,
    RetreaverConfirmReservationOperator,
    RetreaverReserveCallOperator,
)
from airflow_provider_retreaver.sandbox.options import RESERVATION_KEY, RTB_KEY
from tests.airflow.support.account import StateStore, TaskInstance, context_of
from tests.airflow.support.killed_attempts import kill_while_asking

pytestmark = pytest.mark.airflow
CALLER = "+19195550100"


@pytest.fixture
def bidding(account, monkeypatch):
    """Provide an account with one target, whose connection has a key of real-time bidding."""
    connection = account.connection(extra={"max_wait": 0, "postback_key": RTB_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    account.target(cap=1)
    return account


def reserve(**parameters):
    """Execute a reserve, and return its result as XCom keeps it."""
    operator = RetreaverReserveCallOperator(task_id="reserve", **{"caller_number": CALLER, **parameters})
    return json.loads(json.dumps(operator.execute({})))


def confirm(reservation, context=None, **parameters):
    """Execute a confirmation."""
    operator = RetreaverConfirmReservationOperator(task_id="confirm", reservation=reservation, **parameters)
    return json.loads(json.dumps(operator.execute(context or {})))


def test_a_call_is_reserved_and_confirmed(bidding):
    """The reservation counts on the cap when it is confirmed; the result of the reserve is all that is needed."""
    reservation = reserve(publisher_id="pub", tags="{'zip': '90210'}", caller_number="9195550100")
    assert (reservation["status"], reservation["payout"], bidding.filled(1)) == ("reserved", 20.0, 0)
    confirmed = confirm(str(reservation))
    assert (confirmed["status"], confirmed["uuid"], bidding.filled(1)) == ("confirmed", reservation["uuid"], 1)
    assert confirm(reserve(publisher_id="pub")) == {**confirmed, "ping_shield": True}
    assert len(bidding.sent("PUT")) == 1, "one that is confirmed is not confirmed again"


def test_a_publisher_by_name(bidding, monkeypatch):
    """The publisher's name is looked up once in a run, by the list of affiliates; a dry run sends nothing."""
    for afid, name in (("pub", "Leads"), ("other", "Twice"), ("third", "Twice")):
        bidding._handle("POST", "/api/v1/affiliates.json", {"affiliate": {"afid": afid, "company_name": name}})
    reserve(publisher_name="Leads", dry_run=True)
    assert bidding.sent() == []
    store = context_of(task_state_store=StateStore())
    operator = RetreaverReserveCallOperator(task_id="reserve", caller_number=CALLER, publisher_name="Leads")
    uuids = {operator.execute(store)["uuid"] for _ in range(2)}
    assert uuids == {reserve(publisher_id="pub")["uuid"]}
    assert bidding.sent().count("GET /api/v1/affiliates.json") == 1
    asked = [json.loads(entry["body"])["publisher_id"] for entry in bidding.entries() if entry["body"]]
    assert asked == ["pub", "pub", "pub"]
    before = len(bidding.sent())
    for wrong, message in (
        ({"publisher_name": "Leads", "publisher_id": "pub"}, "not both"),
        ({"publisher_name": " "}, "publisher_name is blank"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            reserve(**wrong)
    assert len(bidding.sent()) == before
    with pytest.raises(InvalidArgument, match=r"affiliate 2 .afid other. and affiliate 3"):
        reserve(publisher_name="Twice")
    connection = bidding.connection(extra={"max_wait": 0, "postback_key": RESERVATION_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    older = RetreaverCallReservationOperator(task_id="older", caller_number=CALLER, publisher_name="Leads")
    assert older.execute({})["reserved"]
    with pytest.raises(InvalidArgument, match="publisher_id"):
        RetreaverCallReservationOperator(task_id="older", caller_number=CALLER).execute({})


def test_no_target_is_a_result_or_a_skip(bidding):
    """By choice the task returns the result, or is skipped."""
    bidding.fill(1, 1)
    found = reserve()
    assert (found["status"], found["reserved"]) == ("no-target", False)
    assert confirm(found)["status"] == "no-target"
    for execute in (lambda: reserve(on_no_target="skip"), lambda: confirm(found, on_no_target="skip")):
        with pytest.raises(AirflowSkipException, match="no buyer"):
            execute()
    assert bidding.sent("PUT") == []


def test_a_dry_run_sends_nothing(bidding):
    """A dry run checks the parameters only."""
    assert reserve(dry_run=True)["uuid"] is None
    assert confirm("u-1", dry_run="True")["status"] is None
    assert confirm(reserve(dry_run=True), dry_run=True)["status"] is None
    with pytest.raises(InvalidArgument, match="the result of a dry run"):
        confirm(reserve(dry_run=True))
    with pytest.raises(InvalidArgument, match="caller_number"):
        reserve(caller_number="soon", dry_run=True)
    assert bidding.sent() == []


def test_a_lost_confirmation_fails_without_a_retry(bidding):
    """The task is not retried; a cleared task of the same run sends nothing either, and says so."""
    reservation, context = reserve(), context_of(task_state_store=StateStore())
    bidding.fault(f"/rtbs/{reservation['uuid']}.json", status=500, then="done")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="may be confirmed or not") as raised:
            confirm(reservation, context)
        assert isinstance(raised.value, AirflowFailException)
    assert len(bidding.sent("PUT")) == 1


def test_a_refused_confirmation_is_repeated(bidding):
    """After an answer that nothing was done the next attempt sends it again."""
    reservation, context = reserve(), context_of(task_state_store=StateStore())
    bidding.fault(f"/rtbs/{reservation['uuid']}.json", status=429)
    with pytest.raises(RateLimited):
        confirm(reservation, context)
    assert confirm(reservation, context)["status"] == "confirmed"


def test_state_path_remembers_a_confirmation_that_was_sent(bidding, tmp_path):
    """Without a state store a file does the same, also for an attempt that was killed."""
    reservation = reserve()
    bidding.fault(f"/rtbs/{reservation['uuid']}.json", cut=True)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            confirm(reservation, context_of(), state_path=f"file://{tmp_path}")
    assert len(bidding.sent("PUT")) == 1
    other = reserve(caller_number="+19195550101")
    for folder in (tmp_path, tmp_path / "other"):
        confirm(other, context_of(), state_path=folder.as_uri())
    with pytest.raises(OutcomeUnknown):
        confirm(reservation, context_of(), state_path=f"file://{tmp_path}")
    assert len(bidding.sent("PUT")) == 3, "the first one is still unknown"
    (record,) = (path for path in (tmp_path / "other").rglob("*") if path.is_file())
    assert json.loads(record.read_text()) == {"sent": {}}, (
        "what is known is not remembered, but that there was an attempt"
    )


def test_a_storage_that_fails_hides_no_answer(bidding, tmp_path, monkeypatch, caplog, capsys):
    """A confirmation whose answer came is a result, also where it cannot be noted; so is a refusal."""
    written, moving = [], LocalFileSystem.mv

    def full(self, *arguments, **options):
        """Fail as a full disk does at what an attempt notes last: it has begun, it sends, it knows the answer."""
        written.append(arguments)
        if len(written) % 3 == 0:
            raise OSError(28, "No space left on device")
        return moving(self, *arguments, **options)

    monkeypatch.setattr(LocalFileSystem, "mv", full)
    bidding.fault("/rtbs/", method="PUT", status=429)
    reservation, given = reserve(), {"context": context_of(), "state_path": f"file://{tmp_path}"}
    with pytest.raises(RateLimited):
        confirm(reservation, **given)
    (state,) = tmp_path.rglob("*.json")
    state.unlink()
    assert confirm(reservation, **given)["status"] == "confirmed"
    assert "the answer counts as lost" in caplog.text + capsys.readouterr().out


def later(**parts):
    """Return the context of the second attempt of a task."""
    return {"ti": TaskInstance(try_number=2), **parts}


def test_a_later_attempt_without_a_record_sends_nothing(bidding, tmp_path):
    """Nobody knows what the former one did: without a state store, and where state_path is new."""
    reservation = reserve()
    for given in ({}, {"state_path": f"file://{tmp_path}"}, {"state_path": f"file://{tmp_path}"}):
        with pytest.raises(OutcomeUnknown, match="may be confirmed or not") as raised:
            confirm(reservation, later(), **given)
        assert isinstance(raised.value, AirflowFailException)
        if not given:
            assert "left no record" in str(raised.value)
            assert "set state_path" in str(raised.value)
    assert bidding.sent("PUT") == []
    other = reserve(caller_number="+19195550101")
    # This reservation came after the record was made.
    assert confirm(other, later(), state_path=f"file://{tmp_path}")["status"] == "confirmed"


@pytest.mark.parametrize("store", [True, False], ids=["store", "file"])
def test_a_later_attempt_goes_on_after_one_that_sent_nothing(bidding, tmp_path, monkeypatch, store):
    """The former attempt has left a record, or would have left one in Airflow's own store."""
    parts = {"task_state_store": StateStore()} if store else {}
    given = {} if store else {"state_path": f"file://{tmp_path}"}
    with pytest.raises(InvalidArgument):
        confirm("", context_of(**parts), **given)
    with monkeypatch.context() as undefined:
        undefined.delenv("AIRFLOW_CONN_RETREAVER_DEFAULT")
        with pytest.raises(InvalidConnection):
            confirm("u-1", later(**parts), **given)
    reservation = reserve()
    assert confirm(reservation, later(**parts), **given)["status"] == "confirmed"
    other = reserve(caller_number="+19195550101")
    assert confirm(other, later(task_state_store=StateStore()))["status"] == "no-target"


@pytest.mark.parametrize("retries", [0, 2])
def test_a_retry_that_will_send_nothing_is_told_before(bidding, caplog, capsys, retries):
    """Where nothing is kept between attempts the first one says so, if it may be retried."""
    confirm(reserve(), context_of(), retries=retries)
    assert ("a retry sends no confirmation" in caplog.text + capsys.readouterr().out) is bool(retries)


# An attempt as a worker makes it; it finds its context's parts in its parameters.
ATTEMPT = """
import json, sys
from airflow_provider_retreaver.operators.rtb import RetreaverConfirmReservationOperator
from tests.airflow.support.account import context_of

RetreaverConfirmReservationOperator(task_id="confirm", **json.loads(sys.argv[1])).execute(context_of())
"""


@pytest.mark.parametrize("kept", [True, False], ids=["state_path", "nothing"])
def test_killed_while_it_confirms(bidding, tmp_path, kept):
    """Killed with SIGKILL between the confirmation and its answer: no later attempt sends it again."""
    reservation = reserve()
    given = {"state_path": f"file://{tmp_path}"} if kept else {}
    bidding.fault("/rtbs/", method="PUT", delay=20)
    kill_while_asking(bidding, ATTEMPT, {"reservation": reservation, **given}, "PUT /rtbs/")
    bidding.clear_faults()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="answer was lost" if kept else "left no record"):
            confirm(reservation, later(), **given)
    assert len(bidding.sent("PUT")) == 1


def test_an_expired_reservation_is_refused(bidding):
    """After its end nothing is sent, and the task is not retried."""
    reservation = {**reserve(), "expires_at": "2026-01-01T00:00:00Z"}
    with pytest.raises(ChangeRefused, match="expired at") as raised:
        confirm(reservation)
    assert isinstance(raised.value, AirflowFailException)
    assert bidding.sent("PUT") == []


def test_the_key_stays_secret(bidding, account, monkeypatch, caplog):
    """A wrong or missing postback key is an error that names its type; its value is nowhere."""
    caplog.set_level(logging.DEBUG, "airflow_provider_retreaver")
    for extra, error in (({}, InvalidConnection), ({"postback_key": "pasted-0f3c-secret"}, AuthenticationError)):
        monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
        with pytest.raises(error, match="Real Time Bidding") as raised:
            reserve()
        assert "pasted-0f3c" not in str(raised.value)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider")]
    assert not [line for line in lines if "pasted-0f3c" in line]


def call_reservation(**parameters):
    """Execute a reservation by the older API."""
    given = {"publisher_id": "4321ABCD", "caller_number": CALLER, **parameters}
    return json.loads(json.dumps(RetreaverCallReservationOperator(task_id="reserve", **given).execute({})))


def test_a_call_reservation(bidding, account, monkeypatch):
    """The number to dial is E.164, a buyer is reserved, and without one the status decides."""
    connection = account.connection(extra={"max_wait": 0, "postback_key": RESERVATION_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    assert call_reservation(dry_run=True)["uuid"] is None
    found = call_reservation(inbound_number="+18885551234", tags={"caller_zip": "90210"})
    assert (found["status"], found["reserved"], found["inbound_number"]) == ("reserved", True, "+18885551234")
    bidding.fill(1, 1)
    without = call_reservation()
    assert (without["status"], without["reserved"]) == ("no-target", False)
    assert without["inbound_number"].startswith("+1")
    with pytest.raises(AirflowSkipException):
        call_reservation(on_no_target="skip")
    with pytest.raises(InvalidArgument, match="publisher_id"):
        call_reservation(publisher_id="")


def test_a_call_reservation_is_not_repeated(bidding, account, monkeypatch):
    """A lost answer is an error that says so, and a key of bidding is refused by its type."""
    with pytest.raises(AuthenticationError, match="Call Reservation"):
        call_reservation()
    connection = account.connection(extra={"max_wait": 0, "postback_key": RESERVATION_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    before = len(bidding.sent())
    bidding.fault("/call_reservations.json", status=500, then="done")
    with pytest.raises(OutcomeUnknown, match=r"/call_reservations\.json"):
        call_reservation()
    assert len(bidding.sent()) == before + 1
