"""The account of the examples in Retreaver's reference, in a sandbox: its objects have the documented IDs."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox import Answer, Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.options import (
    POSTBACK_KEY,
    POSTBACK_SECRET,
    TRACKDRIVE_PRIVATE_KEY,
    TRACKDRIVE_PUBLIC_KEY,
)

KEY = "woofwoofwoof"
KEY_PAIR = f"Basic {base64.b64encode(f'{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}'.encode()).decode()}"
CALL = "addcf985-017e-4962-be34-cf5d55e74afc"
PHONE, ON_CAMPAIGN = "+18668987878", "+13215550190"
OPTION = {"option": "1", "target_number": "+16474570424"}
TIMERS = [
    {"seconds": 0, "url": "https://tracker.example.com/click.html"},
    {"seconds": 90, "url": "https://tracker.example.com/sale.html"},
]
GREETING = {"message": "Hi There! Press one to continue.", "voice_gender": "Female"}
RECORDED = {"message_file_b64_data": "Zm9v", "message_file_b64_filename": "greeting.flac"}
CONVERSIONS = {"name": "50$ after 90s", "conversion_type": "timer", "dedupe_seconds": 0}
PAYOUT_CSV = (
    "rule_id,caller_state,pbm_bucket,pbm_bucket,payout_pct\n"
    "1,=~^(CO|NY|TX)$,*,*,70\n2,*,>=5000,<7500,60\n3,*,*,*,current\n"
)
# Postback keys of the documents, and one for their placeholder.
RTB_KEY, RESERVATION_KEY = "7fc40342-f0a0-4e8f-bf09-b3887eedcb41", "ABCDEFG-123456"
WRITING_KEY = "0d1a8a3e-52a7-4d0f-8b16-6b2f6c1e9a77"
RESERVATION = "c6e4ce37-9b49-46af-bd8e-16cb7753499d"
PING = {
    "call_uuid": CALL,
    "postback_key_id": 456,
    "affiliate_id": 789,
    "campaign_id": 123,
    "target_id": 321,
    "status": "claimed",
    "pbm_table_version": "7",
    "pbm_rule_id": 2,
    "pbm_bucket": 6231,
    "pbm_variant": "treatment",
    "pbm_original_payout": 10.0,
    "pbm_percent_of_revenue": 70,
}
CONVERTED = {
    "keys_pressed": ["1"],
    "target_id": 6588,
    "target_group_id": 1,
    "connected": 1,
    "converted": 1,
    "revenue": 5,
    "payout": 5,
}
MISSED = {
    "keys_pressed": ["1"],
    "tid": None,
    "connected": 0,
    "converted": 0,
    "revenue": 0,
    "payout": 0,
    "recorded": 0,
}


class Account:
    """The documented objects in a sandbox, and a way to send the documented requests.

    :param sandbox: An empty sandbox.
    :param key: An API key of its company 1.
    :param default_headers: Headers of every request.
    """

    def __init__(self, sandbox: Sandbox, key: str = KEY, **default_headers: str) -> None:
        self.sandbox = sandbox
        self._key = key
        self._default_headers = default_headers

    def request(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        """Send a request as the reference shows it, with host or without."""
        parts = urlsplit(url)
        # A plus in a documented URL means a plus: curl sends it as it stands.
        query = [(name, value.replace(" ", "+")) for name, value in parse_qsl(parts.query)]
        all_headers = {"Content-Type": "application/json", **self._default_headers, **headers}
        raw = b"" if body is None else json.dumps(body).encode()
        return self.sandbox.handle(method, parts.path, query, all_headers, raw)

    def send_with_api_key(self, method: str, url: str, body: Any = None) -> Answer:
        """Send a request with key and company."""
        separator = "&" if "?" in url else "?"
        return self.request(method, f"{url}{separator}{urlencode({'api_key': self._key, 'company_id': 1})}", body)

    def send_with_postback_key(self, method: str, url: str, body: Any = None) -> Answer:
        """Send a request with the key for caller lists."""
        separator = "&" if "?" in url else "?"
        return self.request(
            method, f"{url}{separator}key={POSTBACK_KEY}", body, Authorization=f"Bearer {POSTBACK_SECRET}"
        )

    def add(self, table: str, envelope: str, attributes: dict[str, Any], id_: int | None = None) -> None:
        """Add an object with a documented ID."""
        if id_ is not None:
            self.next_id(table, id_)
        answer = self.send_with_api_key("POST", f"/{table}.json", {envelope: attributes})
        assert answer.status == 200, (table, answer)

    def next_id(self, table: str, id_: int) -> None:
        """Let the next row of a table have this ID."""
        store = self.sandbox.state.store
        with store.transaction():
            store.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            store.insert("sqlite_sequence", {"name": table, "seq": id_ - 1})

    def fill(self) -> None:
        """Add everything."""
        self.add("companies", "company", {"name": "Retreaver"}, 2)
        for afid in ("0001", "0002", "002", "0005"):
            self.add("affiliates", "affiliate", {"afid": afid, "last_name": "Drew"})
        for cid in ("111", "399944", "0003", "0044", "116dc0f6", "1"):
            timers = {"timers_attributes": TIMERS}
            self.add("campaigns", "campaign", {"cid": cid, "menu_options_attributes": [OPTION], **timers, **GREETING})
        menu = [OPTION, {"option": "2", "target_cid": "399944"}]
        own = {"cid": "0001", "menu_options_attributes": menu, "timers_attributes": TIMERS, **RECORDED}
        self.add("campaigns", "campaign", own)
        bought = {"type": "Toll-free", "afid": "0001", "sid": "superaffiliate"}
        for id_, cid in ((5, "111"), (79, "0001")):
            self.add("numbers", "number", {**bought, "cid": cid}, id_)
        self.add("number_pools", "number_pool", {"cid": "111", "afid": "0001"}, 1)
        self.add("number_pools", "number_pool", {"cid": "111", "google_analytics": True}, 49)
        self._add_targets()
        self.add("static_caller_numbers", "static_caller_number", {"number": "+15550009999"}, 1234)
        numbers = [{"number": PHONE, "description": "Landline"}, {"number": "+14165550000"}]
        self.next_id("contact_numbers", 2)
        tags = {"tag_list": "<<<name:Retreaver Support>>>"}
        self.add("contacts", "contact", {"contact_numbers_attributes": numbers, **tags}, 2)
        self._suppress()
        self._add_payout_table()
        self._add_calls()
        self._add_bidding()
        self._add_trackdrive()
        for owner in ("targets/3", "campaigns/5"):
            lists = f"/api/v2/{owner}/caller_lists"
            self.send_with_postback_key("POST", f"{lists}.json", {"caller_list": {"name": "suppressed"}})
            number = {"caller_list_number": {"number": PHONE}}
            self.send_with_postback_key("POST", f"{lists}/suppressed/caller_list_numbers.json", number)

    def _add_trackdrive(self) -> None:
        for id_, own in ((100_101, None), (100_123, "loan-22-en"), (100_124, "loan-23-fr"), (1_000_125, None)):
            given = {"id": id_, "name": "Acme", **({"user_buyer_id": own} if own else {})}
            assert self.request("POST", "/__sandbox__/trackdrive/buyers", given).status == 200
        self.next_id("trackdrive_groups", 123_456)
        body = {"name": "Buyers", "buyer_ids": [100_101]}
        answer = self.request("POST", "/api/v1/buyer_groups", body, Authorization=KEY_PAIR)
        assert answer.status == 201, answer

    def _add_targets(self) -> None:
        for id_ in (1, 2, 3, 4, 5, 6, 6588, 22592):
            self.add("targets", "target", {"number": PHONE, "name": "Jason Cell"}, id_)
        self.add("targets", "target", {"number": PHONE, "client_tid": "5"})
        self.add("target_groups", "target_group", {"name": "test", "target_ids": [1, 2, 3, 6588]}, 1)
        self.add("target_groups", "target_group", {"name": "East Coast", "target_ids": [6588]}, 2)
        self.next_id("conversion_groups", 256490)
        self.next_id("conversions", 263254)
        groups = [{**CONVERSIONS, "conversions_attributes": [{"seconds": 90, "revenue": 50.0}]}]
        body = {"target": {"conversion_groups_attributes": groups}}
        assert self.send_with_api_key("PUT", "/targets/22592.json", body).status == 200

    def _add_payout_table(self) -> None:
        self.add("campaigns", "campaign", {"cid": "rates", "menu_options_attributes": [OPTION]}, 16728)
        self.next_id("payout_tables", 9001)
        path = "/api/v5/campaigns/16728/payout_bid_modification_tables.json"
        body = {"payout_bid_modification_table": {"csv_data": PAYOUT_CSV, "active": True}}
        assert self.send_with_api_key("POST", path, body).status == 200

    def _suppress(self) -> None:
        for number in (PHONE, ON_CAMPAIGN):
            self.send_with_api_key("POST", f"/suppressed_numbers/{number}.json")
        placed = {"can_resubscribe": True, "campaign_id": "111"}
        self.send_with_api_key("PUT", f"/suppressed_numbers/{ON_CAMPAIGN}.json", placed)

    def _add_calls(self) -> None:
        tags = {"tags": {"utm_campaign": "ret_campaign_123"}}
        for uuid, created_at, fields in (
            (CALL, "2016-01-01T12:00:00Z", {"afid": "0001", "cid": "0003", "tid": None, "caller": PHONE}),
            ("f1abfb78-ab8a-4146-9946-8169fbcc6d6c", "2024-10-26T16:52:18Z", {**CONVERTED, **tags, "cid": "1"}),
            ("94079290-93f3-4527-9e78-88653aaf3c49", "2024-10-26T16:46:10Z", {**MISSED, **tags, "cid": "1"}),
        ):
            given = {"count": 1, "fields": {"uuid": uuid, "created_at": created_at, **fields}}
            answer = self.request("POST", "/__sandbox__/calls", given)
            assert answer.status == 200, answer

    def _add_bidding(self) -> None:
        """Issue the documented postback keys, and add a reservation, a row of the log and an export job."""
        for key, type_ in ((RTB_KEY, "Real Time Bidding"), (RESERVATION_KEY, "Call Reservation")):
            self._control("rtb_keys", {"key": key, "type": type_})
        self._control("rtb_keys", {"key": WRITING_KEY, "type": "Call Data Writing"})
        store, now = self.sandbox.state.store, self.sandbox.state.clock.now()
        reservation = {
            "uuid": RESERVATION,
            "key": RTB_KEY,
            "company_id": 1,
            "caller": "+15550008518",
            "inbound_number": "+18772435010",
            "target_id": 1,
            "payout": 5.0,
            "seconds": 10,
            "tags": "{}",
            "created_at": now,
            "expires_at": now + 3_600_000,
        }
        with store.transaction():
            store.insert("reservations", reservation)
        self._control("rtb_inbounds", {"fields": PING})
        self._control("exports", {"seconds": 0})
        self.next_id("exports", 501)
        params = {"campaign_id": [123], "created_at": "last_7d"}
        jobs = "/api/v5/exports/rtb_inbounds"
        assert self.send_with_api_key("POST", f"{jobs}.json", {"export": {"params": params}}).status == 200
        assert self.send_with_api_key("GET", f"{jobs}/501.json").status == 200

    def _control(self, path: str, body: Any) -> None:
        answer = self.request("POST", f"/__sandbox__/{path}", body)
        assert answer.status == 200, answer


class Documented(Account):
    """The documented account in its own sandbox, with a transport to it for a client."""

    def __init__(self) -> None:
        super().__init__(Sandbox(SandboxOptions(api_key=KEY)))
        self.sent: list[HttpRequest] = []
        self.fill()

    def send(self, request: Request, wire: HttpRequest) -> Response:
        """Send a request to the sandbox and record it."""
        self.sent.append(wire)
        parts = urlsplit(wire.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        answer = self.sandbox.handle(wire.method, parts.path, query, dict(wire.headers), wire.body or b"")
        headers = {name.lower(): value for name, value in answer.headers}
        return Response(answer.status, headers, answer.body)

    def interrupt(self, threads: object) -> None:
        """Do nothing: a request in memory takes no time."""

    def close(self) -> None:
        """Close the database."""
        self.sandbox.close()

    def settings(self, edition: str, version: str, postback_key: str | None = None) -> Settings:
        """Return the settings of a connection to the documented account."""
        extra = {
            "api_routes": edition,
            "calls_version": version,
            "caller_list_key": POSTBACK_KEY,
            "caller_list_secret": POSTBACK_SECRET,
            **({"postback_key": postback_key} if postback_key else {}),
        }
        return Settings.parse("documents", login="1", password=KEY, extra=extra)
