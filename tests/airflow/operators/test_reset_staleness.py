"""When `RetreaverResetCapOperator` leaves a run alone because it comes too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_retreaver.core.errors import InvalidArgument
from tests.airflow.support.account import context_of, reset_caps

pytestmark = pytest.mark.airflow


def ago(**span: float) -> datetime:
    """Return a time in the past."""
    return datetime.now(UTC) - timedelta(**span)


def ended(moment: datetime) -> dict[str, object]:
    """Return the dates of a daily run whose data interval ended then."""
    begun = moment - timedelta(days=1)
    return {"logical_date": begun, "data_interval_start": begun, "data_interval_end": moment}


# Dates are worked out when a test begins: a long suite may have collected it minutes ago.
FRESH = {
    "just ended": (lambda: ended(ago(seconds=5)), {}),
    "ended less than the default ago": (lambda: ended(ago(hours=11.9)), {}),
    "within a limit of its own": (lambda: ended(ago(days=2)), {"max_staleness": timedelta(days=3)}),
    "within a limit in seconds": (lambda: ended(ago(minutes=50)), {"max_staleness": 3600}),
    "old, but never stale": (lambda: ended(ago(days=400)), {"max_staleness": None}),
    "old, but forced": (lambda: ended(ago(days=400)), {"force": True}),
    "old, but forced by a template": (lambda: ended(ago(days=400)), {"force": "True"}),
    "triggered by hand today": (lambda: {"logical_date": ago(minutes=1), "data_interval_end": ago(days=1)}, {}),
    "in the future": (lambda: ended(ago(days=-1)), {}),
    "pendulum's dates": (lambda: ended(pendulum.now("America/New_York").subtract(hours=1)), {}),
    "asset-triggered just now": (lambda: {"dag_run": SimpleNamespace(run_after=ago(minutes=3))}, {}),
    "asset-triggered, dates absent": (lambda: {"logical_date": None, "dag_run": SimpleNamespace(run_after=None)}, {}),
    "no dates at all": (dict, {}),
}


@pytest.mark.parametrize(("dates", "parameters"), FRESH.values(), ids=FRESH.keys())
def test_resets(account, dates, parameters):
    """A run that is not too late, or may be, resets; one without dates is normal."""
    id_ = account.target(filled=10)
    result = reset_caps(context_of(**dates()), target_ids=id_, **parameters)
    assert [row["id"] for row in result["reset"]] == [id_]
    assert account.filled(id_) == 0


STALE = {
    "older than the default": (lambda: ended(ago(hours=12.1)), {}, "12.1 h ago"),
    "older than a limit of its own": (
        lambda: ended(ago(minutes=90)),
        {"max_staleness": timedelta(hours=1)},
        "(1.0 h)",
    ),
    "older than a limit in seconds": (lambda: ended(ago(minutes=90)), {"max_staleness": 1800.0}, "(0.5 h)"),
    "a backfill": (lambda: ended(ago(days=30)), {"force": "false"}, "720.0 h ago"),
    "by hand with an old logical date": (lambda: {"logical_date": ago(days=9)}, {}, "216.0 h ago"),
    "asset-triggered, then cleared much later": (
        lambda: {"dag_run": SimpleNamespace(run_after=ago(days=2))},
        {},
        "48.0 h",
    ),
}


@pytest.mark.parametrize(("dates", "parameters", "message"), STALE.values(), ids=STALE.keys())
def test_skips(account, dates, parameters, message):
    """A run that comes too late is skipped before any request, with a reason that has the delay and what to do."""
    id_ = account.target(filled=10)
    with pytest.raises(AirflowSkipException) as caught:
        reset_caps(context_of(**dates()), target_ids=id_, **parameters)
    assert message in str(caught.value)
    assert "force=True" in str(caught.value)
    assert account.sent() == []


def test_a_dry_run_is_never_stale(account):
    """A dry run of an old run is not skipped: nothing is sent."""
    id_ = account.target(filled=10)
    result = reset_caps(context_of(**ended(ago(days=30))), target_ids=id_, dry_run=True)
    assert [row["id"] for row in result["would_reset"]] == [id_]
    assert account.sent("POST") == []


@pytest.mark.parametrize("limit", ["12h", True, [1]])
def test_a_limit_that_is_no_length_of_time_is_refused(account, limit):
    """A limit in no known form is refused by name, before any request."""
    with pytest.raises(InvalidArgument, match=r"^max_staleness must be") as caught:
        reset_caps(context_of(**ended(ago(hours=1))), target_ids=1, max_staleness=limit)
    assert isinstance(caught.value, AirflowFailException)
    assert account.sent() == []


@pytest.mark.parametrize("limit", ["12h", -5, timedelta(seconds=-1), float("nan")])
def test_a_bad_limit_is_refused_whatever_the_run(account, limit):
    """A wrong limit is refused also where no date would be compared with it, or none would ever be stale."""
    with pytest.raises(InvalidArgument, match=r"^max_staleness must be"):
        reset_caps({}, target_ids=1, max_staleness=limit)
    assert account.sent() == []
