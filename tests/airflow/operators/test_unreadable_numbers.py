"""A value of a source that cannot be read is not an absent number: nobody is unblocked because of it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import re

import pytest

from airflow_provider_retreaver.core.errors import AuthenticationError, ChangeRefused, InvalidArgument
from airflow_provider_retreaver.sandbox.api.postback_keys import PERMISSIONS
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.airflow.support.suppression import (
    attempt_context,
    create_warehouse,
    nonzero_counts,
    phone_numbers,
    suppress,
    suppressed,
    sync,
)

pytestmark = pytest.mark.airflow

LIST = phone_numbers(60)
INVISIBLE = f"\u202a{LIST[0]}\u202c"
# Of an area code that libphonenumber does not have, and of a caller who withholds the number.
NEW_AREA, ANONYMOUS = "+15655550123", "+266696687"


def source_of(folder, name, *lines):
    """Write a source file and return its URL."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"file://{path}"


@pytest.fixture
def output(caplog, capsys):
    """Return a function that returns the log: Airflow 2 and 3 write the log of an operator to different places."""
    caplog.set_level(logging.INFO)

    def text():
        messages = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
        lines = [line for line in capsys.readouterr().out.splitlines() if "uvicorn" not in line]
        return "\n".join([*messages, *lines])

    return text


def test_a_number_with_invisible_characters_is_read(account, tmp_path):
    """Marks of direction around a number, as address books put them, are no part of it."""
    suppress(account, LIST)
    source = source_of(tmp_path, "dnc.csv", "name,phone", f"A,{INVISIBLE}", *(f"B,{number}" for number in LIST[1:]))
    result = sync(source=source, column="phone")
    assert nonzero_counts(result) == {"unchanged": 60}
    assert set(suppressed(account)) == set(LIST)


@pytest.mark.parametrize("edition", ["current", "legacy"])
@pytest.mark.parametrize("number", [NEW_AREA, ANONYMOUS])
@pytest.mark.parametrize("allowed", [0, 1, "10%", None])
def test_a_listed_number_that_the_source_has_is_never_removed(
    account, tmp_path, monkeypatch, edition, number, allowed
):
    """Whatever is allowed, and by its own record too: the reader does not know the number, the list does."""
    extra = {"max_wait": 0, "api_routes": edition}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    state = tmp_path / "state"
    record = {"state_path": f"file://{state}"} if edition == "legacy" else {}
    if edition == "legacy":
        sync(attempt_context("first"), numbers=LIST, **record)
        # As if an older release had added it.
        file = state / "company-1.csv.gz"
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + f"{number},sure\n".encode()))
    else:
        suppress(account, LIST)
    suppress(account, [number])
    source = source_of(tmp_path, "dnc.txt", *LIST[:-1], number)
    result = sync(attempt_context("second"), source=source, max_unreadable=allowed, max_removals=None, **record)
    stopped = allowed == 0
    assert result["unreadable"] == 1
    assert result["kept"] == (2 if stopped else 1)
    assert result["removed"] == (0 if stopped else 1)
    assert number in suppressed(account)
    assert (LIST[-1] in suppressed(account)) is stopped


def test_unreadable_values_stop_removals_and_not_additions(account, tmp_path, output):
    """By default one is enough; the log says so, and a parameter allows more."""
    suppress(account, LIST)
    source = source_of(tmp_path, "dnc.txt", *LIST[1:], "#REF!", *phone_numbers(2, 100))
    result = sync(attempt_context(), source=source, state_path=f"file://{tmp_path}/state")
    assert nonzero_counts(result) == {"added": 2, "unchanged": 59, "kept": 1, "rejected": 1, "unreadable": 1}
    assert set(suppressed(account)) == {*LIST, *phone_numbers(2, 100)}
    assert "1 suppressed numbers are not in the source and are kept, since 1 values of the source cannot be read" in (
        output()
    )
    allowed = sync(source=source, max_unreadable=1)
    assert nonzero_counts(allowed) == {"removed": 1, "unchanged": 61, "rejected": 1, "unreadable": 1}


def test_blank_values_are_absent_numbers(account):
    """A row without a number means nobody, so it stops nothing."""
    suppress(account, LIST)
    result = sync(numbers=[*LIST[1:], None, ""], max_rejects=None)
    assert nonzero_counts(result) == {"removed": 1, "unchanged": 59, "rejected": 2}


def test_a_dry_run_says_what_is_kept(account, tmp_path):
    """Its plan has the numbers that are kept, and nothing is sent."""
    suppress(account, LIST)
    state = {"state_path": f"file://{tmp_path}/state"}
    result = sync(attempt_context(), numbers=[*LIST[1:], "#REF!"], dry_run=True, **state)
    assert nonzero_counts(result) == {"unchanged": 59, "kept": 1, "rejected": 1, "unreadable": 1}
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    plan = gzip.decompress(ObjectStoragePath(result["plan"]).read_bytes()).decode().splitlines()
    assert plan == ["action,number", f"keep,{LIST[0]}"]
    assert account.sent("POST", "DELETE") == []


def test_a_retry_after_the_source_was_corrected_compares_again(account, tmp_path):
    """A plan that was made with unreadable values is not continued without them, and the other way round."""
    suppress(account, LIST)
    state = {"state_path": f"file://{tmp_path}/state", "max_removals": 10}
    more = phone_numbers(60, 100)
    account.fault(more[0].replace("+", "%2B"), method="POST", status=401)
    with pytest.raises(AuthenticationError):
        sync(attempt_context(), numbers=[*LIST[1:], *more], **state)
    result = sync(attempt_context(), numbers=[*LIST[1:], *more, "+1 (919) 200-000O"], **state)
    assert (result["removed"], result["kept"]) == (0, 1)
    assert set(suppressed(account)) == {*LIST, *more}
    assert sync(attempt_context(), numbers=[*LIST[1:], *more], **state)["removed"] == 1


@pytest.mark.parametrize("mode", ["add", "mirror"])
def test_the_log_has_the_callers_who_can_still_call(account, output, mode):
    """Masked, with their lines; not those whose number is on the list."""
    suppress(account, [NEW_AREA])
    result = sync(mode=mode, numbers=[*LIST, NEW_AREA, ANONYMOUS, "919-555-O123"], max_rejects=None)
    assert (result["added"], result["unreadable"]) == (60, 3)
    text = output()
    assert (
        "3 values of the source cannot be read, so they are not added; a caller who is not on the list can still"
        in (text)
    )
    told = re.findall(r"Not on the list, so the caller can still call: line (\d+) \((.*?)\)", text)
    assert sorted(set(told)) == [("62", "+2…87"), ("63", "91…23")]
    assert not any(digits in text for digits in ("6669668", "5655550123", "919-555-O123"))


def test_the_legacy_routes_do_not_say_who_is_on_the_list(account, tmp_path, monkeypatch, output):
    """There only the sync's own record is known, so the log says what follows unless the number is on the list."""
    extra = {"max_wait": 0, "api_routes": "legacy"}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    sync(attempt_context(), mode="add", numbers=[*LIST, ANONYMOUS], state_path=f"file://{tmp_path}")
    assert "Unless on the list already, the caller can still call: line 61 (+2…87)" in output()


def test_many_unreadable_values_are_shown_in_part(account, tmp_path, output):
    """The log names the file that has all of them, with line, value and reason."""
    values = [f"+1565555{number:04}" for number in range(30)]
    result = sync(attempt_context(), mode="add", numbers=[*LIST, *values], max_rejects=None,
                  state_path=f"file://{tmp_path}")  # fmt: skip
    text = output()
    assert text.count("Not on the list, so the caller can still call") in {20, 40}
    assert "first 20 of them; rejects.csv" in text
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    rows = list(csv.reader(io.StringIO(ObjectStoragePath(result["rejects"]).read_text())))
    assert len(rows) == 31


def test_two_forms_of_one_number_are_one(account):
    """Retreaver lists a number as it was given; the reader writes it without the old prefix of mobile numbers."""
    old, new = "+5215512345678", "+525512345678"
    from airflow_provider_retreaver.domain.lists.phones import Normalizer

    assert Normalizer("US").read(old) in (int(new[1:]), "not a number that is in use", "too long")
    suppress(account, [*LIST, old])
    result = sync(numbers=[*LIST, old], max_unreadable=None)
    assert old in suppressed(account)
    assert result["removed"] == 0


@pytest.mark.parametrize("allowed", ["many", -1, True, "1.5"])
def test_an_invalid_limit_is_refused(account, allowed):
    """By the parameter's name, before anything is sent."""
    with pytest.raises(InvalidArgument, match="max_unreadable must be a number"):
        sync(numbers=LIST, max_unreadable=allowed)
    assert account.sent() == []


def test_a_query_without_rows_needs_its_column_too(account, tmp_path, monkeypatch):
    """A column that does not exist is never an empty source, with `allow_empty` neither; nor is a statement."""
    suppress(account, LIST)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(create_warehouse(tmp_path, [])))
    query = {"sql_conn_id": "warehouse", "allow_empty": True, "max_removals": None}
    with pytest.raises(InvalidArgument, match="no column 'mobile'; set column to one of phone"):
        sync(sql="SELECT phone FROM do_not_call", column="mobile", **query)
    with pytest.raises(InvalidArgument, match="several columns"):
        sync(sql="SELECT * FROM do_not_call", **query)
    with pytest.raises(InvalidArgument, match="has no columns, so it is no query"):
        sync(sql="DELETE FROM do_not_call", **query)
    assert account.sent() == []
    assert sync(sql="SELECT phone FROM do_not_call", **query)["removed"] == 60


# -- caller lists


def caller_list(account, monkeypatch, **permissions):
    """Return a function that synchronizes a caller list of a new target."""
    from airflow_provider_retreaver.operators.caller_lists import RetreaverCallerListSyncOperator

    extra = {"max_wait": 0, "caller_list_key": POSTBACK_KEY, "caller_list_secret": POSTBACK_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(account.connection(extra=extra)))
    account._control("POST", "upload_delay", {"seconds": 0})
    account._control("POST", "postback_keys", {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET, **permissions})
    target = account.target()

    def run(numbers, **parameters):
        parameters = {"mode": "mirror", "list_name": "suppressed", "target_id": target, **parameters}
        return RetreaverCallerListSyncOperator(task_id="sync", numbers=numbers, **parameters).execute({})

    return run


def test_a_caller_list_keeps_numbers_that_may_be_meant(account, monkeypatch, output):
    """The same rule: removals stop by default, and numbers that a value could mean are never removed."""
    run = caller_list(account, monkeypatch)
    run([*LIST, "+442079460123"])
    values = [*LIST[1:], "+44 20 7946 01 23 ext", *phone_numbers(1, 100)]
    result = run(values)
    assert nonzero_counts(result) == {"added": 1, "unchanged": 59, "kept": 2, "rejected": 1, "unreadable": 1}
    assert "2 numbers on the caller list are not in the source and are kept" in output()
    result = run(values, max_unreadable=1)
    assert nonzero_counts(result) == {"removed": 1, "unchanged": 60, "kept": 1, "rejected": 1, "unreadable": 1}


def test_an_accept_list_blocks_who_cannot_be_read(account, monkeypatch, output):
    """What follows for the caller is the opposite there."""
    run = caller_list(account, monkeypatch)
    run([*LIST, "#REF!"], list_name="accepted-vip", allow_accept_list=True)
    assert "Not on the list, so the caller stays blocked: line 61" in output()


def test_a_list_that_cannot_be_read_is_not_emptied(account, monkeypatch, output):
    """A key that may not list can only add while values are unreadable; with more allowed it is refused."""
    permissions = [name for name in PERMISSIONS if name != "caller_list_number__index"]
    run = caller_list(account, monkeypatch, permissions=permissions)
    run(LIST, max_removals=None)
    gap = {"allow_gap": True, "max_removals": None}
    run([*phone_numbers(1, 100), NEW_AREA], max_rejects=None, **gap)
    uploads = [entry for entry in account.entries() if entry["path"].endswith("caller_list_uploads.json")]
    assert [json.loads(entry["body"])["caller_list_upload"]["clear_before_upload"] for entry in uploads] == [
        False
    ] * 2
    assert "Nothing is removed from the list, which the key may not read" in output()
    with pytest.raises(ChangeRefused, match="1 values of the source cannot be read"):
        run([*phone_numbers(1, 100), NEW_AREA], max_rejects=None, max_unreadable=None, **gap)
