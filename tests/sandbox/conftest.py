"""A sandbox in memory, at a fixed time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions
from tests.sandbox.requests_to import NOON, Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Give an empty account at a fixed time."""
    sandbox = Sandbox(SandboxOptions(wall=lambda: NOON, ticks=lambda: 0.0))
    yield Vendor(sandbox)
    sandbox.close()


@pytest.fixture(scope="module")
def demo() -> Iterator[Vendor]:
    """Give the demo account, for reading."""
    sandbox = Sandbox(SandboxOptions(load="demo", wall=lambda: NOON, ticks=lambda: 0.0))
    yield Vendor(sandbox)
    sandbox.close()
