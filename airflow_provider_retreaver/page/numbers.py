"""What the page shows of number pools and of numbers that nobody calls. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.objects.naming import safe_field
from airflow_provider_retreaver.domain.watching.pool_headroom import PoolSize
from airflow_provider_retreaver.resources.number_pools import list_number_pools
from airflow_provider_retreaver.resources.numbers import list_numbers
from airflow_provider_retreaver.resources.reports import report_calls

IDLE_DAYS = 30
TEXT_LENGTH = 60


@dataclass(frozen=True, slots=True)
class IdleNumber:
    """A number of the company that had no call.

    :param id: Retreaver's ID.
    :param number: the number that callers dial.
    :param cid: the customer's ID of its campaign; blank for none.
    :param afid: the customer's ID of its affiliate; blank for none.
    :param sid: its SubID; blank for none.
    :param created: its day of creation; blank where it is not known.
    """

    id: int
    number: str
    cid: str
    afid: str
    sid: str
    created: str


@dataclass(frozen=True, slots=True)
class NumbersRead:
    """Pools and numbers as read.

    :param pools: with the least headroom first.
    :param numbers: how many numbers the company has.
    :param young: how many of those without a call are newer than 30 days, and not listed.
    :param idle: older numbers without a call for 30 days, the oldest first; None where the report cannot be read.
    :param problem: why `idle` is not known; blank otherwise.
    """

    pools: tuple[PoolSize, ...]
    numbers: int
    young: int
    idle: tuple[IdleNumber, ...] | None
    problem: str = ""


def read_numbers(now: datetime) -> Procedure[NumbersRead]:
    """Read pools, numbers, and which numbers had calls.

    :param now: aware.
    :return: pools and numbers.
    :raises RetreaverError: when pools or numbers cannot be read.
    """
    pools: list[Row] = yield list_number_pools()
    numbers: list[Row] = yield list_numbers()
    sizes = sorted((PoolSize.from_row(row) for row in pools), key=lambda pool: (pool.headroom, pool.id))
    since = now - timedelta(days=IDLE_DAYS)
    try:
        called: list[Row] = yield report_calls("number", created_at_start=since, created_at_end=now)
    except RetreaverError as error:
        return NumbersRead(tuple(sizes), len(numbers), 0, None, str(error))
    idle = without_calls(numbers, called)
    old = [row for row in idle if not _is_younger(row, since)]
    shown = sorted((_idle(row) for row in old), key=lambda one: (one.created, one.id))
    return NumbersRead(tuple(sizes), len(numbers), len(idle) - len(old), tuple(shown))


def without_calls(numbers: Sequence[Row], called: Sequence[Row]) -> list[Row]:
    """Return the numbers that are in no row of a report, neither by ID nor by the number itself.

    :param numbers: of the company.
    :param called: rows of a report by number.
    :return: of the numbers.
    """
    busy = [row for row in called if row.get("total_calls")]
    ids = {str(row.get("id")) for row in busy}
    texts = {_digits(row.get("facet_name")) for row in busy} - {""}
    return [row for row in numbers if str(row.get("id")) not in ids and _digits(row.get("number")) not in texts]


def _digits(value: object) -> str:
    return "".join(char for char in str(value or "") if char.isdecimal())


def _is_younger(row: Row, since: datetime) -> bool:
    try:
        created = datetime.fromisoformat(str(row.get("created_at")))
    except ValueError:
        return False
    return (created if created.tzinfo else created.replace(tzinfo=UTC)) > since


def _idle(row: Row) -> IdleNumber:
    # A company's own number is no caller's: it stands in advertisements.
    cid, afid, sid = (
        one_line(safe_field(row, name) or "", TEXT_LENGTH, numbers=False) for name in ("cid", "afid", "sid")
    )
    return IdleNumber(
        id=int(row.get("id") or 0),
        number=one_line(row.get("number") or "", TEXT_LENGTH, numbers=False),
        cid=cid,
        afid=afid,
        sid=sid,
        created=one_line(row.get("created_at") or "", TEXT_LENGTH, numbers=False)[:10],
    )
