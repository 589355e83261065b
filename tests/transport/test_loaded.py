"""Which client libraries are loaded: each takes part of the second that a task needs before its first request."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.paths import PROJECT

PROGRAM = """
import sys
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.{module} import *
from airflow_provider_retreaver.transport.connection_setup import proxy_for

settings = Settings.parse("one", login="1", password="of-a-test")
assert proxy_for(Request("GET", "/x.json"), settings, "https://api.retreaver.com/x.json") is None
print(" ".join(sorted({{"aiohttp", "requests", "urllib3"}} & sys.modules.keys())))
"""


@pytest.mark.parametrize(
    ("module", "loaded"), [("aio", "aiohttp"), ("blocking", "requests urllib3"), ("client", ""), ("async_client", "")]
)
def test_one_client_does_not_load_the_library_of_the_other(module, loaded):
    """Without a proxy the asynchronous client loads aiohttp alone, and the blocking one requests."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        env={"PATH": ""}, cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == loaded
