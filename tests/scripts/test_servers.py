"""What `make test-celery` says before it sets anything up."""

from __future__ import annotations

import runpy

import pytest

from tests.airflow.support import postgres, redis

MODULE = "tests.airflow.support.servers"


def test_each_missing_server_is_named_with_what_to_do(monkeypatch):
    """Without the programs of PostgreSQL and Redis it ends with one sentence for each."""
    monkeypatch.setenv("PATH", "")
    for module in (postgres, redis):
        monkeypatch.setattr(module, "FOLDERS", ())
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(MODULE, run_name="__main__")
    lines = str(ended.value.code).splitlines()
    assert [line.split(" was found")[0] for line in lines] == [
        "error: No PostgreSQL server",
        "error: No Redis server",
    ]
    assert "apt-get install postgresql" in lines[0]
    assert "apt-get install redis-server" in lines[1]


def test_nothing_is_said_when_all_are_there(monkeypatch, tmp_path):
    """Programs on the path are enough."""
    for name in ("initdb", "postgres", "redis-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    runpy.run_module(MODULE, run_name="__main__")
