"""Creating once, step by step: which requests follow each kind of answer."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import Gone, InvalidRequest, NotFound, OutcomeUnknown, ProtocolError
from airflow_provider_retreaver.core.operations import Listing, Operation, Progress
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.resources.create_once import TRIES, Creation
from airflow_provider_retreaver.domain.resources.procedures import delete, get, update
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of

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
    asked, error = play(creation.procedure(), none, *[LOST, none] * TRIES)
    assert (asked, error) == ([LOOK, *[SEND, LOOK] * TRIES], LOST)


def test_refused_after_a_lost_answer():
    """After a lost answer, a refusal is looked up as well; without one, it is not."""
    none, refusal = missing("/targets/tid/A1.json"), InvalidRequest("tid has been taken.")
    first = play(Creation(entry_of("targets"), TARGET).procedure(), none, refusal)
    assert first == ([LOOK, SEND], refusal)
    second = play(Creation(entry_of("targets"), TARGET).procedure(), none, LOST, none, refusal, none)
    assert second == ([LOOK, SEND, LOOK, SEND, LOOK], refusal)
    asked, result = play(Creation(entry_of("targets"), TARGET).procedure(), none, LOST, none, refusal, {"id": 7})
    assert (asked, result["id"]) == ([LOOK, SEND, LOOK, SEND, LOOK], 7)


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
    assert (step.request.label, saved) == ("POST /numbers.json", [str({"plan": {"before": [4]}, "done": {}})])
    with pytest.raises(StopIteration) as end:
        procedure.send({"id": 5, **NUMBER})
    assert len(saved) == 2
    assert play(Creation(entry_of("numbers"), NUMBER, record=creation.record).procedure()) == ([], end.value.value)


def test_new_number_with_other_attributes_is_ignored():
    """A new number with other attributes is not the one of this run, which is bought after the check."""
    record = Record(plan={"before": [4]})
    creation = Creation(entry_of("numbers"), NUMBER, record=record)
    other = {"id": 5, "toll_free": False, "afid": "a", "cid": "other"}
    asked, result = play(creation.procedure(), [{"id": 4}, other], {"id": 6, **NUMBER})
    assert (asked, result["id"]) == (["GET /numbers.json", "POST /numbers.json"], 6)


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
