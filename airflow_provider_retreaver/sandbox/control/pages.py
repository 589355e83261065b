"""Pages that stand for those of a portal, so that links of tasks lead somewhere: an object as the API returns it."""

from __future__ import annotations

import base64
import json
from html import escape

from airflow_provider_retreaver.sandbox.control.bodies import ControlledSandbox
from airflow_provider_retreaver.sandbox.http.wire import Reply, Request
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY

# Where the API has each resource.
PLACES = {
    "affiliates": "/api/v1/affiliates",
    "calls": "/api/v2/calls",
    "campaigns": "/campaigns",
    "contacts": "/contacts",
    "numbers": "/numbers",
    "number_pools": "/number_pools",
    "suppressed_numbers": "/suppressed_numbers",
    "target_groups": "/target_groups",
    "targets": "/targets",
    "buyer_groups": "/api/v1/buyer_groups",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1><p>As the sandbox returns it.</p><pre>{body}</pre></html>
"""


def show(sandbox: ControlledSandbox, _request: Request, resource: str, object_id: str | None = None) -> Reply:
    """Show an object, or the first page of a list, as a page for people.

    :param sandbox: The sandbox.
    :param resource: One of :data:`PLACES`.
    :param object_id: Its ID, percent-encoded as it was sent; None for the list.
    :return: The page, with the status that the API answers.
    """
    path = PLACES[resource] + (f"/{object_id}" if object_id else "")
    token = base64.b64encode(f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}".encode()).decode()
    query = [("api_key", sandbox.options.api_key), ("company_id", str(sandbox.options.company_id))]
    answer = sandbox.answer(Request("GET", f"{path}.json", query, {"authorization": f"Basic {token}"}, b""))
    title = f"{resource.replace('_', ' ').capitalize()} {object_id or ''}".strip()
    body = json.dumps(json.loads(answer.body), indent=2, ensure_ascii=False)
    page = _PAGE.format(title=escape(title), body=escape(body))
    return Reply(status=answer.status, content=page.encode(), content_type="text/html; charset=utf-8")


ROUTES = (("GET", rf"portal/({'|'.join(PLACES)})(?:/([^/]+))?", show),)
