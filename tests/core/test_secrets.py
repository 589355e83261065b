"""Secrets: removed in every encoding, while all other text stays readable."""

from __future__ import annotations

import copy
import dataclasses
import html
import json
import logging
import pickle
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core import secrets
from airflow_provider_retreaver.core.answers import error_for
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.quoting import excerpt
from airflow_provider_retreaver.core.secrets import (
    MASK,
    RedactingFilter,
    Secret,
    guard_library_logs,
    redact,
    register_secrets,
    spellings,
)
from airflow_provider_retreaver.core.settings import Settings

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=8, max_size=40).filter(
    lambda text: len(set(text)) > 4 and text == text.strip()
)


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch):
    """Start each test without registered secrets."""
    monkeypatch.setattr(secrets, "_registered", frozenset())


def ruby_json(text):
    """Return JSON as Rails writes it, with HTML's special characters escaped."""
    return json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


WRITTEN = {
    "raw": str,
    "percent": lambda key: quote(key, safe=""),
    "percent in small letters": lambda key: "".join(f"%{octet:02x}" for octet in key.encode()),
    "percent, signs kept": lambda key: quote(key, safe="/:+~!'()"),
    "percent twice": lambda key: quote(quote(key, safe=""), safe=""),
    "plus": quote_plus,
    "form": lambda key: urlencode({"api_key": key}),
    "JSON": json.dumps,
    "JSON as UTF-8": lambda key: json.dumps(key, ensure_ascii=False),
    "JSON of Rails": ruby_json,
    "JSON of PHP": lambda key: json.dumps(key).replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "HTML": html.escape,
    "HTML of numbers": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML of hex": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "HTML twice": lambda key: html.escape(html.escape(key)),
    "Python": lambda key: repr(key)[1:-1],
    "Python's ASCII": lambda key: ascii(key)[1:-1],
}
AROUND = (
    "GET https://api.retreaver.com/targets.json?api_key={}&company_id=1 HTTP/1.1",
    '<https://retreaver.com/targets.json?page=2&api_key={}>; rel="next"',
    "https://user:{}@proxy:3128/",
    '{{"message": "key {} is unknown"}}',
    "Authorization: Bearer {}",
    "{}",
    "x{}y",
)


@settings(max_examples=300, deadline=None)
@given(KEYS, st.sampled_from(sorted(WRITTEN)), st.sampled_from(AROUND))
def test_a_key_is_removed_in_every_encoding(key, how, around):
    """No part of a key of any characters is left."""
    written = WRITTEN[how](key)
    assume(written not in around)
    clean = redact(around.format(written), [Secret(key)])
    assert written not in clean
    assert key not in clean
    assert MASK in clean


@given(KEYS, st.text(max_size=60), st.text(max_size=60))
def test_text_around_a_key_is_kept(key, before, after):
    """Only the key is removed."""
    plain = before + after
    assume(redact(plain) == plain and redact(before + MASK + after) == before + MASK + after)
    assume(redact(before, [Secret(key)]) == before and redact(after, [Secret(key)]) == after)
    clean = redact(f"{before}\n{key}\n{after}", [Secret(key)])
    assert clean == f"{before}\n{MASK}\n{after}"


@pytest.mark.parametrize(
    "text",
    [
        "Acme Basic Roofing, bearer bonds and Basic authentication",
        "monkey=5 keyboard: 3 the tag's key: city, value: Springfield",
        "GET /targets/3.json?page=2&per_page=25&company_id=1",
        '{"tag_values": [{"key": "city", "value": "Springfield"}]}',
        "mail to someone@example.com, see https://example.com/a@b",
        "",
    ],
)
def test_texts_without_secrets_are_kept(text):
    """Words that resemble the name of a secret's parameter are kept."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "?api_key=hidden&page=2",
        "?page=2&key=hidden",
        "postback_key=hidden",
        '{"api_key": "hidden", "x": 1}',
        "{'caller_list_secret': 'hidden'}",
        "caller_list_key%3Dhidden%26page%3D2",
        "access_token=hidden; path=/",
        "Authorization: Bearer hidden",
        "{'Authorization': 'Basic hidden'}",
        "curl -H Bearer hiddenhiddenhiddenhidden",
        "http://user:hidden@proxy:3128 and https://hidden@host/",
        "http://us:er@hidden@proxy/",
        "csv_file_url=https://files/hidden?x=hidden",
        '"csv_file_url":"https://files/hidden"',
    ],
)
def test_secrets_are_found_by_parameter_names(text):
    """Secrets that were never registered are removed after the name of a parameter."""
    assert "hidden" not in redact(text)


def test_conversions_do_not_reveal_a_secret():
    """No text conversion contains it, on its own or in a container."""
    secret = Secret("sesame-open")
    holder = dataclasses.make_dataclass("Holder", ["secret"])(secret)
    texts = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        "%s %r" % (secret, secret),  # noqa: UP031 - one more way to write it
        format(secret),
        repr(holder),
        repr(dataclasses.asdict(holder)),
        json.dumps({"x": secret}, default=str),
        repr([secret, {secret: secret}]),
    ]
    assert not any("sesame" in text for text in texts)
    assert secret.reveal() == "sesame-open"


def test_a_secret_cannot_be_serialized():
    """Pickling and JSON fail without its text in the error; a copy is the same object."""
    secret = Secret("sesame-open")
    for attempt in (lambda: pickle.dumps(secret), lambda: json.dumps(secret), lambda: format(secret, ">20")):
        with pytest.raises(TypeError) as caught:
            attempt()
        assert "sesame" not in str(caught.value)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_are_compared_by_value():
    """Equal secrets are one key of a mapping; no other value equals a secret."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
    assert bool(Secret("a"))
    assert not Secret("")


def test_registered_secrets_are_redacted():
    """A blank secret is not registered, since it occurs in every text."""
    assert redact("sesame-open") == "sesame-open"
    register_secrets([Secret("sesame-open"), Secret("")])
    assert redact("a sesame-open b") == "a *** b"


def test_the_longest_secret_is_removed_first():
    """A secret that contains another one is removed completely."""
    assert redact("abcdefgh", [Secret("abcd"), Secret("abcdefgh")]) == MASK


def test_spellings_for_other_masks():
    """`spellings` returns the usual encodings, for Airflow's masker."""
    assert {"a/b c", "a%2Fb%20c", "a%2fb%20c", "a/b%20c", "a%2Fb+c"} <= spellings("a/b c")


def test_log_records_of_libraries_are_redacted(caplog):
    """Arguments and exceptions are redacted too; records without a secret are unchanged."""
    register_secrets([Secret("sesame-open")])
    name = "tests.core.library"
    guard_library_logs(name, name)
    logger = logging.getLogger(name)
    assert len([one for one in logger.filters if isinstance(one, RedactingFilter)]) == 1
    with caplog.at_level(logging.DEBUG, name):
        logger.debug("%s %s", "GET", "/x?api_key=sesame-open")
        logger.debug("plain %d", 3)
        try:
            int("url was /x?y=sesame-open")
        except ValueError:
            logger.exception("failed")
    assert "sesame" not in caplog.text
    assert "url was /x?y=***" in caplog.text
    assert "Traceback" in caplog.text
    assert caplog.records[1].args == (3,)


def test_excerpts():
    """An excerpt is one redacted line of printable characters, with an ellipsis when it is cut."""
    assert excerpt("a\n\t b\x00c\u200b", 20) == "a b\\x00c\\u200b"
    assert excerpt("x" * 300) == "x" * 159 + "…"
    assert excerpt("?api_key=hidden&a=1") == "?api_key=***&a=1"
    assert excerpt("/b/warehouse/o?upload_id=ABg5-hidden") == "/b/warehouse/o?upload_id=***"


@given(KEYS)
def test_an_error_of_a_response_contains_no_key(key):
    """Neither message nor details contain a key that the server echoes."""
    register_secrets([Secret(key)])
    body = json.dumps({"errors": {key: [f"{key} is wrong"], "deep": {"er": [key, 3, None, {"x": key}]}}})
    error = error_for(Request("GET", "/x.json"), Response(422, {}, body.encode()), connection="c")
    texts = json.dumps([str(error), repr(error), error.args, error.details], ensure_ascii=False)
    assert json.dumps(key, ensure_ascii=False)[1:-1] not in texts


def test_settings_reveal_no_secret():
    """Neither text nor dictionary contains one; the proxy's password is a secret too."""
    made = Settings.parse(
        "c",
        password="sesame-open",
        extra={
            "proxies": {"https": "http://me:p%40ss-word@proxy:1"},
            "postback_key": "sesame-2",
            "caller_list_key": "sesame-3",
            "caller_list_secret": "sesame-4",
        },
    )
    assert "sesame" not in repr(made)
    assert "p%40ss" not in repr(made)
    assert "sesame" not in repr(dataclasses.asdict(made)["api_key"])
    assert {secret.reveal() for secret in made.secrets} == {
        "sesame-open",
        "sesame-2",
        "sesame-3",
        "sesame-4",
        "p@ss-word",
    }
    wire = made.sign(Request("GET", "/targets.json"))
    assert "sesame" not in repr(wire)
    assert "sesame-open" not in repr(made.account)


@pytest.mark.parametrize("run", ["a", "\\", "%25", "&amp;", "Bearer ", "api_key ", "http://", "+", " "])
def test_long_runs_are_read_once(run):
    """A megabyte of one piece takes no longer than other text: no place is read again from each of the others."""
    text = run * (1_000_000 // len(run))
    assert redact(text, [Secret("not-in-the-text")]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://aws_default@warehouse/calls cannot be used", "s3://aws_default@warehouse/calls cannot be used"),
        ("(gs://google-1@bucket)", "(gs://google-1@bucket)"),
        ("'file://conn@/var/x'", "'file://conn@/var/x'"),
        ("s3://user:password@warehouse/calls", "s3://***@warehouse/calls"),
        ("s3://a@b@warehouse/calls", "s3://***@warehouse/calls"),
        ("https://token@host/x", "https://***@host/x"),
        ("hips3://token@host/x", "hips3://***@host/x"),
        ("see s3://conn@bucket/x and http://me:pw@proxy:3128", "see s3://conn@bucket/x and http://***@proxy:3128"),
    ],
)
def test_the_connection_of_a_storage_is_shown(text, shown):
    """The ID of a connection is no secret, and an error that hides it cannot be followed; passwords stay hidden."""
    assert redact(text) == shown
