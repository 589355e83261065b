"""The folder of a run's state stays below the state path, whatever a DAG, run or task is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_retreaver.storage.run_state import RunState, run_path
from tests.airflow.support.account import TaskInstance

pytestmark = pytest.mark.airflow

NAMES = [
    "..", ".", "...", "../../etc", "a/b", "/etc/passwd", "%2E%2E", "", "manual__2026-01-05T00:00:00+00:00", "x" * 250,
    "x" * 251, "\udc80", "\N{SNOWMAN}" * 80, "a\x00b", "C:\\x",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_cannot_lead_out_of_the_folder(tmp_path, name):
    """State is saved and read again below the state path, for any ID of a run."""
    instance = TaskInstance(run_id=name)
    state = RunState({"ti": instance}, "caps", f"file://{tmp_path}/state")
    state.save({"a": {"b": 1}})
    assert RunState({"ti": instance}, "caps", f"file://{tmp_path}/state").load() == {"a": {"b": 1}}
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    parts = file.relative_to(tmp_path / "state").parts
    assert len(parts) == 4
    assert max(len(part.encode()) for part in parts) < 250


def test_names_do_not_meet():
    """Two runs never share a folder, and ordinary names stay readable."""
    paths = {run_path(TaskInstance(run_id=name), "caps") for name in NAMES}
    assert len(paths) == len(NAMES)
    ordinary = run_path(TaskInstance(run_id="scheduled__2026-01-05T00:00:00+00:00"), "caps")
    assert Path(ordinary).parts[1] == "scheduled__2026-01-05T00%3A00%3A00+00%3A00"
