"""The stage of the contract's cases, built once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.harness import CARRIERS, Caller, Stage, stage


@pytest.fixture(scope="session")
def contract_stage() -> Iterator[Stage]:
    """Give one sandbox in memory and one over TCP."""
    with stage() as made:
        yield made


@pytest.fixture(params=CARRIERS)
def caller(request: pytest.FixtureRequest, contract_stage: Stage) -> Iterator[Caller]:
    """Give a caller on each carrier, for tests that need more than a case."""
    with contract_stage.caller(request.param) as made:
        yield made
