"""Without a lease numbers are read again right before they are removed: what someone else has changed stays."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import PartialFailure
from airflow_provider_retreaver.domain.lists.suppression_list import read_list
from airflow_provider_retreaver.domain.lists.suppression_plan import Ours, SuppressionRequest, compare
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope
from tests.domain.support.blocked import FIRST, Blocked, some

MIRROR = SuppressionRequest("mirror", can_resubscribe=False)
PATH = f"/suppressed_numbers/%2B{FIRST}.json"


def begun(retreaver, wanted=MIRROR, source=None):
    """Read the list and return a sync that removes what the source does not have."""
    source = some(0) if source is None else source
    scope = WantedScope(wanted.campaign)
    known = retreaver.client.run(read_list(wanted, scope, watched=lambda number: number not in source))
    plan = compare(wanted, source, known, Ours())
    return retreaver.sync(plan, wanted, seen=known.seen)


@pytest.mark.parametrize("when", ["before the look", "before the removal"])
def test_what_others_have_removed_is_done(when):
    """It is counted as changed by others, and not asked for again."""
    retreaver = Blocked()
    retreaver.suppress(some(3))
    sync = begun(retreaver)
    method = "GET" if when == "before the look" else "DELETE"
    retreaver.before_next(method, PATH, lambda: retreaver.ask("DELETE", f"/suppressed_numbers/+{FIRST}.json"))
    retreaver.client.run(sync.procedure())
    assert retreaver.suppressed() == {}
    assert sync.checkpoint.changed_by_others == 1
    assert len(retreaver.sends("GET")) == 3
    assert len(retreaver.sends("DELETE")) == (2 if method == "GET" else 3)


def test_what_others_have_suppressed_again_stays():
    """A number that was removed and suppressed again since the list was read is someone's new wish."""
    retreaver = Blocked()
    retreaver.suppress(some(3))
    sync = begun(retreaver)
    retreaver.ask("DELETE", f"/suppressed_numbers/+{FIRST}.json")
    retreaver.suppress(some(1))
    retreaver.client.run(sync.procedure())
    assert set(retreaver.suppressed()) == {FIRST}
    assert sync.checkpoint.changed_by_others == 1
    assert sync.counts() == {"added": 0, "changed": 0, "removed": 2, "failed": 1}
    ((action, number, reason),) = sync.failures()
    assert (action, number) == ("remove", FIRST)
    assert reason == "It was changed by someone else while this run was at work, so it was not removed."


@pytest.mark.parametrize("body", [{"can_resubscribe": True}, {"campaign_id": "roof"}])
def test_what_others_have_changed_stays(body):
    """Another `can_resubscribe` or another campaign shows that someone else is at work."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    retreaver.suppress(some(3))
    sync = begun(retreaver)
    retreaver.ask("PUT", f"/suppressed_numbers/+{FIRST + 1}.json", body)
    retreaver.client.run(sync.procedure())
    assert set(retreaver.suppressed()) == {FIRST + 1}
    assert sync.checkpoint.changed_by_others == 1


def test_additions_and_changes_are_not_looked_at():
    """Only a removal can unblock someone by mistake."""
    retreaver = Blocked()
    retreaver.suppress(some(2))
    retreaver.suppress(some(2, 2), can_resubscribe=True)
    sync = begun(retreaver, source=some(8, 1))
    retreaver.client.run(sync.procedure())
    assert retreaver.sends("GET") == [("GET", FIRST)]
    assert retreaver.suppressed() == dict.fromkeys(some(8, 1), (False, None))
    assert sync.checkpoint.changed_by_others == 0


def test_a_number_that_cannot_be_looked_at_is_not_removed():
    """The attempt fails, and a retry sends it."""
    retreaver = Blocked(max_attempts=1)
    retreaver.suppress(some(3))
    sync = begun(retreaver)
    retreaver.fault(PATH.replace("%2B", r"%2B"), method="GET", status=503)
    with pytest.raises(PartialFailure, match="1 of 3"):
        retreaver.client.run(sync.procedure())
    assert set(retreaver.suppressed()) == {FIRST}


def test_under_a_lease_each_number_takes_one_request():
    """Nobody else is at work there, so nothing is read again; a removal that finds nothing is told all the same."""
    retreaver = Blocked()
    retreaver.suppress(some(3))
    plan = retreaver.plan(MIRROR, some(0))
    retreaver.ask("DELETE", f"/suppressed_numbers/+{FIRST}.json")
    sync = retreaver.sync(plan, MIRROR)
    retreaver.client.run(sync.procedure())
    assert retreaver.sends("GET") == []
    assert sync.checkpoint.changed_by_others == 1


def test_a_removal_whose_response_was_lost_is_not_someone_elses():
    """The second request finds nothing because the first was executed."""
    retreaver = Blocked()
    retreaver.suppress(some(3))
    sync = begun(retreaver)
    retreaver.fault(PATH, method="DELETE", then="done", cut=True)
    retreaver.client.run(sync.procedure())
    assert retreaver.suppressed() == {}
    assert sync.checkpoint.changed_by_others == 0
