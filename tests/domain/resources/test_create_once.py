"""Creating once, step by step: which requests follow each kind of answer."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    Gone,
    InvalidRequest,
    ListingIncomplete,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
)
from airflow_provider_retreaver.core.operations import Listing, Operation, Progress
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.create_once import TRIES, Creation
from airflow_provider_retreaver.domain.resources.procedures import delete, get, update, upsert
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS

LOST = OutcomeUnknown("The answer was lost.")
TARGET = {"number": "+18668987878", "tid": "A1"}
NUMBER = {"type": "Local", "afid": "a", "cid": "c"}


def missing(path: str) -> NotFound:
    """Return a 404."""
    return NotFound("There is none.", method="GET", path=path)


def play(procedure, *answers):
    """Run a procedure with answers, errors among them; return its requests, and its result or error."""
    asked, given_ = [], list(answers)
    try:
        progress = Progress(procedure)
        while not progress.done:
            step = progress.step
            assert isinstance(step, Operation | Listing)
            asked.append(f"{step.request.method} {step.request.path}")
            answer = given_.pop(0)
            progress.throw(answer) if isinstance(answer, Exception) else progress.send(answer)
    except Exception as error:  # noqa: BLE001 - a test's own boundary
        assert given_ == []
        return asked, error
    assert given_ == []
    return asked, progress.result


LOOK, SEND = "GET /targets/tid/A1.json", "POST /targets.json"


def test_lost_until_all_tries_are_used():
    """After every lost answer the object is looked up; when it never exists, the last error is raised."""
    creation = Creation(entry_of("targets"), TARGET)
    none = missing("/targets/tid/A1.json")
    asked, error = play(creation.procedure(), none, none, *[LOST, none] * TRIES)
    assert (asked, error) == ([LOOK, LOOK, *[SEND, LOOK] * TRIES], LOST)


def test_refused_after_a_lost_answer():
    """A refusal is looked up as well, after a lost answer and without one: others may have been faster."""
    none, refusal = missing("/targets/tid/A1.json"), InvalidRequest("tid has been taken.")
    first = play(Creation(entry_of("targets"), TARGET).procedure(), none, none, refusal, none)
    assert first == ([LOOK, LOOK, SEND, LOOK], refusal)
    second = play(Creation(entry_of("targets"), TARGET).procedure(), none, none, LOST, none, refusal, none, none)
    assert second == ([LOOK, LOOK, SEND, LOOK, SEND, LOOK, LOOK], refusal)
    third = Creation(entry_of("targets"), TARGET).procedure()
    asked, result = play(third, none, none, LOST, none, refusal, {"id": 7})
    assert (asked, result["id"]) == ([LOOK, LOOK, SEND, LOOK, SEND, LOOK], 7)


@pytest.mark.parametrize("sent", [False, True])
def test_of_two_creates_at_once_the_second_is_refused(sent):
    """An object with the same key that others created since the first look is theirs, and the error says so."""
    record, saved = Record(), []
    creation = Creation(
        entry_of("targets"), TARGET, record=record, save=lambda record: saved.append(dict(record.plan))
    )
    none, theirs = missing("/targets/tid/A1.json"), {"id": 9, **TARGET}
    answers = [none, none, InvalidRequest("tid has been taken."), theirs] if sent else [none, theirs]
    asked, error = play(creation.procedure(), *answers)
    assert asked == ([LOOK, LOOK, SEND, LOOK] if sent else [LOOK, LOOK])
    assert isinstance(error, ChangeRefused)
    moment = "at the same moment" if sent else "while this run was at work"
    assert f"was created by others {moment} (id 9)" in str(error)
    # The next attempt must not take it for its own.
    assert saved == [{"sent": True}, {}]
    asked, error = play(Creation(entry_of("targets"), TARGET, record=record).procedure(), theirs)
    assert "exists already" in str(error)


def test_answer_without_a_required_field():
    """A create that is answered without an ID raises a `ProtocolError` that names the field."""
    none = missing("/targets/tid/A1.json")
    _, error = play(Creation(entry_of("targets"), TARGET).procedure(), none, {"name": "Acme"})
    assert isinstance(error, ProtocolError)
    assert "'id'" in str(error)
    _, error = play(Creation(entry_of("numbers"), NUMBER).procedure(), [], {"number": "+1"})
    assert isinstance(error, ProtocolError)
    _, error = play(Creation(entry_of("numbers"), NUMBER).procedure(), [{"number": "+1"}])
    assert "'id'" in str(error)


def test_record_is_saved_before_and_after():
    """The list is saved before a purchase, the result after it; a repeated run sends nothing."""
    saved = []
    creation = Creation(entry_of("numbers"), NUMBER, save=lambda record: saved.append(str(record.dump())))
    procedure = creation.procedure()
    step = next(procedure)
    assert isinstance(step, Listing)
    step = procedure.send([{"id": 4, **NUMBER}])
    assert (step.request.label, saved) == ("GET /numbers.json", [str({"plan": {"before": [4]}, "done": {}})])
    step = procedure.send([{"id": 4, **NUMBER}])
    assert (step.request.label, len(saved)) == ("POST /numbers.json", 1)
    step = procedure.send({"id": 5, **NUMBER})
    # What is bought is saved before anything else is read.
    assert (step.request.label, len(saved)) == ("GET /numbers.json", 2)
    with pytest.raises(StopIteration) as end:
        procedure.send([{"id": 4, **NUMBER}, {"id": 5, **NUMBER}])
    assert len(saved) == 2
    assert "created_meanwhile" not in end.value.value
    assert play(Creation(entry_of("numbers"), NUMBER, record=creation.record).procedure()) == ([], end.value.value)


def test_new_number_with_other_attributes_is_ignored():
    """A new number with other attributes is not the one of this run, which is bought after the check."""
    record = Record(plan={"before": [4]})
    creation = Creation(entry_of("numbers"), NUMBER, record=record)
    other = {"id": 5, "toll_free": False, "afid": "a", "cid": "other"}
    asked, result = play(creation.procedure(), [{"id": 4}, other], {"id": 6, **NUMBER}, [{"id": 4}, other, MINE])
    assert (asked, result["id"]) == (["GET /numbers.json", "POST /numbers.json", "GET /numbers.json"], 6)
    assert "created_meanwhile" not in result


def test_what_cannot_be_looked_up_is_said(caplog):
    """A target without tid cannot be told from one of others: the log says so, and it is sent once."""
    caplog.set_level("INFO")
    asked, result = play(Creation(entry_of("targets"), {"number": "+18668987878"}).procedure(), {"id": 7})
    assert (asked, result["id"]) == ([SEND], 7)
    assert "Without a tid nothing tells it from one that others create now" in caplog.text


def test_of_two_upserts_at_once_the_second_changes(caplog):
    """An upsert whose create is refused, since others were faster, changes what they have created."""
    none, theirs = missing("/targets/tid/A1.json"), {"id": 9, "tid": "A1", "number": "+18668987878"}
    procedure = upsert(entry_of("targets"), "A1", {"number": "+18668987878"}, {})
    asked, result = play(procedure, none, InvalidRequest("tid has been taken."), theirs)
    assert (asked, result["action"], result["id"]) == ([LOOK, SEND, LOOK], "unchanged", 9)
    assert "was created by others at the same moment" in caplog.text


@pytest.mark.parametrize(
    ("answers", "parts", "times"),
    [("missing created", {}, 1), ("missing", {"dry_run": True}, 0), ("created", {}, 0)],
    ids=["created", "dry run", "found"],
)
def test_an_upsert_that_creates_says_what_others_may_do(caplog, answers, parts, times):
    """Without a lease the time of one request remains: the log says so once, where something is created."""
    caplog.set_level("INFO")
    created = {"id": 9, "tid": "A1", "number": "+18668987878"}
    given = {"missing": missing("/targets/tid/A1.json"), "created": created}
    procedure = upsert(entry_of("targets"), "A1", {"number": "+18668987878"}, {}, **parts)
    play(procedure, *(given[name] for name in answers.split()))
    assert caplog.text.count("in the time of one request others may create the same") == times


LIST, BUY = "GET /numbers.json", "POST /numbers.json"
OLD, THEIRS, MINE = ({"id": id_, "toll_free": False, "afid": "a", "cid": "c"} for id_ in (4, 5, 6))


@pytest.mark.parametrize("when", ["between the looks", "at the same moment"])
def test_equal_numbers_that_others_buy_are_named(when, caplog):
    """Two runs that buy the same at once cannot stop each other: the result and the log name what others bought."""
    record = Record()
    again = [OLD, THEIRS] if when == "between the looks" else [OLD]
    asked, result = play(
        Creation(entry_of("numbers"), NUMBER, record=record).procedure(), [OLD], again, MINE, [OLD, THEIRS, MINE]
    )
    assert asked == [LIST, LIST, BUY, LIST]
    assert (result["id"], result["created_meanwhile"]) == (6, [5])
    assert "Others created an equal number while this run was at work (ids 5)" in caplog.text
    assert record.done["result"] == result


def test_what_others_bought_between_the_looks_is_not_taken_for_ours():
    """After a lost answer only what came after the second look can be ours."""
    creation = Creation(entry_of("numbers"), NUMBER)
    asked, error = play(creation.procedure(), [OLD], [OLD, THEIRS], LOST, [OLD, THEIRS])
    assert (asked, error) == ([LIST, LIST, BUY, LIST], LOST)
    assert creation.record.plan == {"before": [4, 5]}
    asked, result = play(
        Creation(entry_of("numbers"), NUMBER).procedure(), [OLD], [OLD, THEIRS], LOST, [OLD, THEIRS, MINE], [MINE]
    )
    assert result["id"] == 6


def test_what_was_not_taken_over_is_named(caplog):
    """The list is read back: an attribute that is not as requested is in the result, and in what a retry returns."""
    creation = Creation(BUYER_GROUPS, {"name": "Solar", "attempt_total_limit": 5, "tier": 2, "paused": True})
    row = {"id": 6, "name": "Solar", "attempt_total_limit": None, "tier": "2.0", "paused": 1}
    asked, result = play(creation.procedure(), [], [], {"id": "6"}, [row])
    assert asked == ["GET /buyer_groups", "GET /buyer_groups", "POST /buyer_groups", "GET /buyer_groups"]
    assert result["not_taken"] == ["attempt_total_limit"]
    assert result["changed"]["attempt_total_limit"] == {"before": None, "after": None}
    assert result["changed"]["tier"] == {"before": None, "after": 2}
    assert "The buyer group was created, but attempt_total_limit was not taken over as requested." in caplog.text
    assert play(Creation(BUYER_GROUPS, creation.attributes, record=creation.record).procedure()) == ([], result)


def test_a_purchase_stands_although_the_list_cannot_be_read_after_it(caplog):
    """What others bought is only told where it can be read: the purchase is done."""
    broken = ListingIncomplete("The list broke off.")
    asked, result = play(Creation(entry_of("numbers"), NUMBER).procedure(), [OLD], [OLD], MINE, broken)
    assert (asked, result["id"]) == ([LIST, LIST, BUY, LIST], 6)
    assert "It was created, but the list could not be read" in caplog.text


def test_repeatable_creates_are_sent_again():
    """A suppression may be sent twice: it is sent until it is answered, or all tries are used."""
    entry, attributes = entry_of("suppressed_numbers"), {"number": "+18668987878"}
    path = "POST /suppressed_numbers/%2B18668987878.json"
    asked, result = play(Creation(entry, attributes).procedure(), LOST, {"number": "+18668987878"})
    assert (asked, result["customer_id"]) == ([path] * 2, "+18668987878")
    assert play(Creation(entry, attributes).procedure(), *[LOST] * TRIES) == ([path] * TRIES, LOST)


def test_gone_is_missing_only_under_a_current_route():
    """Status 410 means that an object is missing where the route is the current one."""
    entry = entry_of("affiliates")
    now = Gone("410", method="GET", path="/api/v1/affiliates/afid/a.json")
    old = Gone("410", method="GET", path="/affiliates/afid/a.json")
    assert play(get(entry, ObjectReference(customer_id="a"), missing_ok=True), now)[1] is None
    assert play(get(entry, ObjectReference(customer_id="a"), missing_ok=True), old)[1] is old
    assert play(delete(entry, ObjectReference(customer_id="a")), now)[1]["action"] == "missing"
    assert play(delete(entry, ObjectReference(customer_id="a")), old)[1] is old


def test_contact_that_lacks_its_number():
    """A contact that is found by a number and does not hold it is an invalid answer."""
    reference, changes = ObjectReference(id="+18668987878"), {"description": "Home"}
    _, error = play(update(entry_of("contact_numbers"), reference, changes), {"id": 1, "contact_numbers": []})
    assert isinstance(error, ProtocolError)
    assert "without that number" in str(error)
