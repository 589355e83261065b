"""Plans: what differs and nothing else, in one canonical writing, with costs and risks."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.account.plan import load_plan
from airflow_provider_retreaver.account.rendering import cost_text, diff, markdown
from airflow_provider_retreaver.core.errors import InvalidArgument
from tests.account.support import Account
from tests.account.test_apply import EXAMPLE


@pytest.fixture
def account():
    """Return a company with a few objects."""
    account = Account()
    account.add("affiliates", afid="pub-9", company_name="Nine Media")
    account.add("campaigns", cid="roof", name="Roofing")
    account.add("target_groups", name="roofers")
    account.add("targets", tid="acme-1", number="+18668987878", name="Acme", hard_cap_attributes={"cap": 5})
    return account


def fields(plan, place=0):
    """Return before and after by field."""
    return {name: (one.before, one.after) for name, one in plan.changes[place].fields.items()}


def test_only_written_fields_are_managed(account):
    """What is not written is not compared, and what is written as it is changes nothing."""
    assert account.plan("targets: {acme-1: {}}").changes == []
    assert account.plan('targets: {acme-1: {number: "(866) 898-7878", time_zone: UTC}}').changes == []
    assert fields(account.plan("targets: {acme-1: {caps: {hard: 6}}}")) == {"caps.hard": (5, 6)}


@pytest.mark.parametrize("number", ["abc", "+", "'+1'", "call 9195550100", "'sip:x'", "''", "+123456789012345678"])
def test_what_is_no_phone_number_is_refused(account, number):
    """Neither a target nor a menu option gets the digits that are left of it."""
    with pytest.raises(InvalidArgument, match=r"file0.yaml:1: targets/acme-1: number"):
        account.plan(f"targets: {{acme-1: {{number: {number}}}}}")
    options = f"[{{option: '1', number: {number}}}]"
    if number != "''":
        with pytest.raises(InvalidArgument, match="menu_options: number must be a phone number"):
            account.plan(f"campaigns: {{roof: {{menu_options: {options}}}}}")


@pytest.mark.parametrize(
    "number", ["sip:a@b.example", "[number]", "+44 20 7946 0958", "(919) 555-0100", "919.555.0100"]
)
def test_addresses_placeholders_and_numbers_in_any_writing_are_taken(account, number):
    """As Retreaver documents them for targets."""
    assert list(fields(account.plan(f"targets: {{acme-1: {{number: '{number}'}}}}"))) == ["number"]


def test_ignored_fields_are_left_alone(account):
    """A field that `ignore` has is sent to a new object only; all caps are ignored by `caps`."""
    text = "targets: {acme-1: {caps: {hard: 6, daily: 7}, ignore: [caps.hard]}}"
    assert fields(account.plan(text)) == {"caps.daily": (None, 7)}
    assert account.plan(text.replace("caps.hard]", "caps]")).changes == []
    new = 'defaults: {targets: {ignore: [caps]}}\ntargets: {new: {number: "+12125550100", caps: {hard: 6}}}'
    assert "caps.hard" in account.plan(new).changes[0].fields


def test_a_plan_is_the_same_bytes_for_the_same_state(account):
    """Made twice it has one hash; changed by one character it is refused."""
    account.secrets["acme_sip"] = "s3cret-password"
    plan, again = account.plan(EXAMPLE), account.plan(EXAMPLE)
    assert plan.dump() == again.dump()
    assert load_plan(plan.dump(), "p", plan.sha256[:12]) == plan
    with pytest.raises(InvalidArgument, match="hash does not fit"):
        load_plan(plan.dump().replace(b"Acme Roofing", b"Acme Roofinh"), "p")
    with pytest.raises(InvalidArgument, match="was approved"):
        load_plan(plan.dump(), "p", "0" * 64)
    with pytest.raises(InvalidArgument, match="12 digits"):
        load_plan(plan.dump(), "p", plan.sha256[:6])
    with pytest.raises(InvalidArgument, match="no plan"):
        load_plan(b"{}", "p")
    with pytest.raises(InvalidArgument, match="no plan"):
        load_plan(b"\xff", "p")
    with pytest.raises(InvalidArgument, match="version 9"):
        load_plan(plan.dump().replace(b'"version":1', b'"version":9'), "p")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: {acme-1: {groups: [roofer]}}", r"refers to the target group 'roofer'.*did you mean 'roofers'\?"),
        ("campaigns: {new: {menu_options: [{option: '1', campaign: rof}]}}", "refers to the campaign 'rof'"),
        ("targets: {acme-1: {id: 999}}", "no target with the id 999"),
        ("targets: {new: {name: x}}", "a new target needs its number"),
        ('numbers: {"+18005550199": {}}', "no such number"),
        ("number_pools: {p: {max_pool_size: 1}}", "needs its campaign"),
        ("targets: {acme-1: {hours: {mon: 9-5}}}", r"file0\.yaml:1: targets/acme-1: .*two ways"),
        ("targets: {acme-1: {time_zone: Mars}}", r"file0\.yaml:1: targets/acme-1: .*Mars"),
        ("targets: {acme-1: {tags: {a: 'x,y'}}}", "commas"),
        ("targets: {acme-1: {sip_password: {connection: nobody}}}", "connection nobody, which does not exist"),
        ("targets: {acme-1: {}, other: {id: 1}}", "same object as targets/acme-1"),
        (
            """
            campaigns:
              a: {menu_options: [{option: '1', campaign: b}]}
              b: {menu_options: [{option: '1', campaign: a}]}
            """,
            "refer to each other in a circle",
        ),
        ("targets: {b: {}}\nmoved: [{from: targets/a, to: targets/b}]", "neither targets/a nor targets/b exists"),
    ],
)
def test_what_does_not_fit_the_account_is_refused_with_its_place(account, text, message):
    """References to nothing, circles and values that no object can have are told before anything is sent."""
    sent = len(account.sent)
    with pytest.raises(InvalidArgument, match=message):
        account.plan(text)
    assert all(method == "GET" for method, _, _ in account.sent[sent:])


def test_several_targets_of_one_tid_need_an_id(account, monkeypatch):
    """They are named with their IDs, and one of them is meant by its ID."""
    live = account.live()
    (row,) = live.rows["targets"]
    live.rows["targets"].append({**row, "id": 99, "name": "Twin"})
    monkeypatch.setattr(account, "live", lambda: live)
    wanted = rf"targets/acme-1: 2 targets fit \(ids {row['id']}, 99\); write the `id` of the one that is meant"
    with pytest.raises(InvalidArgument, match=wanted):
        account.plan("targets: {acme-1: {name: Other}}")
    plan = account.plan("targets: {acme-1: {id: 99, name: Other}}")
    assert [(one.id, fields(plan)) for one in plan.changes] == [(99, {"name": ("Twin", "Other")})]


def test_several_groups_of_one_name_need_an_id(account):
    """An ambiguous name is refused with the candidates; an ID says which is meant."""
    account.add("target_groups", name="roofers")
    with pytest.raises(InvalidArgument, match=r"write the `id` of the one that is meant"):
        account.plan("target_groups: {roofers: {behavior: simuldial}}")
    plan = account.plan(
        "target_groups: {second: {id: 2, behavior: simuldial}}\ntargets: {acme-1: {groups: [second]}}"
    )
    assert [one.id for one in plan.changes] == [2, 1]
    account.apply(plan)
    assert [one["id"] for one in account.rows("targets")[0]["target_groups"]] == [2]


def test_a_pool_is_found_by_campaign_and_affiliate(account):
    """One fits: it is changed; none: it is created; several: the ID says which."""
    text = "number_pools: {web: {campaign: roof, max_pool_size: 4, reserve_size: 1}}"
    plan = account.plan(text)
    assert (plan.changes[0].action, plan.cost.pools) == ("create", 4)
    account.apply(plan)
    assert account.plan(text).changes == []
    assert account.plan(text.replace("4", "9")).cost.pools == 5
    account.add("number_pools", cid="roof")
    with pytest.raises(InvalidArgument, match="2 number pools fit"):
        account.plan(text)
    gone = account.plan("removed: [number_pools/id-2]")
    assert account.apply(gone, allow_destroy=True)["counts"]["done"] == 1


def test_tags_with_operators_and_unclear_hours_are_refused_rather_than_lost(account):
    """What a tag list or a row of hours cannot express is told when it would be overwritten."""
    account.put("targets", 1, business_hours_attributes=[{"day_of_week": 1, "time_open": 2000, "time_close": 600}])
    with pytest.raises(InvalidArgument, match="monday"):
        account.plan("targets: {acme-1: {hours: {mon: '09:00-17:00, 18:00-19:00, 20:00-21:00'}}}")
    demo = Account("demo")
    assert any("buyer-060: tags is left out" in line for line in demo.export().left_out)
    with pytest.raises(InvalidArgument, match="geo != FL"):
        demo.plan("targets: {buyer-060: {tags: {a: b}}}")


def test_conversion_groups_are_changed_by_their_ids(account):
    """A revenue is changed in place, a group is added or deleted whole, a lost conversion is refused."""
    text = "targets: {acme-1: {conversion_groups: [{name: Sale, conversions: [{seconds: 90, revenue: 20}]}]}}"
    account.apply(account.plan(text))
    (before,) = account.rows("targets")[0]["conversion_groups"]
    account.apply(account.plan(text.replace("20", "25")))
    (after,) = account.rows("targets")[0]["conversion_groups"]
    assert (after["id"], after["conversions"][0]["revenue"]) == (before["id"], 25)
    with pytest.raises(InvalidArgument, match="only whole groups"):
        account.plan("targets: {acme-1: {conversion_groups: [{name: Sale, conversions: []}]}}")
    account.apply(account.plan("targets: {acme-1: {conversion_groups: []}}"))
    assert account.rows("targets")[0]["conversion_groups"] == []


def test_timers_are_replaced_and_the_menu_stays(account):
    """Both kinds of rows are sent when one of them changes, since Retreaver destroys both."""
    text = (
        "campaigns: {roof: {timers: [{seconds: 0, url: 'https://t.example.com/a'}], "
        "menu_options: [{option: '1', number: '+12125550100'}]}}"
    )
    account.apply(account.plan(text))
    account.apply(account.plan("campaigns: {roof: {timers: [{seconds: 5, url: 'https://t.example.com/b'}]}}"))
    (row,) = account.rows("campaigns")
    assert [one["timer"]["seconds"] for one in row["timers"]] == [5]
    assert [one["menu_option"]["target_number"] for one in row["menu_options"]] == ["+12125550100"]


def test_people_read_costs_and_risks(account):
    """Markdown and diff name objects, fields, risks, costs and the hash; nothing in a cell is a link or a tag."""
    account.secrets["acme_sip"] = "s3cret-password"
    account.change(1, name="[x](http://evil.example) <script>")
    plan = account.plan(
        """
        prices: {toll_free: 2.5, local: 1}
        targets:
          acme-1: {name: A|B, paused: true, caps: {hard: null}, hours: {sun: closed}, groups: []}
        numbers: {n: {campaign: roof, affiliate: pub-9, purchase: {key: k, type: Local}}}
        """
    )
    text, plain, colored = markdown(plan), diff(plan), diff(plan, color=True)
    assert plan.sha256 in text
    assert plan.sha256 in plain
    for risk in ("stops its calls", "removes caps.hard", "closes sunday", "buys a number"):
        assert risk in text
        assert risk in plain
    assert cost_text(plan) == "numbers: 1 Local bought; +1.00 a month"
    assert "<script>" not in text
    assert "](http" not in text
    assert "A\\|B" in text
    assert "\x1b[33m~ targets/acme-1" in colored
    assert "\x1b" not in plain
