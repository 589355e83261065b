"""Affiliates, campaigns, numbers, number pools and companies follow Retreaver's rules."""

from __future__ import annotations

import base64
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.sandbox.client import SandboxClient

MENU = [{"option": "1", "target_number": "+16474570424"}]
NO_RECORDING = dict.fromkeys(f"audio_file_{part}" for part in ("name", "content_type", "size", "updated_at"))


def campaign(client: SandboxClient, cid: str = "0001", **attributes: Any) -> dict[str, Any]:
    """Create a campaign."""
    body = {"cid": cid, "name": "c", "menu_options_attributes": MENU, **attributes}
    return dict(client.request("POST", "/campaigns.json", {"campaign": body})["campaign"])


def number(client: SandboxClient, **attributes: Any) -> dict[str, Any]:
    """Buy a number."""
    body = {"type": "Toll-free", "afid": "0002", "cid": "0001", **attributes}
    return dict(client.request("POST", "/numbers.json", {"number": body})["number"])


def test_keys_and_passwords_are_in_answers_as_documented(client: SandboxClient) -> None:
    """Whoever has the API key sees them: keys of 32 and 64 hexadecimal digits, the password as it is."""
    shown = campaign(client)["show_key"], client.request("GET", "/company.json")["company"]["embedded_key"]
    target = client.target(number="sip:a@pbx.test", sip_username="a", sip_password="p w")
    assert [len(bytes.fromhex(key)) for key in (*shown, target["object_key"])] == [16, 16, 32]
    read = client.request("GET", f"/targets/{target['id']}.json")["target"]
    assert (read["sip_username"], read["sip_password"], read["object_key"]) == ("a", "p w", target["object_key"])


def test_affiliates_by_afid_on_both_sets_of_routes(client: SandboxClient) -> None:
    """Create, update and delete as documented; the afid is required and unique."""
    body = {"affiliate": {"first_name": "Nancy", "last_name": "Drew", "afid": "0002"}}
    created = client.request("POST", "/affiliates.json", body)["affiliate"]
    assert (created["afid"], created["company_name"], created["created_at"]) == ("0002", None, "2026-01-09T12:00:00Z")
    assert client.error(422, "POST", "/api/v1/affiliates.json", body)["errors"] == {
        "afid": ["has already been taken"]
    }
    assert client.error(422, "POST", "/affiliates.json", {"affiliate": {}})["errors"] == {"afid": ["can't be blank"]}
    client.request("PUT", "/affiliates/afid/0002.json", {"affiliate": {"first_name": "Nathan"}})
    changed = client.request("GET", f"/api/v1/affiliates/{created['id']}.json")["affiliate"]
    assert (changed["first_name"], changed["last_name"]) == ("Nathan", "Drew")
    assert client.send("DELETE", "/affiliates/afid/0002.json").status == 204
    client.error(404, "GET", "/affiliates/afid/0002.json")
    client.error(404, "DELETE", "/affiliates/afid/0002.json")


def _read(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - written by the sandbox


def test_affiliates_as_xml(client: SandboxClient) -> None:
    """With the extension .xml, list and get answer XML with dashes and types."""
    client.request("POST", "/affiliates.json", {"affiliate": {"afid": "0002", "last_name": "Drew & Sons"}})
    answer = client.send("GET", "/affiliates.xml")
    assert dict(answer.headers)["Content-Type"].startswith("application/xml")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    array = _read(answer.body)
    assert (array.tag, array.get("type")) == ("affiliates", "array")
    element = _read(client.send("GET", "/affiliates/afid/0002.xml").body)
    assert (element.tag, element.findtext("afid"), element.findtext("last-name")) == (
        "affiliate",
        "0002",
        "Drew & Sons",
    )
    created, company = element.find("created-at"), element.find("company-name")
    assert created is not None
    assert company is not None
    assert (created.get("type"), company.get("nil")) == ("datetime", "true")
    assert _read(client.send("GET", "/affiliates/afid/missing.xml").body).tag == "error"


def test_a_campaign_has_nested_timers_and_menu_options(client: SandboxClient) -> None:
    """They are created with it, changed by ID, removed with _destroy, and replaced with destroy_nested."""
    timers = [{"seconds": 0, "url": "http://a.example/click"}, {"seconds": 90, "url": "http://a.example/sale"}]
    created = campaign(client, timers_attributes=timers, message="Press one.", voice_gender="Male")
    assert created["greeting"] == {**NO_RECORDING, "message": "Press one.", "voice_gender": "Male"}
    ids = [row["timer"]["id"] for row in created["timers"]]
    assert created["menu_options"][0]["menu_option"]["target_number"] == "+16474570424"

    def put(**attributes: Any) -> list[dict[str, Any]]:
        result = client.request("PUT", "/campaigns/cid/0001.json", {"campaign": attributes})["campaign"]
        return [row["timer"] for row in result["timers"]]

    assert put(timers_attributes=[{"id": ids[1], "seconds": 60}])[1] == {**timers[1], "id": ids[1], "seconds": 60}
    assert [row["id"] for row in put(timers_attributes=[{"id": ids[0], "_destroy": True}])] == [ids[1]]
    assert put(name="other") == [{**timers[1], "id": ids[1], "seconds": 60}]
    (new,) = put(destroy_nested=True, timers_attributes=timers[:1], menu_options_attributes=MENU)
    assert new["id"] not in ids
    removed = {"campaign": {"timers_attributes": [{"id": ids[0], "seconds": 1}]}}
    assert "timers.id" in client.error(422, "PUT", "/campaigns/cid/0001.json", removed)["errors"]


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
def test_invalid_campaigns_are_refused_by_name(client: SandboxClient, attributes: dict[str, Any], field: str) -> None:
    """422 names the field; cids are unique; there must be a menu option 1."""
    campaign(client)
    assert list(client.error(422, "POST", "/campaigns.json", {"campaign": attributes})["errors"]) == [field]


def test_defaults_of_a_campaign(client: SandboxClient) -> None:
    """A cid of eight characters, and the company's default URLs as timers of 0 and 90 seconds."""
    created = client.request("POST", "/campaigns.json", {"campaign": {"name": "MyCampaign"}})["campaign"]
    assert len(created["cid"]) == 8
    assert (created["record_calls"], created["record_seconds"], created["dedupe_seconds"]) == (True, 3600, 0)
    assert [row["timer"]["seconds"] for row in created["timers"]] == [0, 90]


def test_a_greeting_from_a_file(client: SandboxClient) -> None:
    """An uploaded greeting has a name and size instead of a text."""
    data = base64.b64encode(b"x" * 1000).decode()
    created = campaign(client, message_file_b64_data=data, message_file_b64_filename="greeting.flac")
    assert (created["greeting"]["audio_file_name"], created["greeting"]["audio_file_size"]) == ("greeting.flac", 1000)


def test_a_greeting_in_a_multipart_form(client: SandboxClient) -> None:
    """The file message_file is the greeting."""
    fields = {'name="campaign[cid]"': "0009", 'name="campaign[message_file]"; filename="hello.wav"': "\0riff\r\n"}
    parts = [f"--cut\r\nContent-Disposition: form-data; {name}\r\n\r\n{text}\r\n" for name, text in fields.items()]
    body = "".join([*parts, "--cut--\r\n"]).encode()
    answer = client.send("POST", "/campaigns.json", body, Content_Type="multipart/form-data; boundary=cut")
    assert answer.status == 200
    greeting = client.request("GET", "/campaigns/cid/0009.json")["campaign"]["greeting"]
    assert (greeting["audio_file_name"], greeting["audio_file_size"]) == ("hello.wav", 7)
    client.error(400, "POST", "/campaigns.json", b"nothing", Content_Type="multipart/form-data; boundary=cut")


def test_a_number_inherits_the_settings_of_its_campaign(client: SandboxClient) -> None:
    """Inherited settings are marked; the number's own timers or options override the campaign's."""
    campaign(client)
    created = number(client, desired_text="TEST", sid="superaffiliate")
    assert created["toll_free"] is True
    assert "8378" in created["number"]
    assert (created["afid"], created["cid"], created["sid"]) == ("0002", "0001", "superaffiliate")
    assert created["uses_campaign_settings"] is True
    assert created["menu_options"][0]["menu_option"]["inherited"] is True
    body = {"number": {"timers_attributes": [{"seconds": 5, "url": "http://a.example"}]}}
    own = client.request("PUT", f"/numbers/{created['id']}.json", body)["number"]
    assert own["uses_campaign_settings"] is False
    assert [row["timer"]["inherited"] for row in own["timers"]] == [False]
    assert own["menu_options"][0]["menu_option"]["inherited"] is True


def test_an_unknown_afid_creates_an_affiliate_and_an_unknown_cid_is_refused(client: SandboxClient) -> None:
    """Buying a number creates the affiliate; the campaign must exist; a refused request creates nothing."""
    campaign(client)
    refusal = client.error(422, "POST", "/numbers.json", {"number": {"afid": "new", "cid": "none"}})
    assert list(refusal["errors"]) == ["cid"]
    client.error(404, "GET", "/affiliates/afid/new.json")
    number(client, afid="new")
    assert client.request("GET", "/affiliates/afid/new.json")["affiliate"]["afid"] == "new"
    missing = client.error(422, "POST", "/numbers.json", {"number": {"country": "XX"}})
    assert set(missing["errors"]) == {"afid", "cid", "country"}


def test_local_numbers_have_the_code_of_their_country(client: SandboxClient) -> None:
    """A Local number in GB begins with +44 and is not toll-free."""
    campaign(client)
    created = number(client, type="Local", country="GB")
    assert created["number"].startswith("+44")
    assert created["toll_free"] is False


def test_numbers_are_filtered_by_both_sets_of_names(client: SandboxClient) -> None:
    """client_cid, client_afid and sub_id, and the legacy cid, afid and sid."""
    campaign(client)
    campaign(client, "0002")
    first = number(client, afid="a", sid="s")
    number(client, afid="b", cid="0002")
    for query in ("client_cid=0001", "client_afid=a", "sub_id=s", "cid=0001", "afid=a", "sid=s"):
        assert [row["number"]["id"] for row in client.request("GET", f"/numbers.json?{query}")] == [first["id"]]
    assert client.request("GET", "/numbers.json?client_cid=0002&client_afid=a") == []


def test_affiliates_and_campaigns_with_numbers_cannot_be_deleted(client: SandboxClient) -> None:
    """Deleting is refused with 422 while there are numbers, and works afterwards."""
    campaign(client)
    created = number(client)
    for path in ("/affiliates/afid/0002.json", "/campaigns/cid/0001.json"):
        assert "base" in client.error(422, "DELETE", path)["errors"]
    client.request("DELETE", f"/numbers/{created['id']}.json")
    for path in ("/affiliates/afid/0002.json", "/campaigns/cid/0001.json"):
        client.request("DELETE", path)


def test_pools_are_provisioned_later_and_deleted_with_their_numbers(client: SandboxClient) -> None:
    """A new pool is empty and later has its reserve; deleting it deletes its numbers."""
    campaign(client)
    body = {"cid": "0001", "max_pool_size": "100", "reserve_size": 3, "google_analytics": True}
    created = client.request("POST", "/number_pools.json", {"number_pool": body})["number_pool"]
    assert (created["numbers_count"], created["max_pool_size"], created["type"], created["afid"]) == (
        0,
        100,
        "Toll-free",
        None,
    )
    assert len(created["google_analytics_paths"]) == 2
    path = f"/number_pools/{created['id']}"
    client.control("POST", "clock", {"advance": 60})
    assert client.request("GET", f"{path}.json")["number_pool"]["numbers_count"] == 3
    client.control("POST", f"{path[1:]}/provision", {"numbers": 97})
    assert client.request("GET", f"{path}.json")["number_pool"]["numbers_count"] == 97
    assert "base" in client.error(422, "DELETE", "/campaigns/cid/0001.json")["errors"]
    client.request("DELETE", f"{path}.json")
    assert client.request("GET", "/numbers.json") == []


def test_invalid_pools_are_refused_by_name(client: SandboxClient) -> None:
    """The campaign and the affiliate must exist, and Google Analytics excludes an affiliate."""
    campaign(client)
    client.request("POST", "/affiliates.json", {"affiliate": {"afid": "0002"}})
    for body, field in (
        ({}, "cid"),
        ({"cid": "0001", "afid": "none"}, "afid"),
        ({"cid": "0001", "afid": "0002", "google_analytics": True}, "google_analytics"),
    ):
        assert list(client.error(422, "POST", "/number_pools.json", {"number_pool": body})["errors"]) == [field]


def test_companies_do_not_share_objects(client: SandboxClient) -> None:
    """Customer IDs may repeat across companies, and objects of another company are 404."""
    created = client.request("POST", "/companies.json", {"company": {"name": "CallPixels.com"}})["company"]
    other = f"company_id={created['id']}"
    mine = client.target(tid="same")
    body = {"target": {"number": "+18668987878", "tid": "same"}}
    theirs = client.request("POST", f"/targets.json?{other}", body)["target"]
    assert [row["target"]["id"] for row in client.request("GET", f"/targets.json?{other}")] == [theirs["id"]]
    client.error(404, "GET", f"/targets/{mine['id']}.json?{other}")
    client.error(404, "DELETE", f"/targets/{mine['id']}.json?{other}")
    assert (
        "target_ids"
        in client.error(
            422, "POST", f"/target_groups.json?{other}", {"target_group": {"name": "g", "target_ids": [mine["id"]]}}
        )["errors"]
    )


def test_a_company_with_numbers_or_pools_cannot_be_deleted(client: SandboxClient) -> None:
    """Deleting is refused while there are pools; after it the company is 403."""
    created = client.request("POST", "/companies.json", {"company": {"name": "Two"}})["company"]
    query = f"?company_id={created['id']}"
    client.request("POST", f"/campaigns.json{query}", {"campaign": {"cid": "0001"}})
    pool = client.request("POST", f"/number_pools.json{query}", {"number_pool": {"cid": "0001"}})["number_pool"]
    client.error(422, "DELETE", f"/companies/{created['id']}.json")
    client.request("DELETE", f"/number_pools/{pool['id']}.json{query}")
    renamed = client.request("PUT", f"/companies/{created['id']}.json", {"company": {"name": "Retreaver"}})["company"]
    assert renamed["name"] == "Retreaver"
    client.request("DELETE", f"/companies/{created['id']}.json")
    client.error(403, "GET", f"/targets.json{query}")
    client.error(422, "POST", "/companies.json", {"company": {}})
