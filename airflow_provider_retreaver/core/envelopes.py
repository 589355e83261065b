"""Readers of response bodies: JSON, wrapped objects, arrays of them, and fields that are needed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.answers import beginning
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.limits import MEGABYTE
from airflow_provider_retreaver.core.messages import LongInteger, NestedTooDeeply, Request, Response
from airflow_provider_retreaver.core.quoting import excerpt, quoted

Row = dict[str, Any]


def json_body(request: Request, response: Response) -> Any:
    """Parse the body of a response.

    :param request: the request that was sent.
    :param response: its response.
    :return: the JSON value.
    :raises ProtocolError: with status, path and a short excerpt, when the body is not JSON, or cannot be read.
    """
    # Raised outside the handler: the decoder's exception holds the whole body and would be kept as the context.
    place: str | None = None
    long = False
    try:
        return response.json()
    except NestedTooDeeply as error:
        place = error.place
    except LongInteger:
        long = True
    except ValueError:
        pass
    if place is not None:
        raise nested_too_deeply(request, response, place)
    if long:
        digits = sys.get_int_max_str_digits()
        raise protocol_error(request, response, f"holds an integer of more than {digits:,} digits, which is no value")
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    text = excerpt(beginning(response.body))
    raise protocol_error(
        request, response, f"is not JSON ({kind}, {len(response.body)} bytes{f': {text}' if text else ''})"
    )


def protocol_error(request: Request, response: Response, what: str) -> ProtocolError:
    """Return the error for a response that is not as documented.

    :param request: the request that was sent.
    :param response: its response.
    :param what: what is wrong with it, as the end of a sentence, e.g. `is not JSON`.
    :return: the error.
    """
    return ProtocolError(
        f"The response ({response.status}) to {request.label} {what}; check that the connection's host is the "
        f"API and not a proxy or login page.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def nested_too_deeply(request: Request, response: Response, place: str) -> ProtocolError:
    """Return the error for a response whose lists and objects are nested too deeply.

    :param request: the request that was sent.
    :param response: its response.
    :param place: the row, as its index or name; blank where it is not known.
    :return: the error.
    """
    where = f", in its row {place}" if place else ""
    return ProtocolError(
        f"The response ({response.status}) to {request.label} is nested more than {response.max_depth} levels "
        f"deep{where}; raise the connection's extra max_json_depth if the server is right.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def response_too_large(request: Request, limit: int) -> ProtocolError:
    """Return the error for a response that is larger than the connection allows.

    :param request: the request that was sent.
    :param limit: bytes that were allowed.
    :return: the error.
    """
    return ProtocolError(
        f"The response to {request.label} has more than {limit / MEGABYTE:g} MB, decompressed; narrow the request, "
        f"or raise the connection's extra max_response_mb if the server is right.",
        method=request.method,
        path=request.path,
    )


def unwrap(request: Request, response: Response, value: Any, envelope: str) -> Row:
    """Return an object that comes as `{envelope: {...}}`, or bare where it has an `id` or `uuid` of its own.

    :param request: the request that was sent.
    :param response: its response.
    :param value: the JSON value.
    :param envelope: name that wraps the object, e.g. `target`.
    :return: the object.
    :raises ProtocolError: when the value is neither.
    """
    if isinstance(value, dict):
        inner = value.get(envelope)
        if isinstance(inner, dict):
            return inner
        if "id" in value or "uuid" in value:
            return value
    raise protocol_error(request, response, f"holds no {envelope!r} object")


@dataclass(frozen=True, slots=True)
class Asked:
    """The object that a request asks for.

    :param key: of the answer, e.g. `uuid`.
    :param value: that it must have.
    :param shown: whether all answers have the key: the documents show no `id` of campaigns and affiliates.
    """

    key: str
    value: object
    shown: bool

    def is_answered_by(self, row: Row) -> bool:
        """Judge an answer.

        :param row: the object that came.
        :return: whether it is, or may be, the one that was asked for.
        """
        if row.get(self.key) is None:
            return not self.shown
        return str(row[self.key]).casefold() == str(self.value).strip().casefold()


def read_item(envelope: str, asked: Asked | None = None) -> Callable[[Request, Response], Row]:
    """Return a reader of responses that hold one wrapped object.

    :param envelope: name that wraps the object, e.g. `target`.
    :param asked: the object that was asked for; None where the request does not say it.
    :return: a function for `Operation.read`.
    """

    def read(request: Request, response: Response) -> Row:
        found = unwrap(request, response, json_body(request, response), envelope)
        if asked is None:
            return found
        if asked.shown:
            require(found, asked.key, request)
        if asked.is_answered_by(found):
            return found
        what = f"holds a {envelope} with {asked.key} {quoted(found.get(asked.key))}, not the one that was asked for"
        raise protocol_error(request, response, what)

    return read


def read_nothing(request: Request, response: Response) -> None:
    """Ignore the body of a response that is not documented.

    :param request: the request that was sent.
    :param response: its response.
    """


def read_array(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    """Return the rows of one page of a list.

    :param request: the request that was sent.
    :param response: its response.
    :param envelope: name that wraps each row, e.g. `target`.
    :return: the rows, and None, since the response does not contain the number of rows of the whole list.
    :raises ProtocolError: when the body is not an array of wrapped objects.
    """
    body = json_body(request, response)
    if not isinstance(body, list):
        raise protocol_error(request, response, f"is not an array of {envelope!r} objects")
    return [unwrap(request, response, value, envelope) for value in body], None


def read_root(request: Request, response: Response, root: str) -> tuple[list[Row], int | None]:
    """Return the rows of one page of a list that comes as `{root: [...], "metadata": {...}}`, or bare.

    :param request: the request that was sent.
    :param response: its response.
    :param root: name of the list, e.g. `buyer_groups`.
    :return: the rows as they are, and the `total_count` of the metadata where it has one.
    :raises ProtocolError: when the body is neither, or a row is no object.
    """
    body = json_body(request, response)
    rows = body.get(root) if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise protocol_error(request, response, f"is not a list of objects, bare or as {root!r}")
    metadata = body.get("metadata") if isinstance(body, dict) else None
    total = str(metadata.get("total_count")) if isinstance(metadata, dict) else ""
    return rows, int(total) if re.fullmatch("[0-9]{1,12}", total) else None


def require(row: Mapping[str, Any], name: str, request: Request) -> Any:
    """Return a field that the caller needs.

    :param row: an object of a response.
    :param name: name of the field.
    :param request: the request that was sent, for the error.
    :return: the value of the field.
    :raises ProtocolError: when the field is missing.
    """
    if name not in row:
        raise ProtocolError(
            f"The response to {request.label} lacks the documented field {quoted(name)}.",
            method=request.method,
            path=request.path,
        )
    return row[name]
