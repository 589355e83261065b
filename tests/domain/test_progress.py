"""A line about every ten seconds, with figures that can be believed."""

from __future__ import annotations

from airflow_provider_retreaver.domain.progress import Pace


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_line_every_ten_seconds():
    """However often it is told, it speaks every ten seconds, of done, rate and time left."""
    lines, clock = [], Clock()
    pace = Pace(lines.append, 1000, clock=clock)
    for second in range(1, 31):
        clock.now = 100.0 + second
        pace.at(second * 20, "; 1 failed")
    assert lines == [
        "200 of 1,000 (20%), 20.0 a second, about 40 s left; 1 failed",
        "400 of 1,000 (40%), 20.0 a second, about 30 s left; 1 failed",
        "600 of 1,000 (60%), 20.0 a second, about 20 s left; 1 failed",
    ]


def test_what_was_done_before_is_not_our_speed():
    """After a resumption the rate is that of this attempt; minutes and hours are said as such."""
    lines, clock = [], Clock()
    pace = Pace(lines.append, 1_000_000, began_with=500_000, clock=clock)
    clock.now += 10
    pace.at(501_000)
    clock.now += 90
    pace.at(505_000)
    clock.now += 900
    pace.at(990_000)
    assert [line.rpartition(", ")[2] for line in lines] == [
        "about 83 min left",
        "about 2 h 45 min left",
        "about 20 s left",
    ]


def test_without_a_total_or_a_step():
    """An unknown end and no progress are said as such."""
    lines, clock = [], Clock()
    pace = Pace(lines.append, clock=clock)
    clock.now += 10
    pace.at(250)
    pace = Pace(lines.append, 10, clock=clock)
    clock.now += 10
    pace.at(0)
    assert lines == ["250 so far, 25.0 a second", "0 of 10 (0%), 0.0 a second, time left unknown"]
