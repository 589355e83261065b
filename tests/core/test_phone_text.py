"""Phone numbers within texts: masked and replaced in every spelling, while other digits stay."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.phone_text import NumberFinder, decode, digits_of, mask_numbers

SPELLINGS = [
    "+19195550123", "19195550123", "9195550123", "(919) 555-0123", "(919)555-0123", "919.555.0123", "919 555 0123",
    "919_555_0123", "919·555·0123", "919\u2011555\u20130123", "919\u00a0555\u00a00123", "+1 (919) 555 - 0123",
    "1/919/555/0123", "[919] 555-0123", "001-919-555-0123", "tel:+1-919-555-0123", "9 1 9 5 5 5 0 1 2 3",
    "919\u2022555\u20220123", "\u202a+1 919 555 0123\u202c", "9195550123.0", "9195550123x12", "919-555-0123ext4",
    "919\ufeff555\u00ad0123", "919\ufe0e555\u200b0123",
]  # fmt: skip
ENCODED = {
    "raw": str,
    "percent": lambda text: quote(text, safe=""),
    "small percent": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "HTML": html.escape,
}
KEPT = [
    "target 1234 of 100", "2026-01-31T00:00:00+00:00", "manual__2026-01-31T00:00:00.123456+00:00",
    "from 2026-11-01 00:00 to 2026-11-30 23:59:59", "123e4567-e89b-12d3-a456-426614174000",
    "12345678-1234-1234-1234-123456789012", "127.0.0.1 and 192.168.100.200", "0.123456789", "12345.6789",
    "1, 2, 3, 4, 5, 6, 7, 8, 9", "9b74c9897bac770ffc029102a200c5de", "sha 1234567890abcdef", "12345678901234567890",
    "9999-12-31T23:59:59+00:00", "9999-12-31 23:59:59", "0001-01-01T00:00:00Z", "31/12/9999", "0000-00-00 00:00:00",
    "2026-31-01 00:00", "31/01/2026", "1.2.2026 09:00 and 2026-01-31", "09:00-17:30, 10:00-18:00",
    "A71234567", "version 3.12.10 of 2026", "id 502 stays",
]  # fmt: skip


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_masked_in_every_spelling(spelling, how):
    """Of a number in a sentence, a URL or a tag, only the first and the last two digits stay."""
    for around in ("{}", "number {} is invalid", "https://x.test/?phone={}&a=1", '["{}"]', "{},{}", "k%3D{}%26x"):
        text = around.format(*[ENCODED[how](spelling)] * 2)
        masked = mask_numbers(text)
        assert "555" not in digits_of(masked), masked
        assert "919" not in digits_of(masked), masked
        assert "…" in masked


@pytest.mark.parametrize("text", KEPT)
def test_other_digits_are_kept(text):
    """Dates, times, UUIDs, addresses, decimals, hashes and IDs are no phone numbers."""
    assert mask_numbers(text) == text


def test_the_masked_number_can_be_recognized():
    """The country and the ends of a number stay, as in the mask of a single number."""
    assert mask_numbers("number +19195551234 is invalid, so is 9195551234; id 502 stays") == (
        "number +1…34 is invalid, so is 9…34; id 502 stays"
    )
    assert mask_numbers("(919) 555-0123") == "(9…23"
    assert mask_numbers("%28919%29+555-0123") == "%289…23"


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize(
    "spelling", [*SPELLINGS, "９１９５５５０１２３", "919,555,0123", "919\n555\n0123", "n919x", "a9195550123b"]
)
def test_a_known_number_is_replaced_in_every_spelling(spelling, how):
    """The caller's number is found by its digits, wherever it stands and however it is encoded."""
    finder = NumberFinder("19195550123", "<caller>")
    for around in ("{}", "call {} now", "https://x.test/?phone={}&a=1", "id7{}"):
        text = around.format(ENCODED[how](spelling))
        clean = finder.replace_in(text)
        assert "9195550123" not in digits_of(clean), clean
        assert ("<caller>" in clean) == ("9195550123" in digits_of(text))


def test_a_number_of_another_country_is_replaced():
    """A number outside North America is found with its country code."""
    finder = NumberFinder("442079460958", "<caller>")
    assert finder.replace_in("ring +44 20 7946-0958, or 0044 (20) 7946 0958") == "ring <caller>, or <caller>"


@given(st.text(max_size=80))
def test_texts_without_the_number_are_kept(text):
    """A text that does not hold the number is returned as it is."""
    if "9195550123" not in digits_of(text):
        assert NumberFinder("19195550123", "<caller>").replace_in(text) == text


@pytest.mark.parametrize(
    "text", ["1 " * 4_000 + "a", "%31" * 4_000 + "a", "(" * 9_000, "1%25" * 3_000, "\\u" * 5_000, "&#" * 5_000]
)
def test_masking_takes_linear_time(text):
    """A text made to slow down a search is masked at once; a quadratic search would take minutes."""
    assert len(mask_numbers(text * 20)) <= len(text * 20)
    assert NumberFinder("19195550123", "x").replace_in(text * 20)


@given(st.text(max_size=60))
def test_decoding_reverses_every_encoding(text):
    """A text that was percent-encoded, once or twice, is read again; what was not encoded stays."""
    plain = decode(text)
    assert decode(quote(plain, safe="")) == plain == decode(quote(quote(plain, safe=""), safe=""))
