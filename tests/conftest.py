"""The environment of every test: Airflow without a database, without the developer's settings and without network.

This module sets the environment at import, because Airflow reads it when it is first imported.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sys
import tempfile
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_retreaver.core import secrets
from airflow_provider_retreaver.transport import limiters
from tests.paths import PROJECT

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="retreaver-tests-"))

for name in [name for name in os.environ if name.startswith("AIRFLOW") or name.lower().endswith("_proxy")]:
    del os.environ[name]  # neither the developer's Airflow nor a proxy is used
os.environ["AIRFLOW_HOME"] = str(AIRFLOW_HOME)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY"] = "True"  # 2.11 warns about its default
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(AIRFLOW_HOME / "dags")
# A folder that does not exist: a unit test that uses the metadata database fails at once, with this path.
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{AIRFLOW_HOME}/no-database-in-unit-tests/airflow.db"

if find_spec("hypothesis"):  # the environments of MySQL and of storages do without
    from hypothesis import settings

    # How long an example takes depends on what else the machine does.
    settings.register_profile("any machine", deadline=None)
    settings.load_profile("any machine")

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Airflow asks for the name of its own machine.
OWN_NAMES = LOOPBACK | {socket.gethostname(), "", None}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections to other machines, and questions for their names; as an audit hook for every test."""
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        if host not in OWN_NAMES and not _is_address(host):
            message = f"a test asked a resolver for {host}; tests may ask for this machine only"
            raise RuntimeError(message)
    if event != "socket.connect":
        return
    connecting, address = arguments
    if connecting.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
        message = f"a test tried to connect to {address[0]}; tests may connect to this machine only"
        raise RuntimeError(message)


sys.addaudithook(_loopback_only)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by the parameter in place of bytes: packed files hold the time, and each process has its own."""
    return argname if isinstance(val, bytes) else None


def pytest_unconfigure() -> None:
    """Remove the temporary AIRFLOW_HOME."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the folder of the project."""
    return PROJECT


@pytest.fixture(autouse=True)
def separate_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unregister the secrets of a test after it, since a process otherwise masks them for good."""
    monkeypatch.setattr(secrets, "_registered", copy(secrets._registered))


@pytest.fixture(autouse=True)
def separate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after a test what refusals have shown of a server, for which another test would wait."""
    monkeypatch.setattr(limiters, "_limiters", {})
