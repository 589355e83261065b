"""The demo succeeds only if exactly the full caps were reset, once each."""

from __future__ import annotations

import pytest


@pytest.fixture
def demo(script):
    """Load the demo."""
    return script("demo")


@pytest.fixture
def before(demo):
    """Return three targets, two of them with a full cap."""
    return {
        1: demo.HardCap("one", "a", 10, 10),
        2: demo.HardCap("two", "b", 7, 5),
        3: demo.HardCap("three", "c", 4, 5),
    }


def after(demo, before, **filled):
    """Return the targets with some counts changed: `t1=0` sets target 1 to 0."""
    return {
        target: demo.HardCap(cap.name, cap.tid, filled.get(f"t{target}", cap.filled), cap.cap)
        for target, cap in before.items()
    }


def test_all_full_caps_at_zero_is_a_success(demo, before):
    """Both full caps are at 0, the third is unchanged, and there were two requests."""
    assert demo.check(before, after(demo, before, t1=0, t2=0), 2) == 2


@pytest.mark.parametrize(
    ("filled", "posts"),
    [
        pytest.param({"t1": 0}, 1, id="one was not reset"),
        pytest.param({"t1": 0, "t2": 0, "t3": 0}, 3, id="one too many"),
        pytest.param({"t1": 0, "t2": 1}, 2, id="one is not at zero"),
        pytest.param({}, 0, id="nothing happened"),
        pytest.param({"t1": 0, "t2": 0}, 3, id="one was sent twice"),
    ],
)
def test_anything_else_is_a_failure(demo, before, filled, posts):
    """The demo fails if a reset is missing, unnecessary, incomplete or repeated."""
    with pytest.raises(demo.StepFailed):
        demo.check(before, after(demo, before, **filled), posts)


def test_no_full_cap_is_a_failure(demo, before):
    """An account without a full cap fails the demo."""
    with pytest.raises(demo.StepFailed, match="no hard cap was full"):
        demo.check({3: before[3]}, {3: before[3]}, 0)


def test_a_failed_step_is_printed_with_its_reason(demo, capsys):
    """The output has the title of the step and the reason."""
    with pytest.raises(demo.StepFailed), demo.step("read the caps"):
        raise OSError("no connection")
    assert capsys.readouterr().err == "\nfailed: read the caps\n  reason: no connection\n"


def test_the_table_marks_the_reset_caps(demo, before, capsys):
    """The table has the counts before and after, the full caps first, and marks only the reset ones."""
    demo.print_table(before, after(demo, before, t1=0, t2=0))
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()][1:]
    assert rows == [
        ["one", "a", "10", "10", "0", "reset"],
        ["two", "b", "5", "7", "0", "reset"],
        ["three", "c", "5", "4", "4"],
    ]
