"""The page in this process, with a database of Airflow's and its auth manager, against a sandbox."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

# Names of users with their roles: OP may read connections, VIEWER may read DAGs only.
USERS = {"olga": "OP", "vera": "VIEWER"}
SETTINGS = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__API__SECRET_KEY": "of-tests-" * 8,
    "AIRFLOW__API_AUTH__JWT_SECRET": "of-tests-" * 8,
}


@dataclass
class Site:
    """The page as a browser sees it.

    :param client: sends requests to the application, mounted as Airflow mounts it.
    :param database: of Airflow.
    :param tokens: of sessions, by user.
    :param ended: token of a session that has ended, of a user who may read connections.
    """

    client: Any
    database: Path
    tokens: dict[str, str] = field(default_factory=dict)
    ended: str = ""

    def get(self, path: str, user: str | None = "olga", **query: str) -> Any:
        """Open a path below the page's own as a user; None for nobody."""
        headers = {"Cookie": f"_token={self.tokens.get(user, user)}"} if user else {}
        return self.client.get(f"/retreaver/page{path}", params=query, headers=headers, follow_redirects=False)

    def view(self, view: str, connection: str = "main", user: str = "olga", **query: str) -> str:
        """Open a view until its poll has ended, and return its HTML."""
        for _ in range(100):
            answer = self.get(f"/{quote(connection, safe='')}/{view}", user, **query)
            assert answer.status_code == 200, answer.text
            if "Reading the account" not in answer.text and "newer poll" not in answer.text:
                return str(answer.text)
        raise AssertionError(answer.text)

    def another_process(self) -> Site:
        """Return the page as another process of the api-server serves it."""
        from fastapi.testclient import TestClient

        return replace(self, client=TestClient(mounted()))

    def sql(self, statement: str, *values: object) -> None:
        """Write to Airflow's database."""
        with closing(sqlite3.connect(self.database, timeout=30)) as database, database:
            database.execute(statement, values)

    def connect(self, conn_id: str, fields: Mapping[str, Any]) -> None:
        """Add a connection to Airflow's database."""
        from airflow.models.connection import Connection
        from airflow.utils.session import create_session

        given = {**fields, "extra": json.dumps(fields["extra"]) if fields.get("extra") else None}
        with create_session(scoped=False) as session:
            session.add(Connection(conn_id=conn_id, **given))


def mounted() -> Any:
    """Return an application that has the page where Airflow has it."""
    from fastapi import FastAPI

    from airflow_provider_retreaver.page.app import create_app

    outer = FastAPI()
    outer.mount("/retreaver/page", create_app())
    return outer


@pytest.fixture(scope="session")
def airflow_database(airflow_lab: Any) -> Iterator[Path]:
    """Let this process use a migrated database of Airflow's, until the tests of the page have ended."""
    if not AIRFLOW_V_3_0_PLUS:
        pytest.skip("the page is for Airflow 3")
    from airflow import settings

    path = airflow_lab.new_home() / "airflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{path}")
        settings.configure_vars()
        settings.configure_orm()
        yield path
        settings.dispose_orm()
    settings.configure_vars()


@pytest.fixture
def site(airflow_database: Path, account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve the page for the account of the sandbox, by a connection in Airflow's database."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    monkeypatch.delenv("AIRFLOW_CONN_RETREAVER_DEFAULT")
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    manager = create_auth_manager()
    users = [SimpleAuthManagerUser(username=name, role=role) for name, role in USERS.items()]
    with TestClient(mounted()) as client:
        ended = manager.generate_jwt(users[0], expiration_time_in_seconds=-3600)
        tokens = {user.username: manager.generate_jwt(user) for user in users}
        made = Site(client, airflow_database, tokens, ended)
        made.connect("main", account.connection(extra={"max_wait": 0}))
        yield made
        made.sql("DELETE FROM connection")
