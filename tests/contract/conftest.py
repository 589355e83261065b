"""The sandboxes of the contract's cases, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.harness import VARIANTS, CaseClient, Sandboxes, open_sandboxes


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[Sandboxes]:
    """Start one sandbox in memory and one over TCP."""
    with open_sandboxes() as started:
        yield started


@pytest.fixture(params=VARIANTS)
def client(request: pytest.FixtureRequest, sandboxes: Sandboxes) -> Iterator[CaseClient]:
    """Connect a client of each variant, for tests that need more than a case."""
    with sandboxes.client(request.param) as connected:
        yield connected
