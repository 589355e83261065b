"""A page that is cut into its calls has the same calls as one that is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.domain.calls import page as pages
from airflow_provider_retreaver.domain.calls.page import RawPage, read_page

SEAM = '"},{"call":{"uuid":"x"'
TEXTS = st.sampled_from([SEAM, '},{"call":', "}]", '[{"call":', "é", "\U0001f600", "\n"]) | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["call", "uuid"]) | TEXTS, inner, max_size=3)
        | st.just([{"call": {"uuid": "inner"}}, {"call": {"uuid": "other"}}])
    ),
    max_leaves=6,
)
CALLS = st.fixed_dictionaries(
    {"uuid": st.text(min_size=1, max_size=8)}, optional={"created_at": TEXTS, "tags": VALUES}
)


def read(body: bytes) -> RawPage:
    """Read a page."""
    return read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, body))


@given(
    calls=st.lists(CALLS, max_size=4),
    ensure_ascii=st.booleans(),
    extra=st.sampled_from([{}, {"more": 1}, {"call": {"uuid": "second"}}]),
)
def test_calls_of_a_page_are_the_same_however_it_is_read(calls, ensure_ascii, extra):
    """Also with the seam between two calls inside a text, in a list of a call, or with more beside the call."""
    rows = [{"call": call, **extra} for call in calls]
    close = json.dumps(rows, ensure_ascii=ensure_ascii, separators=(",", ":")).encode()
    apart = json.dumps(rows, ensure_ascii=ensure_ascii, separators=(", ", ": ")).encode()
    in_lines = json.dumps(rows, ensure_ascii=ensure_ascii, indent=1).encode()
    assert not pages._cut(in_lines)
    expected = [row["call"] for row in rows]
    for body in (close, apart, in_lines):
        assert [json.loads(bytes(raw)) for raw in read(body).raws] == expected
        assert read(body).uuids == [call["uuid"] for call in expected]


def test_an_ordinary_page_is_cut():
    """The common page is not read twice."""
    body = b'[{"call":{"uuid":"a","tags":{"t":"x"}}},{"call":{"uuid":"b"}}]'
    assert pages._cut(body) == [b'{"uuid":"a","tags":{"t":"x"}}', b'{"uuid":"b"}']


@pytest.mark.parametrize(
    "body",
    [
        b'[{"call":{"uuid":"a"}},{"call":{"uuid":"b"}},]',
        b'[{"call":{"uuid":"a"}},{"call":}]',
        b'[{"call":{"uuid":"a"}},{"call":1}]',
        b'[{"call":{"uuid":"a"},{"call":{"uuid":"b"}}]',
        b'[{"call":{"uuid":"a"}}}]',
        b'[{"call":{"uuid":"a","t":"\xff\x00"}}]',
    ],
)
def test_a_page_that_is_no_json_is_refused(body):
    """A cut never makes calls of what is no list of calls."""
    with pytest.raises(ProtocolError):
        read(body)
