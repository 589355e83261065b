"""`RetreaverCallerListSyncOperator`: parameters, guards and result."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidArgument,
    InvalidConnection,
    PermissionDenied,
)
from airflow_provider_retreaver.sandbox.api.postback_keys import PERMISSIONS
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.airflow.support.suppression import attempt_context, nonzero_counts, phone_numbers

pytestmark = pytest.mark.airflow

CREDENTIALS = {"caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}


@pytest.fixture
def target(account, monkeypatch):
    """Create a target and a connection with a caller-list key; uploads take effect at once."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra={"max_wait": 0, **CREDENTIALS}))
    )
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET})
    return account.target()


def sync(context=None, **parameters):
    """Execute the operator as a worker would, and return its result as JSON."""
    from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator

    parameters = {"mode": "mirror", "list_name": "suppressed", **parameters}
    operator = RetreaverCallerListSyncOperator(task_id="sync", **parameters)
    return json.loads(json.dumps(operator.execute({} if context is None else context)))


def test_the_modes_change_a_list(account, target, tmp_path):
    """The list is created and mirrored, numbers are added and removed; rejected values are saved."""
    result = sync(
        attempt_context(), target_id=target, numbers=[*phone_numbers(50), "x"], state_path=f"file://{tmp_path}"
    )
    assert nonzero_counts(result) == {"added": 50, "rejected": 1, "unreadable": 1}
    assert result["created"] is True
    assert result["verified"] == "total and sample"
    assert Path(result["rejects"].removeprefix("file://")).read_text().splitlines()[1] == "51,x,not a phone number"
    assert nonzero_counts(sync(target_id=str(target), numbers=phone_numbers(50, 5))) == {
        "added": 5,
        "removed": 5,
        "unchanged": 45,
    }
    assert nonzero_counts(sync(target_id=target, mode="add", numbers=phone_numbers(3))) == {"added": 3}
    assert nonzero_counts(sync(target_id=target, mode="remove", numbers=phone_numbers(3))) == {"removed": 3}


def test_a_campaign_has_separate_lists(account, target):
    """Lists of a target and of a campaign with the same name are independent."""
    account._handle("POST", "/campaigns.json", {"campaign": {"cid": "roof", "name": "Roofs"}})
    sync(target_id=target, numbers=phone_numbers(3))
    assert sync(campaign_id=1, numbers=phone_numbers(2))["created"] is True


def test_a_dry_run_uploads_nothing(account, target, tmp_path):
    """Additions and removals are counted, and with `state_path` written to a file."""
    sync(target_id=target, numbers=phone_numbers(20))
    before = account.sent("POST")
    result = sync(
        attempt_context(),
        target_id=target,
        numbers=phone_numbers(20, 1),
        dry_run=True,
        state_path=f"file://{tmp_path}",
    )
    assert nonzero_counts(result) == {"would_add": 1, "would_remove": 1}
    lines = gzip.decompress(Path(result["plan"].removeprefix("file://")).read_bytes()).decode().splitlines()
    assert lines == ["action,number", f"add,{phone_numbers(21)[20]}", f"remove,{phone_numbers(1)[0]}"]
    assert account.sent("POST") == before
    assert (
        sync(target_id=target, list_name="suppressed-2", numbers=phone_numbers(2), dry_run=True)["would_create"]
        is True
    )


def test_the_guards_stop_a_sync(account, target):
    """With a much smaller or empty source, or for a new accept list, nothing is sent."""
    sync(target_id=target, numbers=phone_numbers(20))
    before = account.sent("POST")
    with pytest.raises(ChangeRefused, match="17 of 20 numbers on the caller list would be removed"):
        sync(target_id=target, numbers=phone_numbers(3))
    with pytest.raises(ChangeRefused, match="allow_empty"):
        sync(target_id=target, numbers=[])
    with pytest.raises(ChangeRefused, match="allow_accept_list"):
        sync(target_id=target, list_name="accepted", numbers=phone_numbers(3))
    assert account.sent("POST") == before


def test_a_missing_permission_fails_without_a_retry(account, target):
    """The error names the permission."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    permissions = [name for name in PERMISSIONS if name != "caller_list_upload__create"]
    given = {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET, "permissions": permissions}
    account._control("POST", "postback_keys", given)
    with pytest.raises(PermissionDenied, match="caller_list_upload__create") as error:
        sync(target_id=target, numbers=phone_numbers(3))
    assert isinstance(error.value, AirflowFailException)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "exactly one of the two"),
        ({"target_id": 1, "campaign_id": 2}, "exactly one of the two"),
        ({"target_id": " "}, "target_id"),
        ({"target_id": 1, "list_name": " "}, "caller list name"),
        ({"target_id": 1, "mode": "replace"}, "mode"),
        ({"target_id": 1, "max_removals": "few"}, "max_removals"),
        ({"target_id": 1, "verify_wait": -1}, "verify_wait"),
        ({"target_id": 1, "verify_wait": "long"}, "verify_wait"),
        ({"target_id": 1, "allow_gap": "maybe"}, "allow_gap"),
        ({"target_id": 1, "numbers": None}, "source, sql and numbers"),
    ],
)
def test_an_invalid_parameter_is_refused(account, target, parameters, message):
    """The error names the parameter; nothing is sent."""
    before = account.sent()
    with pytest.raises(InvalidArgument, match=message):
        sync(**{"numbers": phone_numbers(1), **parameters})
    assert account.sent() == before


def test_a_connection_without_the_key_is_refused(account):
    """The API key has no access to caller lists."""
    with pytest.raises(InvalidConnection, match="caller_list_key"):
        sync(target_id=1, numbers=phone_numbers(1))
    assert account.sent() == []
