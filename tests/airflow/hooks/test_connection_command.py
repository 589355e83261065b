"""The README's way to make a connection, with Airflow's own command."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_command_stores_the_connection(airflow_lab):
    """`airflow connections add`, as the README writes it, stores a connection that shows company and no key."""
    (command,) = re.findall(r"^airflow (connections add .*)$", README, re.MULTILINE)
    home = airflow_lab.new_home()
    added = airflow_lab.airflow(["-m", "airflow", *shlex.split(command)], home)
    assert added.returncode == 0, added.stdout
    shown = airflow_lab.airflow(["-m", "airflow", "connections", "get", "retreaver_default", "-o", "json"], home)
    assert '"conn_type": "retreaver"' in shown.stdout
    assert '"login": "12345"' in shown.stdout
