"""JSON of a column whose values are mostly alike is the JSON that its values make by themselves."""

from __future__ import annotations

import gc
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.domain.calls import json_shapes
from airflow_provider_retreaver.domain.calls.fields import format_json
from airflow_provider_retreaver.domain.calls.json_shapes import CompactColumn
from airflow_provider_retreaver.domain.calls.plain_json import compact_texts, plain_values

NAMES = st.sampled_from(["id", "url", "a b", "é", "", 'q"', "\\", "\u0001", "field_0"])
NUMBERS = ["0", "-0", "7", "-12", "12.50", "12.5", "1e5", "1.0", "18446744073709551616", "0.1"]
TEXTS = ['""', '"x"', '"é–😀"', r'"\u00e9"', r'"\n"', r'"\/"', r'"a\"b"', '":-0"', '"1,2.5"', '"\u007f"']
SCALARS = st.sampled_from(["null", "true", "false", *NUMBERS, *TEXTS])


def objects(values):
    """Draw JSON objects, of which some have a name twice, and some have spaces."""
    pairs = st.lists(st.tuples(NAMES.map(json.dumps), values), max_size=4)
    gap = st.sampled_from(["", "", "", " "])
    return st.builds(
        lambda found, gap: "{" + ",".join(f"{name}:{gap}{value}" for name, value in found) + "}", pairs, gap
    )


def lists(values):
    """Draw JSON lists."""
    return st.lists(values, max_size=3).map(lambda found: "[" + ",".join(found) + "]")


VALUES = st.recursive(SCALARS, lambda values: objects(values) | lists(values), max_leaves=8)


def alone(value):
    """Return a value as the careful way writes it: None for what it refuses."""
    try:
        (found,) = compact_texts(plain_values([value]))
    except msgspec.ValidationError:
        return "refused"
    return found


@given(st.lists(st.lists(VALUES, max_size=4), max_size=8))
def test_each_page_is_as_by_itself(pages):
    """Whatever a column has learned from the pages before, each text is what the value makes by itself."""
    column = CompactColumn()
    for page in pages * 2:
        values = [value.encode() for value in page]
        expected = [alone(value) for value in values]
        if "refused" in expected:
            with pytest.raises(msgspec.ValidationError):
                column.texts(values)
            continue
        assert column.texts(values) == expected
        assert expected == [None if text is None else format_json(json.loads(text)).encode() for text in expected]


PIXEL = '{"fired_pixel":{"id":%d,"status":"success","url":"https://pixels.test/%d"}}'


def pixels(place):
    """Return the pixels of a call."""
    return f"[{PIXEL % (place, place)},{PIXEL % (place + 1, place)}]".encode()


@pytest.fixture
def parsed(monkeypatch):
    """Count the pages that are parsed into dictionaries."""
    found = []
    monkeypatch.setattr(
        json_shapes, "plain_values", lambda *args, **kwargs: found.append(1) or plain_values(*args, **kwargs)
    )
    return found


def test_known_objects_are_not_parsed_into_dictionaries(parsed):
    """Only the first page is; the second one is known, and so is one without values."""
    column = CompactColumn()
    for start in (0, 100, 200):
        values = [pixels(start), None, b"null", b"[]", pixels(start + 2)]
        assert column.texts(values) == [pixels(start), None, None, b"[]", pixels(start + 2)]
    assert column.texts([None, None]) == [None, None]
    assert len(parsed) == 1


def test_a_field_more_is_learned(parsed):
    """A page with another field is parsed once, and known with and without it from then on."""
    column = CompactColumn()
    more = b'[{"fired_pixel":{"id":1,"status":"failed","url":"u","code":500}}]'
    for values in ([pixels(1)], [more], [pixels(3), more], [more, pixels(5)]):
        assert column.texts(values) == values
    assert len(parsed) == 2


def test_pages_of_no_shape_are_given_up(parsed):
    """Where each page has names of its own, a column stops to look for them; each text stays right."""
    column = CompactColumn()
    pages = [[b'{"name_%d":1}' % number] for number in range(30)]
    for page in pages:
        assert column.texts(page) == page
    assert len(parsed) == 30
    assert column.texts(pages[0]) == pages[0]
    assert len(parsed) == 31


MANY = json.dumps({f"name {place}": "" for place in range(80)}, separators=(",", ":")).encode()


def test_objects_of_many_fields_and_levels_are_dictionaries():
    """They are written as they are, and a shape is not made of them."""
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    column = CompactColumn()
    for _ in range(3):
        assert column.texts([MANY, deep]) == [MANY, deep]


@pytest.mark.parametrize(
    "tags", [None, b'{"a":"1"}', MANY, b'{"a\\u0022":"1"}'], ids=["none", "known", "many", "odd name"]
)
def test_what_must_be_an_object(tags):
    """A list among objects is refused, whatever the objects of former pages were."""
    column = CompactColumn(objects=True)
    for _ in range(2):
        assert column.texts([tags, None]) == [tags and tags.replace(b"u0022", b'"'), None]
    with pytest.raises(msgspec.ValidationError):
        column.texts([b'["a"]'])


def test_the_garbage_collector_has_nothing_to_look_at():
    """Texts of known objects are no objects that it walks."""
    column = CompactColumn()
    for _ in range(2):
        texts = column.texts([pixels(1), pixels(2)])
    assert not any(map(gc.is_tracked, texts))
