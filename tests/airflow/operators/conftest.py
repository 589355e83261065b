"""Fixtures of the tests of operators."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.sandbox.options import WRITING_KEY
from tests.airflow.support.machines import Machine


@pytest.fixture
def both(account, tmp_path, monkeypatch):
    """Give an account, two machines, and the folder that they share."""
    account.reset()
    connection = account.connection(extra={"max_concurrency": 1, "postback_key": WRITING_KEY})
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(connection))
    shared = tmp_path / "shared"
    shared.mkdir()
    return account, (Machine(tmp_path / "first"), Machine(tmp_path / "second")), shared
