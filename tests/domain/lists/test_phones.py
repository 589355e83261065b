"""Phone numbers as people write them, and the quick way that must never say anything else than the library."""

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
def test_the_same_number_however_it_is_written(written):
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
def test_what_is_no_number_is_rejected_with_a_reason(written, reason):
    """What would have to be guessed at is no number, and the reason never repeats it."""
    told = US.read(written)
    assert isinstance(told, str)
    assert reason in told
    assert not any(char.isdigit() for char in told)


def test_the_default_region_reads_local_numbers():
    """A number without a country code belongs to the default region; one with a code does not care."""
    london = Normalizer("gb")
    assert london.read("020 7946 0958") == US.read("+44 20 7946 0958") == 442079460958
    assert london.read("+19195551234") == 19195551234


@pytest.mark.parametrize("region", ["XX", "", "USA", None, "1"])
def test_a_region_that_is_none_is_refused(region):
    """A default region is a country's two letters."""
    with pytest.raises(InvalidArgument, match="default_region"):
        Normalizer(region)


def library_says(text: str, region: str) -> int | None:
    """Return what phonenumbers alone makes of a text."""
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
def test_the_quick_way_says_what_the_library_says(text, region):
    """Plain North American numbers get the library's verdict, from whatever country they are read."""
    found = Normalizer(region).read(text)
    assert (found if isinstance(found, int) else None) == library_says(text, region)


@given(st.text(alphabet="+0123456789 ().-", max_size=20))
@settings(max_examples=500)
def test_whatever_is_accepted_is_the_librarys_number(text):
    """No reading of ours yields a number that the library does not."""
    found = US.read(text)
    if isinstance(found, int) and not text.strip().endswith(".0"):
        assert found == library_says(text, "US")


@given(st.integers(10**6, 10**15 - 1))
def test_e164_and_back(number):
    """What is written for the vendor is read back as the same number."""
    assert from_e164(e164(number)) == number


@pytest.mark.parametrize("text", ["19195551234", "+0123456789", "+1919555123x", "", "+1 919", "+1234567890123456"])
def test_only_e164_is_read_back(text):
    """Anything but E.164 is not taken for it."""
    assert from_e164(text) is None


def test_a_log_shows_the_ends_only():
    """A masked number keeps its country and its last two digits; a short text keeps nothing."""
    assert mask_number(19195551234) == mask_number("+19195551234") == "+1…34"
    assert mask_number("12345") == "…"
    assert mask_numbers("number +19195551234 is invalid, so is 9195551234; id 502 stays") == (
        "number +1…34 is invalid, so is 9…34; id 502 stays"
    )
