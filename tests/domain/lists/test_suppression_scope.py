"""Which numbers of Retreaver's list belong to a campaign: its own are recognized, and no other's are changed."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, Unavailable
from airflow_provider_retreaver.domain.lists.suppression_plan import EMPTY, Plan, SuppressionRequest
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope
from tests.domain.support.blocked import FIRST, Blocked, some

ROOF = SuppressionRequest("mirror", can_resubscribe=False, campaign="roof")
COMPANY = SuppressionRequest("mirror", can_resubscribe=False)


def listed(retreaver: Blocked, *rows: dict[str, object]) -> None:
    """Let the next list of suppressed numbers have these rows."""
    body = [
        {"suppressed_number": {"number": f"+{FIRST + place}", "can_resubscribe": False, **row}}
        for place, row in enumerate(rows)
    ]
    retreaver.fault("suppressed_numbers.json", method="GET", status=200, body=json.dumps(body))


def test_a_mirror_of_a_campaign_knows_its_numbers():
    """Retreaver lists the campaign as an integer: the second sync changes nothing, and a mirror removes."""
    retreaver = Blocked()
    retreaver.campaign("attic")
    retreaver.campaign("roof")
    first = retreaver.plan(ROOF, some(5))
    retreaver.client.run(retreaver.sync(first, ROOF).procedure())
    assert retreaver.suppressed() == dict.fromkeys(some(5), (False, "roof"))
    assert retreaver.plan(ROOF, some(5)) == Plan(unchanged=5)
    plan = retreaver.plan(ROOF, some(3))
    assert (plan.remove, plan.conflict) == (some(2, 3), EMPTY)


@pytest.mark.parametrize("row", [{"cid": "roof"}, {"campaign_id": "roof"}, {"campaign_id": 1}, {"cid": 1}])
def test_either_id_is_accepted(row):
    """The customer's text and Retreaver's integer mean the same campaign, under both names."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    listed(retreaver, row)
    assert retreaver.plan(ROOF, EMPTY).remove == some(1)


def test_each_campaign_is_looked_up_once():
    """However many numbers are listed, one request a campaign is sent, and none by a sync of the company."""
    retreaver = Blocked()
    for cid in ("roof", "attic"):
        retreaver.campaign(cid)
    retreaver.suppress(some(30), cid="roof")
    retreaver.suppress(some(30, 30), cid="attic")
    plan = retreaver.plan(ROOF, some(60))
    assert (plan.unchanged, plan.conflict) == (30, some(30, 30))
    # Whether the integer is another campaign's customer's ID is asked as well.
    assert [path for _, path, _ in retreaver.sent if "/campaigns/" in path] == [
        "/campaigns/1.json",
        "/campaigns/2.json",
        "/campaigns/cid/1.json",
    ]
    retreaver.sent.clear()
    assert retreaver.plan(COMPANY, some(60)).conflict == some(60)
    assert not [path for _, path, _ in retreaver.sent if "/campaigns/" in path]


def test_an_integer_may_be_the_customers_id():
    """A list that shows the customer's ID as an integer is understood where no other campaign has it."""
    retreaver = Blocked()
    retreaver.campaign("111")
    listed(retreaver, {"cid": 111})
    wanted = SuppressionRequest("mirror", can_resubscribe=False, campaign="111")
    assert retreaver.plan(wanted, EMPTY).remove == some(1)


@pytest.mark.parametrize("campaign", ["roof", "1"])
def test_an_integer_of_two_campaigns_is_neither(campaign, caplog):
    """Campaign roof has Retreaver's ID 1, and another campaign the customer's ID 1: its numbers are not changed."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    retreaver.campaign("1")
    listed(retreaver, {"cid": 1})
    wanted = SuppressionRequest("mirror", can_resubscribe=False, campaign=campaign)
    plan = retreaver.plan(wanted, some(1))
    assert (plan.conflict, len(plan)) == (some(1), 0)
    assert "campaign 1, which is Retreaver's ID of one campaign and the customer's ID of another" in caplog.text
    listed(retreaver, {"cid": 1})
    assert retreaver.plan(wanted, EMPTY).remove == EMPTY


def test_a_deleted_campaign_is_another_one():
    """Numbers of a campaign that no longer exists do not belong to the sync."""
    retreaver = Blocked()
    retreaver.campaign("roof")
    listed(retreaver, {"cid": 99})
    assert retreaver.plan(ROOF, EMPTY).remove == EMPTY


def test_a_campaign_that_cannot_be_looked_up_ends_the_sync():
    """An error is not taken for another campaign."""
    retreaver = Blocked(max_attempts=1)
    listed(retreaver, {"cid": 99})
    retreaver.fault("/campaigns/99", status=503)
    with pytest.raises(Unavailable):
        retreaver.plan(ROOF, EMPTY)


@pytest.mark.parametrize("row", [{"affiliate_id": 7}, {"affiliate_id": 7, "cid": "roof"}, {"affiliate_id": "seven"}])
@pytest.mark.parametrize("wanted", [ROOF, COMPANY])
def test_a_number_of_an_affiliate_is_not_company_wide(row, wanted):
    """It blocks calls of one affiliate only, so it is neither there nor covered, and is not removed."""
    retreaver = Blocked()
    listed(retreaver, row, {})
    plan = retreaver.plan(wanted, some(2))
    assert (plan.conflict, plan.unchanged, len(plan)) == (some(1), 1, 0)
    listed(retreaver, row)
    assert retreaver.plan(wanted, EMPTY).remove == EMPTY


@pytest.mark.parametrize("row", [{"affiliate_id": 7}, {"campaign_id": 9}])
def test_a_number_that_is_suppressed_for_less_is_a_failure(row, caplog):
    """Where the response to an addition shows a campaign or affiliate, the number is not blocked for the company."""
    retreaver = Blocked()
    body = {"id": 1, "number": f"+{FIRST}", **row}
    retreaver.fault(rf"%2B{FIRST}\.json", method="POST", status=200, body=json.dumps(body))
    sync = retreaver.sync(Plan(add=some(2)), COMPANY)
    with caplog.at_level(logging.INFO):
        retreaver.client.run(sync.procedure())
    assert sync.counts() == {"added": 1, "changed": 0, "removed": 0, "failed": 1}
    ((_, number, reason),) = sync.failures()
    assert number == FIRST
    assert reason.startswith(f"It was suppressed for {'affiliate 7' if 'affiliate_id' in row else 'campaign 9'}")


def test_numbers_of_the_campaign_are_recognized_on_resuming():
    """A removal that an earlier attempt may have sent is sent for the own campaign and not for another."""
    retreaver = Blocked()
    for cid in ("attic", "roof"):
        retreaver.campaign(cid)
    retreaver.suppress(some(1), cid="roof")
    retreaver.suppress(some(1, 1), cid="attic")
    sync = retreaver.sync(Plan(remove=some(2)), ROOF, checkpoint=Checkpoint(done=0, announced=2))
    retreaver.client.run(sync.procedure())
    assert retreaver.suppressed() == {FIRST + 1: (False, "attic")}
    assert sync.counts() == {"added": 0, "changed": 0, "removed": 1, "failed": 1}


def test_a_campaign_that_does_not_exist_is_refused():
    """Before anything is read or sent, by the parameter's name."""
    retreaver = Blocked()
    with pytest.raises(
        InvalidArgument, match=r"no campaign whose customer's ID \(cid\) is 'roof'; correct campaign_id"
    ):
        retreaver.client.run(WantedScope("roof").check())
    retreaver.campaign("roof")
    assert retreaver.client.run(WantedScope("roof").check()) is None


def test_listed_numbers_that_cannot_be_read_are_not_changed(caplog):
    """Rows whose number is not in E.164 are not removed, and the log counts them."""
    retreaver = Blocked()
    listed(retreaver, {"number": "9192000000"}, {"number": None}, {"number": "anonymous"}, {})
    assert retreaver.plan(COMPANY, EMPTY).remove == some(1, 3)
    assert "3 of 4 suppressed numbers are not in E.164 and are not changed" in caplog.text
