"""What the tests of the package as a whole share."""

from __future__ import annotations

import pytest

from tests.packaging.source import parsed


@pytest.fixture(scope="module", autouse=True)
def _trees():
    """Forget the parsed modules after each file of tests: they are larger than all else that the tests keep."""
    yield
    parsed.cache_clear()
