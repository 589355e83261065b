"""What logs and errors quote: one short line without secrets, phone numbers and unprintable characters."""

from __future__ import annotations

import math
from collections import OrderedDict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core import secrets
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.quoting import MESSAGE_LENGTH, excerpt, first_of, message_line, one_line, quoted
from airflow_provider_retreaver.core.secrets import Secret, register_secrets

KEY = "sesame-open-sesame"


@pytest.fixture(autouse=True)
def _one_registered(monkeypatch):
    """Register one secret for each test."""
    monkeypatch.setattr(secrets, "_registered", frozenset())
    register_secrets([Secret(KEY)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mon-fri", "'mon-fri'"), ("it's", '"it\'s"'), ("", "''"), (None, "None"), (3, "3"), (-1.5, "-1.5"),
        (True, "True"), (math.nan, "nan"), (b"ab", "b'ab'"), (Decimal("1.50"), "Decimal('1.50')"),
        ({"b": 1, "a": [2, (3,)]}, "{'b': 1, 'a': [2, (3,)]}"), (set(), "set()"), ([], "[]"), ({}, "{}"),
        ("a\nb\x1b[31m\u202ec\u2028", "'a\\nb\\x1b[31m\\u202ec\\u2028'"), (1234567, "1234567"),
        ("José ✓ 中", "'José ✓ 中'"), ("\ud800", "'\\ud800'"), ("+19195550123", "'+1…23'"),
        (19195550123, "1…23"), (["(919) 555-0123", "a"], "['(9…23', 'a']"),
        ({"api_key": "hidden"}, "{'api_key': '***'}"), (["x", KEY], "['x', '***']"), ({KEY: KEY}, "{'***': '***'}"),
    ],
)  # fmt: skip
def test_quoted_values(value, expected):
    """A value is quoted as Python writes it, masked and escaped."""
    assert quoted(value) == expected


LARGE = [
    "x" * 1_000_000, ["x" * 1_000_000] * 1_000_000, dict.fromkeys(range(100000), "y" * 300), b"z" * 1_000_000,
    OrderedDict.fromkeys(range(100_000)), [[[[[["deep" * 50_000]]]]]], Decimal("1" * 10_000), "\x1b" * 1_000_000,
]  # fmt: skip


@pytest.mark.parametrize("value", LARGE, ids=lambda value: type(value).__name__)
def test_quoted_values_are_short(value):
    """A value of any size takes 80 characters, escapes besides."""
    assert len(quoted(value)) <= 80 * 4 + 2
    assert quoted(value).isprintable()
    assert "…" in quoted(value) or "..." in quoted(value)


def nested(levels):
    """Return lists within lists."""
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def test_deeply_nested_values_are_quoted():
    """Three thousand levels do not end in a RecursionError."""
    assert quoted(nested(3_000)) == "[[[[[...]]]]]"


def test_a_number_that_python_does_not_write_is_named():
    """A whole number of thousands of digits, which `repr` refuses, ends in no other error."""
    assert quoted(10**5_000) == "a number of very many digits"


class Odd:
    """A value whose own text has line breaks."""

    def __repr__(self):
        """Return two lines."""
        return f"first\n{KEY}\x1b"


def test_foreign_objects_are_escaped():
    """The text of an object of any class is masked and escaped."""
    assert quoted(Odd()) == "first\\n***\\x1b"
    assert quoted([Odd()]) == "[first\\n***\\x1b]"


def test_names_in_log_lines():
    """A name cannot forge a line, color a terminal or turn the direction of writing."""
    assert one_line("Acme\n2026-11-26 ERROR - all caps were reset\x1b[2J\u202e") == (
        "Acme\\n2026-11-26 ERROR - all caps were reset\\x1b[2J\\u202e"
    )
    assert one_line(f"Acme {KEY} (919) 555-0123") == "Acme *** (9…23"
    assert one_line("n" * 1_000_000) == "n" * 199 + "…"
    assert one_line(5) == "5"


@given(st.integers(0, 5_000), st.sampled_from([KEY, "919-555-0123", "%2B1%20919%20555%200123"]))
def test_a_cut_leaves_no_half_of_a_secret(before, hidden):
    """Wherever a long text is cut, neither a part of a key nor of a number stays."""
    text = "-" * before + " " + hidden * 1_000
    for clean in (quoted(text), one_line(text), excerpt(text), quoted([text]), quoted({"a": (text,)})):
        assert "sesame" not in clean
        assert "555" not in clean


@given(st.text(max_size=300))
def test_everything_is_printable(text):
    """No text of any characters leaves an unprintable one."""
    for clean in (quoted(text), one_line(text), excerpt(text), message_line(text), quoted({text: [text]})):
        assert clean.isprintable()


@pytest.mark.parametrize("kind", [RetreaverError, InvalidArgument])
def test_every_error_is_one_printable_line(kind):
    """An error holds no line break, no escape sequence, no secret and no megabyte, whatever was put into it."""
    error = kind(f"Call {'u' * 1_000_000} is\nodd: {KEY}\x1b\u202e")
    assert len(str(error)) <= MESSAGE_LENGTH
    error = kind(f"Call u is\nodd: {KEY}\x1b\u202e")
    assert str(error) == error.message == error.args[0] == "Call u is\\nodd: ***\\x1b\\u202e"


def test_many_texts_are_cut_with_their_number():
    """Names are joined by commas, problems by semicolons; nothing is added where all are shown."""
    assert first_of(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_of(["a", "b"], 2) == "a, b"
    assert first_of(["this", "that", "it"], 2, "; ") == "this; that; and 1 more"
    assert first_of([], 2) == ""
