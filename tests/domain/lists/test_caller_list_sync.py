"""Synchronizing caller lists: uploads, verification, and guards against blocking or unblocking by mistake."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_retreaver.core.errors import (
    ChangeRefused,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
)
from airflow_provider_retreaver.domain.lists.caller_list_change import CallerListRequest
from airflow_provider_retreaver.domain.lists.caller_list_sync import CallerListSync
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.resources.caller_lists import Owner
from airflow_provider_retreaver.sandbox.api.postback_keys import PERMISSIONS
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from tests.domain.support.blocked import Blocked, some


class Listed(Blocked):
    """An account with one target, whose caller lists are read with a separate key."""

    def __init__(self) -> None:
        super().__init__()
        self.ask("POST", "/__sandbox__/clock", {"hold": True})
        self.id = self.target()
        self._master = {"key": "11111111-2222-3333-4444-555555555555", "secret": "master-secret"}
        self.ask("POST", "/__sandbox__/postback_keys", self._master)

    def request(self, method, path, body=None, query=()):
        """Send a request about caller lists without the client."""
        pairs = [("key", self._master["key"]), *query]
        headers = {"authorization": f"Bearer {self._master['secret']}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        path = f"/api/v2/targets/{self.id}/caller_lists{path}.json"
        answer = self._sandbox.handle(method, path, pairs, headers, raw)
        assert answer.status < 300, answer
        return json.loads(answer.body), dict(answer.headers)

    def on_list(self, name="suppressed"):
        """Return the numbers on a list."""
        found, page = set(), 1
        while True:
            rows, headers = self.request(
                "GET", f"/{name}/caller_list_numbers", query=[("page", str(page)), ("per_page", "100")]
            )
            found |= {int(row["caller_list_number"]["number"][1:]) for row in rows}
            if not rows:
                assert int(headers["Total"]) == len(found)
                return found
            page += 1

    def fill(self, numbers, name="suppressed"):
        """Create a list with these numbers."""
        self.request("POST", "", {"caller_list": {"name": name}})
        if numbers:
            text = "\n".join(f"+{number}" for number in numbers)
            self.request("POST", f"/{name}/caller_list_uploads", {"caller_list_upload": {"numbers": text}})
            self.sleep(10)
        self.slept.clear()

    def permit(self, *withheld):
        """Give the client's key all permissions except these."""
        permissions = [name for name in PERMISSIONS if name not in withheld]
        key = {"key": POSTBACK_KEY, "secret": POSTBACK_SECRET, "permissions": permissions}
        self.ask("POST", "/__sandbox__/postback_keys", key)

    def uploads(self):
        """Return action, count and clearing of every upload that the client has sent."""
        bodies = [body["caller_list_upload"] for _, path, body in self.sent if path.endswith("uploads.json")]
        return [(one["action"], len(one["numbers"].split()), one["clear_before_upload"]) for one in bodies]


@pytest.fixture
def retreaver():
    """Return an account with a target and no caller list."""
    return Listed()


def sync(retreaver, mode, source, name="suppressed", **how):
    """Run a sync and return its result."""
    work = CallerListSync(CallerListRequest(Owner(target_id=retreaver.id), name, mode, **how), source)
    change = retreaver.client.run(work.plan())
    return retreaver.client.run(work.carry_out(change))


def test_a_missing_list_is_created_and_filled_in_batches(retreaver):
    """In batches of ten thousand; the waits between checks grow."""
    retreaver.ask("POST", "/__sandbox__/upload_delay", {"seconds": 20})
    result = sync(retreaver, "mirror", some(25_000))
    assert result == {
        "added": 25_000,
        "removed": 0,
        "unchanged": 0,
        "changed_by_others": 0,
        "created": True,
        "verified": "total and sample",
    }
    assert retreaver.uploads() == [("create", 10_000, False), ("create", 10_000, False), ("create", 5000, False)]
    assert retreaver.on_list() == set(some(25_000))
    assert retreaver.slept == [1, 2, 4, 8, 16]


def test_a_mirror_uploads_the_difference(retreaver):
    """Missing numbers are added, others removed, additions first; a second run changes nothing."""
    retreaver.fill(some(300))
    result = sync(retreaver, "mirror", some(300, 20))
    assert result == {
        "added": 20,
        "removed": 20,
        "unchanged": 280,
        "changed_by_others": 0,
        "created": False,
        "verified": "total and sample",
    }
    assert retreaver.uploads() == [("create", 20, False), ("delete", 20, False)]
    assert retreaver.on_list() == set(some(300, 20))
    assert sync(retreaver, "mirror", some(300, 20))["verified"] == "nothing to verify"
    assert len(retreaver.uploads()) == 2


def test_adding_never_removes_and_counts_new_numbers(retreaver):
    """All of the source is uploaded; the number of new ones follows from the list's total."""
    retreaver.fill(some(10))
    result = sync(retreaver, "add", some(10, 5))
    assert result == {
        "added": 5,
        "removed": 0,
        "unchanged": 5,
        "changed_by_others": 0,
        "created": False,
        "verified": "total and sample",
    }
    assert retreaver.on_list() == set(some(15))


def test_removing_removes_the_source(retreaver):
    """Only numbers of the source are removed; for a missing list nothing is sent."""
    retreaver.fill(some(10))
    result = sync(retreaver, "remove", some(10, 5))
    assert result == {
        "added": 0,
        "removed": 5,
        "unchanged": 5,
        "changed_by_others": 0,
        "created": False,
        "verified": "total and sample",
    }
    assert retreaver.on_list() == set(some(5))
    assert sync(retreaver, "remove", some(3), name="suppressed-none")["removed"] == 0
    assert len(retreaver.uploads()) == 1


@pytest.mark.parametrize("mode", ["mirror", "remove"])
def test_removals_are_guarded(retreaver, mode):
    """More removals than allowed are refused before anything is uploaded."""
    retreaver.fill(some(10))
    source = some(3) if mode == "mirror" else some(7)
    with pytest.raises(ChangeRefused, match=r"7 of 10 numbers on the caller list.*max_removals"):
        sync(retreaver, mode, source, max_removals=("10%", 10_000))
    assert retreaver.uploads() == []


def test_creating_an_accept_list_needs_a_confirmation(retreaver):
    """A list whose name begins with accepted is created only with `allow_accept_list`; an existing one is changed."""
    with pytest.raises(ChangeRefused, match="allow_accept_list"):
        sync(retreaver, "add", some(3), name="Accepted callers")
    assert [method for method, path, _ in retreaver.sent if method == "POST"] == []
    assert sync(retreaver, "add", some(3), name="accepted-vip", allow_accept_list=True)["created"]
    assert sync(retreaver, "mirror", some(4), name="accepted-vip")["added"] == 1


def test_mirroring_a_list_that_cannot_be_read_needs_a_confirmation(retreaver):
    """Without the permission to list, the error names it and the alternative."""
    retreaver.fill(some(10))
    retreaver.permit("caller_list_number__index")
    with pytest.raises(PermissionDenied, match=r"caller_list__show.*caller_list_number__index.*allow_gap=True"):
        sync(retreaver, "mirror", some(3))
    with pytest.raises(ChangeRefused, match="max_removals=None"):
        sync(retreaver, "mirror", some(3), allow_gap=True, max_removals="10%")
    with pytest.raises(ChangeRefused, match="cannot be emptied"):
        sync(retreaver, "mirror", NumberSet(), allow_gap=True)
    assert retreaver.uploads() == []


def test_with_allow_gap_the_list_is_cleared_and_filled_by_one_upload(retreaver):
    """Several uploads could be processed in any order, and the one that clears the list might be the last."""
    retreaver.fill(some(10))
    retreaver.permit("caller_list_number__index")
    result = sync(retreaver, "mirror", some(12_000, 5), allow_gap=True)
    assert result == {
        "added": None,
        "removed": None,
        "unchanged": None,
        "changed_by_others": 0,
        "created": False,
        "verified": "sample",
    }
    assert retreaver.uploads() == [("create", 12_000, True)]
    assert retreaver.on_list() == set(some(12_000, 5))


def test_without_permissions_to_read_the_upload_is_not_verified(retreaver, caplog):
    """Without the permissions to list and to check, a warning is logged."""
    retreaver.fill(some(10))
    retreaver.permit("caller_list_number__index", "caller_list_check__create")
    result = sync(retreaver, "add", some(3, 20))
    assert result == {
        "added": None,
        "removed": 0,
        "unchanged": None,
        "changed_by_others": 0,
        "created": False,
        "verified": "not verified",
    }
    assert "not verified" in caplog.text
    retreaver.permit("caller_list_check__create")
    assert sync(retreaver, "add", some(3, 30))["verified"] == "total"


@pytest.mark.parametrize(
    ("withheld", "named"),
    [
        ("caller_list__create", "caller_list__create"),
        ("caller_list_upload__create", "caller_list_upload__create"),
        ("caller_list__show", "needs caller_list__show"),
    ],
)
def test_a_missing_permission_is_named(retreaver, withheld, named):
    """The error of a 403 names the permission that the action needs."""
    retreaver.permit(withheld)
    with pytest.raises(PermissionDenied, match=named):
        sync(retreaver, "add", some(3))


@pytest.mark.parametrize("how", [{"cut": True}, {"status": 500}, {"status": 200, "body": "<html>"}])
@pytest.mark.parametrize("then", ["done", "nothing"])
def test_an_upload_whose_response_was_lost_is_sent_again(retreaver, how, then):
    """Uploading twice has the same effect as uploading once."""
    retreaver.fault("caller_list_uploads", method="POST", then=then, **how)
    assert sync(retreaver, "mirror", some(30))["added"] == 30
    assert retreaver.on_list() == set(some(30))
    assert len(retreaver.uploads()) == 2


def test_a_list_is_read_after_a_lost_response_to_its_creation(retreaver):
    """A list that was created is used; one that was not is created by the retry."""
    retreaver.fault("caller_lists.json", method="POST", then="done", cut=True)
    assert sync(retreaver, "add", some(3))["created"]
    retreaver.fault("caller_lists.json", method="POST", cut=True)
    with pytest.raises(NotFound):
        sync(retreaver, "add", some(3), name="other")


def test_an_upload_without_any_response_is_unknown(retreaver):
    """It is sent three times."""
    retreaver.fault("caller_list_uploads", method="POST", cut=True, times=None)
    with pytest.raises(OutcomeUnknown, match="caller_list_uploads"):
        sync(retreaver, "add", some(3))
    assert len(retreaver.uploads()) == 3


def test_an_upload_that_takes_effect_too_late_fails(retreaver):
    """The wait is limited, and the error describes the difference."""
    retreaver.fill(some(5))
    retreaver.ask("POST", "/__sandbox__/upload_delay", {"seconds": 10_000})
    with pytest.raises(OutcomeUnknown, match=r"after 100 s it has 5 numbers, and should have 6.*portal"):
        sync(retreaver, "mirror", some(6), verify_wait=100)
    assert retreaver.slept == [1, 2, 4, 8, 16, 32, 37]
    with pytest.raises(OutcomeUnknown, match=r"after 0 s 5 of 5 checked numbers"):
        sync(retreaver, "remove", some(5), verify_wait=0)


def test_errors_of_an_upload_are_raised_with_numbers_masked(retreaver):
    """Errors that Retreaver reports fail the upload; the URL of its file is in no error."""
    upload = {
        "status": "Failed",
        "error_messages": ["+19192000001 is odd"],
        "csv_file_url": "https://x.test/secret.csv",
    }
    retreaver.fault("caller_list_uploads", method="POST", status=200, body={"caller_list_upload": upload})
    with pytest.raises(InvalidRequest, match=re.escape("+1…01 is odd")) as error:
        sync(retreaver, "add", some(3))
    assert "secret.csv" not in f"{error.value!r} {error.value.__dict__}"


def test_no_such_target(retreaver):
    """For a missing target an error is raised and no list is created."""
    retreaver.id += 1
    with pytest.raises(NotFound):
        sync(retreaver, "add", some(3))


def test_what_others_have_put_on_the_list_again_stays(retreaver, caplog):
    """A mirror reads the list again before it removes: what is gone or was added anew since is left alone."""
    retreaver.fill(some(10))
    source = some(8, 2)
    one = CallerListSync(CallerListRequest(Owner(target_id=retreaver.id), "suppressed", mode="mirror"), source)
    change = retreaver.client.run(one.plan())
    assert change.remove == some(2)
    path = "/suppressed/caller_list_numbers"
    for number in some(2):
        retreaver.request("DELETE", f"{path}/+{number}")
    retreaver.ask("POST", "/__sandbox__/clock", {"advance": 60})
    retreaver.request("POST", path, {"caller_list_number": {"number": f"+{some(2)[1]}"}})
    result = retreaver.client.run(one.carry_out(change))
    assert (result["removed"], result["changed_by_others"], result["verified"]) == (
        0,
        2,
        "nothing to verify",
    )
    assert retreaver.on_list() == {some(2)[1], *source}
    assert "2 numbers were changed while this run was" in caplog.text
    assert retreaver.uploads() == []


def test_under_a_lease_the_list_is_read_once(retreaver):
    """Nobody else is at work there."""
    retreaver.fill(some(10))
    request = CallerListRequest(Owner(target_id=retreaver.id), "suppressed", mode="mirror")
    confirmed = []
    one = CallerListSync(request, some(8, 2), look_again=False, before_upload=lambda: confirmed.append(1))
    change = retreaver.client.run(one.plan())
    retreaver.sent.clear()
    retreaver.client.run(one.carry_out(change))
    assert retreaver.on_list() == set(some(8, 2))
    # To verify the upload.
    assert len([path for method, path, _ in retreaver.sent if path.endswith("caller_list_numbers.json")]) <= 3
    assert confirmed == [1]


def test_listed_numbers_that_cannot_be_read_are_not_removed(retreaver, caplog):
    """A mirror leaves them alone and expects them in the total."""
    retreaver.fill(some(2))
    rows = [{"caller_list_number": {"number": number}} for number in ("anonymous", *(f"+{one}" for one in some(2)))]
    retreaver.fault("caller_list_numbers.json", method="GET", status=200, body=json.dumps(rows))
    request = CallerListRequest(Owner(target_id=retreaver.id), "suppressed", mode="mirror")
    change = retreaver.client.run(CallerListSync(request, some(1, 1)).plan())
    assert (change.remove, change.known) == (some(1), 3)
    assert "1 numbers on the list are not in E.164 and are not changed" in caplog.text
