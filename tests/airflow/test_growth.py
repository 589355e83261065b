"""What the long run judges by: `make soak`."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.airflow.support.growth import LEAST, growth, held


def test_values_that_grow():
    """A leak of 1 a round is seen, also among peaks; warming up and a peak are none."""
    assert growth(range(40)) == 20
    assert growth([100 + round_ + 50 * (round_ % 7 == 0) for round_ in range(40)]) > 10
    assert growth([*range(10), *[10] * 30]) == 0
    assert growth([5] * 20 + [90] + [5] * 19) == 0


def test_too_few_values():
    """Nothing is said of them."""
    with pytest.raises(ValueError, match="too few"):
        growth([1] * (LEAST - 1))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a process holds is read from /proc")
def test_what_a_process_holds(tmp_path):
    """An open file and a thread of ours are counted."""
    before, ended = held(), threading.Event()
    thread = threading.Thread(target=ended.wait, name="retreaver-pages")
    thread.start()
    with (tmp_path / "open").open("w"):
        now = held()
    ended.set()
    thread.join()
    assert {name: now[name] - before[name] for name in ("files", "threads")} == {"files": 1, "threads": 1}
    assert now["all threads"] > now["threads"]
    assert 10 < now["memory"] < 10_000
