"""From an Airflow connection or environment variables to a client and a plan, and from references to secrets."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from airflow_provider_retreaver.account.disk import Sources
from airflow_provider_retreaver.account.kinds import read_account
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Plan
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.account.schema import SecretReference
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.secrets import Secret, register_secrets
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.client import RetreaverClient

T = TypeVar("T")
API_KEY, COMPANY, HOST, EXTRA = (f"RETREAVER_{name}" for name in ("API_KEY", "COMPANY_ID", "HOST", "EXTRA"))


class Runs(Protocol):
    """What runs a procedure: a client or a hook."""

    def run(self, work: Procedure[T]) -> T:
        """Run a procedure.

        :param work: the procedure.
        :return: its result.
        """


@contextmanager
def connected(conn_id: str | None, environment: Mapping[str, str] | None = None) -> Generator[Runs]:
    """Provide what runs procedures.

    :param conn_id: ID of an Airflow connection; None for environment variables.
    :param environment: the variables; those of the process by default.
    :yield: the hook or client, closed at the end.
    :raises InvalidArgument: when there is neither.
    """
    if conn_id is not None:
        from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

        with RetreaverHook(conn_id) as hook:
            yield hook
        return
    variables = os.environ if environment is None else environment
    if not variables.get(API_KEY):
        raise InvalidArgument(
            f"There is no connection: give --conn-id, or set {API_KEY} and {COMPANY} in the environment."
        )
    settings = Settings.parse(
        "environment",
        login=variables.get(COMPANY),
        password=variables[API_KEY],
        host=variables.get(HOST),
        extra=variables.get(EXTRA),
    )
    register_secrets(settings.secrets)
    with RetreaverClient(settings) as client:
        yield client


def make_plan(sources: Sources, connection: AbstractContextManager[Runs], *, comparing: bool = False) -> Plan:
    """Read the files, then the account as far as they concern it, and plan.

    :param sources: files of the account.
    :param connection: provides what runs procedures; it is entered when the files are right.
    :param comparing: see `Planner`.
    :return: the plan with its hash.
    :raises InvalidArgument: naming every place where something is wrong.
    :raises RetreaverError: when the account cannot be read.
    """
    files = sources.read()
    with connection as runs:
        live = runs.run(read_account(files.kinds()))
    planner = Planner(files, live, World(secrets=find_secret), comparing)
    return planner.plan(git_commit=sources.git_commit(), environment=sources.environment)


def find_secret(reference: SecretReference) -> str | None:
    """Return a secret, which no log or error shows from then on.

    :param reference: of the secret.
    :return: the secret; None when the connection or variable does not exist, or is blank.
    """
    found = os.environ.get(reference.env) if isinstance(reference.env, str) else _password(str(reference.connection))
    if not found:
        return None
    register_secrets([Secret(found)])
    return found


def _password(conn_id: str) -> str | None:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        password = BaseHook.get_connection(conn_id).password
    except AirflowNotFoundException:
        return None
    return None if password is None else str(password)
