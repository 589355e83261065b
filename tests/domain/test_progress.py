"""Long work logs a line about every ten seconds."""

from __future__ import annotations

from airflow_provider_retreaver.domain.progress import ProgressLogger


class Clock:
    """Seconds that pass only when a test changes `now`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_line_every_ten_seconds():
    """However often it is updated, a line comes every ten seconds, with what is done, the rate and the time left."""
    lines, clock = [], Clock()
    progress = ProgressLogger(lines.append, 1000, clock=clock)
    for second in range(1, 31):
        clock.now = 100.0 + second
        progress.update(second * 20, "; 1 failed")
    assert lines == [
        "200 of 1,000 (20%), 20.0 a second, about 40 s left; 1 failed",
        "400 of 1,000 (40%), 20.0 a second, about 30 s left; 1 failed",
        "600 of 1,000 (60%), 20.0 a second, about 20 s left; 1 failed",
    ]


def test_the_rate_is_of_this_attempt():
    """What an earlier attempt did does not count for the rate; long times are in minutes and hours."""
    lines, clock = [], Clock()
    progress = ProgressLogger(lines.append, 1_000_000, done_before=500_000, clock=clock)
    clock.now += 10
    progress.update(501_000)
    clock.now += 90
    progress.update(505_000)
    clock.now += 900
    progress.update(990_000)
    assert [line.rpartition(", ")[2] for line in lines] == [
        "about 83 min left",
        "about 2 h 45 min left",
        "about 20 s left",
    ]


def test_without_a_total_or_a_step():
    """Without a total, or before anything is done, the line has no time left."""
    lines, clock = [], Clock()
    progress = ProgressLogger(lines.append, clock=clock)
    clock.now += 10
    progress.update(250)
    progress = ProgressLogger(lines.append, 10, clock=clock)
    clock.now += 10
    progress.update(0)
    assert lines == ["250 so far, 25.0 a second", "0 of 10 (0%), 0.0 a second, time left unknown"]


def test_a_total_that_becomes_known():
    """A total that is given with an update counts from then on for that update."""
    lines, clock = [], Clock()
    progress = ProgressLogger(lines.append, clock=clock)
    clock.now += 10
    progress.update(250, total=1_000)
    assert lines == ["250 of 1,000 (25%), 25.0 a second, about 30 s left"]
