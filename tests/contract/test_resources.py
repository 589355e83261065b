"""Every resource function on every carrier: the same requests, waits, results and errors from both clients.

The functions are those of the documented requests; the account is the one that the documents show.
"""

from __future__ import annotations

import pytest

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
from airflow_provider_retreaver.core.operations import Listing, read_nothing
from airflow_provider_retreaver.domain.resources.create_once import Creation
from airflow_provider_retreaver.domain.resources.procedures import delete, get, update, upsert
from airflow_provider_retreaver.resources import calls, suppression
from airflow_provider_retreaver.resources.entry import Which
from airflow_provider_retreaver.resources.registry import entry_of
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.contract.harness import CARRIERS, KEY, SOMEBODY_ELSE, Caller, Stage
from tests.documents.account import PHONE, Account
from tests.documents.case import Case
from tests.documents.cases import CASES

IN_EDITION = [
    pytest.param(case, edition, id=f"{edition}: {case.heading}") for case in CASES for edition in case.editions
]
FIELDS = '{"errors": {"name": ["can\'t be blank"]}}'


def connect(caller: Caller, case: Case, edition: str) -> None:
    """Connect with what a case needs."""
    keys = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    caller.connect(extra={**keys, "api_routes": edition, "calls_version": case.version})


def ask(caller: Caller, case: Case) -> object:
    """Do what a case does."""
    work = case.ours()
    return caller.iterate(work) if isinstance(work, Listing) else caller.run(work)


def same_on_every_carrier(stage: Stage, case: object) -> None:
    """Play a case on all carriers and compare what it left."""
    plain, *others = [stage.play(case, carrier) for carrier in CARRIERS]
    for other in others:
        assert other == plain


@pytest.mark.parametrize(("case", "edition"), IN_EDITION)
def test_every_function(contract_stage, case, edition):
    """What is asked, and what comes of it, does not depend on client or carrier."""

    def play(caller: Caller) -> None:
        Account(caller.vendor.sandbox, KEY, **{SOMEBODY_ELSE: "yes"}).fill()
        connect(caller, case, edition)
        ask(caller, case)
        assert len(caller.sent()) == 1

    same_on_every_carrier(contract_stage, play)


@pytest.mark.parametrize(("case", "edition"), IN_EDITION)
def test_every_function_in_bad_weather(contract_stage, case, edition):
    """Refusals are raised at once and by type, what may be repeated is, and a create is never sent twice."""
    method = case.request.partition(" ")[0]

    def play(caller: Caller) -> None:
        connect(caller, case, edition)

        def meets(*faults: dict[str, object]) -> tuple[RetreaverError | None, int]:
            before = len(caller.entries())
            caller.vendor.control("DELETE", "faults")
            for fault in faults:
                caller.fault(times=1, **fault)
            try:
                ask(caller, case)
            except RetreaverError as error:
                return error, len(caller.entries()) - before
            return None, len(caller.entries()) - before

        for status, kind in (
            (401, AuthenticationError),
            (403, PermissionDenied),
            (404, NotFound),
            (410, Gone),
            (302, InvalidRequest),
        ):
            error, requests = meets({"status": status})
            assert (type(error), requests) == (kind, 1)
        for status in (400, 422):
            error, requests = meets({"status": status, "body": FIELDS})
            assert (type(error), requests, error.details) == (InvalidRequest, 1, {"name": ["can't be blank"]})
            assert "name can't be blank" in str(error)
        for status in (429, 503):
            error, requests = meets({"status": status, "headers": {"Retry-After": "2"}}, {"status": 404})
            assert (type(error), requests) == (NotFound, 2)
            assert caller.waits[-1] >= 2
        for fault in ({"status": 500}, {"cut": True}):
            error, requests = meets(fault, {"status": 404})
            after = {"POST": (OutcomeUnknown, 1), "DELETE": (type(None), 2)}.get(method, (NotFound, 2))
            assert (type(error), requests) == after
        error, requests = meets({"status": 200, "body": "<html>sign in</html>"})
        assert (type(error), requests) == (ProtocolError if reads_its_answer(case) else type(None), 1)

    same_on_every_carrier(contract_stage, play)


def reads_its_answer(case: Case) -> bool:
    """Return whether our function reads the answer at all."""
    work = case.ours()
    return isinstance(work, Listing) or work.read is not read_nothing


LEGACY_LESS = {
    "list": suppression.list_suppressed_numbers,
    "get": lambda: suppression.get_suppressed_number(PHONE),
    "update": lambda: suppression.update_suppressed_number(PHONE, can_resubscribe=False),
    "calls by caller": lambda: calls.list_calls(caller=PHONE),
    "calls of a version": lambda: calls.list_calls(version="v4"),
    "a call of a version": lambda: calls.get_call("a", version="v3"),
}


@pytest.mark.parametrize("name", LEGACY_LESS)
def test_what_the_legacy_routes_do_not_have(contract_stage, name):
    """It is refused by name before anything is sent."""

    def play(caller: Caller) -> None:
        caller.connect(extra={"api_routes": "legacy"})
        work = LEGACY_LESS[name]()
        with pytest.raises(InvalidArgument, match="does not exist under the legacy routes"):
            caller.iterate(work) if isinstance(work, Listing) else caller.run(work)
        assert caller.sent() == []

    same_on_every_carrier(contract_stage, play)


def bought_once(caller: Caller) -> None:
    """Buy a number whose purchase is answered with 500: it is found among those listed, not bought again."""
    Account(caller.vendor.sandbox, KEY, **{SOMEBODY_ELSE: "yes"}).fill()
    attributes = {"type": "Toll-free", "afid": "0001", "cid": "111", "sid": "superaffiliate"}
    caller.fault("/numbers.json", method="POST", status=500, times=1, then="done")
    result = caller.run(Creation(entry_of("numbers"), attributes).procedure())
    assert result["id"] not in {5, 79}
    assert caller.sent("POST") == ["POST /numbers.json"]


def upserted_twice(caller: Caller) -> None:
    """Create through a lost answer, then change what differs and read it back."""
    entry = entry_of("targets")
    caller.fault("/targets.json", method="POST", cut=True, times=1)
    first = {"number": PHONE, "tag_list": "<<<kind:roof>>>"}
    assert caller.run(upsert(entry, "A1", first, {}))["action"] == "created"
    assert caller.run(upsert(entry, "A1", {**first, "weight": 3}, {}))["changed"] == {
        "weight": {"before": 1, "after": 3}
    }
    assert caller.run(upsert(entry, "A1", {**first, "weight": "3"}, {}))["action"] == "unchanged"
    assert (len(caller.sent("POST")), len(caller.sent("PUT"))) == (2, 1)


def changed_in_bad_weather(caller: Caller) -> None:
    """Send a change whose answer is lost again; take a delete that happened behind a 500 for done."""
    id_ = caller.target()
    caller.fault(f"/targets/{id_}", method="PUT", status=502, times=2, then="done")
    assert caller.run(update(entry_of("targets"), Which(id=id_), {"name": "Other"}))["action"] == "updated"
    caller.fault(f"/targets/{id_}", method="DELETE", status=500, times=1, then="done")
    assert caller.run(delete(entry_of("targets"), Which(id=id_)))["action"] == "deleted"
    assert caller.run(delete(entry_of("targets"), Which(id=id_)))["action"] == "missing"
    assert caller.run(get(entry_of("targets"), Which(id=id_), missing_ok=True)) is None


@pytest.mark.parametrize("case", [bought_once, upserted_twice, changed_in_bad_weather])
def test_procedures_of_the_generic_operators(contract_stage, case):
    """Creating once, changing what differs and deleting are the same under both clients."""
    same_on_every_carrier(contract_stage, case)
