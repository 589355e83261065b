"""The page's application: who asks, what is polled, and which template shows it. It only answers GET.

Each address checks the reader's rights itself. Whoever may not read a connection gets the answer of a connection that
does not exist.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import get_user
from airflow.providers.common.compat.sdk import conf
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.page import database, views
from airflow_provider_retreaver.page.accounts import Account
from airflow_provider_retreaver.page.answers import Answers
from airflow_provider_retreaver.page.polls import Polls
from airflow_provider_retreaver.page.render import STATIC, WORK_ONLY, Frame, render, static_file
from airflow_provider_retreaver.page.rights import Rights
from airflow_provider_retreaver.page.shared import SharedPolls

log = logging.getLogger(__name__)

PREFIX = "/retreaver/page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
NOT_FOUND = "There is no such page, or no connection of this name that you may read."


class Refused(Exception):
    """The connection of a request is invalid; its text is one sentence, which quotes no value of it."""


def _utc_now() -> datetime:
    """Return the time, in UTC; a dependency, so that tests set it."""
    return datetime.now(UTC)


def _rights_of(user: Annotated[Any, Depends(get_user)]) -> Rights:
    """Return the rights of the user of a request; without a valid session Airflow's 401 is raised."""
    return Rights(user)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, for which connection.

    :param rights: of the user.
    :param frame: what surrounds the view.
    :param company: what the connection leads to.
    """

    rights: Rights
    frame: Frame
    company: database.Company

    def page(self, template: str, **values: object) -> HTMLResponse:
        """Return a view.

        :param template: name of its template.
        :param values: what it shows.
        :return: the answer.
        """
        return HTMLResponse(render(template, self.frame, **values), headers=HEADERS)


def _frame(request: Request, now: datetime, connections: tuple[str, ...] = (), connection: str = "") -> Frame:
    base = str(request.scope.get("root_path", "")).rstrip("/")
    parts = request.url.path.removeprefix(base).split("/")
    view = parts[2] if connection and len(parts) > 2 else ""
    return Frame(base, base.removesuffix(PREFIX), connection, connections, view, now)


def _reader_of(
    request: Request,
    connection_id: str,
    rights: Annotated[Rights, Depends(_rights_of)],
    now: Annotated[datetime, Depends(_utc_now)],
) -> Reader:
    """Return who asks; the connection is read only for those who may read it.

    :param request: the request.
    :param connection_id: of its path.
    :param rights: of its user.
    :param now: the time.
    :return: the reader.
    :raises HTTPException: 404, whether the connection does not exist or may not be read.
    :raises Refused: when the connection is invalid.
    """
    if not rights.connection(connection_id):
        raise HTTPException(404)
    try:
        company = database.company_of(connection_id)
    except InvalidConnection as error:
        raise Refused(str(error)) from None
    if company is None:
        raise HTTPException(404)
    frame = _frame(request, now, rights.connections(database.connection_ids()), connection_id)
    if company.settings is None:
        frame = replace(frame, views=WORK_ONLY, service=TrackDriveSettings.service)
    return Reader(rights, frame, company)


ReaderOf = Annotated[Reader, Depends(_reader_of)]


def _account_of(request: Request, reader: ReaderOf) -> Account:
    """Return the account of a connection, for the views that show it.

    :param request: the request.
    :param reader: who asks.
    :return: the account.
    :raises HTTPException: 404 for a connection whose account the page does not read.
    """
    if reader.company.settings is None:
        raise HTTPException(404)
    return Account(reader.company.settings, request.app.state.polls, request.app.state.answers)


AccountOf = Annotated[Account, Depends(_account_of)]
RightsOf = Annotated[Rights, Depends(_rights_of)]
Now = Annotated[datetime, Depends(_utc_now)]


def _shared() -> SharedPolls | None:
    """Return what other processes poll for, too; None where nothing says that there are any."""
    folder = conf.get("retreaver", "page_folder", fallback="") or ""
    if folder and Path(folder).is_absolute():
        return SharedPolls(Path(folder))
    if folder:
        log.error("[retreaver] page_folder is not an absolute path, and is not used: %s", one_line(folder))
    return SharedPolls.of_this_machine() if conf.getint("api", "workers", fallback=1) > 1 else None


def create_app() -> FastAPI:
    """Return the application that Airflow's api-server serves.

    :return: an application with polls of its own.
    """
    app = FastAPI(title="Retreaver", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.polls = Polls(shared=_shared())
    app.state.answers = Answers()
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    app.add_api_route("/", _start, response_class=HTMLResponse)
    app.add_api_route("/go", _go, response_class=HTMLResponse)
    for path, endpoint in (
        ("", _first),
        ("/", _first),
        ("/caps", _caps),
        ("/caps/{kind}/{id_}", _one_object),
        ("/calls", _calls),
        ("/numbers", _numbers),
        ("/work", _work),
        ("/health", _health),
    ):
        app.add_api_route(f"/{{connection_id}}{path}", endpoint, response_class=HTMLResponse)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(404, _refused)
    app.add_exception_handler(405, _refused)
    app.add_exception_handler(Refused, _invalid)
    return app


def _static(name: str) -> Response:
    """Return a style sheet or script; nothing of an account is in them."""
    if name not in STATIC:
        raise HTTPException(404)
    headers = {**HEADERS, "Cache-Control": "max-age=300"}
    return Response(static_file(name), media_type=STATIC[name], headers=headers)


def _start(request: Request, rights: RightsOf, now: Now) -> Response:
    """Lead to the only company, or let the reader choose one."""
    connections = rights.connections(database.connection_ids())
    frame = _frame(request, now, connections)
    if len(connections) == 1:
        return RedirectResponse(f"{frame.base}/{quote(connections[0], safe='')}/", 303, HEADERS)
    text = (
        "Choose a connection above."
        if connections
        else "There is no connection to Retreaver or TrackDrive that you may read."
    )
    heading = "Which company?" if connections else "No company"
    return HTMLResponse(render("message.html", frame, heading=heading, text=text, link=None), headers=HEADERS)


def _go(request: Request, rights: RightsOf, connection: str = "") -> Response:
    """Lead to the company that was chosen."""
    base = str(request.scope.get("root_path", "")).rstrip("/")
    # The connection is checked where this leads; nothing is read for it here.
    del rights
    return RedirectResponse(f"{base}/{quote(connection, safe='')}/" if connection else f"{base}/", 303, HEADERS)


def _first(reader: ReaderOf) -> Response:
    """Lead to the first view."""
    return RedirectResponse(reader.frame.url(reader.frame.views[0][0]), 303, HEADERS)


def _caps(reader: ReaderOf, account: AccountOf, q: str = "", show: str = "all", page: str = "1") -> Response:
    """Show caps, hours and pauses of targets and groups."""
    polled = account.caps()
    return reader.page("caps.html", polled=polled, **views.caps(polled, reader.frame.now, q, show, page))


def _one_object(reader: ReaderOf, account: AccountOf, kind: str, id_: str) -> Response:
    """Show one target or group, and the DAGs that the reader may trigger for it."""
    if kind not in {"target", "group"} or not (id_.isascii() and id_.isdigit() and len(id_) < 19):
        raise HTTPException(404)
    polled = account.caps()
    one = views.one(polled, reader.frame.now, kind, int(id_))
    dags = [] if one is None else views.configurations(database.triggerable_dags(reader.rights), one)
    shown = [(dag, json.dumps(configuration)) for dag, configuration in dags]
    return reader.page("object.html", polled=polled, one=one, kind=kind, id=int(id_), dags=shown)


def _calls(reader: ReaderOf, account: AccountOf, zone: str = "") -> Response:
    """Show today's calls beside those of earlier weeks."""
    clock = views.zone_of(zone or database.default_zone(), reader.frame.now)
    polled = account.calls(clock)
    return reader.page("calls.html", polled=polled, **views.calls(polled, reader.frame.now, clock))


def _numbers(reader: ReaderOf, account: AccountOf) -> Response:
    """Show pools, and numbers without calls."""
    polled = account.numbers()
    return reader.page("numbers.html", polled=polled, **views.numbers(polled))


def _work(reader: ReaderOf) -> Response:
    """Show what our tasks did with this connection; the account is not asked."""
    runs = database.task_runs(reader.company, reader.rights, reader.frame.now)
    return reader.page("work.html", days=database.WORK_DAYS, **views.work(runs, database.MOST_SHOWN))


def _health(reader: ReaderOf, account: AccountOf) -> Response:
    """Show the last answers, the limiter, and when exports succeeded last; the account is not asked."""
    exports = database.last_successes(reader.company, reader.rights, reader.frame.now)
    limiter, answers = account.limiter(), account.last_answers()
    return reader.page("health.html", exports=exports, limiter=limiter, answers=answers)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer an error of HTTP: an ended session with the way to log in, everything else as not found."""
    status = getattr(error, "status_code", 404)
    frame = _frame(request, _utc_now())
    # Airflow answers a token that is none with 403; this application itself raises neither.
    if status in {401, 403}:
        status = 401
        back = quote(f"{frame.airflow}/plugin/retreaver", safe="")
        link = (f"{frame.airflow}/api/v2/auth/login?next={back}", "Log in")
        text = "Your session has ended, or you are not logged in."
        document = render("message.html", frame, heading="Please log in", text=text, link=link)
    else:
        status = 405 if status == 405 else 404
        document = render("message.html", frame, heading="Not found", text=NOT_FOUND, link=None)
    return HTMLResponse(document, status, HEADERS)


async def _invalid(request: Request, error: Exception) -> Response:
    """Answer a request for a connection that is _invalid, to a reader who may read it."""
    frame = _frame(request, _utc_now())
    document = render("message.html", frame, heading="The connection is invalid", text=str(error), link=None)
    return HTMLResponse(document, 200, HEADERS)
