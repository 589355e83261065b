"""How unusual answers are read: extra keys are accepted, and missing ones are named in the error."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.core.operations import Listing
from airflow_provider_retreaver.resources import caller_lists, calls, numbers, reports, suppression, targets
from airflow_provider_retreaver.resources.caller_lists import Owner

PHONE, OWNER = "+18668987878", Owner(campaign_id=5)
SPAN = {"created_at_start": "2026-01-01", "created_at_end": "2026-02-01"}
UPLOAD = caller_lists.upload_caller_list(OWNER, "a", [PHONE], action="delete", clear_before_upload=True)


def read(work, body, status=200):
    """Read an answer as a client would."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status, {"content-type": "application/json"}, text)
    if isinstance(work, Listing):
        return work.read(work.request, response, work.envelope)
    return work.read(work.request, response)


@pytest.mark.parametrize(
    ("work", "body", "result"),
    [
        (calls.get_call("u"), {"call": {"uuid": "u", "moon": 1}}, {"uuid": "u", "moon": 1}),
        (calls.get_call("u"), {"uuid": "u"}, {"uuid": "u"}),
        (targets.update_target({"weight": 1}, id=1), {"target": {"id": 1}}, {"id": 1}),
        (numbers.list_numbers(), [{"number": {"id": 1}}, {"id": 2}], ([{"id": 1}, {"id": 2}], None)),
        (suppression.any_suppressed(), {"suppression_list": False}, False),
        (suppression.any_suppressed(), {"suppressed_numbers_exist": True}, True),
        (suppression.suppress_number(PHONE), {"id": 1, "number": PHONE}, {"id": 1, "number": PHONE}),
        (caller_lists.create_caller_list(OWNER, "a"), b"", {}),
        (caller_lists.create_caller_list(OWNER, "a"), [], {}),
        (caller_lists.create_caller_list(OWNER, "a"), {"caller_list": 5}, {}),
        (caller_lists.list_caller_list_numbers(OWNER, "a"), [{"number": PHONE}], ([{"number": PHONE}], None)),
        (caller_lists.check_caller_list(OWNER, "a", PHONE), {"caller_list_check": {"status": "present"}}, True),
        (caller_lists.check_caller_list(OWNER, "a", PHONE), {"status": "not-present"}, False),
        (UPLOAD, {"caller_list_upload": {"status": "Processing", "csv_file_url": "u"}}, {"status": "Processing"}),
        (reports.report_calls("daily", **SPAN), {"data": [{"id": 1}], "count_total": 7}, ([{"id": 1}], None)),
        (reports.report_calls("daily", **SPAN), {"data": []}, ([], None)),
    ],
)
def test_read(work, body, result):
    """Wrapped and bare objects are read, and the URL of an uploaded list is left out."""
    assert read(work, body) == result


def test_no_content():
    """A change that is answered 204 without a body returns no object."""
    assert read(targets.update_target({"weight": 1}, id=1), b"", 204) == {}


@pytest.mark.parametrize(
    ("work", "body", "message"),
    [
        (calls.get_call("u"), {"target": {"id": 1}, "name": "x"}, "holds no 'call' object"),
        (targets.get_target(id=1), [], "holds no 'target' object"),
        (targets.get_target(id=1), b"<html>", "is not JSON"),
        (targets.list_targets(), {"target": {"id": 1}}, "is not an array"),
        (suppression.any_suppressed(), {"suppressed_numbers_exist": "yes"}, "holds no 'suppressed_numbers_exist'"),
        (suppression.any_suppressed(), [], "holds no 'suppressed_numbers_exist'"),
        (caller_lists.get_caller_list(OWNER, "a"), {"caller_list": {}}, "no 'caller_list' object with 'name'"),
        (caller_lists.list_caller_list_numbers(OWNER, "a"), [5], "is not an array of 'caller_list_number'"),
        (caller_lists.list_caller_list_numbers(OWNER, "a"), [{"id": 5}], "objects with 'number'"),
        (caller_lists.list_caller_list_numbers(OWNER, "a"), {}, "is not an array"),
        (caller_lists.check_caller_list(OWNER, "a", PHONE), {"caller_list_check": {"status": "maybe"}}, "neither"),
        (UPLOAD, {"caller_list_upload": {}}, "with 'status'"),
        (reports.report_calls("daily", **SPAN), [], "holds no 'data'"),
        (reports.report_calls("daily", **SPAN), {"data": [5]}, "holds no 'data'"),
    ],
)
def test_answer_of_another_form(work, body, message):
    """An answer of another form raises a `ProtocolError` that names what is missing, and the request."""
    with pytest.raises(ProtocolError, match=message) as caught:
        read(work, body)
    assert (caught.value.status, caught.value.path) == (200, work.request.path)
