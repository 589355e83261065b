"""What a reader may see, as Airflow's auth manager says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.models.connection import Connection
from airflow.models.dag import DagModel


class Rights:
    """The rights of the user of one request.

    :param user: as Airflow's auth manager knows it.
    """

    def __init__(self, user: Any) -> None:
        self._user = user
        self._results: dict[str, bool] = {}

    def connection(self, connection_id: str) -> bool:
        """Return whether the user may read a connection; it need not exist.

        :param connection_id: of the connection.
        :return: True when it may.
        """
        details = ConnectionDetails(conn_id=connection_id, team_name=Connection.get_team_name(connection_id))
        return bool(get_auth_manager().is_authorized_connection(method="GET", details=details, user=self._user))

    def connections(self, connection_ids: Iterable[str]) -> tuple[str, ...]:
        """Return those of several connections that the user may read.

        :param connection_ids: of the connections.
        :return: in their order.
        """
        return tuple(one for one in connection_ids if self.connection(one))

    def dags(self) -> set[str]:
        """Return the DAGs whose tasks the user may read.

        :return: their IDs.
        """
        found = get_auth_manager().get_authorized_dag_ids(user=self._user, method="GET")
        return {dag_id for dag_id in found if self._dag(dag_id, "GET", DagAccessEntity.TASK_INSTANCE)}

    def results(self, dag_id: str) -> bool:
        """Return whether the user may read what the tasks of a DAG returned.

        :param dag_id: of the DAG.
        :return: True when it may.
        """
        if dag_id not in self._results:
            self._results[dag_id] = self._dag(dag_id, "GET", DagAccessEntity.XCOM)
        return self._results[dag_id]

    def trigger(self, dag_id: str) -> bool:
        """Return whether the user may trigger a DAG.

        :param dag_id: of the DAG.
        :return: True when it may.
        """
        return self._dag(dag_id, "POST", DagAccessEntity.RUN)

    def _dag(self, dag_id: str, method: Any, entity: DagAccessEntity) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        manager = get_auth_manager()
        return bool(manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=self._user))
