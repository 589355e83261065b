"""One reader of parameters: the same value is read in the same way, whatever the parameter."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core import parameters, phone_parameters, time_parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.calls.time_window import Window, aware_time, split_window
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

# Values from upstream tasks, templates and drivers, and the IDs and texts that they stand for.
LISTS = [
    pytest.param(value, ids, id=name)
    for name, value, ids in (
        ("list", [3, 4], [3, 4]),
        ("tuple", (3, "4"), [3, 4]),
        ("set", {7}, [7]),
        ("iterator", iter([3, 4]), [3, 4]),
        ("range", range(1, 3), [1, 2]),
        ("texts", ["3", " 4 "], [3, 4]),
        ("one", 3, [3]),
        ("text", "3", [3]),
        ("commas", "3, 4,3", [3, 4]),
        ("empty", [], []),
        ("blank", "", []),
        ("rendered list", "[3, 4]", [3, 4]),
        ("rendered list of texts", "['3', '4']", [3, 4]),
        ("rendered list of one", "['3']", [3]),
        ("rendered tuple", "(3, 4)", [3, 4]),
        ("rendered tuple of texts", "('3', '4')", [3, 4]),
        ("rendered tuple of one", "('3',)", [3]),
        ("rendered set", "{3}", [3]),
        ("rendered empty set", "set()", []),
        ("rendered frozenset", "frozenset({3})", [3]),
        ("rendered empty list", "[]", []),
        ("JSON", '["3", 4]', [3, 4]),
        ("floats of a driver", [3.0, 4.0], [3, 4]),
        ("decimals of a driver", [Decimal(3), Decimal("4.00")], [3, 4]),
        ("rendered floats", "[3.0, 4.0]", [3, 4]),
        ("rendered decimals", "[Decimal('3'), Decimal('4')]", [3, 4]),
        ("one rendered float", "3.0", [3]),
        ("rendered numpy", "[np.float64(3.0), np.int64(4)]", [3, 4]),
        ("None", None, None),
        ("rendered None", "None", None),
    )
]


@pytest.mark.parametrize(("value", "expected"), LISTS)
def test_ids(value, expected):
    """IDs are distinct whole numbers in their original order; an empty list is not the same as none."""
    assert parameters.ids(value, "target_ids") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A7, B1", ["A7", "B1"]),
        (("A7", "B1"), ["A7", "B1"]),
        ("('A7', 'B1')", ["A7", "B1"]),
        ('["O\'Brien", "B1"]', ["O'Brien", "B1"]),
        ("[\"O'Brien's\", 'B1']", ["O'Brien's", "B1"]),
        ("O'Brien", ["O'Brien"]),
        (["a, b", "c"], ["a, b", "c"]),
        ('["a, b", "c"]', ["a, b", "c"]),
        ([7, 7.0, Decimal("7.00"), "7"], ["7"]),
        ([UUID(int=5)], [str(UUID(int=5))]),
        (f"[{UUID(int=5)!r}]", [str(UUID(int=5))]),
        ("+18668987878", ["+18668987878"]),
        ("[+18668987878]", ["+18668987878"]),
        ("(866) 898-7878", ["(866) 898-7878"]),
    ],
)
def test_texts(value, expected):
    """Texts keep apostrophes, commas inside quotes and signs."""
    assert parameters.texts(value, "tids") == expected


REFUSED = {
    "NaN": [float("nan")],
    "rendered NaN": "[nan]",
    "Decimal NaN": [Decimal("NaN")],
    "signaling NaN": [Decimal("sNaN")],
    "infinite": float("inf"),
    "bytes": b"3",
    "mapping": {"a": 1},
    "rendered mapping": "{'a': 1}",
    "broken list": "[3",
    "broken text": "[3, 'x",
    "a call of a function": "[__import__('os').getcwd()]",
    "a name": "[os]",
    "an attribute": "[().__class__]",
    "a sum": "[1 + 1]",
    "nested": "[" * 5_000,
    "a repeated key": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("reader", [parameters.ids, parameters.texts, parameters.items])
@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_refused_everywhere(reader, value):
    """What is no list, or cannot be read, is refused by the parameter's name, in one short sentence."""
    with pytest.raises(InvalidArgument, match="target_ids") as refusal:
        reader(value, "target_ids")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "value",
    ["A7", "0", "-3", "3.5", 3.5, Decimal("3.5"), True, [None], [[3]], object(), [""], ["²"], "٣"],
)
def test_not_an_id(value):
    """Retreaver's own IDs are whole numbers above 0."""
    with pytest.raises(InvalidArgument, match="target_ids"):
        parameters.ids(value, "target_ids")


WHOLE = [7, "7", " 7 ", 7.0, Decimal(7), Decimal("7.00"), "7.0"]


@pytest.mark.parametrize("value", WHOLE)
def test_whole_numbers(value):
    """Numbers of drivers and their texts are whole numbers, for required, optional and listed ones alike."""
    assert parameters.whole(value, "limit") == 7
    assert parameters.number(value, "limit") == 7
    assert parameters.ids(value, "limit") == [7]


@pytest.mark.parametrize("value", [7.5, "7.5", "", "x", True, None, float("nan"), float("inf"), "1e3", -1, 11])
def test_numbers_that_are_refused(value):
    """Fractions, texts, truth values, NaN and numbers out of bounds."""
    with pytest.raises(InvalidArgument, match="limit"):
        parameters.whole(value, "limit", 0, 10)


@pytest.mark.parametrize("value", [{"a": 1}, OrderedDict(a=1), "{'a': 1}", '{"a": 1}', "OrderedDict({'a': 1})"])
def test_mappings(value):
    """A mapping, or what JSON, a template and Python write for one."""
    assert parameters.mapping(value, "filters") == {"a": 1}


@pytest.mark.parametrize("value", [None, "None", "", {}, "{}"])
def test_no_mapping(value):
    """A missing value is an empty mapping."""
    assert parameters.mapping(value, "filters") == {}


@pytest.mark.parametrize("value", [7, "abc", ["a"], {1: 2}, "[1]", "{'a': 1", "{'a': 1, 'a': 2}"])
def test_refused_mappings(value):
    """Everything else is refused by name."""
    with pytest.raises(InvalidArgument, match="filters"):
        parameters.mapping(value, "filters")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in (True, "True", "true", 1, 1.0, "1", "yes", Decimal(1))),
        *((value, False) for value in (False, "False", 0, 0.0, "0", "no", "", "None", None)),
    ],
)
def test_flags(value, expected):
    """Booleans, also as text from a template or a number from a driver."""
    assert parameters.flag(value, "dry_run") is expected


@pytest.mark.parametrize("value", ["maybe", 2, [], float("nan")])
def test_refused_flags(value):
    """Nothing else is a boolean."""
    with pytest.raises(InvalidArgument, match="dry_run"):
        parameters.flag(value, "dry_run")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (timedelta(hours=1, minutes=30), 5400),
        (str(timedelta(hours=1, minutes=30)), 5400),
        (str(timedelta(days=2, hours=1)), 176_400),
        ("90m", 5400),
        ("1.5h", 5400),
        (5400, 5400),
        (Decimal("5400.0"), 5400),
        ("5400", 5400),
        ("5400.0", 5400),
    ],
)
def test_durations(value, seconds):
    """A timedelta, its text, seconds, or a number with a unit."""
    assert time_parameters.duration(value, "window") == seconds


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [NOON, pendulum.instance(NOON), str(NOON), NOON.isoformat(), "2026-01-31T12:00:00Z", "2026-01-31t12:00:00z"],
)
def test_times(value):
    """Datetimes and what templates make of them."""
    assert time_parameters.instant(time_parameters.timestamp(value, "start")) == NOON


def test_dates():
    """A date is its midnight in UTC."""
    assert time_parameters.instant(time_parameters.timestamp(date(2026, 1, 31), "start")) == NOON.replace(hour=0)


@pytest.mark.parametrize("value", ["2026-01-31T12:00:00", "yesterday", 7, None, datetime(2026, 1, 31), "2026-13-01"])  # noqa: DTZ001
def test_refused_times(value):
    """A time without an offset is refused, since every assumption would be wrong somewhere."""
    with pytest.raises(InvalidArgument, match="start"):
        time_parameters.timestamp(value, "start")


ODD_TIMES = [
    "9999-12-31T23:59:59-05:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31",
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    date.max,
    pendulum.datetime(9999, 12, 31, 23, tz="America/New_York"),
    "datetime.datetime(9999, 12, 31, 23, 0, tzinfo=datetime.timezone.utc)",
]


@pytest.mark.parametrize("value", ODD_TIMES, ids=str)
def test_times_at_the_ends_of_the_calendar_are_refused(value):
    """A time that cannot be moved to UTC, or by an hour, is refused by name instead of overflowing somewhere."""
    for read in (time_parameters.timestamp, aware_time):
        with pytest.raises(InvalidArgument, match=r"start must be RFC 3339.* in a year from 1900 to 8999"):
            read(value, "start")
    for window in (lambda: split_window("2026-01-01", value, "1d"), lambda: Window.of(None, value, None)):
        with pytest.raises(InvalidArgument, match="in a year from"):
            window()


@pytest.mark.parametrize("text", [None, 5, "", "soon", "9999-12-31T23:59:59-05:00", "2026-13-01"])
def test_stored_times_that_are_damaged(text):
    """What the package itself has stored is read by the same rule, and is an error that says what it is."""
    assert time_parameters.read_instant(text) is None
    with pytest.raises(InvalidArgument, match=r"The deadline is .*, which is no time"):
        time_parameters.instant(text, "The deadline")


@pytest.mark.parametrize("value", [Decimal("1e999999999"), Decimal("-1e999999999"), 1e308, 10**400])
def test_huge_numbers_are_refused_at_once(value):
    """A number of a billion digits is not written out, whatever the parameter."""
    for read in (parameters.whole, parameters.share, time_parameters.duration):
        with pytest.raises(InvalidArgument, match="size"):
            read(value, "size")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0044", "0044"),
        (44, "44"),
        (44.0, "44"),
        (Decimal("44.00"), "44"),
        (" a ", "a"),
        (UUID(int=5), str(UUID(int=5))),
    ],
)
def test_one_text(value, text):
    """A text may come as a whole number of any type."""
    assert parameters.text(value, "client_cid") == text


@pytest.mark.parametrize("value", [None, True, "", " ", [], {}, 4.5, float("nan"), b"44", ["44"], 1e30])
def test_what_is_no_text(value):
    """Nothing else is taken for one: it would be another filter, or none."""
    with pytest.raises(InvalidArgument, match="client_cid"):
        parameters.text(value, "client_cid")


@pytest.mark.parametrize("value", [13105550177, 13105550177.0, Decimal(13105550177)])
def test_a_caller_that_became_a_number_is_refused(value):
    """Native rendering takes the sign off a phone number, which makes it another caller; the error masks it."""
    with pytest.raises(InvalidArgument, match=r"caller must be a text.*lost its sign") as refusal:
        phone_parameters.caller(value, "caller")
    assert "5550177" not in str(refusal.value)
    assert phone_parameters.caller(" +19195550123 ", "caller") == "+19195550123"


def leaves():
    """Return a strategy for values of drivers."""
    return (
        st.none()
        | st.booleans()
        | st.integers(0)
        | st.text()
        | st.decimals(allow_nan=False, allow_infinity=False)
        | st.datetimes(timezones=st.just(UTC))
        | st.dates()
        | st.timedeltas()
        | st.uuids()
    )


@given(st.lists(st.dictionaries(st.text(), leaves() | st.lists(leaves()) | st.tuples(leaves(), leaves()))))
def test_rows_survive_rendering(rows):
    """Rows of a query that a template renders come back as they were."""
    assert read_rendered(str(rows), "rows") == rows


@given(st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.floats(allow_nan=False))))
def test_rows_survive_json(rows):
    """Rows that a template passes through `tojson` come back as they were."""
    assert read_rendered(json.dumps(rows), "rows") == rows


def test_types_of_pendulum_survive_rendering():
    """Airflow's own times are pendulum's."""
    value = [pendulum.datetime(2026, 1, 31, 12), pendulum.datetime(2026, 7, 1, tz="America/New_York")]
    assert read_rendered(str(value), "rows") == value


@pytest.mark.parametrize("written", ["\u202a+19195550123\u202c", " +1919\u200b5550123 ", "+19195550123\ufeff"])
def test_a_phone_number_from_an_address_book(written):
    """Characters that nobody sees are no part of a number."""
    assert phone_parameters.phone(written) == "+19195550123"


@pytest.mark.parametrize(
    "written", ["\u202e3210555919", "+19195550123\x00", True, 9195550123.0, "919-555-0123", None]
)
def test_what_is_no_phone_number_is_refused_masked(written):
    """The error shows hardly any digit."""
    with pytest.raises(InvalidArgument, match=r"number must be a phone number in E\.164") as error:
        phone_parameters.phone(written)
    assert "555" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+19195550123", "+19195550123"),
        (" 9195550123 ", "+19195550123"),
        (19195550123, "+19195550123"),
        (9195550123, "+19195550123"),
        ("442071838750", "+442071838750"),
        ("+4930123", "+4930123"),
    ],
)
def test_a_number_is_sent_in_one_spelling(written, number):
    """Ten digits without a plus sign are North American, as Retreaver reads them; others have their country code."""
    assert phone_parameters.e164(written, "caller_number") == number


@pytest.mark.parametrize("written", ["5550123", 195550123, "soon", True, 1.9e10, "(919) 555-0123 x"])
def test_a_number_without_area_code_is_none(written):
    """A number that could be one in many places is refused; the error shows two digits of it at most."""
    with pytest.raises(InvalidArgument, match=r"caller_number must be a phone number in E\.164") as raised:
        phone_parameters.e164(written, "caller_number")
    assert "55501" not in str(raised.value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_decimals_that_are_no_numbers(value):
    """A database's NaN is refused by the package's own error, by readers that compare it too."""
    for read in (parameters.share, time_parameters.duration, ChangeLimit.parse):
        with pytest.raises(InvalidArgument, match="limit"):
            read(Decimal(value), "limit")
    with pytest.raises(InvalidArgument, match="limit"):
        parameters.whole(Decimal(value), "limit", 0, 9)
