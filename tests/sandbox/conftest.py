"""Clients of sandboxes in memory, at a fixed time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from tests.sandbox.client import NOON, SandboxClient


@pytest.fixture
def client() -> Iterator[SandboxClient]:
    """Create a client of an empty account at a fixed time."""
    sandbox = Sandbox(SandboxOptions(wall=lambda: NOON, ticks=lambda: 0.0))
    yield SandboxClient(sandbox)
    sandbox.close()


@pytest.fixture(scope="module")
def demo() -> Iterator[SandboxClient]:
    """Create a client of the demo account, for tests that do not change it."""
    sandbox = Sandbox(SandboxOptions(load="demo", wall=lambda: NOON, ticks=lambda: 0.0))
    yield SandboxClient(sandbox)
    sandbox.close()
