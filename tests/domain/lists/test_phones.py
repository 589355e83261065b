"""Phone numbers as people write them, and the fast reader, which must always agree with the library."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Integral

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import mask_number
from airflow_provider_retreaver.domain.lists.phones import Normalizer, e164, from_e164

US = Normalizer("US")
DE = Normalizer("DE")


def numpy_integer(number: int):
    """Return a whole number that is no `int`, as data frames hold them."""

    class Int64:
        def __int__(self) -> int:
            return number

    Integral.register(Int64)
    return Int64()


@pytest.mark.parametrize(
    "written",
    [
        "+19195551234", "919 555 1234", "(919) 555-1234", "19195551234", "9195551234.0", 9195551234,
        Decimal(9195551234),
        "tel:+1-919-555-1234", " +1 (919) 555\u20111234 ", "1.919.555.1234", "\uff0b1 919 555 1234",
        "\u202a+19195551234\u202c", "\u200b919\u00ad555\u20601234\ufeff", Decimal("9195551234.00"), '="9195551234"',
        "'+19195551234", "'919-555-1234'", '"9195551234"', "\uff19\uff11\uff19 555 1234", numpy_integer(9195551234),
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
        (9195551234.0, "rounded"), (9.19555e9, "rounded"), (Decimal("9.19555E+9"), "rounded"),
        (Decimal("9195551234.5"), "rounded"), (float("nan"), "blank"), (Decimal("sNaN"), "blank"),
        (Fraction(9195551234), "rounded"), ("9195551000.0", "decimals"), ("9195551234.00", "decimals"),
        ("\u202e4321555919", "characters"), ("\u200b", "blank"), ('=""', "blank"), ("9195551234\x00", "characters"),
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


@pytest.mark.parametrize(
    ("region", "written"),
    [
        ("DE", "030 1234567/8"), ("IT", "06 698 1234 / 35"), ("IT", "06 698 1234-35"), ("DE", "0551234/0555678"),
        ("DE", "0551 2345\n0551 2346"), ("DE", "0551 2345 0551 2346"), ("DE", "0551 2345 - 0551 2346"),
        ("DE", "0551 2345\t8"), ("GB", "020 7946 0958/9"), ("AT", "01 51450-12"), ("DE", "301234567.00"),
        ("DE", "301234567.5"), ("AT", "01 234567890 (5)"), ("DE", "030 1234567[8]"), ("DE", "030.1234567.8"),
        ("DE", "0551 2345 (0551 2346)"), ("DE", "0301234567.00"), ("US", "919-555-1234 919-555-9999"),
    ],
)  # fmt: skip
def test_two_numbers_or_decimals_in_one_field_are_none(region, written):
    """In no region do they become a third person's number."""
    assert isinstance(Normalizer(region).read(written), str)


AFTER = ["/5", " / 12", "/123", "-5", " - 5", "\u20135", " (5)", "[5]", ".5", ".00", ",00", "\n5", ";5", " x5", ","]
BETWEEN = ["/", " / ", " ", "  ", "\u00a0\u00a0", "\n", "\t", "\u2028", "-", " - ", ", ", "; ", "|", " or "]


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_two_numbers_are_never_a_third_in_any_region(region):
    """A valid number with something after it, or another one, is rejected wherever numbers have no fixed length."""
    normalizer = Normalizer(region)
    example = phonenumbers.example_number(region)
    for form in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
        text = phonenumbers.format_number(example, form)
        for written in (*(text + after for after in AFTER), *(text + between + text for between in BETWEEN)):
            found = normalizer.read(written)
            assert isinstance(found, str), ascii(written)
            assert normalizer.read(text) in normalizer.could_mean(written), ascii(written)


@pytest.mark.parametrize(
    ("region", "written", "number"),
    [
        ("DE", "030/1234567", 49301234567), ("DE", "+49 6221 / 54123", 49622154123),
        ("AT", "0664/1234567", 436641234567),
        ("DE", "030 1234-567", 49301234567), ("RU", "8 (495) 123-45-67", 74951234567),
        ("CH", "044 123 45 67", 41441234567),
        ("FR", "01.23.45.67.89", 33123456789), ("FR", "01/23/45/67/89", 33123456789),
        ("US", "919/555-1234", 19195551234),
        ("DE", "+49 (0)30 1234567", 49301234567), ("DE", "301234567.0", 49301234567),
        ("IT", "06 6981 0235", 390669810235),
        ("DE", "030 1234567/", 49301234567), ("DE", "030-1234-0567", 493012340567),
    ],
)  # fmt: skip
def test_one_number_with_separators_is_read(region, written, number):
    """A slash after the area code, and groups of two digits, do not make two numbers."""
    assert Normalizer(region).read(written) == number


@pytest.mark.parametrize(
    ("region", "written", "meant"),
    [
        ("US", "+1 565 555 0123", [15655550123]), ("US", "565-555-0123", [15655550123]),
        ("US", "+266696687", [266696687]), ("US", "266696687", [266696687]),
        ("US", "919-555-1234 ext 5", [19195551234]), ("US", "1-800-FLOWERS", [18003569377]),
        ("US", "919-555-1234; 919-555-9999", [19195551234, 19195559999]),
        ("US", "9195551234 9195559999 9195550000", [19195551234, 19195559999, 19195550000]),
        ("US", "\u202e4321555919", [19195551234]), ("US", "x9195551234x", [19195551234]),
        ("US", "9195551234\x00", [19195551234]), ("US", "00 1 919 555 1234", [19195551234]),
        ("US", "011 44 20 7946 0958 x", [442079460958]), ("US", "+1 1 919 555 1234 x", [19195551234]),
        ("US", "919\u00b7555\u00b71234", [19195551234]), ("US", "\u0669\u0661\u0669 555 1234 x", [19195551234]),
        ("US", "9195551234.00", [19195551234]), ("US", 9195551234.0, [19195551234]),
        ("US", Decimal("9.19555E+9"), [19195550000]), ("US", -9195551234, [19195551234]),
        ("US", b"9195551234", [19195551234]), ("US", {"number": 9195551234}, [19195551234]),
        ("DE", "030 1234567/8", [49301234567, 49301234568]), ("IT", "06 698 1234 / 35", [39066981234, 39066981235]),
        ("DE", "301234567.00", [49301234567]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_has_the_numbers_that_it_could_mean(region, written, meant):
    """Every number that a rejected value may stand for is known, whether or not such numbers are given out."""
    normalizer = Normalizer(region)
    assert isinstance(normalizer.read(written), str)
    assert normalizer.could_mean(written) >= set(meant)


@pytest.mark.parametrize(
    "written", [None, "", "anonymous", float("nan"), float("inf"), Decimal("sNaN"), "12", "9" * 40, "x" * 10_000]
)
def test_what_holds_no_number_could_mean_none(written):
    """Blanks and words stand for nobody."""
    assert US.could_mean(written) == frozenset()


@given(st.text(max_size=40))
@settings(max_examples=500)
def test_any_text_has_readings_that_can_be_sent(text):
    """Whatever a text is, what it could mean is in the format of E.164."""
    for normalizer in (US, DE):
        assert all(from_e164(e164(number)) == number for number in normalizer.could_mean(text))


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
