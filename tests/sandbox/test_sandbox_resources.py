"""Affiliates, campaigns, numbers, pools and companies follow the vendor's rules."""

from __future__ import annotations

import base64
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.sandbox.requests_to import Vendor

MENU = [{"option": "1", "target_number": "+16474570424"}]


def campaign(vendor: Vendor, cid: str = "0001", **attributes: Any) -> dict[str, Any]:
    """Make a campaign."""
    body = {"cid": cid, "name": "c", "menu_options_attributes": MENU, **attributes}
    return dict(vendor.ok("POST", "/campaigns.json", {"campaign": body})["campaign"])


def number(vendor: Vendor, **attributes: Any) -> dict[str, Any]:
    """Buy a number."""
    body = {"type": "Toll-free", "afid": "0002", "cid": "0001", **attributes}
    return dict(vendor.ok("POST", "/numbers.json", {"number": body})["number"])


def test_affiliates_live_by_afid_on_both_routes(vendor: Vendor) -> None:
    """The documented create, update and delete, and the afid rules."""
    body = {"affiliate": {"first_name": "Nancy", "last_name": "Drew", "afid": "0002"}}
    made = vendor.ok("POST", "/affiliates.json", body)["affiliate"]
    assert (made["afid"], made["company_name"], made["created_at"]) == ("0002", None, "2026-01-09T12:00:00Z")
    assert vendor.no(422, "POST", "/api/v1/affiliates.json", body)["errors"] == {"afid": ["has already been taken"]}
    assert vendor.no(422, "POST", "/affiliates.json", {"affiliate": {}})["errors"] == {"afid": ["can't be blank"]}
    vendor.ok("PUT", "/affiliates/afid/0002.json", {"affiliate": {"first_name": "Nathan"}})
    changed = vendor.ok("GET", f"/api/v1/affiliates/{made['id']}.json")["affiliate"]
    assert (changed["first_name"], changed["last_name"]) == ("Nathan", "Drew")
    assert vendor.ask("DELETE", "/affiliates/afid/0002.json").status == 204
    vendor.no(404, "GET", "/affiliates/afid/0002.json")
    vendor.no(404, "DELETE", "/affiliates/afid/0002.json")


def _read(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the sandbox wrote it a moment ago


def test_affiliates_as_xml(vendor: Vendor) -> None:
    """List and get come as XML with dashes and types when the extension says so."""
    vendor.ok("POST", "/affiliates.json", {"affiliate": {"afid": "0002", "last_name": "Drew & Sons"}})
    answer = vendor.ask("GET", "/affiliates.xml")
    assert dict(answer.headers)["Content-Type"].startswith("application/xml")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    listed = _read(answer.body)
    assert (listed.tag, listed.get("type")) == ("affiliates", "array")
    one = _read(vendor.ask("GET", "/affiliates/afid/0002.xml").body)
    assert (one.tag, one.findtext("afid"), one.findtext("last-name")) == ("affiliate", "0002", "Drew & Sons")
    created, company = one.find("created-at"), one.find("company-name")
    assert created is not None
    assert company is not None
    assert (created.get("type"), company.get("nil")) == ("datetime", "true")
    assert _read(vendor.ask("GET", "/affiliates/afid/nobody.xml").body).tag == "error"


def test_a_campaign_has_nested_timers_and_menu_options(vendor: Vendor) -> None:
    """They are made with it, changed by id, removed by _destroy, and replaced with destroy_nested."""
    timers = [{"seconds": 0, "url": "http://a.example/click"}, {"seconds": 90, "url": "http://a.example/sale"}]
    made = campaign(vendor, timers_attributes=timers, message="Press one.", voice_gender="Male")
    assert made["greeting"] == {"message": "Press one.", "voice_gender": "Male"}
    ids = [one["timer"]["id"] for one in made["timers"]]
    assert made["menu_options"][0]["menu_option"]["target_number"] == "+16474570424"

    def put(**attributes: Any) -> list[dict[str, Any]]:
        shown = vendor.ok("PUT", "/campaigns/cid/0001.json", {"campaign": attributes})["campaign"]
        return [one["timer"] for one in shown["timers"]]

    assert put(timers_attributes=[{"id": ids[1], "seconds": 60}])[1] == {**timers[1], "id": ids[1], "seconds": 60}
    assert [one["id"] for one in put(timers_attributes=[{"id": ids[0], "_destroy": True}])] == [ids[1]]
    assert put(name="other") == [{**timers[1], "id": ids[1], "seconds": 60}]
    (fresh,) = put(destroy_nested=True, timers_attributes=timers[:1], menu_options_attributes=MENU)
    assert fresh["id"] not in ids
    gone = {"campaign": {"timers_attributes": [{"id": ids[0], "seconds": 1}]}}
    assert "timers.id" in vendor.no(422, "PUT", "/campaigns/cid/0001.json", gone)["errors"]


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"cid": "0001"}, "cid"),
        ({"voice_gender": "Robot"}, "voice_gender"),
        ({"timers_attributes": [{"seconds": 1}]}, "timers.url"),
        ({"timers_attributes": "no"}, "timers"),
        ({"menu_options_attributes": [{"option": "2", "target_number": "+16474570424"}]}, "menu_options"),
        ({"menu_options_attributes": [{"option": "12"}]}, "menu_options.option"),
        ({"menu_options_attributes": [{"option": "1", "target_cid": "none"}]}, "menu_options.target_cid"),
        ({"message_file_b64_data": "%%%"}, "message_file_b64_data"),
    ],
)
def test_bad_campaigns_are_refused_by_name(vendor: Vendor, attributes: dict[str, Any], field: str) -> None:
    """422 names the field; cids are unique; there must be an option for 1."""
    campaign(vendor)
    assert list(vendor.no(422, "POST", "/campaigns.json", {"campaign": attributes})["errors"]) == [field]


def test_what_a_campaign_gets_without_asking(vendor: Vendor) -> None:
    """A cid of eight characters, and the company's default URLs as timers of 0 and 90 seconds."""
    made = vendor.ok("POST", "/campaigns.json", {"campaign": {"name": "MyCampaign"}})["campaign"]
    assert len(made["cid"]) == 8
    assert (made["record_calls"], made["record_seconds"], made["dedupe_seconds"]) == (True, 3600, 0)
    assert [one["timer"]["seconds"] for one in made["timers"]] == [0, 90]


def test_a_greeting_from_a_file(vendor: Vendor) -> None:
    """An uploaded greeting shows its name and size instead of a text."""
    data = base64.b64encode(b"x" * 1000).decode()
    made = campaign(vendor, message_file_b64_data=data, message_file_b64_filename="greeting.flac")
    assert (made["greeting"]["audio_file_name"], made["greeting"]["audio_file_size"]) == ("greeting.flac", 1000)


def test_a_greeting_as_multipart(vendor: Vendor) -> None:
    """A file sent as message_file in a multipart form is the greeting."""
    fields = {'name="campaign[cid]"': "0009", 'name="campaign[message_file]"; filename="hello.wav"': "\0riff\r\n"}
    parts = [f"--cut\r\nContent-Disposition: form-data; {name}\r\n\r\n{text}\r\n" for name, text in fields.items()]
    body = "".join([*parts, "--cut--\r\n"]).encode()
    answer = vendor.ask("POST", "/campaigns.json", body, Content_Type="multipart/form-data; boundary=cut")
    assert answer.status == 200
    greeting = vendor.ok("GET", "/campaigns/cid/0009.json")["campaign"]["greeting"]
    assert (greeting["audio_file_name"], greeting["audio_file_size"]) == ("hello.wav", 7)
    vendor.no(400, "POST", "/campaigns.json", b"nothing", Content_Type="multipart/form-data; boundary=cut")


def test_a_number_inherits_from_its_campaign_until_it_has_its_own(vendor: Vendor) -> None:
    """Settings carry inherited; own timers or options override the campaign's."""
    campaign(vendor)
    made = number(vendor, desired_text="TEST", sid="superaffiliate")
    assert made["toll_free"] is True
    assert "8378" in made["number"]
    assert (made["afid"], made["cid"], made["sid"]) == ("0002", "0001", "superaffiliate")
    assert made["uses_campaign_settings"] is True
    assert made["menu_options"][0]["menu_option"]["inherited"] is True
    body = {"number": {"timers_attributes": [{"seconds": 5, "url": "http://a.example"}]}}
    own = vendor.ok("PUT", f"/numbers/{made['id']}.json", body)["number"]
    assert own["uses_campaign_settings"] is False
    assert [one["timer"]["inherited"] for one in own["timers"]] == [False]
    assert own["menu_options"][0]["menu_option"]["inherited"] is True


def test_an_unknown_afid_makes_an_affiliate_and_an_unknown_cid_does_not(vendor: Vendor) -> None:
    """Buying a number creates the affiliate; the campaign must be there; a refusal makes neither."""
    campaign(vendor)
    refusal = vendor.no(422, "POST", "/numbers.json", {"number": {"afid": "new", "cid": "none"}})
    assert list(refusal["errors"]) == ["cid"]
    vendor.no(404, "GET", "/affiliates/afid/new.json")
    number(vendor, afid="new")
    assert vendor.ok("GET", "/affiliates/afid/new.json")["affiliate"]["afid"] == "new"
    missing = vendor.no(422, "POST", "/numbers.json", {"number": {"country": "XX"}})
    assert set(missing["errors"]) == {"afid", "cid", "country"}


def test_local_numbers_have_their_countrys_code(vendor: Vendor) -> None:
    """A Local number in GB begins with +44 and is not toll-free."""
    campaign(vendor)
    made = number(vendor, type="Local", country="GB")
    assert made["number"].startswith("+44")
    assert made["toll_free"] is False


def test_numbers_are_filtered_by_both_sets_of_names(vendor: Vendor) -> None:
    """client_cid, client_afid and sub_id, and on legacy routes cid, afid and sid."""
    campaign(vendor)
    campaign(vendor, "0002")
    first = number(vendor, afid="a", sid="s")
    number(vendor, afid="b", cid="0002")
    for query in ("client_cid=0001", "client_afid=a", "sub_id=s", "cid=0001", "afid=a", "sid=s"):
        assert [one["number"]["id"] for one in vendor.ok("GET", f"/numbers.json?{query}")] == [first["id"]]
    assert vendor.ok("GET", "/numbers.json?client_cid=0002&client_afid=a") == []


def test_numbers_go_before_affiliates_and_campaigns(vendor: Vendor) -> None:
    """Either is refused with 422 while it has numbers, and deleted afterwards."""
    campaign(vendor)
    made = number(vendor)
    for path in ("/affiliates/afid/0002.json", "/campaigns/cid/0001.json"):
        assert "base" in vendor.no(422, "DELETE", path)["errors"]
    vendor.ok("DELETE", f"/numbers/{made['id']}.json")
    for path in ("/affiliates/afid/0002.json", "/campaigns/cid/0001.json"):
        vendor.ok("DELETE", path)


def test_pools_are_provisioned_after_a_while_and_take_their_numbers_along(vendor: Vendor) -> None:
    """A new pool is empty, then holds its reserve; deleting it deletes its numbers."""
    campaign(vendor)
    body = {"cid": "0001", "max_pool_size": "100", "reserve_size": 3, "google_analytics": True}
    made = vendor.ok("POST", "/number_pools.json", {"number_pool": body})["number_pool"]
    assert (made["numbers_count"], made["max_pool_size"], made["type"], made["afid"]) == (0, 100, "Toll-free", None)
    assert len(made["google_analytics_paths"]) == 2
    path = f"/number_pools/{made['id']}"
    vendor.control("POST", "clock", {"advance": 60})
    assert vendor.ok("GET", f"{path}.json")["number_pool"]["numbers_count"] == 3
    vendor.control("POST", f"{path[1:]}/provision", {"numbers": 97})
    assert vendor.ok("GET", f"{path}.json")["number_pool"]["numbers_count"] == 97
    assert "base" in vendor.no(422, "DELETE", "/campaigns/cid/0001.json")["errors"]
    vendor.ok("DELETE", f"{path}.json")
    assert vendor.ok("GET", "/numbers.json") == []


def test_what_a_pool_refuses(vendor: Vendor) -> None:
    """The campaign and the affiliate must be there, and analytics goes without an affiliate."""
    campaign(vendor)
    vendor.ok("POST", "/affiliates.json", {"affiliate": {"afid": "0002"}})
    for body, field in (
        ({}, "cid"),
        ({"cid": "0001", "afid": "none"}, "afid"),
        ({"cid": "0001", "afid": "0002", "google_analytics": True}, "google_analytics"),
    ):
        assert list(vendor.no(422, "POST", "/number_pools.json", {"number_pool": body})["errors"]) == [field]


def test_companies_keep_their_things_apart(vendor: Vendor) -> None:
    """Customer IDs may repeat across companies, and nobody sees the other's objects."""
    made = vendor.ok("POST", "/companies.json", {"company": {"name": "CallPixels.com"}})["company"]
    other = f"company_id={made['id']}"
    mine = vendor.target(tid="same")
    body = {"target": {"number": "+18668987878", "tid": "same"}}
    theirs = vendor.ok("POST", f"/targets.json?{other}", body)["target"]
    assert [one["target"]["id"] for one in vendor.ok("GET", f"/targets.json?{other}")] == [theirs["id"]]
    vendor.no(404, "GET", f"/targets/{mine['id']}.json?{other}")
    vendor.no(404, "DELETE", f"/targets/{mine['id']}.json?{other}")
    assert (
        "target_ids"
        in vendor.no(
            422, "POST", f"/target_groups.json?{other}", {"target_group": {"name": "g", "target_ids": [mine["id"]]}}
        )["errors"]
    )


def test_a_company_goes_after_its_numbers_and_pools(vendor: Vendor) -> None:
    """Deleting is refused while there are numbers or pools; afterwards its key no longer reaches it."""
    made = vendor.ok("POST", "/companies.json", {"company": {"name": "Two"}})["company"]
    query = f"?company_id={made['id']}"
    vendor.ok("POST", f"/campaigns.json{query}", {"campaign": {"cid": "0001"}})
    pool = vendor.ok("POST", f"/number_pools.json{query}", {"number_pool": {"cid": "0001"}})["number_pool"]
    vendor.no(422, "DELETE", f"/companies/{made['id']}.json")
    vendor.ok("DELETE", f"/number_pools/{pool['id']}.json{query}")
    renamed = vendor.ok("PUT", f"/companies/{made['id']}.json", {"company": {"name": "Retreaver"}})["company"]
    assert renamed["name"] == "Retreaver"
    vendor.ok("DELETE", f"/companies/{made['id']}.json")
    vendor.no(403, "GET", f"/targets.json{query}")
    vendor.no(422, "POST", "/companies.json", {"company": {}})
