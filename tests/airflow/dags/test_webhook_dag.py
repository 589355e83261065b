"""The example DAG that marks spam callers, in a real Airflow with webhooks that were kept."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version

import pytest

from airflow_provider_retreaver.sandbox.options import WRITING_KEY
from airflow_provider_retreaver.webhooks.collector import Collector
from tests.airflow.support.webhooks import TOKEN, keep, spool_in, webhook
from tests.paths import EXAMPLE_DAGS

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="Airflow 2 has no asset watchers"),
]
SPAMMER, CUSTOMER = "+19195550123", "+19195550124"


def tags(account, uuid):
    """Return the tags of a call."""
    return account._handle("GET", f"/api/v2/calls/{uuid}.json")["call"]["tags"]


def webhook_of(uuid, caller, duration):
    """Return the webhook of the end of a call."""
    fields = {"call_uuid": uuid, "caller_number": caller, "duration": duration}
    return {**webhook(1), "call_uuid": uuid, "fields": fields}


def run(airflow_lab, account, folder, home=None):
    """Run the DAG, and return the result."""
    extra = {"max_wait": 0, "webhook_token": TOKEN, "webhook_spool": f"file://{folder}/spool"}
    return airflow_lab.run_dag(
        EXAMPLE_DAGS / "retreaver_mark_spam_callers.py",
        connections={
            "retreaver_default": account.connection(extra=extra),
            "retreaver_writing": account.connection(extra={"max_wait": 0, "postback_key": WRITING_KEY}),
        },
        retries=False,
        home=home,
    )


def test_calls_of_spam_callers_are_marked(airflow_lab, account, tmp_path):
    """Short calls of a caller who called three times get the tag, others do not; a second run has nothing to do."""
    spam = account.calls(3, caller=SPAMMER, tags={}, status="finished")
    (long,) = account.calls(1, caller=SPAMMER, tags={}, status="finished")
    (customer,) = account.calls(1, caller=CUSTOMER, tags={}, status="finished")
    spool = spool_in(tmp_path)
    keep(spool, *(webhook_of(uuid, SPAMMER, "4") for uuid in spam), webhook_of(long, SPAMMER, "300"))
    keep(spool, webhook_of(customer, CUSTOMER, 4), webhook_of("no-such", "", ""))
    Collector(spool, timedelta(days=1), timedelta(days=7)).collect()
    result = run(airflow_lab, account, tmp_path)
    assert result.states == dict.fromkeys(("take_webhooks", "find_spam", "mark"), "success"), result.output
    assert [tags(account, uuid).get("spam") for uuid in (*spam, long, customer)] == ["yes"] * 3 + [None] * 2
    again = run(airflow_lab, account, tmp_path)
    assert again.states == dict.fromkeys(("take_webhooks", "find_spam", "mark"), "skipped"), again.output


def test_nothing_is_marked_without_spam(airflow_lab, account, tmp_path):
    """Webhooks without a spam caller end the run after they were looked at."""
    (customer,) = account.calls(1, caller=CUSTOMER, tags={}, status="finished")
    spool = spool_in(tmp_path)
    keep(spool, webhook_of(customer, CUSTOMER, 4))
    Collector(spool, timedelta(days=1), timedelta(days=7)).collect()
    result = run(airflow_lab, account, tmp_path)
    assert result.states == {"take_webhooks": "success", "find_spam": "success", "mark": "skipped"}, result.output
