"""Both clients do the same in memory and over TCP: requests, waits, results and errors."""

from __future__ import annotations

import pytest

from tests.contract import (
    cases_bad_input,
    cases_caps,
    cases_failures,
    cases_groups,
    cases_inbounds,
    cases_lists,
    cases_names,
    cases_payouts,
    cases_trackdrive,
)
from tests.contract.harness import VARIANTS

CASES = {
    f"{module.__name__.rpartition('_')[2]}: {name.replace('_', ' ')}": case
    for module in (
        cases_failures,
        cases_lists,
        cases_names,
        cases_caps,
        cases_inbounds,
        cases_payouts,
        cases_bad_input,
        cases_trackdrive,
        cases_groups,
    )
    for name, case in vars(module).items()
    if callable(case) and getattr(case, "__module__", "") == module.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CASES)
def test_a_case(sandboxes, name, variant):
    """The case passes with this variant, with the same record as with the first variant."""
    trace = sandboxes.run_case(CASES[name], variant)
    expected = sandboxes.run_case(CASES[name], VARIANTS[0])
    assert trace.requests == expected.requests
    assert trace.waits == expected.waits
    assert trace.results == expected.results
