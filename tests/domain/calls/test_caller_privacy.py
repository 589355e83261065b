"""Callers' numbers are hidden wherever they stand, and nothing else is."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.phone_text import decode
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.domain.calls.caller_privacy import e164, phone_transform

SECRET = Secret("a pepper of sufficient length")
NUMBER = "+17195220377"
ROW = {
    "uuid": "addcf985-017e-4962-be34-cf5d55e74afc",
    "caller": NUMBER,
    "caller_number_sent": "7195220377",
    "dialed_number": "+18668987878",
    "total_duration": 204,
    "converted": True,
    "tags": {"phone": "(719) 522-0377", "zip": "80920"},
    "visitor_url": "https://shop.test/?tel=%2B1719%20522%200377&x=7195",
    "call_flow_events": [{"event": "call_started", "from": 17195220377}],
}


def digest(number=NUMBER):
    """Return the keyed hash that is promised."""
    return hmac.new(SECRET.reveal().encode(), number.encode(), hashlib.sha256).hexdigest()


def test_keeping_does_nothing():
    """`keep` needs no function at all."""
    assert phone_transform("keep") is None


def test_hashing_replaces_the_number_wherever_it_stands():
    """Fields, tags, URLs and events hold the same hash; everything else stays as it was, the row given too."""
    before = json.dumps(ROW)
    hidden = phone_transform("hash", SECRET)(ROW)
    assert hidden["caller"] == hidden["caller_number_sent"] == hidden["tags"]["phone"] == digest()
    assert hidden["call_flow_events"] == [{"event": "call_started", "from": digest()}]
    assert hidden["visitor_url"] == f"https://shop.test/?tel={digest()}&x=7195"
    assert hidden["tags"]["zip"] == "80920"
    assert {name: hidden[name] for name in ("uuid", "dialed_number", "total_duration", "converted")} == {
        name: ROW[name] for name in ("uuid", "dialed_number", "total_duration", "converted")
    }
    assert json.dumps(ROW) == before


def test_masking_leaves_two_digits():
    """`mask` shows what a log may show."""
    hidden = phone_transform("mask")(ROW)
    assert hidden["caller"] == "+1…77"
    assert "5220377" not in json.dumps(hidden)
    assert "522-0377" not in json.dumps(hidden)


@given(
    digits=st.from_regex(r"[2-9][0-9]{9}", fullmatch=True),
    between=st.lists(st.sampled_from(["", " ", "-", ".", ") "]), min_size=2, max_size=2),
    code=st.sampled_from(["", "1", "+1", "+1 ", "001"]),
)
def test_no_spelling_of_a_number_survives(digits, between, code):
    """However a tag punctuates the caller's number, its digits are gone."""
    written = f"{code}{digits[:3]}{between[0]}{digits[3:6]}{between[1]}{digits[6:]}"
    row = {"caller": f"+1{digits}", "tags": {"note": f"call back {written} soon"}}
    assert phone_transform("hash", SECRET)(row)["tags"]["note"] == f"call back {digest(row['caller'])} soon"


SPELLINGS = [
    "919_555_0123", "919·555·0123", "(919)555-0123", "+1 (919) 555.0123", "001 919 555 0123", "1-919-555-0123",
    "919\u2011555\u20130123", "919\u00a0555\u202f0123", "9 1 9 5 5 5 0 1 2 3", "919/555/0123", "[919] 555 0123",
    "\u202a+19195550123\u202c", "919\u200b5550123", "\uff19\uff11\uff195550123", "919~555~0123", "919,555,0123",
    "919:5550123",
    "%28919%29+555-0123", "%28919%29%20555%2D0123", "%2B1%20919%20555%200123", "%2b19195550123",
    "%252B1919%2520555%25200123", "919%C2%B7555%C2%B70123", "%39195550123", "919%5F555%5F0123",
    "&#40;919&#41;&nbsp;555&middot;0123", "(919)&amp;nbsp;5550123", "\\u0028919\\u0029\\u00a05550123", "919*555*0123",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("mode", ["hash", "mask"])
def test_no_encoding_of_a_number_survives(spelling, mode):
    """In URLs, tags, their names and events, encoded or not, the number is replaced; what is around it stays."""
    url = f"https://shop.test/landing?a=1&phone={spelling}&zip=27601"
    row = {
        "caller": "+19195550123",
        "visitor_url": url,
        "tags": {"phone": spelling, spelling: "x", "other": f"before {spelling} after"},
        "call_flow_events": [{"digits": [spelling]}],
    }
    hidden = phone_transform(mode, SECRET)(row)
    written = decode(json.dumps(hidden, ensure_ascii=False))
    assert "9195550123" not in "".join(re.findall(r"\d", written.replace(digest(row["caller"]), "")))
    assert hidden["visitor_url"].startswith("https://shop.test/landing?a=1&phone=")
    assert hidden["visitor_url"].endswith("zip=27601")
    assert re.fullmatch("before .* after", hidden["tags"]["other"])


@pytest.mark.parametrize(
    "written", ["919" + " " * 40 + "5550123", "area 919 then 555 and 0123", "9a1b9c5d5e5f0g1h2i3"]
)
def test_a_number_among_words_hides_the_text(written):
    """Where a number's end cannot be found, nothing of the text is left."""
    hidden = phone_transform("hash", SECRET)({"caller": "+19195550123", "tags": {"phone": written, "x": "kept"}})
    assert hidden["tags"] == {"phone": digest("+19195550123"), "x": "kept"}


@pytest.mark.parametrize(
    ("caller", "written"),
    [
        ("+442079460958", "020 7946 0958"),
        ("+442079460958", "+44 (0)20 7946 0958"),
        ("+4930901820", "030/901820"),
        ("+33123456789", "01.23.45.67.89"),
    ],
)
def test_numbers_of_other_countries(caller, written):
    """A number is found without its country code, as people of that country write it."""
    hidden = phone_transform("hash", SECRET)({"caller": caller, "tags": {"phone": written}})
    assert digest(caller) in hidden["tags"]["phone"]


@pytest.mark.parametrize("value", [9195550123, 19195550123, 9195550123.0, Decimal("9195550123.00")])
def test_numbers_that_are_no_texts(value):
    """A tag that JSON has as a number, with a fraction of zero or an exponent, is a phone number all the same."""
    hidden = phone_transform("hash", SECRET)({"caller": "+19195550123", "tags": {"phone": value}})
    assert hidden["tags"]["phone"] == digest("+19195550123")


@pytest.mark.parametrize("value", [919, 5550123, 1.5, 9195550124, True, 1e300, float("inf"), Decimal("1e999999")])
def test_other_numbers_stay(value):
    """Amounts, IDs and other people's numbers are left as they are."""
    row = {"caller": "+19195550123", "x": value}
    assert phone_transform("hash", SECRET)(row)["x"] is value


def test_a_call_that_is_nested_too_deeply_is_named():
    """Where the number cannot be looked for, the call is not exported, and the error names it."""
    tags: object = "+19195550123"
    for _ in range(3_000):
        tags = [tags]
    with pytest.raises(ProtocolError, match="Call call-a is nested too deeply"):
        phone_transform("hash", SECRET)({"uuid": "call-a", "caller": "+19195550123", "tags": tags})


@pytest.mark.parametrize(
    "written", ["+17195220377", "17195220377", "7195220377", "(719) 522-0377", "+1 719-522-0377"]
)
def test_one_number_has_one_hash(written):
    """A number hashes alike however it is written."""
    assert e164(written) == NUMBER


def test_callers_without_a_number_are_hashed_too():
    """What is no number is hidden as well; a call without a caller keeps having none."""
    hide = phone_transform("hash", SECRET)
    assert hide({"caller": "sip:jane@shop.test"})["caller"] == digest("sip:jane@shop.test")
    assert hide({"caller": None, "caller_number_sent": ""}) == {"caller": None, "caller_number_sent": ""}


@pytest.mark.parametrize("secret", [None, Secret("too short")])
def test_hashing_needs_a_secret(secret):
    """Without a secret anybody could hash all numbers and compare."""
    with pytest.raises(InvalidArgument, match="at least 16 characters"):
        phone_transform("hash", secret)


def test_unknown_modes_are_refused():
    """A mode that does not exist is named."""
    with pytest.raises(InvalidArgument, match="phone_numbers must be one of keep, hash, mask, not 'drop'"):
        phone_transform("drop")


def test_names_of_tags_that_become_alike_stay_apart():
    """Two spellings of the number as names of tags, and a tag called like the mask: none of their values is lost."""
    tags = {"+17195220377": "a", "719-522-0377": "b", "+1…77 (2)": "c", "zip": "80920"}
    found = phone_transform("mask")({"caller": "+17195220377", "tags": tags})["tags"]
    assert found == {"+1…77": "a", "+1…77 (3)": "b", "+1…77 (2)": "c", "zip": "80920"}
