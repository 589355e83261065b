# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of the RTB log: its pages, dropped filters, and export jobs."""

from __future__ import annotations

from airflow_provider_retreaver.core.errors import Gone, InvalidRequest, NotFound, OutcomeUnknown, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.resources.rtb_inbounds import (
    create_rtb_inbound_export,
    get_rtb_inbound_choices,
    get_rtb_inbound_export,
    list_rtb_inbounds,
    locate_rtb_inbound_file,
)
from tests.contract.harness import CaseClient

DAY = {"created_at_start": "2026-01-05T00:00:00Z", "created_at_end": "2026-01-06T00:00:00Z"}


def _campaign(client: CaseClient, cid: str) -> int:
    made = client.account.handle("POST", "/campaigns.json", {"campaign": {"cid": cid, "name": cid}})
    return int(made["campaign"]["id"])


def _add(client: CaseClient, count: int, **fields: object) -> None:
    client.account.control("POST", "rtb_inbounds", {"count": count, "fields": {**DAY, **fields}})


def the_log_is_read_page_by_page(client: CaseClient) -> None:
    """230 rows are three pages of a hundred; `per_page` is never sent."""
    client.concurrent = True
    _add(client, 230)
    assert len(client.iterate(list_rtb_inbounds(**DAY))) == 230
    assert client.count(list_rtb_inbounds(**DAY)) == 230
    queries = [dict(entry["query"]) for entry in client.entries()]
    assert {query["page"] for query in queries} == {"1", "2", "3"}
    assert not any("per_page" in query for query in queries)
    assert set(client.run(get_rtb_inbound_choices())) == {"campaigns", "publishers", "targets", "keys", "statuses"}


def an_id_that_is_dropped_is_noticed(client: CaseClient) -> None:
    """A campaign that the account does not have would choose all rows: the first one is an error."""
    client.concurrent = True
    mine, other = _campaign(client, "1"), _campaign(client, "2")
    _add(client, 3, campaign_id=mine)
    _add(client, 3, campaign_id=other)
    assert {row["campaign_id"] for row in client.iterate(list_rtb_inbounds(campaign_id=[mine, 99]))} == {mine}
    error = client.fails(ProtocolError, _rows_of(99))
    assert "does not match the filter campaign_id" in str(error)


def _rows_of(campaign_id: int) -> Procedure[list[Row]]:
    rows: list[Row] = yield list_rtb_inbounds(campaign_id=campaign_id)
    return rows


def an_export_job_is_created_and_its_file_is_located(client: CaseClient) -> None:
    """The redirect is the result and is not followed."""
    _add(client, 2)
    job = client.run(create_rtb_inbound_export(**DAY))
    assert (job["in_progress"], job["file_upload_url"]) == (True, None)
    client.account.control("POST", "clock", {"advance": 5})
    job = client.run(get_rtb_inbound_export(job["id"]))
    assert (job["in_progress"], job["export_count"]) == (False, 2)
    file = client.client.run(locate_rtb_inbound_file(job))
    url = (client._runner.run(file) if client._runner else file).url
    assert "/exports/" in url
    assert "api_key" not in url
    assert client.sent()[-1] == "GET /v2/reports/rtb_inbounds/1/download"


def a_job_whose_file_is_gone(client: CaseClient) -> None:
    """The address of a file that is there no more is not found; a job without one is not asked for it."""
    client.account.control("POST", "exports", {"seconds": 0})
    job = client.run(get_rtb_inbound_export(client.run(create_rtb_inbound_export(**DAY))["id"]))
    client.fault("/v2/reports", status=410, times=1)
    client.fails(Gone, locate_rtb_inbound_file(job))
    client.account.control("POST", "exports", {"seconds": 0, "outcome": "no_file"})
    job = client.run(get_rtb_inbound_export(client.run(create_rtb_inbound_export(**DAY))["id"]))
    assert (job["in_progress"], job["file_upload_url"]) == (False, None)
    client.fails(NotFound, locate_rtb_inbound_file({**job, "file_upload_url": "/v2/reports/rtb_inbounds/2/download"}))


def a_job_whose_answer_is_lost_is_not_created_again(client: CaseClient) -> None:
    """A POST is not repeated blindly; there may be a job that nobody waits for."""
    client.fault("exports", method="POST", status=500, then="done", times=1)
    client.fails(OutcomeUnknown, create_rtb_inbound_export(**DAY))
    assert client.sent() == ["POST /api/v5/exports/rtb_inbounds.json"]


def errors_of_jobs(client: CaseClient) -> None:
    """A job that does not exist, and a filter that Retreaver refuses."""
    client.fails(NotFound, get_rtb_inbound_export(99))
    client.fault("rtb_inbounds", status=422, body='{"error": "created_at_end is too late"}', times=1)
    error = client.fails(InvalidRequest, get_rtb_inbound_choices())
    assert "created_at_end is too late" in str(error)
