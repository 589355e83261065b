"""Reading an account: lists that leave out nested fields, and a vendor that asks to slow down."""

from __future__ import annotations

import json
import re

from airflow_provider_retreaver.core.messages import Response
from tests.account.support import Account, statuses
from tests.account.test_apply import EXAMPLE


class Bare(Account):
    """An account whose list of targets has no caps, hours, tags and groups, as the older reference shows it."""

    def send(self, request, wire):
        """Leave the nested fields out of the list."""
        answer = super().send(request, wire)
        if request.path != "/targets.json" or request.method != "GET":
            return answer
        names = ("caps", "business_hours", "tag_values", "target_group_ids", "target_groups")
        rows = [
            {"target": {k: v for k, v in row["target"].items() if k not in names}} for row in json.loads(answer.body)
        ]
        return Response(answer.status, answer.headers, json.dumps(rows).encode())


def test_what_a_list_leaves_out_is_read_one_by_one():
    """The plan is the same, by one more request for each target."""
    account = Bare()
    account.secrets["acme_sip"] = "s3cret-password"
    account.apply(account.plan(EXAMPLE))
    account.sent.clear()
    assert account.plan(EXAMPLE).changes == []
    assert [path for _, path, _ in account.sent if re.fullmatch(r"/targets/\d+\.json", path)] == ["/targets/1.json"]


def test_a_storm_of_429_only_takes_time():
    """Requests that are refused for now are sent again, and everything is made once."""
    account = Account()
    account.secrets["acme_sip"] = "s3cret-password"
    plan = account.plan(EXAMPLE)
    for path in ("/targets.json", "/numbers.json", "/campaigns.json", "/company.json"):
        account.fault(path, status=429, times=3)
    assert set(statuses(account.apply(plan)).values()) == {"done"}
    assert len(account.rows("numbers")) == 1
