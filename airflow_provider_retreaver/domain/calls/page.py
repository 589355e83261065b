"""Reading pages of the call log without parsing whole calls, since most calls are only passed on.

A page of 100 calls is some 300 kB of JSON. Of every call only its identity and its times are parsed; the rest stays
the bytes that Retreaver sent until a dictionary is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import msgspec

from airflow_provider_retreaver.core.bodies import repaired
from airflow_provider_retreaver.core.envelopes import protocol_error
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.links import link_pages
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.paging import total_rows
from airflow_provider_retreaver.core.row_secrets import (
    document_without_secrets,
    holds_key_parameter,
    holds_registered,
    holds_secret_field,
)
from airflow_provider_retreaver.domain.calls.odd_calls import NO_UUID, ODD, split_deep, uuid_of
from airflow_provider_retreaver.resources.requested_calls import SHOWN, TIMES, check_filters, check_times


class CallKeys(msgspec.Struct, gc=False):
    """The fields of every call that are parsed.

    :param uuid: identity of the call.
    :param created_at: RFC 3339 as Retreaver wrote it; None when the call has none.
    :param updated_at: the same.
    :param recording_url: of the recording, or whatever stands there.
    """

    uuid: str
    created_at: str | None = None
    updated_at: str | None = None
    recording_url: object = None


class _Wrapped(msgspec.Struct, gc=False):
    call: msgspec.Raw


class _Shown(msgspec.Struct, gc=False):
    """What a call shows of the filters of a request."""

    uuid: object = None
    caller: object = None
    sid: object = None
    tid: object = None
    cid: object = None
    afid: object = None


# Decodes the calls of a page.
Decode: TypeAlias = Callable[[bytes], Sequence[CallKeys]]

WRAPPED = msgspec.json.Decoder(list[_Wrapped])
_BARE = msgspec.json.Decoder(list[msgspec.Raw])
_KEYS = msgspec.json.Decoder(CallKeys)
_SHOWN = msgspec.json.Decoder(_Shown)
# How Retreaver writes a page: what stands before the first call, between two, and behind the last one.
_FIRST, _BETWEEN, _LAST = b'[{"call":', b'},{"call":', b"}]"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class DecodedCalls(Sequence[Any]):
    """The calls of a page that was decoded at once; the JSON of each is cut out only when one is asked for.

    :param body: the page.
    :param calls: that were decoded.
    """

    def __init__(self, body: bytes, calls: Sequence[CallKeys]) -> None:
        self._body = body
        self.calls = calls

    def __len__(self) -> int:
        return len(self.calls)

    def __getitem__(self, place: Any) -> Any:
        return self._raws[place]

    @cached_property
    def _raws(self) -> Sequence[msgspec.Raw | bytes]:
        raws = _cut(self._body)
        return raws if len(_keys(raws)) == len(self.calls) else _split(self._body) or []


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of calls as it was received.

    :param number: of the page, counted from 1.
    :param raws: each call's JSON object, without the envelope and without line breaks.
    :param keys: each call's identity and times, in the same order.
    :param next: number of the following page, None when the response has none.
    :param last: number of the last page, None when the response has none.
    :param linked: whether the response has a `Link` to other pages.
    :param total: number of calls of the whole list, None when the response does not contain it.
    :param replaced: how many characters of the response were no characters (half an emoji), and were replaced.
    """

    number: int
    raws: Sequence[msgspec.Raw | bytes]
    keys: Sequence[CallKeys]
    next: int | None
    last: int | None
    linked: bool
    total: int | None = None
    replaced: int = 0

    @property
    def uuids(self) -> list[str]:
        """The identities of its calls in order."""
        return [key.uuid for key in self.keys]


@dataclass(frozen=True, slots=True)
class UnreadPage:
    """A page of calls of which only the headers were read; `read` is for the thread that uses the calls.

    Objects that one thread makes and another one uses are fetched from one processor's cache to the other's, which
    takes as long as making them; fetching the bytes of the page takes little.

    :param number: of the page, counted from 1.
    :param request: that was sent.
    :param response: with the page.
    :param decode: as for `read_page`.
    """

    number: int
    request: Request
    response: Response
    decode: Decode | None

    def read(self) -> RawPage:
        """Read the page.

        :return: the page.
        :raises ProtocolError: as `read_page`.
        """
        return read_page(self.number, self.request, self.response, self.decode)


def links_and_total(response: Response) -> tuple[Mapping[str, int], int | None]:
    """Return what the headers of a page say.

    :param response: with the page.
    :return: numbers of other pages by their relation, such as `next`; number of calls of the whole list, None when
        there is none.
    """
    return link_pages(response.headers.get("link", "")), total_rows(response)


def read_page(number: int, request: Request, response: Response, decode: Decode | None = None) -> RawPage:
    """Read one page of calls, wrapped (`{"call": {…}}`) or bare.

    :param number: of the page, counted from 1.
    :param request: that was sent.
    :param response: with the page.
    :param decode: decodes whole calls of a page, and raises an error of `ODD` where one is not as documented; None
        where only their keys are of use.
    :return: the page; its `raws` are `DecodedCalls` where whole calls were decoded.
    :raises ProtocolError: when it is not JSON, not a list of calls, a call has no `uuid`, or was not asked for.
    """
    (raws, keys), replaced = _read(response.body, decode), 0
    if not keys:
        raws, replaced = _raws(request, response)
        keys = _keys(raws)
    if _holds_secrets(response.body, raws, keys):
        raws = [document_without_secrets(bytes(raw)) for raw in raws]
        keys = _keys(raws)
    if len(keys) != len(raws):
        raise _odd_call(number, request, response, raws)
    _check(request, response, raws, keys)
    relations, total = links_and_total(response)
    return RawPage(number, raws, keys, relations.get("next"), relations.get("last"), bool(relations), total, replaced)


def _read(body: bytes, decode: Decode | None) -> tuple[Sequence[Any], Sequence[CallKeys]]:
    """Return calls and their keys; none when the page is written in another way than usual."""
    if decode is not None and _is_usual(body):
        with suppress(*ODD):
            calls = decode(body)
            return DecodedCalls(body, calls), calls
    raws = _cut(body)
    return raws, _keys(raws)


def _keys(raws: Sequence[msgspec.Raw | bytes]) -> Sequence[CallKeys]:
    try:
        return [_KEYS.decode(raw) for raw in raws]
    except ODD:
        return []


def _holds_secrets(body: bytes, raws: Sequence[msgspec.Raw | bytes], keys: Sequence[CallKeys]) -> bool:
    """Return whether calls must be searched for secrets; all calls of a page have the same fields."""
    return (
        holds_registered(body)
        or holds_key_parameter("\n".join([url for key in keys if isinstance(url := key.recording_url, str)]))
        or any(map(holds_secret_field, _first(raws)))
    )


def _first(raws: Sequence[Any]) -> list[bytes]:
    """Return the first call as JSON, if there is one."""
    if isinstance(raws, DecodedCalls):
        return [_ENCODER.encode(call) for call in raws.calls[:1]]
    return [bytes(raw) for raw in raws[:1]]


def _check(request: Request, response: Response, raws: Sequence[Any], keys: Sequence[CallKeys]) -> None:
    """Check that the calls were asked for."""
    asked = {name for name, _ in request.query}
    uuids = [key.uuid for key in keys]
    for name in TIMES:
        if not asked.isdisjoint((f"{name}_start", f"{name}_end")):
            check_times(request, response, name, uuids, [getattr(key, name) for key in keys])
    if not asked.isdisjoint(SHOWN):
        shown: list[dict[str, object]] = []
        with suppress(*ODD):  # such a call cannot be converted either, which the error then says
            shown = [msgspec.structs.asdict(_SHOWN.decode(raw)) for raw in raws]
        check_filters(request, response, shown)


def _cut(body: bytes) -> Sequence[bytes]:
    """Cut a page into its calls, at half the time of reading it; right only where each of them is a JSON object.

    :return: the calls; none when the page is written in another way.
    """
    if not _is_usual(body):
        return []
    found = body.split(_BETWEEN)
    found[0] = found[0][len(_FIRST) :]
    found[-1] = found[-1][: -len(_LAST)]
    return [raw.strip(b" \t") for raw in found]


def _is_usual(body: bytes) -> bool:
    """Return whether a page is one line that begins and ends as Retreaver writes it."""
    has_lines = b"\n" in body or b"\r" in body
    return body.startswith(_FIRST) and body.endswith(_LAST) and not has_lines and _is_text(body)


def _is_text(body: bytes) -> bool:
    """Return whether a page is valid UTF-8, as calls that are passed on without parsing must be."""
    with suppress(UnicodeDecodeError):
        return body.isascii() or bool(body.decode())
    return False


def _raws(request: Request, response: Response) -> tuple[Sequence[msgspec.Raw | bytes], int]:
    body, replaced = response.body, 0
    found = _split(body)
    if found is None:
        body, replaced = repaired(body)
        found = _split(body) if replaced else None
    if found is None:
        deep = split_deep(body)
        found = None if deep is None else [_unwrapped(raw) for raw in deep]
    if found is None:
        raise _no_calls(request, response)
    if b"\n" in body or b"\r" in body:
        found = [msgspec.json.format(bytes(raw), indent=-1) for raw in found]
    return found, replaced


def _split(body: bytes) -> Sequence[msgspec.Raw | bytes] | None:
    if not _is_text(body):
        return None
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return [row.call for row in WRAPPED.decode(body)]
        except msgspec.ValidationError:
            return [_unwrapped(raw) for raw in _BARE.decode(body)]
    return None


def _unwrapped(raw: msgspec.Raw | bytes) -> msgspec.Raw | bytes:
    with suppress(*ODD):
        return msgspec.json.decode(raw, type=_Wrapped).call
    return raw


def _odd_call(number: int, request: Request, response: Response, raws: Sequence[Any]) -> ProtocolError:
    """Return the error for the first call of a page whose identity and times cannot be read."""
    place, what = next((place, what) for place, what in enumerate(map(_odd, raws), 1) if what)
    return protocol_error(request, response, f"{what} (number {place} of page {number})")


def _odd(raw: Any) -> str:
    try:
        _KEYS.decode(raw)
    except RecursionError:
        return f"contains call {uuid_of(raw)}, which is nested too deeply"
    except ODD:
        if uuid_of(raw) == NO_UUID:
            return "contains a call without a 'uuid', or something that is not a call"
        return f"contains call {uuid_of(raw)}, whose uuid, created_at or updated_at is not a text"
    return ""


def _no_calls(request: Request, response: Response) -> ProtocolError:
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return protocol_error(request, response, f"is not a JSON array of calls ({kind}, {len(response.body)} bytes)")


def as_bytes(row: Mapping[str, Any]) -> bytes:
    """Return a call as compact JSON.

    :param row: the call.
    :return: JSON without line breaks.
    """
    return _ENCODER.encode(row)
