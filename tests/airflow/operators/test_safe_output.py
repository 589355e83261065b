"""Log lines and errors of tasks are safe to print, whatever names, files and answers hold."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import PartialFailure, ProtocolError, RetreaverError
from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
from airflow_provider_retreaver.operators.targets import RetreaverSetPausedOperator
from airflow_provider_retreaver.resources import companies
from tests.airflow.support.account import context_of, reset_caps

pytestmark = pytest.mark.airflow

FORGED = "Acme\n[2026-11-26] ERROR - all caps were reset\r\x1b[2J\u202e (919) 555-0123"
SHOWN = "Acme\\n[2026-11-26] ERROR - all caps were reset\\r\\x1b[2J\\u202e (9…23"


def is_safe(text):
    """Return whether a text is one printable line of bounded length without the phone number."""
    return text.isprintable() and len(text) < 9_000 and "555-0" not in text


def test_a_name_cannot_forge_log_lines(account, caplog):
    """Line breaks, escape sequences and marks of direction in names are escaped, phone numbers in them masked."""
    caplog.set_level("DEBUG")
    id_ = account.target(FORGED, tid="A\n7", filled=10)
    reset_caps(context_of(), target_ids=id_)
    RetreaverSetPausedOperator(task_id="pause", target_ids=id_, paused=True).execute(context_of())
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_retreaver")]
    assert any(f'target {id_} (tid A\\n7, "{SHOWN}")' in line for line in lines), lines
    assert [line for line in lines if not is_safe(line)] == []


def test_the_result_keeps_the_name(account):
    """A result, which is data, has the name as it is."""
    id_ = account.target(FORGED, filled=10)
    assert reset_caps(context_of(), target_ids=id_)["reset"][0]["name"] == FORGED


def test_a_customer_id_in_an_error_is_escaped(account):
    """The tid of a target that does not exist is quoted on one line."""
    with pytest.raises(PartialFailure, match=r"tid A\\u202eB\\x7f") as caught:
        reset_caps(context_of(), tids=["A\u202eB\x7f"])
    assert is_safe(str(caught.value))


@pytest.mark.parametrize(
    "body",
    [
        {"errors": {"name": [FORGED * 1_000]}}, {"errors": FORGED}, {"error": [FORGED]}, FORGED * 20_000,
        {"errors": {FORGED: FORGED}}, "\x00" * 1_000_000,
    ],
    ids=["long", "text", "list", "no JSON", "name", "zeros"],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 422, 500])
def test_errors_of_answers_are_one_short_line(account, requests_mock, monkeypatch, body, status):
    """Whatever a server answers, the error is one printable line that quotes little of it."""
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra={"max_wait": 0})))
    given = {"text": body} if isinstance(body, str) else {"json": body}
    requests_mock.get(f"{account.url}/company.json", status_code=status, **given)
    with pytest.raises(RetreaverError) as caught, RetreaverHook() as hook:
        hook.run(companies.get_active_company())
    assert is_safe(str(caught.value))
    assert len(str(caught.value)) < 1_000


def test_a_company_in_the_message_of_the_test_button_is_escaped(account, requests_mock):
    """The Test button's message has the company's name on one line."""
    requests_mock.get(f"{account.url}/company.json", json={"company": {"id": 1, "name": FORGED}})
    assert RetreaverHook().test_connection() == (True, f"Connected to company 1 ({SHOWN}).")


def test_an_identifier_of_a_megabyte_makes_a_short_error():
    """An error that names a call quotes only the beginning of its uuid."""
    from airflow_provider_retreaver.domain.calls.fields import call_time

    with pytest.raises(ProtocolError) as caught:
        call_time("yesterday", "created_at", "u" * 1_000_000)
    assert len(str(caught.value)) < 600
