"""Times of TrackDrive, such as `2016-01-01 12:25:15 -0500`: how they are sent, and whether rows lie between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from airflow_provider_retreaver.core import time_parameters
from airflow_provider_retreaver.core.envelopes import protocol_error
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.quoting import quoted

Time = datetime | date | str

CREATED = "created_at"
BOUNDS = (f"{CREATED}_from", f"{CREATED}_to")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d+)?) ([+-]\d{2}):?(\d{2})")
# Both ends are sent in whole seconds.
_ROUNDING = timedelta(seconds=1)


def span_query(start: Time | None, end: Time | None) -> list[tuple[str, str]]:
    """Return the parameters of a span of time.

    :param start: aware datetime, a date (midnight UTC), RFC 3339, or `2016-01-01 12:25:15 -0500`; None for an open
        beginning.
    :param end: the same, later; part of a second is rounded up.
    :return: names and values.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    first, last = time_parameters.time_span(_rfc3339(start), _rfc3339(end), BOUNDS)
    return [
        (name, _as_text(time_parameters.instant(text, name), up=name == BOUNDS[1]))
        for name, text in zip(BOUNDS, (first, last), strict=True)
        if text is not None
    ]


def check_created(request: Request, response: Response, envelope: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Check that rows were created in the span that was asked for, as far as they show it.

    A server or proxy that ignores a part of the query answers with other rows, which would be taken for the list. A
    second is allowed on both sides, and a time without an offset is not compared.

    :param request: the request that was sent.
    :param response: its response.
    :param envelope: what a row is, for the error.
    :param rows: of the response.
    :raises ProtocolError: naming a row that lies outside.
    """
    query = dict(request.query)
    first, last = (_instant(query.get(name)) for name in BOUNDS)
    if first is None and last is None:
        return
    texts = [str(_rfc3339(text)) if isinstance(text := row.get(CREATED), str) else "" for row in rows]
    outside = time_parameters.time_outside(
        [text for text in texts if text], first and first - _ROUNDING, last and last + _ROUNDING
    )
    if outside is not None:
        row = rows[texts.index(outside)]
        what = (
            f"contains the {envelope.replace('_', ' ')} {quoted(row.get('id'))}, whose {CREATED} "
            f"({quoted(row[CREATED])}) lies outside {query.get(BOUNDS[0], 'any time')} to "
            f"{query.get(BOUNDS[1], 'now')}: it was not asked for"
        )
        raise protocol_error(request, response, what)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else time_parameters.instant(_rfc3339(text))


def _rfc3339(value: Time | None) -> Time | None:
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    return f"{found[1]}{found[2]}:{found[3]}" if found else value


def _as_text(time: datetime, *, up: bool) -> str:
    if up and time.microsecond:
        time += timedelta(seconds=1)
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
