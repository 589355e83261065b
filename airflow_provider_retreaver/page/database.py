"""What the page reads of Airflow's own database: connections of the type, and tasks with what they returned."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.models.connection import Connection
from airflow.models.dag import DagModel, DagTag
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields as Rendered
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf
from airflow.utils.session import create_session
from sqlalchemy import JSON, and_, case, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.hooks.connection import settings_of
from airflow_provider_retreaver.operators.boundary import REFUSED_KEY
from airflow_provider_retreaver.page.rights import Rights
from airflow_provider_retreaver.page.work import EXPORTS, LastSuccess, TaskRun, TriggerableDag, loaded

RETREAVER, TRACKDRIVE = "retreaver", "trackdrive"
# Types of connections, with the parameter that names one.
PARAMETERS = {RETREAVER: "retreaver_conn_id", TRACKDRIVE: "trackdrive_conn_id"}
# Template fields that only exports have, those of a class that somebody has derived from ours too.
ONLY_EXPORTS = ("by", "on_unknown_job")
# Days of runs that are looked at: an index of Airflow's database finds those.
WORK_DAYS, EXPORT_DAYS = 14, 60
MOST_RUNS, MOST_SHOWN = 300, 60
RESULT_KEYS = ("return_value", REFUSED_KEY)
TAG = "retreaver"
NO_SCHEDULE = (None, "", "None")
_COLUMNS = (
    TaskInstance.dag_id,
    TaskInstance.run_id,
    TaskInstance.task_id,
    TaskInstance.map_index,
    TaskInstance.operator,
    TaskInstance.state,
    TaskInstance.start_date,
    TaskInstance.end_date,
    TaskInstance.try_number,
)


def connection_ids() -> list[str]:
    """Return the IDs of the connections of the types: those in Airflow's database, and those that are configured.

    Airflow cannot list what a secrets backend has; `[retreaver] page_connections` names such connections.

    :return: in alphabetical order.
    """
    with create_session(scoped=False) as session:
        found = session.scalars(select(Connection.conn_id).where(Connection.conn_type.in_(PARAMETERS))).all()
    configured = conf.get("retreaver", "page_connections", fallback="") or ""
    return sorted({*found, *(name.strip() for name in configured.split(",") if name.strip())})


def default_zone() -> str:
    """Return the zone by which a day begins where the reader chooses none.

    :return: of `[retreaver] page_time_zone`, or Airflow's own `[core] default_timezone`.
    """
    chosen = conf.get("retreaver", "page_time_zone", fallback="")
    return str(chosen or conf.get("core", "default_timezone", fallback="UTC"))


@dataclass(frozen=True, slots=True)
class Company:
    """What a connection leads to.

    :param connection_id: of the connection.
    :param type: of the connection, one of `PARAMETERS`.
    :param settings: of a Retreaver connection; None for one of TrackDrive's, whose account the page does not read.
    """

    connection_id: str
    type: str
    settings: Settings | None


def company_of(connection_id: str) -> Company | None:
    """Return what a connection leads to.

    :param connection_id: of the connection, which the reader may read.
    :return: the company; None where there is no such connection of one of the types.
    :raises InvalidConnection: naming the field that is invalid.
    """
    try:
        connection = Connection.get_connection_from_secrets(connection_id)
    except AirflowNotFoundException:
        return None
    if connection.conn_type not in PARAMETERS:
        return None
    is_retreaver = connection.conn_type == RETREAVER
    return Company(connection_id, connection.conn_type, settings_of(connection, Settings) if is_retreaver else None)


def _field(*path: str) -> Any:
    """Return a rendered field as text."""
    # Airflow 3.1 has a type of its own for this column, which cannot look into the JSON.
    fields = type_coerce(Rendered.rendered_fields, JSON())
    return (fields[path[0]] if len(path) == 1 else fields[path]).as_string()


def _of(company: Company) -> Any:
    """Return the condition that a task has used a connection, which its rendered fields show.

    The names of operators do not tell: people derive classes from ours, and give the connection to functions.
    """
    name = PARAMETERS[company.type]
    return or_(_field(name) == company.connection_id, _field("op_kwargs", name) == company.connection_id)


def _same_task(one: Any, other: Any) -> Any:
    names = ("dag_id", "task_id", "run_id", "map_index")
    return and_(*(getattr(one, name) == getattr(other, name) for name in names))


def _since(now: datetime, days: int) -> Any:
    return DagRun.run_after >= now - timedelta(days=days)


def task_runs(company: Company, rights: Rights, now: datetime) -> list[TaskRun]:
    """Return the last tasks that used a connection, and those that loaded what they had exported.

    :param company: of the connection.
    :param rights: of the reader: tasks of other DAGs are left out, and so are results that it may not read.
    :param now: aware.
    :return: the latest first.
    """
    dags = rights.dags()
    with create_session(scoped=False) as session:
        runs = _runs(session, _of(company), dags, rights, now)
        # Tasks that load have no such connection, only the manifests of exports.
        loads = _runs(session, _field("manifest").is_not(None), dags, rights, now)
    found = sorted([*runs, *loaded(loads, runs)], key=lambda run: run.started or now, reverse=True)
    return found[:MOST_RUNS]


def _runs(session: Session, condition: Any, dags: Collection[str], rights: Rights, now: datetime) -> list[TaskRun]:
    statement = (
        select(*_COLUMNS, Rendered.rendered_fields)
        .join(DagRun, and_(DagRun.dag_id == TaskInstance.dag_id, DagRun.run_id == TaskInstance.run_id))
        .join(Rendered, _same_task(Rendered, TaskInstance))
        .where(
            _since(now, WORK_DAYS),
            TaskInstance.dag_id.in_(dags),
            TaskInstance.start_date.is_not(None),
            condition,
        )
        .order_by(TaskInstance.start_date.desc())
        .limit(MOST_RUNS)
    )
    rows = session.execute(statement).all()
    keys = [(row.dag_id, row.run_id, row.task_id, row.map_index) for row in rows if rights.results(row.dag_id)]
    results = _results(session, keys)
    return [_task_run(row, results.get((row.dag_id, row.run_id, row.task_id, row.map_index), {})) for row in rows]


Key = tuple[str, str, str, int]


def _results(session: Session, keys: Collection[Key]) -> dict[Key, dict[str, Any]]:
    """Return what tasks noted, by key of the XCom; a result that is not plain JSON is left out."""
    found: dict[Key, dict[str, Any]] = {}
    for part in _parts(list(keys), 50):
        condition = or_(
            *(
                and_(XComModel.dag_id == one[0], XComModel.run_id == one[1], XComModel.task_id == one[2],
                     XComModel.map_index == one[3])
                for one in part
            )
        )  # fmt: skip
        columns = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
        statement = select(*columns, XComModel.key, XComModel.value).where(XComModel.key.in_(RESULT_KEYS), condition)
        for row in session.execute(statement).all():
            found.setdefault((row.dag_id, row.run_id, row.task_id, row.map_index), {})[row.key] = _plain(row.value)
    return found


def _parts(keys: list[Key], size: int) -> Iterable[list[Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _plain(value: Any) -> Any:
    """Return the value of an XCom as JSON, from which no class is made; a text may hold it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _task_run(row: Any, noted: dict[str, Any]) -> TaskRun:
    refused = noted.get(REFUSED_KEY)
    return TaskRun(
        dag_id=row.dag_id,
        run_id=row.run_id,
        task_id=row.task_id,
        map_index=row.map_index,
        operator=row.operator or "",
        state=str(row.state or "none"),
        started=row.start_date,
        ended=row.end_date,
        attempts=row.try_number or 0,
        fields=row.rendered_fields if isinstance(row.rendered_fields, dict) else {},
        result=noted.get("return_value"),
        refused=refused if isinstance(refused, str) else "",
    )


def last_successes(company: Company, rights: Rights, now: datetime) -> list[LastSuccess]:
    """Return the scheduled exports of a connection, and when each succeeded last.

    :param company: of the connection.
    :param rights: of the reader.
    :param now: aware.
    :return: those whose last success is longest ago first.
    """
    dags = rights.dags()
    runs = and_(DagRun.dag_id == TaskInstance.dag_id, DagRun.run_id == TaskInstance.run_id)
    exports = or_(TaskInstance.operator.in_(EXPORTS), *(_field(name).is_not(None) for name in ONLY_EXPORTS))
    with create_session(scoped=False) as session:
        # Airflow keeps the rendered fields of the last runs only: they say which tasks use the connection.
        pairs = session.execute(
            select(TaskInstance.dag_id, TaskInstance.task_id)
            .join(DagRun, runs)
            .join(Rendered, _same_task(Rendered, TaskInstance))
            .where(_since(now, EXPORT_DAYS), TaskInstance.dag_id.in_(dags), exports, _of(company))
            .distinct()
        ).all()
        wanted = {(row.dag_id, row.task_id) for row in pairs}
        ended = case((TaskInstance.state == "success", TaskInstance.end_date))
        rows = session.execute(
            select(
                TaskInstance.dag_id,
                TaskInstance.task_id,
                func.max(TaskInstance.operator).label("operator"),
                func.max(ended).label("at"),
                DagModel.is_paused,
                DagModel.timetable_summary,
            )
            .join(DagRun, runs)
            .join(DagModel, DagModel.dag_id == TaskInstance.dag_id)
            .where(
                _since(now, EXPORT_DAYS),
                TaskInstance.dag_id.in_({dag_id for dag_id, _ in wanted}),
                TaskInstance.task_id.in_({task_id for _, task_id in wanted}),
            )
            .group_by(TaskInstance.dag_id, TaskInstance.task_id, DagModel.is_paused, DagModel.timetable_summary)
        ).all()
    found = [
        LastSuccess(row.dag_id, row.task_id, row.operator or "", row.at, bool(row.is_paused))
        for row in rows
        if (row.dag_id, row.task_id) in wanted and row.timetable_summary not in NO_SCHEDULE
    ]
    return sorted(found, key=lambda one: (one.at.timestamp() if one.at else 0.0, one.dag_id, one.task_id))


def triggerable_dags(rights: Rights) -> list[TriggerableDag]:
    """Return the DAGs with the tag `retreaver` that the reader may trigger.

    :param rights: of the reader.
    :return: in alphabetical order.
    """
    readable = rights.dags()
    with create_session(scoped=False) as session:
        tagged = session.scalars(
            select(DagTag.dag_id)
            .join(DagModel, DagModel.dag_id == DagTag.dag_id)
            .where(DagTag.name == TAG, DagModel.is_stale.is_(False), DagTag.dag_id.in_(readable))
        ).all()
        bag = DBDagBag()
        found = []
        for dag_id in sorted(tagged):
            dag = bag.get_latest_version_of_dag(dag_id, session=session) if rights.trigger(dag_id) else None
            if dag is not None:
                found.append(TriggerableDag(dag_id, frozenset(dag.params.keys())))
    return found
