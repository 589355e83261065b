"""Reading pages of the call log without parsing whole calls, since most calls are only passed on.

A page of 100 calls is some 300 kB of JSON. Of every call only its identity and its times are parsed; the rest stays
the bytes that Retreaver sent until a dictionary is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_retreaver.core.envelopes import protocol_error
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Row
from airflow_provider_retreaver.core.paging import link_pages


class CallKeys(msgspec.Struct, gc=False):
    """The fields of every call that are parsed.

    :param uuid: identity of the call.
    :param created_at: RFC 3339 as Retreaver wrote it; None when the call has none.
    :param updated_at: the same.
    """

    uuid: str
    created_at: str | None = None
    updated_at: str | None = None


class _Wrapped(msgspec.Struct, gc=False):
    call: msgspec.Raw


_WRAPPED = msgspec.json.Decoder(list[_Wrapped])
_BARE = msgspec.json.Decoder(list[msgspec.Raw])
_KEYS = msgspec.json.Decoder(CallKeys)
_ROWS: msgspec.json.Decoder[Row] = msgspec.json.Decoder(dict[str, Any])
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of calls as it was received.

    :param number: of the page, counted from 1.
    :param raws: each call's JSON object, without the envelope and without line breaks.
    :param keys: each call's identity and times, in the same order.
    :param next: number of the following page, None when the response has none.
    :param last: number of the last page, None when the response has none.
    :param linked: whether the response has a `Link` to other pages.
    """

    number: int
    raws: Sequence[msgspec.Raw | bytes]
    keys: Sequence[CallKeys]
    next: int | None
    last: int | None
    linked: bool

    @property
    def uuids(self) -> list[str]:
        """The identities of its calls in order."""
        return [key.uuid for key in self.keys]


def read_page(number: int, request: Request, response: Response) -> RawPage:
    """Read one page of calls, wrapped (`{"call": {…}}`) or bare.

    :param number: of the page, counted from 1.
    :param request: that was sent.
    :param response: with the page.
    :return: the page.
    :raises ProtocolError: when it is not JSON, not a list of calls, or a call has no `uuid`.
    """
    raws = _raws(request, response)
    keys: list[CallKeys] | None = None
    with suppress(msgspec.DecodeError):
        keys = [_KEYS.decode(raw) for raw in raws]
    if keys is None:
        raise protocol_error(request, response, "contains a call without a 'uuid', or something that is not a call")
    relations = link_pages(response.headers.get("link", ""))
    return RawPage(number, raws, keys, relations.get("next"), relations.get("last"), bool(relations))


def _raws(request: Request, response: Response) -> Sequence[msgspec.Raw | bytes]:
    found: list[msgspec.Raw] | None = None
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        if not response.body.isascii():
            response.body.decode()  # calls that are passed on without parsing must be valid too
        try:
            found = [row.call for row in _WRAPPED.decode(response.body)]
        except msgspec.ValidationError:
            found = [_unwrapped(raw) for raw in _BARE.decode(response.body)]
    if found is None:
        raise _no_calls(request, response)
    if b"\n" not in response.body and b"\r" not in response.body:
        return found
    return [msgspec.json.format(bytes(raw), indent=-1) for raw in found]


def _unwrapped(raw: msgspec.Raw) -> msgspec.Raw:
    with suppress(msgspec.ValidationError):
        return msgspec.json.decode(raw, type=_Wrapped).call
    return raw


def _no_calls(request: Request, response: Response) -> ProtocolError:
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return protocol_error(request, response, f"is not a JSON array of calls ({kind}, {len(response.body)} bytes)")


def as_rows(raws: Sequence[msgspec.Raw | bytes]) -> list[Row]:
    """Parse calls.

    :param raws: JSON objects.
    :return: dictionaries in the same order.
    """
    return [_ROWS.decode(raw) for raw in raws]


def as_bytes(row: Row) -> bytes:
    """Return a call as compact JSON.

    :param row: the call.
    :return: JSON without line breaks.
    """
    return _ENCODER.encode(row)
