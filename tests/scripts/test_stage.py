"""The stage: nothing of the caller gets in, nothing is left behind, and failures say why."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from urllib.request import urlopen

import pytest

# Starts a grandchild that ignores a polite request to end, says so and waits. Both hold the same output open.
FAMILY = """
import subprocess, sys, time
program = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", program])
time.sleep(60)
"""


@pytest.fixture
def stage_module(script):
    """Load the stage's module."""
    return script("stage")


@pytest.fixture
def stage(stage_module, tmp_path):
    """Give a stage in a temporary folder."""
    stage = stage_module.Stage(tmp_path / "stage")
    stage.prepare()
    return stage


def test_environment_holds_nothing_of_the_callers_airflow(stage, monkeypatch):
    """Neither Airflow settings nor proxies nor the home of the caller reach a child."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SomethingElse")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    environment = stage.environment({"EXTRA": "1"})
    assert "AIRFLOW__CORE__EXECUTOR" not in environment
    assert "HTTPS_PROXY" not in environment
    assert environment["EXTRA"] == "1"
    for name in ("HOME", "TMPDIR", "AIRFLOW_HOME"):
        assert environment[name].startswith(str(stage.home))


def test_a_child_and_its_children_are_gone_afterwards(stage_module):
    """Leaving ends the whole group, also those who do not listen, also when something went wrong."""
    read, write = os.pipe()
    with os.fdopen(read) as told:

        def start_and_stumble() -> None:
            command = [sys.executable, "-c", FAMILY]
            with os.fdopen(write, "w") as output, stage_module.child(command, os.environ, output):
                assert told.readline() == "up\n"
                raise KeyError

        with pytest.raises(KeyError):
            start_and_stumble()
        # The output's end can be read only when nobody is left who could write.
        assert select.select([told], [], [], 10)[0]
        assert told.read() == ""


def test_signals_are_as_before_after_a_child_was_ended(stage, stage_module):
    """While a child is ended Ctrl-C is held off; afterwards it works again."""
    before = {number: signal.getsignal(number) for number in stage_module.INTERRUPTS}
    stage.call([sys.executable, "-c", ""], "nothing", timeout=30)
    assert {number: signal.getsignal(number) for number in stage_module.INTERRUPTS} == before


def test_a_failing_command_tells_code_reason_and_log(stage, stage_module):
    """A command that fails is told with its code, its last error and its log."""
    program = "print('begin', flush=True); raise ValueError('no such luck')"
    with pytest.raises(stage_module.StepFailed) as failed:
        stage.call([sys.executable, "-c", program], "try", timeout=30)
    log = stage.logs / "try.log"
    assert str(failed.value) == f"it ended with code 1: ValueError: no such luck\n  log: {log}"
    assert log.read_text(encoding="utf-8").startswith("begin\n")


def test_a_command_that_hangs_is_ended(stage, stage_module):
    """A command that does not end in time is ended, and said."""
    with pytest.raises(stage_module.StepFailed, match="did not end within"):
        stage.call([sys.executable, "-c", "import time; time.sleep(60)"], "hang", timeout=0.2)


def test_the_sandbox_serves_the_connection_and_ends(stage, stage_module):
    """The sandbox that the stage starts answers to the key of the stage's connection, and is gone afterwards."""
    with stage.sandbox() as url:
        fields = stage_module.connection_fields(url)
        assert fields["host"] == url
        query = f"api_key={fields['password']}&company_id={fields['login']}"
        targets = stage_module.get_json(f"{url}/targets.json?{query}")
        assert targets
        assert json.dumps(targets[0]).startswith('{"target"')
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=2)
