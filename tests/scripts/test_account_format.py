"""The page of the format of an account's files matches the code."""

from __future__ import annotations

import pytest


@pytest.fixture
def account_format(script):
    """Give the script."""
    return script("account_format")


def test_page_is_up_to_date(account_format):
    """The page equals what the script writes."""
    assert account_format.DESTINATION.read_text(encoding="utf-8") == account_format.document()


def test_check_notices_a_page_that_is_out_of_date(account_format, tmp_path, monkeypatch):
    """`--check` fails on another text and changes nothing; without it the page is written."""
    page = tmp_path / "account-format.md"
    page.write_text("old")
    monkeypatch.setattr(account_format, "DESTINATION", page)
    monkeypatch.setattr("sys.argv", ["account_format.py", "--check"])
    assert account_format.main() == 1
    assert page.read_text() == "old"
    monkeypatch.setattr("sys.argv", ["account_format.py"])
    assert account_format.main() == 0
    monkeypatch.setattr("sys.argv", ["account_format.py", "--check"])
    assert account_format.main() == 0
