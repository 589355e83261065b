"""The request of a write of call data, and what its answer may look like."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.resources.data_writing import write_call_data


def test_everything_is_in_the_body_as_text():
    """Neither the caller nor a tag stands in the URL, and numbers are sent as texts."""
    request = write_call_data(
        tags={"amount": 12.5, "count": 3, "status": "sold"}, caller_number="+19195550100"
    ).request
    assert (request.method, request.path, request.query) == ("POST", "/data_writing", ())
    assert request.body == {"amount": "12.5", "count": "3", "status": "sold", "caller_number": "+19195550100"}
    assert request.repeatable


@pytest.mark.parametrize("status", [200, 201])
def test_the_documented_answer(status):
    """Public code has met both statuses, and a stray key among the tags."""
    work = write_call_data(tags={"sale": "yes"}, call_uuid="u-1")
    body = b'{"tag_values": {"sale": "yes", "0": ""}, "call_uuid": "u-1", "status": "call not found, tags stored"}'
    assert work.read(work.request, Response(status, {}, body))["status"] == "call not found, tags stored"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"status": 1}', b"<html>"])
def test_another_answer_is_refused(body):
    """An answer without a status says nothing about the tags."""
    work = write_call_data(tags={"sale": "yes"}, call_uuid="u-1")
    with pytest.raises(ProtocolError, match="POST /data_writing"):
        work.read(work.request, Response(200, {}, body))
