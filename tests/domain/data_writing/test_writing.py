"""Sending writes and reading them back, without a network."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import AuthenticationError, PartialFailure, ProtocolError, Unavailable
from airflow_provider_retreaver.core.operations import Listing, Outcome, Progress, Together
from airflow_provider_retreaver.domain.data_writing.reading_back import read_back
from airflow_provider_retreaver.domain.data_writing.rows import CallWrite, Writes, parse_columns, tag_text
from airflow_provider_retreaver.domain.data_writing.writing import CallDataWriting, WriteCheckpoint, outcome_of

WRITES = [CallWrite(n, f"0000000{n}-0000-4000-8000-000000000000", {"sale": "yes"}) for n in range(1, 6)]
DONE = {"status": "completed call found, tags applied"}


def run(writing, *answers):
    """Run the procedure with one answer or error for each request; return the calls of each batch."""
    left, batches = list(answers), []
    progress = Progress(writing.procedure())
    while not progress.done:
        assert isinstance(progress.step, Together)
        batches.append([one.request.body["call_uuid"][7] for one in progress.step.operations])
        outcomes = []
        for _ in progress.step.operations:
            answer = left.pop(0) if left else DONE
            outcomes.append(Outcome(error=answer) if isinstance(answer, Exception) else Outcome(answer))
        progress.send(outcomes)
    return batches


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("completed call found, tags applied", "applied"),
        (" Completed call found, Tags Applied ", "applied"),
        ("call not found, tags stored", "stored"),
        ("call in progress, tags will be applied at its end", "stored"),
        ("", "stored"),
    ],
)
def test_only_one_status_means_applied(status, outcome):
    """Whatever does not say that the tags were applied is stored."""
    assert outcome_of({"status": status}) == outcome


def test_a_checkpoint_is_saved_after_each_batch():
    """An attempt continues at the batch that was not saved, and sends what failed for a while first."""
    saved = []
    writing = CallDataWriting(WRITES, at_once=2, max_failures=5, note=lambda one: saved.append(one.dump()))
    with pytest.raises(PartialFailure, match="The tags of 1 of 5 calls could not be written"):
        run(writing, DONE, Unavailable("It failed.", status=500))
    assert [one["outcomes"]["codes"] for one in saved] == ["af", "afaa", "afaaa"]
    again = CallDataWriting(WRITES, at_once=2, max_failures=5, checkpoint=WriteCheckpoint.load(saved[1]))
    assert run(again) == [["2"], ["5"]]
    assert again.counts() == {"applied": 5, "stored": 0, "failed": 0}


def test_what_ends_a_run_at_once():
    """A refused key, and a batch of which nothing was answered, send nothing more."""
    for error in (AuthenticationError("No.", status=401), Unavailable("No.", status=503)):
        writing = CallDataWriting(WRITES, at_once=2, max_failures=5)
        with pytest.raises(type(error)):
            run(writing, error, error)
        assert writing.checkpoint.done == 2


def test_an_unreadable_answer_is_asked_for_again():
    """Nobody knows what became of it, so it is no final failure."""
    writing = CallDataWriting(WRITES[:1], at_once=2, max_failures=5)
    with pytest.raises(PartialFailure) as raised:
        run(writing, ProtocolError("What?"))
    assert not raised.value.final


def test_the_source_is_known_by_its_calls_and_tags():
    """Lines do not count, values do."""
    moved = Writes([CallWrite(9, one.call, dict(one.tags)) for one in WRITES])
    assert Writes(WRITES).fingerprint() == moved.fingerprint()
    moved.writes[0].tags["sale"] = "no"
    assert Writes(WRITES).fingerprint() != moved.fingerprint()


def test_columns():
    """A list, a mapping, and either as rendered text."""
    assert parse_columns("['a', 'b']") == {"a": "a", "b": "b"}
    assert parse_columns('{"Sale  Amount": "amount"}') == {"Sale Amount": "amount"}
    assert tag_text(b"x".decode(), "a") == "x"


def test_reading_back():
    """By UUID together, by caller one after the other; a key's capital letters do not count, its value does."""
    writes = [WRITES[0], WRITES[1], CallWrite(7, "+19195550100", {"Sale": "yes", "amount": "1"})]
    progress = Progress(read_back(writes, 2))
    assert isinstance(progress.step, Together)
    progress.send([Outcome({"tags": {"sale": "yes"}}), Outcome({"tags": {"sale": "no"}})])
    assert isinstance(progress.step, Listing)
    progress.send([{"tags": {"sale": "no"}}, {"tags": None}, {"tags": {"sale": "yes"}}])
    assert progress.result == [(WRITES[1], ["sale"]), (writes[2], ["amount"])]
