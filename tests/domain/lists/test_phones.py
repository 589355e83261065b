"""Phone numbers as people write them, and the fast reader, which must always agree with the library."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.secrets import mask_number
from airflow_provider_retreaver.domain.lists.phones import Normalizer, e164, from_e164, mask_numbers

US = Normalizer("US")


@pytest.mark.parametrize(
    "written",
    [
        "+19195551234", "919 555 1234", "(919) 555-1234", "19195551234", "9195551234.0", 9195551234, 9195551234.0,
        "tel:+1-919-555-1234", " +1 (919) 555\u20111234 ", "1.919.555.1234", "\uff0b1 919 555 1234",
    ],
)  # fmt: skip
def test_different_spellings_of_one_number(written):
    """Spaces, brackets, dashes, a missing country code and a data frame's decimals make no difference."""
    assert US.read(written) == 19195551234


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (None, "blank"), ("", "blank"), ("   ", "blank"), ("anonymous", "not a phone number"),
        (True, "a bool"), (b"9195551234", "a bytes"), ({"number": 1}, "a dict"), (9195551234.5, "a float"),
        ("1.91956E+10", "scientific notation"), ("919-555-1234 ext 5", "characters"), ("1-800-FLOWERS", "characters"),
        ("919-555-1234; 919-555-9999", "characters"), ("919-555-1234/919-555-9999", "too long"),
        ("12", "too short"), ("5551234", "area code"), ("+999123456789", "country code"), (-9195551234, "characters"),
        ("+15551234567", "in use"), ("+1 919 555 1234 567", "too long"), ("020 7946 0958", "too long"),
    ],
)  # fmt: skip
def test_an_invalid_number_is_rejected_with_a_reason(written, reason):
    """An ambiguous value is rejected, and the reason contains no digits of it."""
    message = US.read(written)
    assert isinstance(message, str)
    assert reason in message
    assert not any(char.isdigit() for char in message)


def test_the_default_region_reads_local_numbers():
    """A number without a country code belongs to the default region; one with a code does not depend on it."""
    london = Normalizer("gb")
    assert london.read("020 7946 0958") == US.read("+44 20 7946 0958") == 442079460958
    assert london.read("+19195551234") == 19195551234


@pytest.mark.parametrize("region", ["XX", "", "USA", None, "1"])
def test_an_unknown_region_is_refused(region):
    """A default region is a country's two letters."""
    with pytest.raises(InvalidArgument, match="default_region"):
        Normalizer(region)


def read_by_library(text: str, region: str) -> int | None:
    """Return the number that phonenumbers alone reads from a text."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])


PLAIN = st.builds(
    "{}{:03d}{:03d}{:04d}".format,
    st.sampled_from(["+1", "1", "", "+"]),
    st.integers(100, 999),
    st.integers(0, 999),
    st.integers(0, 9999),
)


@given(PLAIN, st.sampled_from(["US", "CA", "JM", "GB", "DE"]))
@settings(max_examples=2000)
def test_the_fast_reader_agrees_with_the_library(text, region):
    """Plain North American numbers are read as by the library, for every default region."""
    found = Normalizer(region).read(text)
    assert (found if isinstance(found, int) else None) == read_by_library(text, region)


@given(st.text(alphabet="+0123456789 ().-", max_size=20))
@settings(max_examples=500)
def test_every_accepted_number_is_the_number_of_the_library(text):
    """No number is read that the library would not read."""
    found = US.read(text)
    if isinstance(found, int) and not text.strip().endswith(".0"):
        assert found == read_by_library(text, "US")


@given(st.integers(10**6, 10**15 - 1))
def test_e164_and_back(number):
    """A number that is formatted for Retreaver is read back as the same number."""
    assert from_e164(e164(number)) == number


@pytest.mark.parametrize("text", ["19195551234", "+0123456789", "+1919555123x", "", "+1 919", "+1234567890123456"])
def test_only_e164_is_read_back(text):
    """Any other format returns None."""
    assert from_e164(text) is None


def test_numbers_are_masked_in_logs():
    """A masked number keeps its country and its last two digits; a short text keeps nothing."""
    assert mask_number(19195551234) == mask_number("+19195551234") == "+1…34"
    assert mask_number("12345") == "…"
    assert mask_numbers("number +19195551234 is invalid, so is 9195551234; id 502 stays") == (
        "number +1…34 is invalid, so is 9…34; id 502 stays"
    )
