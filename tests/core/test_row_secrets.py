"""Secrets in rows that leave: masked in every usual encoding, while all other data stays as it was."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core import secrets
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.row_secrets import document_without_secrets, holds_registered, without_secrets
from airflow_provider_retreaver.core.secrets import Secret, register_secrets
from airflow_provider_retreaver.domain.calls.odd_calls import as_rows
from airflow_provider_retreaver.domain.calls.page import read_page

KEY = "k3yOfAcme+0123/4567=89"
MARK = "k3yOfAcme"


@pytest.fixture(autouse=True)
def _two_registered(monkeypatch):
    """Register a key, and a secret that is too short to be masked in data."""
    monkeypatch.setattr(secrets, "_registered", frozenset())
    register_secrets([Secret(KEY), Secret("90210")])


ENCODED = {
    "raw": str,
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "HTML": lambda text: text.replace("+", "&#43;").replace("=", "&#x3D;"),
}
ROWS = [
    {"name": "Acme {}"}, {"name": "{}"}, {"{}": 1}, {"tags": {"a": ["x", {"b": "{}"}]}}, [["{}"]], "{}",
    {"recording_url": "https://api.test/r.mp3?api_key={}&a=1"}, {"note": '<a href="/x?y={}">'},
]  # fmt: skip


def filled(row, text):
    """Put a text into a row."""
    return json.loads(json.dumps(row).replace("{}", json.dumps(text)[1:-1]))


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_key_leaves_in_no_row(row, how):
    """A parsed row and a JSON document have `***` in the place of the key, and nothing else is changed."""
    given_row = filled(row, ENCODED[how](KEY))
    clean = without_secrets(given_row)
    assert MARK not in json.dumps(clean)
    assert clean == filled(row, "***")
    for separators in ((",", ":"), (", ", ": ")):
        document = json.dumps(given_row, separators=separators).encode()
        assert holds_registered(document)
        assert document_without_secrets(document) == json.dumps(clean, separators=separators).encode()


@pytest.mark.parametrize(
    ("document", "held"),
    [(b"a 4f9d27c1-a b", True), (b"a 4f9d27c1 b", True), (b"a Z4f9d27c1 b", True), (b"4f9d27c", False)],
)
def test_a_secret_within_another_is_found_with_it(document, held):
    """A document is searched once for secrets of which one is a part of the other, such as a key with its colon."""
    register_secrets([Secret("4f9d27c1"), Secret("4f9d27c1-a"), Secret("Z4f9d27c1:"), Secret("4f9d27c1:")])
    assert holds_registered(document) == held


@pytest.mark.parametrize("name", ["embedded_key", "show_key", "object_key", "sip_password", "api_key", "a_secret"])
def test_secret_fields_are_masked(name):
    """Fields that are keys by themselves are masked whatever their value, and stay empty where they were."""
    row = {name: "anything", "other": {name: ["any", 'th"ing']}, "id": 3}
    clean = {name: "***", "other": {name: ["***", "***"]}, "id": 3}
    assert without_secrets(row) == clean
    assert without_secrets({name: None, "a": {name: ""}}) == {name: None, "a": {name: ""}}
    document = json.dumps({name: 'any\\"thing', "id": 3}).encode()
    assert json.loads(document_without_secrets(document)) == {name: "***", "id": 3}


@pytest.mark.parametrize(
    "url",
    [
        "https://x.test/r.mp3?api_key=other&a=1", "https://x.test/?a=1&apikey=other", "https://x.test/?postback_key=other",
        "https://x.test/?next=%2Fr%3Fapi_key%3Dother%26a", "https://x.test/#access_token=other",
    ],
)  # fmt: skip
def test_keys_in_urls_are_masked_by_name(url):
    """A key that is not registered is masked after the name of its parameter."""
    assert "other" not in without_secrets(url)
    assert without_secrets(url).count("***") == 1


KEPT = [
    {"zip": "90210", "name": "Key West, secret garden", "keys_pressed": ["1"], "tag": {"key": "city", "value": "x"}},
    {"url": "https://x.test/?key=5&monkey=6&utm_source=a%20b#keys", "n": 1.10, "big": 10**20, "t": True, "z": None},
    {"a": "é\u2028\ud800", "b": '\\u0041 \\" /'},
]  # fmt: skip


@pytest.mark.parametrize("row", KEPT, ids=["names", "url", "characters"])
def test_other_data_is_kept(row):
    """Texts that resemble a secret's name, short secrets, numbers and odd characters are data."""
    assert without_secrets(row) == row
    for document in (json.dumps(row).encode(), b'{"n": 1.10, "big": 1e400, "x":"\\u0041\\/"}'):
        assert document_without_secrets(document) == document


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_documents_and_rows_are_cleaned_alike(value):
    """A document that is cleaned and parsed equals the parsed document that is cleaned, and a tuple stays one."""
    document = json.dumps([value, KEY]).encode()
    assert json.loads(document_without_secrets(document)) == without_secrets([value, KEY])
    assert without_secrets((value, KEY)) == tuple(without_secrets([value, KEY]))


CALL = {"uuid": "3c6ef372-fe94-f82b-e739-80c0b9db9068", "created_at": "2026-01-05T00:00:00Z", "revenue": 1.10}


@pytest.mark.parametrize(
    "fields",
    [
        {"recording_url": f"https://api.test/r.mp3?api_key={quote_plus(KEY)}"}, {"target_name": KEY},
        {"recording_url": "https://api.test/r.mp3?api_key=other-k3yOfAcme"}, {"tags": {KEY: KEY}}, {"show_key": MARK},
        {"sip_password": MARK},
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [True, False])
def test_pages_of_calls_hold_no_key(fields, wrapped):
    """The page that exports, SQL loads and recordings read is masked once, for all of them."""
    calls = [{**CALL, **fields, "n": index} for index in range(3)]
    body = json.dumps([{"call": call} if wrapped else call for call in calls]).encode()
    page = read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, body))
    assert MARK not in json.dumps(as_rows(page.raws), default=str)
    assert MARK not in repr(page.keys)
    assert [row["n"] for row in as_rows(page.raws)] == [0, 1, 2]
    assert b"1.1" in bytes(page.raws[0])


def test_pages_without_a_key_are_passed_on_as_they_came():
    """No byte of a call is changed."""
    raw = json.dumps(CALL, separators=(" ,", " : ")).encode()
    page = read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, b'[{"call":' + raw + b"}]"))
    assert bytes(page.raws[0]) == raw
