"""Fixtures of the tests of exports and loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.support.account import Account
from tests.airflow.support.exports import Calls


@pytest.fixture
def calls(account: Account) -> Calls:
    """Give the account's call log."""
    return Calls(account)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Give the URL of a folder that is not there yet."""
    return f"file://{tmp_path}/calls"
