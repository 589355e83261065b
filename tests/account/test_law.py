"""The plan after an export is empty, for every account that the sandbox can hold."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.account.exporting import Exporter
from airflow_provider_retreaver.sandbox.api.conversions import DEDUPE
from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES
from tests.account.support import Account

EXAMPLES = int(os.environ.get("ACCOUNT_EXAMPLES", "25"))
TEXT = st.one_of(
    st.sampled_from(
        ["yes", "null", "0044", "1e3", "12:30", "${x}", "$${x}", "- a", "a: b", "#x", "'", '"', "", " ", " a ", "~",
         "é", "e\u0301", "\u2028", "tab\t", "line\nbreak", "id-1", "<<", "{a}", "[number]", "None", "a/b", "=x"]
    ),
    st.text(max_size=8),
)  # fmt: skip
MAYBE = st.none() | TEXT
COUNT = st.none() | st.integers(0, 10**6)
PHONE = st.integers(2_000_000_000, 9_999_999_999).map(lambda digits: f"+1{digits}")
HHMM = st.builds(lambda hour, minute: hour * 100 + minute, st.integers(0, 23), st.integers(0, 59)) | st.just(2400)
CAPS = st.fixed_dictionaries(
    {},
    optional={
        **{
            f"{name}_cap_attributes": st.fixed_dictionaries({"cap": COUNT})
            for name in ("hard", "hourly", "daily", "monthly")
        },
        "concurrency_cap": COUNT,
    },
)
TIMERS = st.lists(
    st.fixed_dictionaries(
        {"seconds": st.integers(-5, 500), "url": TEXT | st.just("https://t.example.com/?api_key=abc")}
    ),
    max_size=3,
)
MENU = st.lists(
    st.fixed_dictionaries(
        {"option": st.sampled_from("1234567890*#")},
        optional={
            "target_number": PHONE | st.just("sip:a@b.example"),
            "target_cid": st.sampled_from(["a", "b", "c"]),
        },
    ),
    max_size=3,
)
HANDLING: dict[str, st.SearchStrategy[Any]] = {
    "message": MAYBE,
    "voice_gender": st.sampled_from([None, "Male", "Female"]),
    "repeat": st.integers(0, 9),
    "timers_attributes": TIMERS,
    "menu_options_attributes": MENU,
    "message_file_b64_data": st.just("QQ=="),
}
AFFILIATE = st.fixed_dictionaries(
    {"afid": TEXT}, optional=dict.fromkeys(("first_name", "last_name", "company_name"), MAYBE)
)
CAMPAIGN = st.fixed_dictionaries(
    {},
    optional={
        "cid": TEXT | st.sampled_from(["a", "b", "c"]),
        "name": MAYBE,
        "dedupe_seconds": st.integers(0, 10**6),
        "record_calls": st.booleans(),
        **HANDLING,
    },
)
GROUP = st.builds(
    lambda base, caps: base | caps,
    st.fixed_dictionaries(
        {"name": TEXT},
        optional={"behavior": st.sampled_from([1, 2]), "priority": st.integers(-3, 9), "weight": COUNT},
    ),
    CAPS,
)
TAGS = st.lists(
    st.tuples(
        st.sampled_from(["geo", "state", "0044", "a b"]), st.sampled_from(["NY", "10001", "x:y", "'q'", "[1]", "01"])
    ),
    max_size=4,
).map(lambda pairs: ",".join(f"<<<{key}:{value}>>>" for key, value in pairs))
HOURS = st.lists(
    st.fixed_dictionaries(
        {
            "day_of_week": st.integers(0, 6),
            "time_open": HHMM,
            "time_close": HHMM,
            "work_day": st.booleans(),
            "invert": st.booleans(),
        }
    ),
    max_size=10,
)
CONVERSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXT,
            "conversion_type": st.just("timer"),
            "dedupe_seconds": st.sampled_from(DEDUPE),
            "conversions_attributes": st.lists(
                st.fixed_dictionaries({"seconds": st.integers(0, 900), "revenue": st.floats(-5, 900)}),
                min_size=1,
                max_size=2,
            ),
        }
    ),
    max_size=2,
)
TARGET = st.builds(
    lambda base, caps: base | caps,
    st.fixed_dictionaries(
        {"number": PHONE | st.sampled_from(["sip:a@b.example", "[number]"])},
        optional={
            "name": MAYBE,
            "tid": MAYBE,
            "paused": st.booleans(),
            "priority": st.integers(-3, 9),
            "weight": st.integers(0, 9),
            "timer_offset": st.integers(-9, 9),
            "send_digits": MAYBE,
            "sip_username": MAYBE,
            "sip_password": MAYBE,
            "time_zone": st.sampled_from(sorted(TIME_ZONES)),
            "tag_list": TAGS,
            "business_hours_attributes": HOURS,
            "conversion_groups_attributes": CONVERSIONS,
        },
    ),
    CAPS,
)
NUMBER = st.fixed_dictionaries(
    {"type": st.sampled_from(["Local", "Toll-free"]), "afid": TEXT, "cid": st.sampled_from(["a", "b", "c"])},
    optional={"sid": MAYBE, **HANDLING},
)
POOL = st.fixed_dictionaries(
    {"cid": st.sampled_from(["a", "b", "c"])},
    optional={"max_pool_size": st.integers(0, 9), "google_analytics": st.booleans(), "country": st.just("CA")},
)
OBJECTS = st.fixed_dictionaries(
    {
        "affiliates": st.lists(AFFILIATE, max_size=3),
        "campaigns": st.lists(CAMPAIGN, max_size=4),
        "target_groups": st.lists(GROUP, max_size=4),
        "targets": st.lists(TARGET, max_size=4),
        "numbers": st.lists(NUMBER, max_size=3),
        "number_pools": st.lists(POOL, max_size=3),
    }
)


def fill(account: Account, objects: dict[str, list[dict[str, Any]]], joins: list[tuple[int, int]]) -> None:
    """Add what the sandbox takes; campaigns twice, so that menus may refer to each other in circles."""
    for cid in ("a", "b"):
        account.add("campaigns", cid=cid, name=cid)
    made = {kind: [one for row in rows if (one := account.add(kind, **row))] for kind, rows in objects.items()}
    if len(made["campaigns"]) > 1:
        account.put("campaigns", "cid/a", menu_options_attributes=[{"option": "1", "target_cid": "b"}])
        account.put("campaigns", "cid/b", menu_options_attributes=[{"option": "1", "target_cid": "a"}])
    for group, target in joins:
        if made["target_groups"] and made["targets"]:
            chosen = made["target_groups"][group % len(made["target_groups"])]["id"]
            member = made["targets"][target % len(made["targets"])]["id"]
            account.put("target_groups", chosen, add_targets_by_id=[member])


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(OBJECTS, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
def test_the_plan_after_an_export_is_empty(objects, joins):
    """Whatever an account holds: exported, read again and planned, nothing is to be changed."""
    account = Account()
    fill(account, objects, joins)
    export = account.export()
    plan = account.plan(*export.files.values())
    assert plan.changes == []
    assert all(warning.endswith("does not exist, so sip_password is not compared.") for warning in plan.warnings)
    assert plan.objects == export.objects > 0


def test_a_group_that_is_called_like_the_id_of_another_is_exported():
    """Groups of one name are named by their IDs, and another group may have just that name."""
    account = Account()
    for name in ("crew", "crew", "id-1"):
        account.add("target_groups", name=name)
    account.add("targets", tid="acme", number="+12125550100")
    account.put("target_groups", 1, add_targets_by_id=[1])
    export = account.export()
    assert export.left_out == []
    assert account.plan(*export.files.values()).changes == []
    alone = account.export(include=["targets/*"])
    assert account.plan(*alone.files.values()).changes == []


def test_a_number_that_a_file_would_hold_as_a_text_is_left_out():
    """A file is never written that says something else than the account."""
    account = Account()
    account.add("targets", tid="acme", number="+12125550100")
    live = account.live()
    live.rows["targets"][0]["weight"] = 10**18
    export = Exporter(live, account.world).export()
    assert export.left_out == ["targets/acme: weight is left out: it does not come back as it is written."]
    assert export.objects == 1
