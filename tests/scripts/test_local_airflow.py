"""The local Airflow: a separate environment, no processes left, and failures with their reasons."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from urllib.request import urlopen

import pytest

# Starts a grandchild that ignores SIGTERM, prints a line and waits. Both have the same output open.
FAMILY = """
import subprocess, sys, time
program = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", program])
time.sleep(60)
"""


@pytest.fixture
def module(script):
    """Load the script."""
    return script("local_airflow")


@pytest.fixture
def local(module, tmp_path):
    """Prepare a local Airflow in a temporary folder."""
    local = module.LocalAirflow(tmp_path / "home")
    with local.prepared("a test"):
        yield local


def test_the_environment_has_nothing_of_the_callers_airflow(local, monkeypatch):
    """A child gets neither the caller's Airflow settings nor proxies nor home."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SomethingElse")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    environment = local.environment({"EXTRA": "1"})
    assert "AIRFLOW__CORE__EXECUTOR" not in environment
    assert "HTTPS_PROXY" not in environment
    assert environment["EXTRA"] == "1"
    for name in ("HOME", "TMPDIR", "AIRFLOW_HOME"):
        assert environment[name].startswith(str(local.home))


def test_a_child_and_its_children_are_ended(module):
    """The whole group ends with the block, also processes that ignore SIGTERM, and also after an error."""
    read, write = os.pipe()
    with os.fdopen(read) as lines:

        def start_and_fail() -> None:
            command = [sys.executable, "-c", FAMILY]
            with os.fdopen(write, "w") as output, module.child(command, os.environ, output):
                assert lines.readline() == "up\n"
                raise KeyError

        with pytest.raises(KeyError):
            start_and_fail()
        # The end of the output can be read only if no process has it open.
        assert select.select([lines], [], [], 10)[0]
        assert lines.read() == ""


def test_signal_handlers_are_restored_after_a_child_has_ended(local, module):
    """Ctrl-C is ignored while a child is being ended, and works again afterwards."""
    before = {number: signal.getsignal(number) for number in module.INTERRUPTS}
    local.call([sys.executable, "-c", ""], "nothing", timeout=30)
    assert {number: signal.getsignal(number) for number in module.INTERRUPTS} == before


def test_a_failed_command_is_reported_with_code_reason_and_log(local, module):
    """The error has the exit code, the last error and the log."""
    program = "print('begin', flush=True); raise ValueError('no such file')"
    with pytest.raises(module.StepFailed) as error:
        local.call([sys.executable, "-c", program], "try", timeout=30)
    log = local.logs / "try.log"
    assert str(error.value) == f"it ended with code 1: ValueError: no such file\n  log: {log}"
    assert log.read_text(encoding="utf-8").startswith("begin\n")


def test_a_command_that_hangs_is_ended(local, module):
    """A command that does not end in time is ended and reported."""
    with pytest.raises(module.StepFailed, match="did not end within"):
        local.call([sys.executable, "-c", "import time; time.sleep(60)"], "hang", timeout=0.2)


def test_the_sandbox_serves_the_connection_and_ends(local, module):
    """The sandbox accepts the key of the connection, and is ended after the block."""
    with local.sandbox() as url:
        fields = module.connection_fields(url)
        assert f"{fields['host']}:{fields['port']}" == url  # a port of its own, for the Test button of Airflow 3.3.2
        query = f"api_key={fields['password']}&company_id={fields['login']}"
        targets = module.get_json(f"{url}/targets.json?{query}")
        assert targets
        assert json.dumps(targets[0]).startswith('{"target"')
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=2)
