"""A sandbox in memory, at a fixed time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_retreaver.sandbox import Sandbox, SandboxOptions

sys.path.insert(0, str(Path(__file__).parent))

from vendor_talk import NOON, Vendor  # noqa: E402


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """An empty account at a fixed time."""
    sandbox = Sandbox(SandboxOptions(wall=lambda: NOON, ticks=lambda: 0.0))
    yield Vendor(sandbox)
    sandbox.close()


@pytest.fixture(scope="module")
def demo() -> Iterator[Vendor]:
    """The demo account, for reading."""
    sandbox = Sandbox(SandboxOptions(load="demo", wall=lambda: NOON, ticks=lambda: 0.0))
    yield Vendor(sandbox)
    sandbox.close()
