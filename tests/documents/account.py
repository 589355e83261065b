"""The account of the examples in Retreaver's reference, in a sandbox: its objects have the documented IDs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_retreaver.core.messages import HttpRequest, Request, Response
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.sandbox import Answer, Sandbox, SandboxOptions
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET

KEY = "woofwoofwoof"
CALL = "addcf985-017e-4962-be34-cf5d55e74afc"
PHONE, TOLL_FREE = "+18668987878", "+18001234567"
OPTION = {"option": "1", "target_number": "+16474570424"}
TIMERS = [
    {"seconds": 0, "url": "http://callpixels.com/click.html"},
    {"seconds": 90, "url": "http://callpixels.com/sale.html"},
]


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
        for cid in ("111", "0001", "0003", "0044", "116dc0f6"):
            timers = {"timers_attributes": TIMERS}
            self.add("campaigns", "campaign", {"cid": cid, "menu_options_attributes": [OPTION], **timers})
        bought = {"type": "Toll-free", "afid": "0001", "cid": "111", "sid": "superaffiliate"}
        for id_ in (5, 79):
            self.add("numbers", "number", bought, id_)
        self.add("number_pools", "number_pool", {"cid": "111", "afid": "0001"}, 1)
        self.add("number_pools", "number_pool", {"cid": "111", "google_analytics": True}, 49)
        for id_ in (1, 2, 3, 4, 5, 6, 6588, 22592):
            self.add("targets", "target", {"number": PHONE, "name": "Jason Cell"}, id_)
        self.add("target_groups", "target_group", {"name": "test", "target_ids": [1, 2, 3]}, 1)
        self.add("static_caller_numbers", "static_caller_number", {"number": "+15550009999"}, 1234)
        numbers = [{"number": PHONE, "description": "Landline"}, {"number": "+14165550000"}]
        self.next_id("contact_numbers", 2)
        tags = {"tag_list": "<<<name:Retreaver Support>>>"}
        self.add("contacts", "contact", {"contact_numbers_attributes": numbers, **tags}, 2)
        self.send_with_api_key("POST", f"/suppressed_numbers/{PHONE}.json")
        fields = {"uuid": CALL, "afid": "0001", "cid": "0003", "tid": None, "created_at": "2016-01-01T12:00:00Z"}
        self.request("POST", "/__sandbox__/calls", {"count": 1, "fields": fields | {"caller": PHONE}})
        for owner in ("targets/3", "campaigns/5"):
            lists = f"/api/v2/{owner}/caller_lists"
            self.send_with_postback_key("POST", f"{lists}.json", {"caller_list": {"name": "suppressed"}})
            number = {"caller_list_number": {"number": PHONE}}
            self.send_with_postback_key("POST", f"{lists}/suppressed/caller_list_numbers.json", number)


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

    def settings(self, edition: str, version: str) -> Settings:
        """Return the settings of a connection to the documented account."""
        extra = {
            "api_routes": edition,
            "calls_version": version,
            "caller_list_key": POSTBACK_KEY,
            "caller_list_secret": POSTBACK_SECRET,
        }
        return Settings.parse("documents", login="1", password=KEY, extra=extra)
