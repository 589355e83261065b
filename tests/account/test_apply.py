"""Applying plans: in order, compared right before, read back after, exact after a kill."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from tests.account.support import Account, statuses

EXAMPLE = """
company: 1
prices: {toll_free: 2.5, local: 1.5}
defaults: {targets: {time_zone: America/New_York}}
targets:
  acme-1:
    name: Acme Roofing
    number: "+18668987878"
    caps: {hard: 100, daily: 80}
    hours: {mon-fri: 9am-5pm, sat: 10:00-14:00, sun: closed}
    tags: {vertical: roofing}
    groups: [roofers]
    sip_password: {connection: acme_sip}
target_groups: {roofers: {behavior: separately, caps: {daily: 300}}}
campaigns: {roof: {name: Roofing, record_calls: true}}
affiliates: {pub-9: {company_name: Nine Media}}
numbers:
  landing: {campaign: roof, affiliate: pub-9, purchase: {key: landing-1, type: Toll-free}}
"""


@pytest.fixture
def account():
    """Return an empty company whose secrets are known."""
    account = Account()
    account.secrets["acme_sip"] = "s3cret-password"
    return account


def test_an_account_is_made_from_nothing(account):
    """The example of the documentation is created in order, with its references, and the next plan is empty."""
    plan = account.plan(EXAMPLE)
    assert [one.address for one in plan.changes] == [
        "affiliates/pub-9", "campaigns/roof", "target_groups/roofers", "targets/acme-1", "numbers/landing"
    ]  # fmt: skip
    assert (plan.cost.bought, plan.cost.monthly) == ({"Toll-free": 1}, 2.5)
    assert b"s3cret" not in plan.dump()
    result = account.apply(plan)
    assert result["counts"] == {"done": 5, "refused": 0, "failed": 0, "skipped": 0}
    (target,) = account.rows("targets")
    assert (target["tid"], target["sip_password"], target["time_zone"]) == (
        "acme-1", "s3cret-password", "Eastern Time (US & Canada)"
    )  # fmt: skip
    assert target["target_groups"][0]["name"] == "roofers"
    hours = {
        row["day_of_week"]: (row["work_day"], row["time_open"], row["time_close"]) for row in target["business_hours"]
    }
    assert (hours[0][0], hours[1], hours[6]) == (False, (True, 900, 1700), (True, 1000, 1400))
    assert [one["sid"] for one in account.rows("numbers")] == ["landing-1"]
    assert account.plan(EXAMPLE).changes == []


def test_an_update_sends_what_differs_and_nothing_else(account):
    """A cap and the hours of a day are changed; fields that are not written stay as others set them."""
    account.apply(account.plan(EXAMPLE))
    (target,) = account.rows("targets")
    account.change(target["id"], priority=7, monthly_cap_attributes={"cap": 5})
    account.sent.clear()
    plan = account.plan(EXAMPLE.replace("daily: 80", "daily: 90").replace("sat: 10:00-14:00", "sat: closed"))
    assert {name: (one.before, one.after) for name, one in plan.changes[0].fields.items()} == {
        "caps.daily": (80, 90),
        "hours.saturday": ("10:00-14:00", "closed"),
    }
    account.apply(plan)
    ((_, body),) = account.writes()
    assert set(body) == {"daily_cap_attributes", "business_hours_attributes"}
    after = account.read(target["id"])
    assert (after["priority"], account.caps(target["id"])["monthly"]) == (7, 5)


@pytest.mark.parametrize(
    ("kind", "others", "files"),
    [
        ("targets", {"daily_cap_attributes": {"cap": 1}}, ("daily: 80", "daily: 90")),
        ("targets", {"name": "Other"}, ("Acme Roofing", "Acme Roofs")),
        ("targets", {"sip_password": None}, ("acme_sip", "other_sip")),
        ("campaigns", {"record_calls": False, "name": "X"}, ("name: Roofing", "name: Roofs")),
        ("affiliates", {"company_name": "Other"}, ("Nine Media", "Ten Media")),
        ("target_groups", {"daily_cap_attributes": {"cap": 1}}, ("daily: 300", "daily: 400")),
    ],
)
def test_what_others_changed_is_refused_and_stays(account, kind, others, files):
    """An object whose planned field is no longer as it was is left alone and reported."""
    account.secrets["other_sip"] = "another-password"
    account.apply(account.plan(EXAMPLE))
    plan = account.plan(EXAMPLE.replace(*files))
    row = account.rows(kind)[0]
    account.put(kind, row["id"], **others)
    before = account.rows(kind)[0]
    result = account.apply(plan)
    assert result["counts"]["refused"] == 1
    assert "Others changed it" in result["outcomes"][0]["error"]
    assert account.rows(kind)[0] == before


def test_the_others_go_on_after_a_failure(account):
    """What depends on an object that was not made is skipped; everything else is done."""
    account.fault("/campaigns.json", method="POST", status=422)
    result = account.apply(account.plan(EXAMPLE))
    assert statuses(result) == {
        "affiliates/pub-9": "done",
        "campaigns/roof": "failed",
        "target_groups/roofers": "done",
        "targets/acme-1": "done",
        "numbers/landing": "skipped",
    }
    assert statuses(account.apply(account.plan(EXAMPLE))) == {"campaigns/roof": "done", "numbers/landing": "done"}


def test_an_object_that_others_deleted_or_created_is_refused(account):
    """Deleted objects are not created again by a plan to change them, created ones are not taken over."""
    account.apply(account.plan(EXAMPLE))
    plan = account.plan(EXAMPLE.replace("daily: 80", "daily: 90"))
    account.ask("DELETE", "/targets/tid/acme-1.json")
    assert "deleted" in account.apply(plan)["outcomes"][0]["error"]
    plan = account.plan(EXAMPLE)
    account.add("targets", tid="acme-1", number="+12125550100", name="theirs")
    result = account.apply(plan)
    assert (result["counts"]["refused"], account.rows("targets")[0]["name"]) == (1, "theirs")


def test_a_purchase_happens_once_when_its_answer_is_lost(account):
    """A number that was bought by a request without an answer is found by its key, now and ever after."""
    account.fault("/numbers.json", method="POST", cut=True, then="done")
    plan = account.plan(EXAMPLE)
    assert statuses(account.apply(plan))["numbers/landing"] == "done"
    assert len(account.rows("numbers")) == 1
    assert account.plan(EXAMPLE).changes == []


def test_only_removed_deletes_and_numbers_need_another_word(account):
    """Absence deletes nothing; `removed` deletes in Retreaver's order, numbers only with `allow_destroy`."""
    account.apply(account.plan(EXAMPLE))
    assert account.plan("company: 1").changes == []
    number = account.rows("numbers")[0]["number"]
    gone = f'removed: [affiliates/pub-9, campaigns/roof, target_groups/roofers, targets/acme-1, "numbers/{number}"]'
    plan = account.plan(gone)
    assert [one.kind for one in plan.changes] == ["numbers", "targets", "target_groups", "campaigns", "affiliates"]
    with pytest.raises(ChangeRefused, match="allow_destroy"):
        account.apply(plan)
    assert account.apply(plan, allow_destroy=True)["counts"]["done"] == 5
    assert not any(account.rows(kind) for kind in ("numbers", "targets", "target_groups", "campaigns", "affiliates"))
    assert account.plan(gone).changes == []


def test_a_moved_object_keeps_its_history(account):
    """A new address becomes the customer ID of the same object, and references follow it."""
    account.apply(account.plan(EXAMPLE))
    ids = {kind: account.rows(kind)[0]["id"] for kind in ("targets", "target_groups", "campaigns", "affiliates")}
    moved = (
        EXAMPLE.replace("acme-1:", "acme-2:").replace("roofers", "crew").replace("roof:", "roofing:")
        .replace("campaign: roof,", "campaign: roofing,").replace("pub-9", "pub-10")
        + "moved:\n- {from: targets/acme-1, to: targets/acme-2}\n"
        "- {from: target_groups/roofers, to: target_groups/crew}\n"
        "- {from: campaigns/roof, to: campaigns/roofing}\n- {from: affiliates/pub-9, to: affiliates/pub-10}\n"
    )  # fmt: skip
    plan = account.plan(moved)
    assert {one.address: list(one.fields) for one in plan.changes} == {
        "affiliates/pub-10": ["afid"],
        "campaigns/roofing": ["cid"],
        "target_groups/crew": ["name"],
        "targets/acme-2": ["tid"],
    }
    assert account.apply(plan)["counts"]["done"] == 4
    assert {kind: account.rows(kind)[0]["id"] for kind in ids} == ids
    assert account.plan(moved).changes == []


def test_max_changes_refuses_from_ten_objects_on(account):
    """Thirty percent of ten objects are three; four are refused before anything is sent."""
    texts = [
        f"targets: {{{', '.join(f't{n}: {{number: +1919555010{n}, name: {name}}}' for n in range(10))}}}"
        for name in "ab"
    ]
    account.apply(account.plan(texts[0]))
    plan = account.plan(texts[1])
    account.sent.clear()
    with pytest.raises(ChangeRefused, match="10 of 10 objects"):
        account.apply(plan, limit=ChangeLimit.parse("30%"))
    assert account.sent == []
    result = account.apply(plan, limit=ChangeLimit.parse("30%"), targets=["targets/t1", "targets/t2", "targets/t3"])
    assert list(statuses(result)) == ["targets/t1", "targets/t2", "targets/t3"]


def test_a_number_of_changes_counts_for_small_accounts_too(account):
    """A share of two objects would be none, so that only a number limits them."""
    plan = account.plan('targets: {a: {number: "+19195550101"}, b: {number: "+19195550102"}}')
    account.sent.clear()
    with pytest.raises(ChangeRefused, match="changes 2 of 2 objects, and max_changes allows 1"):
        account.apply(plan, limit=ChangeLimit.parse(1))
    assert account.sent == []
    assert account.apply(plan, limit=ChangeLimit.parse("30%"))["counts"]["done"] == 2


def test_only_and_target_choose(account):
    """`only` chooses kinds; an address that the plan does not have is refused."""
    plan = account.plan(EXAMPLE)
    result = account.apply(plan, only=["affiliates", "numbers"])
    assert statuses(result) == {"affiliates/pub-9": "done", "numbers/landing": "skipped"}
    with pytest.raises(InvalidArgument, match="does not change targets/x"):
        account.apply(plan, targets=["targets/x"])


def test_a_vendor_that_accepts_and_does_not_change_is_reported(account):
    """What is read back differently is a failure that names the field."""
    account.apply(account.plan(EXAMPLE))
    plan = account.plan(EXAMPLE.replace("daily: 80", "daily: 90"))
    (target,) = account.rows("targets")
    path = f"/targets/{target['id']}.json"
    account.before_next(
        "PUT",
        path,
        lambda: account.before_next(
            "GET", path, lambda: account.change(target["id"], daily_cap_attributes={"cap": 80})
        ),
    )
    result = account.apply(plan)
    assert "caps.daily is 80, expected 90" in result["outcomes"][0]["error"]


def test_a_plan_of_another_company_is_refused(account):
    """The files and the connection must be of one company."""
    with pytest.raises(InvalidArgument, match="company 2"):
        account.plan("company: 2")
