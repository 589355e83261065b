"""Plans of suppression syncs: the difference within the scope, and no number of others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument, Unavailable
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.suppression_plan import (
    Known,
    Ours,
    Plan,
    SuppressionRequest,
    check_removals,
    compare,
    limits,
)
from tests.domain.support.blocked import FIRST, Blocked, some

MIRROR, ADD, REMOVE = (SuppressionRequest(mode, can_resubscribe=False) for mode in ("mirror", "add", "remove"))
NUMBERS = st.sets(st.integers(1, 30)).map(NumberSet.of)


@given(NUMBERS, NUMBERS)
def test_after_a_mirror_the_list_equals_the_source(source, there):
    """After additions and removals the list equals the source."""
    plan = compare(MIRROR, source, Known(there, there), Ours())
    assert there.plus(plan.add).minus(plan.remove) == source
    assert plan.unchanged == len(source.common(there))
    assert compare(ADD, source, Known(there, there), Ours()) == Plan(add=plan.add, unchanged=plan.unchanged)


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["mirror", "remove"]))
def test_only_ours_changes_no_numbers_of_others(source, there, ours, mode):
    """With `only_ours` only numbers that the sync has added are removed or changed."""
    wanted = SuppressionRequest(mode, can_resubscribe=False, only_ours=True)
    plan = compare(wanted, source, Known(there, there, differing=there), Ours(ours))
    assert not plan.remove.minus(ours)
    assert not plan.change.minus(ours)
    assert not plan.remove.minus(there)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_numbers_with_an_unknown_outcome_are_sent_again(source, sure, unsure):
    """They are added when the source has them, otherwise removed."""
    wanted, ours = replace(MIRROR, legacy=True), Ours(sure, unsure)
    plan = compare(wanted, source, Known.recorded(ours), ours)
    assert plan.add == source.minus(sure.minus(unsure))
    assert plan.remove == sure.plus(unsure).minus(source)


def test_a_legacy_removal_removes_the_whole_source():
    """The legacy routes cannot list: all of the source is removed, or with `only_ours` the numbers of the sync."""
    ours = Ours(some(3))
    assert compare(replace(REMOVE, legacy=True), some(5), Known.recorded(ours), ours).remove == some(5)
    wanted = SuppressionRequest("remove", can_resubscribe=False, only_ours=True, legacy=True)
    assert compare(wanted, some(5), Known.recorded(ours), ours).remove == some(3)
    assert compare(REMOVE, some(5), Known(some(2), some(2)), Ours()) == Plan(remove=some(2), unchanged=3)


def test_the_list_is_read_by_scope():
    """Company-wide numbers, those of a campaign, and those that may unblock themselves are distinguished."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    retreaver.campaign("attic")
    retreaver.suppress(some(30))
    retreaver.suppress(some(2, 30), can_resubscribe=True)
    retreaver.suppress(some(2, 40), cid="roof")
    retreaver.suppress(some(2, 50), cid="attic")
    source = some(60)
    company = retreaver.plan(SuppressionRequest("mirror", can_resubscribe=False), source)
    assert company.change == some(2, 30)
    assert company.conflict == some(2, 40).plus(some(2, 50))
    assert company.add == source.minus(some(32)).minus(company.conflict)
    assert company.unchanged == 30
    roof = retreaver.plan(SuppressionRequest("mirror", can_resubscribe=False, campaign="roof"), some(41))
    assert roof.remove == some(1, 41)
    assert roof.add == some(8, 32)
    assert (roof.unchanged, len(roof.conflict), len(roof.change)) == (33, 0, 0)


def test_a_list_that_cannot_be_read_completely_is_not_compared():
    """When a page of the list cannot be read, an error is raised."""
    retreaver = Blocked(max_attempts=1)
    retreaver.suppress(some(60))
    retreaver.before_next(
        "GET", "/suppressed_numbers.json", lambda: retreaver.fault("suppressed_numbers.json", times=None, status=500)
    )
    with pytest.raises(Unavailable, match="500"):
        retreaver.plan(MIRROR, some(1))


def test_the_order_of_steps():
    """Additions first, changes, removals last, also in parts of the plan."""
    plan = Plan(add=some(3), change=some(2, 10), remove=some(4, 20), conflict=some(9, 50))
    steps = plan.part(0, 99)
    assert [action for action, _ in steps] == ["add"] * 3 + ["change"] * 2 + ["remove"] * 4
    assert len(plan) == 9
    for start in range(10):
        for stop in range(start, 11):
            assert plan.part(start, stop) == steps[start:stop]
            for action in ("add", "change", "remove"):
                part = [one for one, _ in steps[start:stop]]
                assert plan.within(action, start, stop) == part.count(action)
        for action in ("add", "change", "remove"):
            assert plan.reached(action, start) == [number for one, number in steps[:start] if one == action]


def test_a_plan_is_saved_and_read():
    """A plan is saved as csv; a damaged file is refused."""
    plan = Plan(some(3), some(2, 10), some(4, 20), some(2, 50), unchanged=7)
    lines = list(plan.lines())
    assert lines[:2] == ["action,number", f"add,+{FIRST}"]
    assert Plan.read([f"{line}\n" for line in lines], 7, "plan.csv.gz") == plan
    with pytest.raises(InvalidArgument, match=r"plan\.csv\.gz is damaged"):
        Plan.read(["action,number", "add,+191955"], 0, "plan.csv.gz")
    with pytest.raises(InvalidArgument, match="damaged"):
        Plan.read(["unblock,+19195551234"], 0, "plan.csv.gz")


@pytest.mark.parametrize(
    ("removals", "known", "limit", "refused"),
    [
        (11, 100, ("10%", 10_000), True), (10, 100, ("10%", 10_000), False), (10_001, 200_000, ("10%", 10_000), True),
        (10_000, 200_000, ["10%", 10_000], False), (99, 100, None, False), (6, 100, 5, True), (5, 100, "5", False),
        (1, 5, "10%", True), (0, 0, "10%", False),
    ],
)  # fmt: skip
def test_removals_are_guarded_by_number_and_share(removals, known, limit, refused):
    """The lowest limit applies, and the error contains all counts."""
    plan = Plan(add=some(3), remove=some(removals, 50), unchanged=8)
    if not refused:
        check_removals(plan, known, 11, limit)
        return
    with pytest.raises(ChangeRefused, match=f"{removals} of {known}.*max_removals") as refusal:
        check_removals(plan, known, 11, limit)
    assert f"source has 11 numbers, {known} are known" in str(refusal.value)
    assert f"3 would be added, {removals} removed, 8 are unchanged" in str(refusal.value)


@pytest.mark.parametrize("given", ["many", -1, 1.5, True, ["10%", "x"]])
def test_an_invalid_limit_is_refused(given):
    """A limit is a number, a share, several of them or None."""
    with pytest.raises(InvalidArgument, match="max_removals"):
        limits(given)


def test_a_fingerprint_changes_with_the_parameters():
    """The same numbers and parameters have the same fingerprint; all others have another."""
    prints = {
        SuppressionRequest(
            mode, can_resubscribe=resubscribe, campaign=campaign, only_ours=ours, legacy=legacy
        ).fingerprint(source)
        for mode in ("add", "mirror")
        for resubscribe in (True, False)
        for campaign in (None, "roof")
        for ours in (True, False)
        for legacy in (True, False)
        for source in (some(3), some(4))
    }
    assert len(prints) == 64
    assert MIRROR.fingerprint(NumberSet.of([2, 1, 2])) == MIRROR.fingerprint(NumberSet.of([1, 2]))
