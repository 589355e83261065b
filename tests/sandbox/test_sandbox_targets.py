"""Targets, their caps, hours, tags and conversion groups follow Retreaver's rules."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.sandbox.state.time_zones import TIME_ZONES
from tests.sandbox.client import SandboxClient, cap, links

DOCUMENTED = {
    "id",
    "number",
    "sip_username",
    "sip_password",
    "cid_number_id",
    "obfuscate_cid",
    "created_at",
    "updated_at",
    "object_key",
    "tid",
    "priority",
    "weight",
    "timeout_seconds",
    "timer_offset",
    "send_digits",
    "concurrency_cap",
    "calls_in_progress",
    "inband_signals",
    "time_zone",
    "paused",
    "paused_at",
    "name",
    "caps",
    "business_hours",
    "tag_values",
    "conversion_groups",
    "target_group_ids",
    "target_groups",
}


def test_a_new_target_has_the_documented_keys_and_defaults(client: SandboxClient) -> None:
    """Only the number is required; the defaults are those of the parameter table."""
    target = client.target(name="Retreaver Support")
    assert target.keys() >= DOCUMENTED
    assert (target["priority"], target["weight"], target["timeout_seconds"]) == (1, 1, 30)
    assert (target["time_zone"], target["paused"], target["paused_at"]) == ("UTC", False, None)
    assert [row["type"] for row in target["caps"]] == ["Daily", "Hard", "Hourly", "Monthly"]
    assert all((row["filled"], row["cap"]) == (0, None) for row in target["caps"])


def test_a_new_target_is_open_on_seven_days(client: SandboxClient) -> None:
    """Sunday is day 0; every day is open from 0 to 2400 by default."""
    rows = client.target()["business_hours"]
    assert [row["day_of_week"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert all(
        (row["work_day"], row["time_open"], row["time_close"], row["invert"]) == (True, 0, 2400, False)
        for row in rows
    )


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({}, "number"),
        ({"number": ""}, "number"),
        ({"number": "12"}, "number"),
        ({"number": "+18668987878", "time_zone": "America/New_York"}, "time_zone"),
        ({"number": "+18668987878", "priority": "high"}, "priority"),
        ({"number": "+18668987878", "hard_cap_attributes": {"cap": "many"}}, "hard_cap.cap"),
        ({"number": "+18668987878", "hard_cap_attributes": {}}, "hard_cap.cap"),
        ({"number": "+18668987878", "business_hours_attributes": [{"work_day": True}]}, "business_hours.day_of_week"),
        ({"number": "+18668987878", "business_hours_attributes": [{"day_of_week": 7}]}, "business_hours.day_of_week"),
        (
            {"number": "+18668987878", "business_hours_attributes": [{"day_of_week": 1, "time_open": 960}]},
            "business_hours.time_open",
        ),
        ({"number": "+18668987878", "tag_list": "a:b"}, "tag_list"),
    ],
)
def test_invalid_attributes_are_refused_by_name(
    client: SandboxClient, attributes: dict[str, object], field: str
) -> None:
    """422 names the field, and nothing is created."""
    refusal = client.error(422, "POST", "/targets.json", {"target": attributes})
    assert list(refusal["errors"]) == [field]
    assert client.request("GET", "/targets.json") == []


def test_every_time_zone_name_has_a_zone(client: SandboxClient) -> None:
    """A target in each of Retreaver's time zones can be checked for business hours."""
    target = client.target()
    for name in TIME_ZONES:
        client.request("PUT", f"/targets/{target['id']}.json", {"target": {"time_zone": name}})
        assert client.control("GET", f"targets/{target['id']}/open")["open"] is True


def test_sip_targets_and_client_tid(client: SandboxClient) -> None:
    """A number may be a SIP address; tid and client_tid are the same."""
    target = client.target(number="sip:agent@pbx.example.com", client_tid="b-1")
    assert (target["number"], target["tid"]) == ("sip:agent@pbx.example.com", "b-1")
    assert client.request("GET", "/targets/tid/b-1.json")["target"]["id"] == target["id"]


def test_a_tid_is_unique_within_a_company(client: SandboxClient) -> None:
    """A second target with the same tid is refused on create and on update, unless the first is deleted."""
    first, second = client.target(tid="one"), client.target(tid="two")
    taken = {"errors": {"tid": ["has already been taken"]}}
    assert client.error(422, "POST", "/targets.json", {"target": {"number": "+18668987878", "tid": "one"}}) == taken
    assert client.error(422, "PUT", f"/targets/{second['id']}.json", {"target": {"tid": "one"}}) == taken
    client.request("PUT", f"/targets/{first['id']}.json", {"target": {"tid": "one", "name": "same tid"}})
    client.request("DELETE", "/targets/tid/one.json")
    client.target(tid="one")


def test_pausing_sets_paused_at(client: SandboxClient) -> None:
    """Pausing again does not change it; resuming clears it."""
    target = client.target()
    path = f"/targets/{target['id']}.json"
    paused = client.request("PUT", path, {"target": {"paused": True}})["target"]
    client.control("POST", "clock", {"advance": 60})
    again = client.request("PUT", path, {"target": {"paused": True}})["target"]
    assert paused["paused_at"] == again["paused_at"] == "2026-01-09T12:00:00.000Z"
    assert again["updated_at"] == "2026-01-09T12:01:00.000Z"
    assert client.request("PUT", path, {"target": {"paused": False}})["target"]["paused_at"] is None


def test_a_targets_number_may_be_a_placeholder(client: SandboxClient) -> None:
    """`[number]` stands for a number that comes with a bid: it is kept as it is; other brackets are refused."""
    assert client.target(number="[number]")["number"] == "[number]"
    for number in ("[", "[]", "[a b]", "number"):
        assert "number" in client.error(422, "POST", "/targets.json", {"target": {"number": number}})["errors"]


def test_inverted_and_invert_are_the_same(client: SandboxClient) -> None:
    """Both names are taken for writing, one is read back; two that contradict each other are refused."""

    def create(**names: object) -> dict[str, object]:
        return {"target": {"number": "+18668987878", "business_hours_attributes": [{"day_of_week": 1, **names}]}}

    for names in ({"inverted": True}, {"invert": True}, {"invert": True, "inverted": "1"}):
        (row,) = client.request("POST", "/targets.json", create(**names))["target"]["business_hours"]
        assert row["invert"] is True
        assert "inverted" not in row
    errors = client.error(422, "POST", "/targets.json", create(invert=False, inverted=True))["errors"]
    assert errors == {"business_hours.invert": ["contradicts inverted"]}


def test_hours_are_changed_by_id_and_added_without(client: SandboxClient) -> None:
    """A row with its ID is changed; a row without is added to its day."""
    target = client.target()
    path, monday = f"/targets/{target['id']}.json", target["business_hours"][1]
    changed = {"business_hours_attributes": [{"id": monday["id"], "time_open": 900, "time_close": 1700}]}
    rows = client.request("PUT", path, {"target": changed})["target"]["business_hours"]
    assert len(rows) == 7
    assert (rows[1]["id"], rows[1]["time_open"], rows[1]["day_of_week"]) == (monday["id"], 900, 1)
    added = {"business_hours_attributes": [{"day_of_week": 1, "time_open": 1800, "time_close": 2000}]}
    rows = client.request("PUT", path, {"target": added})["target"]["business_hours"]
    assert [row["time_open"] for row in rows if row["day_of_week"] == 1] == [900, 1800]


def test_hours_can_be_removed_by_id(client: SandboxClient) -> None:
    """_destroy removes a row; a day without a row is closed."""
    target = client.target()
    rows = [{"id": target["business_hours"][5]["id"], "_destroy": True}]
    result = client.request("PUT", f"/targets/{target['id']}.json", {"target": {"business_hours_attributes": rows}})[
        "target"
    ]
    assert [row["day_of_week"] for row in result["business_hours"]] == [0, 1, 2, 3, 4, 6]
    assert client.control("GET", f"targets/{target['id']}/open")["open"] is False


def test_targets_as_xml(client: SandboxClient) -> None:
    """The XML is that of Rails: integers, booleans, nested arrays."""
    target = client.target(tag_list="<<<score:>=500>>>")
    result = client.send("GET", f"/targets/{target['id']}.xml").body.decode()
    for piece in ('<id type="integer">1</id>', '<paused type="boolean">false</paused>', "<value>&gt;=500</value>"):
        assert piece in result
    assert result.count("<business-hour>") == 7


def test_hours_of_another_target_are_refused(client: SandboxClient) -> None:
    """An ID of another target's row changes nothing."""
    first, second = client.target(), client.target()
    row = second["business_hours"][0]
    body = {"target": {"name": "new", "business_hours_attributes": [{"id": row["id"], "work_day": False}]}}
    assert "business_hours.id" in client.error(422, "PUT", f"/targets/{first['id']}.json", body)["errors"]
    assert client.request("GET", f"/targets/{first['id']}.json")["target"]["name"] is None
    assert client.request("GET", f"/targets/{second['id']}.json")["target"]["business_hours"][0]["work_day"] is True


def test_tag_lists_replace_everything(client: SandboxClient) -> None:
    """The whole list is replaced, a tag in both lists keeps its ID, a blank list removes all."""
    target = client.target(tag_list="<<<calling_about:support>>>,<<<calling_about:other>>>")
    first = {tag["value"]: tag for tag in target["tag_values"]}
    assert {tag["operator"] for tag in first.values()} == {"=="}
    path = f"/targets/{target['id']}.json"
    body = {"target": {"tag_list": "<<<calling_about:other>>>,<<<geo:NY>>>"}}
    second = {tag["value"]: tag for tag in client.request("PUT", path, body)["target"]["tag_values"]}
    assert second.keys() == {"other", "NY"}
    assert second["other"]["id"] == first["other"]["id"]
    assert client.request("PUT", path, {"target": {"tag_list": ""}})["target"]["tag_values"] == []


def test_a_target_has_at_most_a_hundred_tags(client: SandboxClient) -> None:
    """101 tags are refused, a hundred are not, and all zip codes under geo count as one."""
    tags = [f"<<<k{number}:v>>>" for number in range(101)]
    path = f"/targets/{client.target()['id']}.json"
    assert "tag_list" in client.error(422, "PUT", path, {"target": {"tag_list": ",".join(tags)}})["errors"]
    assert (
        len(client.request("PUT", path, {"target": {"tag_list": ",".join(tags[:100])}})["target"]["tag_values"])
        == 100
    )
    zips = [f"<<<geo:{10000 + number}>>>" for number in range(300)]
    assert len(client.request("PUT", path, {"target": {"tag_list": ",".join(zips)}})["target"]["tag_values"]) == 1


def test_calls_fill_every_cap_and_resetting_clears_the_hard_one(client: SandboxClient) -> None:
    """A call counts on all four caps of its target; reset_cap answers 200 and resets the hard cap only."""
    target = client.target(tid="t", hard_cap_attributes={"cap": 5}, daily_cap_attributes={"cap": 9})
    client.control("POST", "calls", {"count": 3, "fields": {"tid": "t"}})
    path = f"/targets/{target['id']}"
    filled = client.request("GET", f"{path}.json")["target"]
    assert (cap(filled, "Hard"), cap(filled, "Daily"), cap(filled, "Monthly")) == ((3, 5), (3, 9), (3, None))
    answer = client.send("POST", f"{path}/reset_cap.json")
    assert (answer.status, answer.body) == (200, b"")
    cleared = client.request("GET", f"{path}.json")["target"]
    assert (cap(cleared, "Hard"), cap(cleared, "Daily")) == ((0, 5), (3, 9))


def test_periodic_caps_roll_over_and_the_hard_one_does_not(client: SandboxClient) -> None:
    """An hour later the hourly cap is empty, a day later the daily one, a month later the monthly one."""
    target = client.target(tid="t")
    client.control("POST", "calls", {"count": 2, "fields": {"tid": "t"}})
    kinds = ("Hourly", "Daily", "Monthly", "Hard")
    fills = []
    for seconds in (0, 3600, 86_400, 31 * 86_400):
        client.control("POST", "clock", {"advance": seconds})
        now = client.request("GET", f"/targets/{target['id']}.json")["target"]
        fills.append([cap(now, kind)[0] for kind in kinds])
    assert fills == [[2, 2, 2, 2], [0, 2, 2, 2], [0, 0, 2, 2], [0, 0, 0, 2]]


def test_daily_caps_roll_over_in_the_targets_own_zone(client: SandboxClient) -> None:
    """Twelve hours after 12:00 UTC (02:00 in Hawaii) UTC has a new day and Hawaii has not."""
    here, there = client.target(tid="utc"), client.target(tid="hawaii", time_zone="Hawaii")
    for tid in ("utc", "hawaii"):
        client.control("POST", "calls", {"fields": {"tid": tid}})
    client.control("POST", "clock", {"advance": 12 * 3600})
    filled = [cap(client.request("GET", f"/targets/{row['id']}.json")["target"], "Daily")[0] for row in (here, there)]
    assert filled == [0, 1]


def test_conversion_groups_are_added_unless_both_ids_are_sent(client: SandboxClient) -> None:
    """Without IDs a second group is added; with both IDs the first is changed; only whole groups can be removed."""
    path = f"/targets/{client.target()['id']}.json"
    group = {"name": "Sale", "conversion_type": "timer", "dedupe_seconds": 86400}
    part = {"seconds": 90, "revenue": 20}

    def put(**attributes: object) -> list[dict[str, object]]:
        body = {"target": {"conversion_groups_attributes": [attributes]}}
        return list(client.request("PUT", path, body)["target"]["conversion_groups"])

    put(**group, conversions_attributes=[part])
    first, second = put(**group, conversions_attributes=[part])
    inner = first["conversions"][0]["id"]  # type: ignore[index]
    changed = put(id=first["id"], conversions_attributes=[{"id": inner, "seconds": 120}])
    assert changed[0]["conversions"] == [{**first["conversions"][0], "seconds": 120}]  # type: ignore[index]
    assert len(put(id=first["id"], conversions_attributes=[part])[0]["conversions"]) == 2  # type: ignore[arg-type]
    assert [row["id"] for row in put(id=second["id"], _destroy=True)] == [first["id"]]
    body = {"target": {"conversion_groups_attributes": [{**group, "dedupe_seconds": 5}]}}
    assert "conversion_groups.dedupe_seconds" in client.error(422, "PUT", path, body)["errors"]
    body = {
        "conversion_groups_attributes": [
            {"id": first["id"], "conversions_attributes": [{"id": inner, "_destroy": True}]}
        ]
    }
    client.error(422, "PUT", path, {"target": body})


def test_defaults_and_requirements_of_conversion_groups(client: SandboxClient) -> None:
    """A type and a conversion are required; name, window, seconds and revenue have the documented defaults."""
    path = f"/targets/{client.target()['id']}.json"

    def body(**group: object) -> dict[str, object]:
        return {"target": {"conversion_groups_attributes": [group]}}

    for field, group in (
        ("conversion_type", {"conversions_attributes": [{}]}),
        ("conversion_type", {"conversion_type": "postback", "conversions_attributes": [{}]}),
        ("conversions", {"conversion_type": "timer"}),
        ("conversions", {"conversion_type": "timer", "conversions_attributes": []}),
    ):
        assert f"conversion_groups.{field}" in client.error(422, "PUT", path, body(**group))["errors"]
    for revenue in ("much", "nan", [1]):
        given = {"conversion_type": "timer", "conversions_attributes": [{"revenue": revenue}]}
        assert "conversions.revenue" in client.error(422, "PUT", path, body(**given))["errors"]
    given = {"conversion_type": "timer", "conversions_attributes": [{}]}
    (group,) = client.request("PUT", path, body(**given))["target"]["conversion_groups"]
    assert (group["name"], group["dedupe_seconds"], group["eval_order"]) == ("Default Conversion Settings", 0, 0)
    assert [(row["seconds"], row["revenue"]) for row in group["conversions"]] == [(90, 0.0)]


def test_groups_replace_add_and_remove_their_targets(client: SandboxClient) -> None:
    """target_ids replaces, the two other parameters add and remove, and targets list their groups."""
    one, two, three = (client.target()["id"] for _ in range(3))
    created = client.request(
        "POST", "/target_groups.json", {"target_group": {"name": "test", "target_ids": [one, two]}}
    )
    path = f"/target_groups/{created['target_group']['id']}.json"

    def put(**attributes: object) -> list[int]:
        return list(client.request("PUT", path, {"target_group": attributes})["target_group"]["target_ids"])

    assert put(name="hello") == [one, two]
    assert put(add_targets_by_id=[three]) == [one, two, three]
    assert put(remove_targets_by_id=[one]) == [two, three]
    assert put(target_ids=[one]) == [one]
    result = client.request("GET", f"/targets/{one}.json")["target"]
    assert [(group["id"], group["name"], group["target_ids"]) for group in result["target_groups"]] == [
        (created["target_group"]["id"], "hello", [one])
    ]
    assert "target_ids" in client.error(422, "PUT", path, {"target_group": {"target_ids": [999]}})["errors"]
    client.request("DELETE", f"/targets/{one}.json")
    assert put(name="empty") == []


def test_priority_and_weight_of_a_group_need_simuldial(client: SandboxClient) -> None:
    """With behavior 1 both are null."""
    body = {"name": "g", "priority": 3, "weight": 4}
    separate = client.request("POST", "/target_groups.json", {"target_group": body})["target_group"]
    together = client.request("POST", "/target_groups.json", {"target_group": {**body, "behavior": 2}})[
        "target_group"
    ]
    assert (separate["priority"], separate["weight"]) == (None, None)
    assert (together["priority"], together["weight"]) == (3, 4)


def test_resetting_a_group_resets_its_members(client: SandboxClient) -> None:
    """Calls count on the target's groups; a reset clears the hard caps of the group and of its targets, no others."""
    ids = [client.target(tid=f"t{number}")["id"] for number in range(3)]
    body = {"name": "g", "target_ids": ids[:2], "hard_cap_attributes": {"cap": 10}}
    group = client.request("POST", "/target_groups.json", {"target_group": body})["target_group"]
    for number in range(3):
        client.control("POST", "calls", {"count": 2, "fields": {"tid": f"t{number}"}})
    path = f"/target_groups/{group['id']}"
    assert cap(client.request("GET", f"{path}.json")["target_group"], "Hard") == (4, 10)
    client.request("POST", f"{path}/reset_cap.json")
    assert cap(client.request("GET", f"{path}.json")["target_group"], "Hard") == (0, 10)
    assert [cap(client.request("GET", f"/targets/{row}.json")["target"], "Hard")[0] for row in ids] == [0, 0, 2]


def test_targets_have_25_a_page(demo: SandboxClient) -> None:
    """Unversioned lists ignore per_page, and every target is on exactly one page."""
    ids: list[int] = []
    for page in (1, 2, 3):
        answer = demo.send("GET", f"/targets.json?per_page=100&page={page}")
        ids += [row["target"]["id"] for row in demo.request("GET", f"/targets.json?per_page=100&page={page}")]
        assert set(links(answer)) == {1: {"last", "next"}, 2: {"last", "next", "prev"}, 3: {"prev"}}[page]
    assert ids == list(range(1, 61))
    assert demo.request("GET", "/targets.json?page=4") == []
