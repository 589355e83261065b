"""How many requests an export takes: it follows what former exports of its folder have found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_retreaver.domain.calls.window import CallWindow
from airflow_provider_retreaver.transfers.export_names import expected_calls, export_name
from tests.airflow.support.account import Account
from tests.airflow.support.exports import END, START, export

pytestmark = pytest.mark.airflow
DAY = CallWindow(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
NEXT_DAY = {"start": END, "end": "2026-01-07T00:00:00+00:00"}
LENGTH = timedelta(days=1)


def requests_of(account: Account, **parameters: object) -> int:
    """Export and return how many requests were sent."""
    before = len(account.sent())
    assert export(**parameters)["complete"]
    return len(account.sent()) - before


def test_small_windows_take_few_requests(calls, folder, account):
    """A day of few calls takes two requests, and one where a former export of it or of the day before shows that.

    The second of two that are sent together is given up where the first response comes before it has left.
    """
    calls.add(5)
    window = {"destination": folder, "start": START, "end": END}
    assert requests_of(account, **window) <= 2
    assert requests_of(account, **window) == 1
    assert requests_of(account, **{**window, **NEXT_DAY}) == 1
    # Of another window nothing is known.
    assert requests_of(account, **{**window, "start": "2026-01-04T12:00:00+00:00"}) <= 2


def test_an_incremental_export_knows_its_count(calls, folder, account):
    """The request for the newest update shows how many calls there are."""
    calls.add(5)
    window = {"destination": folder, "start": START, "by": "updated_at", "incremental": True}
    assert requests_of(account, **window) == 2
    assert requests_of(account, **window) == 1


def test_more_calls_than_before(calls, folder, account):
    """A window that has more calls than the one before is read as completely."""
    calls.add(5)
    export(destination=folder, start=START, end=END)
    calls.add(90, END, "2026-01-07T00:00:00+00:00")
    assert export(destination=folder, **NEXT_DAY)["calls"] == 90


def test_lookback_is_part_of_what_is_read(calls, folder):
    """A former export with `lookback` is compared by the time that it read."""
    calls.add(48)
    export(destination=folder, start=START, end=END, lookback="24h")
    assert expected_calls(folder, DAY, 2 * LENGTH) == 48
    assert expected_calls(folder, DAY, LENGTH) == 24


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000])
def test_a_manifest_that_is_damaged(tmp_path, text):
    """One that cannot be read is left out."""
    (tmp_path / f"{export_name(DAY)}.manifest.json").write_text(text)
    assert expected_calls(f"file://{tmp_path}", DAY, LENGTH) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"window": {"start": 1, "end": 2}},
        {"window": {"start": START, "end": None}},
        {"window": {"start": START, "end": "2026-01-06T00:00:00"}},
        {"calls": "5"},
        {"calls": -5},
        {"complete": False},
    ],
)
def test_a_manifest_that_says_nothing(tmp_path, odd):
    """One that is not complete or of another kind is left out."""
    text = {"window": {"start": START, "end": END}, "calls": 5, "complete": True, **odd}
    (tmp_path / f"{export_name(DAY)}.manifest.json").write_text(json.dumps(text))
    assert expected_calls(f"file://{tmp_path}", DAY, LENGTH) is None


def test_a_folder_in_place_of_a_manifest(tmp_path):
    """A manifest that cannot be read is left out."""
    (tmp_path / f"{export_name(DAY)}.manifest.json").mkdir()
    assert expected_calls(f"file://{tmp_path}", DAY, LENGTH) is None


def test_short_windows_and_those_without_an_end_read_none(tmp_path):
    """A manifest is read only where that can save requests."""
    text = {"window": {"start": START, "end": END}, "calls": 5, "complete": True}
    (tmp_path / f"{export_name(DAY)}.manifest.json").write_text(json.dumps(text))
    assert expected_calls(f"file://{tmp_path}", DAY, LENGTH) == 5
    assert expected_calls(f"file://{tmp_path}", DAY, timedelta(minutes=59)) is None
    assert expected_calls(f"file://{tmp_path}", CallWindow(DAY.start), LENGTH) is None
