"""Feeds made-up input to every parser until the time is up: `make fuzz`, `make fuzz SECONDS=600`.

A parser may refuse its input by an error of this package, and by no other. Hypothesis makes the input, different at
each run, and prints the smallest one with which a parser fails.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_retreaver.account.files import read_files
from airflow_provider_retreaver.core import parameters, phone_parameters, policy, time_parameters
from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.links import link_pages
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.phone_text import mask_numbers
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.domain.calls.page import read_page
from airflow_provider_retreaver.domain.calls.time_window import split_window
from airflow_provider_retreaver.domain.lists.file_layout import Layout, find_layout
from airflow_provider_retreaver.domain.lists.packed_files import damage_refused, unpacked
from airflow_provider_retreaver.domain.lists.phones import Normalizer
from airflow_provider_retreaver.domain.payout_tables.rules import read_table
from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells, read_file
from airflow_provider_retreaver.domain.routing.weekly_hours import WeeklyHours
from airflow_provider_retreaver.webhooks.received import Payload, Refused, read_webhook

NOW = datetime(2026, 1, 9, 12, tzinfo=UTC)
EXAMPLES = 50  # of a parser, before the next one has its turn
#: What the grammars are made of, put together at random.
PIECES = st.sampled_from([
    "1", "09", "-3", "+1", "9.5", "1e9", "NaN", "(919) 200-0000", "+19192000000", "2026-11-01T01:30:00-04:00",
    "24:00", "9am", "1d", "6h", "%", ",", ";", ":", "-", " ", "\t", "\n", "\ufeff", "\u202a", "\u0660", "[", "]",
    "{", "}", "'", '"', "\\u0000", "true", "None", "datetime.date(2026, 1, 1)", "Decimal('1')", "mon", "mon-fri",
    "null", "phone", "page=2>", '<https://x/?page=2>; rel="next"', "&a=", "targets:\n", "  one:\n", "- ", "&a ",
    "*a", "${x}", "payout", "bid", "PK\x03\x04", "\x1f\x8b\x08",
])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join))
BYTES = st.one_of(st.binary(max_size=200), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.decimals(), st.datetimes())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)
NUMBERS = Normalizer()
Parser = tuple[Any, Callable[[Any], object]]
#: How a parser may refuse its input.
REFUSALS = (RetreaverError, Refused)


def reader(function: Callable[[object, str], object]) -> Parser:
    """Return a reader of parameters with any value."""
    return VALUES, lambda value: function(value, "p")


def connection(kind: type[Settings | TrackDriveSettings] = Settings, **fields: Any) -> object:
    """Read the fields of a connection."""
    return kind.parse("c", login="1", password="k", **fields)  # noqa: S106 - of no account


def page(body: bytes) -> object:
    """Read a page of calls."""
    return read_page(1, Request("GET", "/api/v2/calls.json"), Response(200, {}, body))


def packed(data: bytes) -> object:
    """Unpack a file as its reader does."""
    with damage_refused("the file"):
        return unpacked(io.BytesIO(data), "the file")[0].read()


def layout(text: str) -> object:
    """Find the layout of a file of numbers."""
    return find_layout(text.splitlines(), Layout.parse(), "the file")


#: Each parser with its input.
PARSERS: dict[str, Parser] = {
    **{
        name: reader(getattr(module, name))
        for module, names in (
            (parameters, ("texts", "names", "text", "ids", "identifier", "mapping")),
            (parameters, ("flag", "whole", "number", "share")),
            (time_parameters, ("duration", "timestamp", "instant")),
            (phone_parameters, ("caller", "phone", "e164", "phone_or_sip")),
        )
        for name in names
    },
    "a rendered parameter": (TEXTS, lambda text: read_rendered(text, "p")),
    "hours": (VALUES, WeeklyHours.parse),
    "parts of a window": (st.tuples(TEXTS, TEXTS, TEXTS), lambda three: split_window(*three)),
    "a connection": (st.dictionaries(TEXTS, VALUES, max_size=3), lambda extra: connection(extra=extra)),
    "a host": (TEXTS, lambda host: connection(host=host)),
    "a TrackDrive connection": (TEXTS, lambda host: connection(TrackDriveSettings, host=host)),
    "a phone number": (VALUES, lambda value: (NUMBERS.read(value), NUMBERS.could_mean(value))),
    "a file of numbers": (TEXTS, layout),
    "a packed file": (BYTES, packed),
    "a payout table": (TEXTS, lambda text: read_table(csv_cells(text, "the table"), "the table")),
    "a file of payouts": (BYTES, lambda data: read_file(io.BytesIO(data), "the file")),
    "files of an account": (TEXTS, lambda text: read_files([("a.yaml", text)])),
    "a Link header": (TEXTS, link_pages),
    "a Retry-After header": (TEXTS, lambda text: policy.retry_after({"retry-after": text}, NOW)),
    "a page of calls": (BYTES, page),
    "a webhook": (
        st.tuples(BYTES, st.sampled_from(["", "application/json", "application/x-www-form-urlencoded"]), BYTES),
        lambda parts: read_webhook(Payload(*parts), "call", NOW),
    ),
    "what errors quote": (VALUES, quoted),
    "masks of numbers": (TEXTS, mask_numbers),
}  # fmt: skip


def feeding(name: str) -> Any:
    """Return a test of Hypothesis that feeds one parser.

    :param name: of the parser.
    :return: the test; it raises the first exception that is none of this package's.
    """
    inputs, parse = PARSERS[name]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
    )
    @given(inputs)
    def fed(value: object) -> None:
        with suppress(*REFUSALS):
            parse(value)

    return fed


def main(arguments: list[str]) -> int:
    """Feed all parsers in turn until the time is up, each at least once; return whether one of them failed."""
    until = time.monotonic() + float(arguments[0] if arguments else 120)
    fed, failed = dict.fromkeys(PARSERS, 0), set[str]()
    while True:
        for name in sorted(set(PARSERS) - failed):
            try:
                feeding(name)()
            except Exception as error:  # noqa: BLE001 - any error of a parser is what this looks for
                failed.add(name)
                print(
                    f"failed: {name}: {type(error).__name__}: {error}", *getattr(error, "__notes__", ()), sep="\n  "
                )
            fed[name] += EXAMPLES
        if time.monotonic() >= until:
            break
    each = min(fed.values())
    print(f"{len(PARSERS)} parsers, {sum(fed.values()):,} inputs, at least {each:,} each; failed: {len(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
