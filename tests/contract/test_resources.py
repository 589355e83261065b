"""Every resource function with every variant of the client: the same requests, waits, results and errors.

The functions are those of the documented requests; the account is that of the documents' examples.
"""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.envelopes import read_nothing
from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    Gone,
    InvalidArgument,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProtocolError,
    RetreaverError,
)
from airflow_provider_retreaver.core.operations import Listing
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.resources.procedures import delete, get, update, upsert
from airflow_provider_retreaver.resources import calls, suppression
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.contract.harness import KEY, OTHER_CLIENT, VARIANTS, CaseClient, Sandboxes
from tests.documents.account import PHONE, Account
from tests.documents.case import Case
from tests.documents.cases import CASES

CASES_BY_ROUTES = [
    pytest.param(case, edition, id=f"{edition}: {case.heading}") for case in CASES for edition in case.editions
]
FIELDS = '{"errors": {"name": ["can\'t be blank"]}}'


def connect(client: CaseClient, case: Case, edition: str) -> None:
    """Connect a client with the settings that a case needs."""
    keys = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    if case.postback_key:
        keys["postback_key"] = case.postback_key
    client.connect(extra={**keys, "api_routes": edition, "calls_version": case.version})


def send(client: CaseClient, case: Case) -> object:
    """Send the request of a case."""
    work = case.make_operation()
    return client.iterate(work) if isinstance(work, Listing) else client.run(work)


def check_all_variants(sandboxes: Sandboxes, case: object) -> None:
    """Run a case with all variants and compare the records."""
    expected, *others = [sandboxes.run_case(case, variant) for variant in VARIANTS]
    for other in others:
        assert other == expected


@pytest.mark.parametrize(("case", "edition"), CASES_BY_ROUTES)
def test_every_function(sandboxes, case, edition):
    """Requests and results are the same with every variant."""

    def run(client: CaseClient) -> None:
        Account(client.account.sandbox, KEY, **{OTHER_CLIENT: "yes"}).fill()
        connect(client, case, edition)
        send(client, case)
        assert len(client.sent()) == 1

    check_all_variants(sandboxes, run)


@pytest.mark.parametrize(("case", "edition"), CASES_BY_ROUTES)
def test_every_function_with_failures(sandboxes, case, edition):
    """Refusals raise their type of error at once, requests are retried where that is safe, and no others."""
    method, work = case.request.partition(" ")[0], case.make_operation()

    def run(client: CaseClient) -> None:
        connect(client, case, edition)

        def run_with(*faults: dict[str, object]) -> tuple[RetreaverError | None, int]:
            before = len(client.entries())
            client.account.control("DELETE", "faults")
            for fault in faults:
                client.fault(times=1, **fault)
            try:
                send(client, case)
            except RetreaverError as error:
                return error, len(client.entries()) - before
            return None, len(client.entries()) - before

        for status, kind in (
            (401, AuthenticationError),
            (403, PermissionDenied),
            (404, NotFound),
            (410, Gone),
            (302, ProtocolError if work.request.redirects else InvalidRequest),
        ):
            error, requests = run_with({"status": status})
            assert (type(error), requests) == (kind, 1)
        for status in (400, 422):
            error, requests = run_with({"status": status, "body": FIELDS})
            assert (type(error), requests, error.details) == (InvalidRequest, 1, {"name": ["can't be blank"]})
            assert "name can't be blank" in str(error)
        for status in (429, 503):
            error, requests = run_with({"status": status, "headers": {"Retry-After": "2"}}, {"status": 404})
            assert (type(error), requests) == (NotFound, 2)
            assert client.waits[-1] >= 2
        for fault in ({"status": 500}, {"cut": True}):
            error, requests = run_with(fault, {"status": 404})
            after = (NotFound, 2) if work.request.repeatable else (OutcomeUnknown, 1)
            after = (type(None), 2) if method == "DELETE" else after
            assert (type(error), requests) == after
        error, requests = run_with({"status": 200, "body": "<html>sign in</html>"})
        assert (type(error), requests) == (ProtocolError if reads_answer(case) else type(None), 1)

    check_all_variants(sandboxes, run)


def reads_answer(case: Case) -> bool:
    """Return whether the resource function reads the answer."""
    work = case.make_operation()
    return isinstance(work, Listing) or work.read is not read_nothing


NOT_UNDER_LEGACY_ROUTES = {
    "list": suppression.list_suppressed_numbers,
    "get": lambda: suppression.get_suppressed_number(PHONE),
    "update": lambda: suppression.update_suppressed_number(PHONE, can_resubscribe=False),
    "calls by caller": lambda: calls.list_calls(caller=PHONE),
    "calls of a version": lambda: calls.list_calls(version="v4"),
    "a call of a version": lambda: calls.get_call("a", version="v3"),
}


@pytest.mark.parametrize("name", NOT_UNDER_LEGACY_ROUTES)
def test_functions_that_the_legacy_routes_do_not_have(sandboxes, name):
    """They raise an error before a request is sent."""

    def run(client: CaseClient) -> None:
        client.connect(extra={"api_routes": "legacy"})
        work = NOT_UNDER_LEGACY_ROUTES[name]()
        with pytest.raises(InvalidArgument, match="does not exist under the legacy routes"):
            client.iterate(work) if isinstance(work, Listing) else client.run(work)
        assert client.sent() == []

    check_all_variants(sandboxes, run)


def a_number_is_bought_once(client: CaseClient) -> None:
    """Buy a number with an answer of 500: it is found in the list of numbers, not bought again."""
    Account(client.account.sandbox, KEY, **{OTHER_CLIENT: "yes"}).fill()
    attributes = {"type": "Toll-free", "afid": "0001", "cid": "111", "sid": "superaffiliate"}
    client.fault("/numbers.json", method="POST", status=500, times=1, then="done")
    result = client.run(Creation(entry_of("numbers"), attributes).procedure())
    assert result["id"] not in {5, 79}
    assert client.sent("POST") == ["POST /numbers.json"]


def a_target_is_upserted(client: CaseClient) -> None:
    """Create a target although the answer is lost, then change what differs and read it back."""
    entry = entry_of("targets")
    client.fault("/targets.json", method="POST", cut=True, times=1)
    first = {"number": PHONE, "tag_list": "<<<kind:roof>>>"}
    assert client.run(upsert(entry, "A1", first, {}))["action"] == "created"
    assert client.run(upsert(entry, "A1", {**first, "weight": 3}, {}))["changed"] == {
        "weight": {"before": 1, "after": 3}
    }
    assert client.run(upsert(entry, "A1", {**first, "weight": "3"}, {}))["action"] == "unchanged"
    assert (len(client.sent("POST")), len(client.sent("PUT"))) == (2, 1)


def a_target_is_changed_and_deleted(client: CaseClient) -> None:
    """Repeat a change whose answer is lost; a delete that was executed in spite of a 500 succeeds."""
    id_ = client.target()
    client.fault(f"/targets/{id_}", method="PUT", status=502, times=2, then="done")
    assert client.run(update(entry_of("targets"), ObjectReference(id=id_), {"name": "Other"}))["action"] == "updated"
    client.fault(f"/targets/{id_}", method="DELETE", status=500, times=1, then="done")
    assert client.run(delete(entry_of("targets"), ObjectReference(id=id_)))["action"] == "deleted"
    assert client.run(delete(entry_of("targets"), ObjectReference(id=id_)))["action"] == "missing"
    assert client.run(get(entry_of("targets"), ObjectReference(id=id_), missing_ok=True)) is None


@pytest.mark.parametrize("case", [a_number_is_bought_once, a_target_is_upserted, a_target_is_changed_and_deleted])
def test_procedures_of_the_generic_operators(sandboxes, case):
    """Creating once, changing what differs and deleting are the same with every variant."""
    check_all_variants(sandboxes, case)
