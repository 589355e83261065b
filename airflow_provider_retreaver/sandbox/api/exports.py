"""Export jobs of the log of real-time bidding: a gzip CSV that is made in the background.

Retreaver's reference: "Exports". How long a job takes and how it ends is set by the control surface.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from airflow_provider_retreaver.sandbox.api import ping_log, rtb_inbounds
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Errors, Route
from airflow_provider_retreaver.sandbox.api.recordings import DEFAULT_HOST
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.store import Row

# How a job ends: with its file, with errors, without a file, or with a file that is gone when it is fetched.
OUTCOMES = ("file", "errors", "no_file", "gone")
PUBLISHER_LABELS = ("Source ID", "Publisher ID")
_CHUNK = 1_000


def _create(context: RequestContext) -> Reply:
    """Start a job.

    :param context: The request and the sandbox's state.
    :return: The job; filters that are refused show in its errors.
    :raises ApiError: With status 400, if the body holds no ``export``.
    """
    export = context.request.envelope("export")
    given = export.get("params")
    params = {name: _values(value) for name, value in given.items()} if isinstance(given, dict) else {}
    settings = context.state.exports
    errors: Errors = {} if isinstance(given, dict) else {"params": ["can't be blank"]}
    if export.get("format", "csv") != "csv":
        errors["format"] = ["is not included in the list"]
    errors |= {name: ["is invalid"] for name in params.keys() - rtb_inbounds.KNOWN}
    errors |= rtb_inbounds.select(context, params).errors
    if "created_at" not in params and not {"created_at_start", "created_at_end"} <= params.keys():
        errors.setdefault("created_at", ["can't be blank"])
    delay = 0 if errors else int(1000 * settings.seconds)
    job_id = context.store.insert(
        "exports",
        {
            "company_id": context.company_id,
            "params": json.dumps(params),
            "errors": json.dumps(errors),
            "outcome": settings.outcome,
            "publisher_label": settings.publisher_label,
            "token": f"{context.state.random.getrandbits(128):032x}",
            "created_at": context.now,
            "due_at": context.now + delay,
        },
    )
    return Reply(_render(context, context.store.one("SELECT * FROM exports WHERE id = ?", (job_id,)), created=True))


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _get(context: RequestContext) -> Reply:
    """Answer a job.

    :param context: The request and the sandbox's state.
    :return: The job.
    :raises ApiError: With status 404, if there is none.
    """
    return Reply(_render(context, _find(context)))


def _find(context: RequestContext) -> Row:
    sql = "SELECT * FROM exports WHERE company_id = ? AND id = ?"
    row = context.store.row(sql, (context.company_id, context.args["id"]))
    if row is None:
        raise api_error(404, "export not found")
    return row


def _render(context: RequestContext, job: Row, *, created: bool = False) -> dict[str, Any]:
    errors = json.loads(job["errors"])
    running = created or job["due_at"] > context.now
    if not running and not errors and job["outcome"] == "errors":
        errors = {"base": ["The export could not be generated."]}
    has_file = not running and not errors and job["outcome"] != "no_file"
    if has_file and job["file"] is None:
        job = _made(context, job)
    count = job["count"] if has_file else None
    return {
        "id": job["id"],
        "export_count": count,
        "export_progress": count or 0,
        "export_percentage": 0.0 if running else 100.0,
        "format": "csv",
        "file_upload_url": f"/v2/reports/rtb_inbounds/{job['id']}/download" if has_file else None,
        "in_progress": running,
        "errors": {} if running else errors,
    }


def _made(context: RequestContext, job: Row) -> Row:
    """Make the file of a job: the rows as they are now, the newest first."""
    ping_log.settle(context)
    chosen = rtb_inbounds.select(context, json.loads(job["params"]))
    where = f"FROM rtb_inbounds WHERE {chosen.where}"
    has_pbm = context.store.value(f"SELECT count(*) {where} AND pbm IS NOT NULL", chosen.values) > 0
    names = (*rtb_inbounds.FIELDS, *(rtb_inbounds.PBM if has_pbm else ()))
    rows = context.store.each(f"SELECT * {where} ORDER BY created_at DESC, id DESC", chosen.values)
    packed, count = io.BytesIO(), 0
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(_csv([[_label(name, job["publisher_label"]) for name in names]]))
        while chunk := [list(map(rtb_inbounds.render(row).get, names)) for row in islice(rows, _CHUNK)]:
            file.write(_csv(chunk))
            count += len(chunk)
    made = {"count": count, "file": packed.getvalue()}
    context.store.update("exports", job["id"], made)
    return {**job, **made}


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _label(name: str, publisher: str) -> str:
    """Return the human words of a column, e.g. ``Call UUID`` for ``call_uuid``."""
    if name == "affiliate_id":
        return publisher
    words: Iterator[str] = (
        word.upper() if word in ("id", "uuid", "pbm") else word.capitalize() for word in name.split("_")
    )
    return " ".join(words)


def _download(context: RequestContext) -> Reply:
    """Redirect to the file of a job.

    :param context: The request and the sandbox's state.
    :return: A reply with status 302.
    :raises ApiError: With status 404, if there is no such job or no file.
    """
    job = _find(context)
    if job["file"] is None:
        raise api_error(404, "file not found")
    host = context.request.headers.get("host", "") or DEFAULT_HOST
    signed = f"http://{host}/exports/{job['token']}.csv.gz?X-Amz-Signature={job['token'][::-1]}"
    return Reply(status=302, headers=[("Location", signed)])


def _file(context: RequestContext) -> Reply:
    """Answer the file, to whoever knows its address.

    :param context: The request and the sandbox's state.
    :return: The gzip file.
    :raises ApiError: With status 400, if a key is sent; 403 for a wrong signature; 404 for a file that is gone.
    """
    if context.request.param("api_key") is not None:
        raise api_error(400, "only one authentication mechanism is allowed")
    token = context.args["token"]
    job = context.store.row("SELECT * FROM exports WHERE token = ?", (token,))
    if context.request.param("X-Amz-Signature") != token[::-1]:
        raise api_error(403, "the signature does not match")
    if job is None or job["file"] is None or job["outcome"] == "gone":
        raise api_error(404, "file not found")
    return Reply(content=job["file"], content_type="application/gzip")


ROUTES = [
    Route("POST", "api/v5/exports/rtb_inbounds", _create),
    Route("GET", "api/v5/exports/rtb_inbounds/{id}", _get),
    Route("GET", "v2/reports/rtb_inbounds/{id}/download", _download, format=""),
    Route("GET", "exports/{token}.csv", _file, access="open", format="gz"),
]
