"""Templates of the page: everything that is put into them is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_retreaver.page import charts
from airflow_provider_retreaver.page.polled import Polled
from airflow_provider_retreaver.page.work import span_text

PACKAGE = "airflow_provider_retreaver.page"
STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
VIEWS = (
    ("caps", "Caps"),
    ("calls", "Calls"),
    ("numbers", "Pools and numbers"),
    ("work", "Our work"),
    ("health", "Health"),
)
# Of a TrackDrive connection: its account is not read.
WORK_ONLY = tuple(view for view in VIEWS if view[0] == "work")


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every view.

    :param base: path of the page, without a slash at its end.
    :param airflow: path of Airflow's interface, without a slash at its end.
    :param connection: ID of the connection that is shown; blank for none.
    :param connections: IDs of those that the reader may choose.
    :param view: which view is shown; blank for none.
    :param now: the time.
    :param views: paths and names of the views that the connection has.
    :param service: whose account it leads to.
    """

    base: str
    airflow: str
    connection: str
    connections: tuple[str, ...]
    view: str
    now: datetime
    views: tuple[tuple[str, str], ...] = VIEWS
    service: str = "Retreaver"

    def url(self, view: str, **parameters: object) -> str:
        """Return the address of a view of the same connection.

        :param view: path of the view.
        :param parameters: of its query; blank ones are left out.
        :return: a path.
        """
        given = {name: value for name, value in parameters.items() if value not in {None, ""}}
        query = f"?{urlencode(given)}" if given else ""
        return f"{self.base}/{quote(self.connection, safe='')}/{view}{query}"

    def task_url(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Return the address of a task of a run in Airflow's interface.

        :param dag_id: of the DAG.
        :param run_id: of the run.
        :param task_id: of the task.
        :param map_index: of a mapped task; -1 otherwise.
        :return: a path.
        """
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        run, task = quote(run_id, safe=""), quote(task_id, safe="")
        return f"{self.dag_url(dag_id)}/runs/{run}/tasks/{task}{mapped}"

    def dag_url(self, dag_id: str) -> str:
        """Return the address of a DAG in Airflow's interface.

        :param dag_id: of the DAG.
        :return: a path.
        """
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}"


def clock_text(at: datetime) -> str:
    """Return a time as the page shows it.

    :param at: aware.
    :return: e.g. `12:03:10 UTC`.
    """
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def date_text(at: datetime | None) -> str:
    """Return a date and time as the page shows them.

    :param at: aware; None for none.
    :return: e.g. `2026-11-27 12:03 UTC`, or a dash.
    """
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def money_text(amount: float) -> str:
    """Return an amount as the page shows it; the API names no currency.

    :param amount: in the account's currency.
    :return: e.g. `1,234.50`.
    """
    return f"{amount:,.2f}"


def when_text(polled: Polled[object], now: datetime) -> str:
    """Return when figures were read, in words.

    :param polled: what is known.
    :param now: aware.
    :return: e.g. `Figures from 12:03:10 UTC, 5 s ago.`
    """
    if polled.read_at is None:
        return "No figures yet."
    return f"Figures from {clock_text(polled.read_at)}, {span_text(now - polled.read_at)} ago."


@cache
def environment() -> Environment:
    """Return Jinja's environment: every value is escaped, a missing one is an error.

    :return: the same one each time.
    """
    made = Environment(
        loader=PackageLoader(PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(clock=clock_text, date=date_text, money=money_text, percent=charts.percent)
    made.globals.update(bar=charts.cap_bar, bar_text=charts.bar_text, chart=charts.hours_chart, when=when_text)
    return made


def render(template: str, frame: Frame, **values: object) -> str:
    """Return a view as HTML.

    :param template: name of its template.
    :param frame: what surrounds it.
    :param values: what it shows.
    :return: the whole document.
    """
    return environment().get_template(template).render(frame=frame, **values)


@cache
def static_file(name: str) -> bytes:
    """Return a file that the documents load.

    :param name: a key of `STATIC`.
    :return: its bytes.
    """
    return resources.files(PACKAGE).joinpath("static", name).read_bytes()
