"""Whether calls are those that were asked for: of the window of time, and of the filters that a call shows.

A server or proxy that ignores a part of the query answers with other calls, which would be exported, counted and
reported as complete. Each response is therefore held against the query of its own request.

Retreaver rounds times, and whether it counts the window's own end is not documented: a second is allowed on both
sides. The customer's IDs of campaign and affiliate may be shown as hashes from version 2 on; then all calls of a
response must show the same one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache

from airflow_provider_retreaver.core import time_parameters
from airflow_provider_retreaver.core.envelopes import protocol_error, read_array
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.quoting import quoted

TIMES = ("created_at", "updated_at")
# Filters by the field of a call that shows them.
SHOWN = {"caller": "caller", "sub_id": "sid", "client_tid": "tid", "client_cid": "cid", "client_afid": "afid"}
_HASHED = ("client_cid", "client_afid")
_ROUNDING = timedelta(seconds=1)
# A date without a time is read in the company's time zone.
_ANY_ZONE = timedelta(hours=26)
# Fewer digits are no phone number.
_LEAST_DIGITS = 7


def read_calls(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    """Return the calls of one page, and check that they were asked for; see `read_array`.

    :param request: the request that was sent.
    :param response: its response.
    :param envelope: name that wraps each call.
    :return: the calls, and None.
    :raises ProtocolError: when it is not a list of calls, or one of them was not asked for.
    """
    rows, total = read_array(request, response, envelope)
    uuids = [row.get("uuid") for row in rows]
    for name in TIMES:
        texts = [row.get(name) for row in rows]
        check_times(request, response, name, uuids, [text if isinstance(text, str) else None for text in texts])
    check_filters(request, response, rows)
    return rows, total


def check_times(
    request: Request, response: Response, name: str, uuids: Sequence[object], texts: Sequence[str | None]
) -> None:
    """Check that times of calls lie in the window that was asked for.

    :param request: the request that was sent.
    :param response: its response.
    :param name: `created_at` or `updated_at`.
    :param uuids: of the calls.
    :param texts: their times as they came, None for a call without; one that cannot be read is not checked here.
    :raises ProtocolError: naming a call that lies outside.
    """
    query = dict(request.query)
    first, last = (_bound(query.get(f"{name}_{end}"), sign) for end, sign in (("start", -1), ("end", 1)))
    if first is None and last is None:
        return
    text = time_parameters.time_outside([text for text in texts if text], first, last)
    if text is not None:
        span = f"{query.get(f'{name}_start', 'any time')} to {query.get(f'{name}_end', 'now')}"
        raise _not_asked_for(
            request, response, uuids[texts.index(text)], f"has the {name} {quoted(text)}, outside {span}"
        )


@lru_cache(64)  # the same for all pages of a listing
def _bound(text: str | None, sign: int) -> datetime | None:
    if text is None:
        return None
    with suppress(OverflowError):
        return time_parameters.instant(text) + sign * (_ROUNDING if "T" in text.upper() else _ANY_ZONE)
    return None  # the first or the last moment that Python knows


def check_filters(request: Request, response: Response, rows: Sequence[Mapping[str, object]]) -> None:
    """Check that calls match the filters that were asked for, as far as they show it.

    :param request: the request that was sent.
    :param response: its response.
    :param rows: the calls, at least `uuid` and the fields of `SHOWN` of each.
    :raises ProtocolError: naming a call that does not match.
    """
    query = dict(request.query)
    for name, field in SHOWN.items():
        asked = query.get(name)
        if asked is None:
            continue
        others: dict[str, object] = {}
        for row in rows:
            shown = row.get(field)
            if isinstance(shown, (str, int)) and str(shown).strip() and not _is_same(name, str(shown), asked):
                others.setdefault(_plain(str(shown)), row.get("uuid"))
        if not others or (name in _HASHED and "/v1/" not in request.path and _may_be_hash(rows, field, others)):
            continue
        raise _not_asked_for(request, response, next(iter(others.values())), f"does not match the filter {name}")


def _is_same(name: str, shown: str, asked: str) -> bool:
    if name != "caller":
        return _plain(shown) == _plain(asked)
    numbers = [re.sub(r"\D", "", text) for text in (shown, asked)]
    # Other texts, such as `anonymous` or an address, have no one spelling.
    if min(map(len, numbers)) < _LEAST_DIGITS or re.search(r"[A-Za-z@]", shown + asked):
        return True
    return numbers[0].endswith(numbers[1]) or numbers[1].endswith(numbers[0])


def _may_be_hash(rows: Sequence[Mapping[str, object]], field: str, others: Mapping[str, object]) -> bool:
    return len(others) == 1 and all(_plain(str(row[field])) in others for row in rows if row.get(field))


def _plain(text: str) -> str:
    return text.strip().casefold()


def _not_asked_for(request: Request, response: Response, uuid: object, what: str) -> ProtocolError:
    return protocol_error(request, response, f"contains call {quoted(uuid)}, which {what}: it was not asked for")
