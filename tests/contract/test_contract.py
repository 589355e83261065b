"""Both clients do the same on every carrier: requests, waits, results and errors."""

from __future__ import annotations

import pytest

from tests.contract import cases_caps, cases_lists
from tests.contract import cases_failures as cases_weather
from tests.contract.harness import CARRIERS

CASES = {
    f"{module.__name__.rpartition('_')[2]}: {name.replace('_', ' ')}": case
    for module in (cases_weather, cases_lists, cases_caps)
    for name, case in vars(module).items()
    if callable(case) and getattr(case, "__module__", "") == module.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("name", CASES)
def test_a_case(contract_stage, name, carrier):
    """The case holds on this carrier, and leaves the same traces as on the plainest one."""
    trace = contract_stage.play(CASES[name], carrier)
    plain = contract_stage.play(CASES[name], CARRIERS[0])
    assert trace.requests == plain.requests
    assert trace.waits == plain.waits
    assert trace.results == plain.results
