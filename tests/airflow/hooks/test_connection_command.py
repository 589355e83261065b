"""The README's command that creates a connection."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_command_stores_the_connection(airflow_lab):
    """`airflow connections add`, as in the README, stores a connection; its output has the company and no key."""
    (command,) = re.findall(r"^airflow (connections add .*)$", README, re.MULTILINE)
    home = airflow_lab.new_home()
    added = airflow_lab.airflow(["-m", "airflow", *shlex.split(command)], home)
    assert added.returncode == 0, added.stdout
    output = airflow_lab.airflow(["-m", "airflow", "connections", "get", "retreaver_default", "-o", "json"], home)
    assert '"conn_type": "retreaver"' in output.stdout
    assert '"login": "12345"' in output.stdout
