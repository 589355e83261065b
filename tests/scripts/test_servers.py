"""What `make test-celery` says before it sets anything up."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("user", [0, 1000])
def test_what_is_missing_is_installed_by_root(monkeypatch, tmp_path, capfd, user):
    """apt-get installs both, once; another user is told what to install."""
    (tmp_path / "apt-get").write_text(
        "#!/bin/sh\necho asked: $*\n"
        f"for name in initdb postgres redis-server; do : > {tmp_path}/$name; /bin/chmod 755 {tmp_path}/$name; done\n"
    )
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(postgres, "FOLDERS", ())
    monkeypatch.setattr(redis, "FOLDERS", ("",))  # the path
    if user:
        with pytest.raises(SystemExit, match="No PostgreSQL server"):
            runpy.run_module(MODULE, run_name="__main__")
        assert capfd.readouterr().out == ""
    else:
        runpy.run_module(MODULE, run_name="__main__")
        assert "asked: install --yes --quiet postgresql redis-server" in capfd.readouterr().out


def test_nothing_is_said_when_all_are_there(monkeypatch, tmp_path):
    """Programs on the path are enough."""
    for name in ("initdb", "postgres", "redis-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    runpy.run_module(MODULE, run_name="__main__")
