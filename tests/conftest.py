"""What every test stands on: an Airflow without a database, without the developer's settings, without the network.

This module sets the environment at import, because Airflow reads it when it is first imported.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_retreaver.core import secrets
from tests.paths import PROJECT

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="retreaver-tests-"))

for name in [name for name in os.environ if name.startswith("AIRFLOW") or name.lower().endswith("_proxy")]:
    del os.environ[name]  # neither a developer's Airflow nor a proxy takes part
os.environ["AIRFLOW_HOME"] = str(AIRFLOW_HOME)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY"] = "True"  # 2.11 warns of its own default
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(AIRFLOW_HOME / "dags")
# A folder that does not exist: whatever asks the metadata database in a unit test fails at once and says so.
os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{AIRFLOW_HOME}/no-database-in-unit-tests/airflow.db"

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what would leave this machine (an audit hook: it cannot be forgotten by a test)."""
    if event != "socket.connect":
        return
    connecting, address = arguments
    if connecting.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
        message = f"a test tried to reach {address[0]}: tests talk to this machine only"
        raise RuntimeError(message)


sys.addaudithook(_loopback_only)


def pytest_unconfigure() -> None:
    """Remove the temporary AIRFLOW_HOME."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def project() -> Path:
    """Give the folder of the project."""
    return PROJECT


@pytest.fixture(autouse=True)
def masks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test's secrets be forgotten after it: a process masks what it has once known for good."""
    monkeypatch.setattr(secrets, "_registered", copy(secrets._registered))
