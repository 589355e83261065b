"""Callers' numbers are hidden wherever they stand, and nothing else is."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
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
