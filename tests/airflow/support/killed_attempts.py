"""Attempts in a process of their own, killed with SIGKILL while they wait for the answer to a request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.airflow.support.account import Account
from tests.paths import PROJECT


def kill_while_asking(account: Account, program: str, parameters: dict[str, Any], asked: str) -> None:
    """Start an attempt, and kill it when the sandbox has got a request whose answer is delayed.

    :param account: of the sandbox, which delays the answer.
    :param program: Python source, which finds the parameters as JSON in `sys.argv[1]`.
    :param parameters: of the operator.
    :param asked: beginning of `"METHOD /path"` of the request.
    """
    before = len(account.sent())
    kill_when(
        lambda: any(request.startswith(asked) for request in account.sent()[before:]), program, parameters, asked
    )


def kill_when(reached: Callable[[], bool] | None, program: str, parameters: dict[str, Any], what: str) -> None:
    """Start an attempt, and kill it when it has come to a step.

    :param reached: whether it has; None for a program that kills itself.
    :param program: Python source, which finds the parameters as JSON in `sys.argv[1]`.
    :param parameters: of the operator.
    :param what: the step, for the error.
    """
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    arguments = [sys.executable, "-c", program, json.dumps(parameters)]
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as attempt:
        if reached is not None:
            patience = time.monotonic() + 300
            while not reached():
                assert attempt.poll() is None, attempt.communicate()[0].decode()
                assert time.monotonic() < patience, f"the attempt did not come to {what} in 300 s"
                time.sleep(0.02)
            attempt.send_signal(signal.SIGKILL)
        output = attempt.communicate(timeout=300)[0].decode()
        assert attempt.returncode == -signal.SIGKILL, output
