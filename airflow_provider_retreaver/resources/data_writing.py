"""Call data writing: tags onto calls from elsewhere, such as sales (Retreaver's reference: "Call Data Writing").

The connection's extra `postback_key` holds a postback key of type "Call Data Writing".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from airflow_provider_retreaver.core import parameters, phone_parameters
from airflow_provider_retreaver.core.envelopes import Row, json_body, protocol_error
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Host, Request, Response
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.resources.rtb import TagScalar, tag_fields

KEY_TYPE = "Call Data Writing"
# Parameters of a request; a tag of such a name would change it.
RESERVED = ("key", "caller_number", "call_uuid", "api_key")


class WrittenCallData(TypedDict, total=False):
    """The answer to a write; `call_uuid` or `caller_number` as it was sent."""

    tag_values: dict[str, str]
    call_uuid: str
    caller_number: str
    status: str


def write_call_data(
    *,
    tags: Mapping[str, TagScalar],
    call_uuid: str | None = None,
    caller_number: str | None = None,
) -> Operation[WrittenCallData]:
    """Write tags onto a call.

    Tags for a call that is not known yet, or that is under way, are stored, for as long as the postback key says. A
    repeat writes the same values under the same keys, so it is sent again when its answer is lost. Everything is in
    the body, so that no phone number stands in a URL. Retreaver's reference: "Call Data Writing".

    :param tags: texts and numbers by key; at least one, at most 100.
    :param call_uuid: UUID of the call. Give exactly one of `call_uuid` and `caller_number`.
    :param caller_number: phone number of the caller, E.164.
    :return: a `WrittenCallData`; its `status` is a text such as `completed call found, tags applied`.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    if (call_uuid is None) == (caller_number is None):
        raise InvalidArgument("Give exactly one of call_uuid and caller_number.")
    fields = tag_fields(tags, RESERVED)
    if not fields:
        raise InvalidArgument("tags is empty; give at least one tag.")
    body = {name: str(value) for name, value in fields.items()}
    if call_uuid is not None:
        body["call_uuid"] = parameters.text(call_uuid, "call_uuid")
    else:
        body["caller_number"] = phone_parameters.e164(caller_number, "caller_number")
    request = Request(
        "POST",
        "/data_writing",
        body=body,
        auth=Auth.POSTBACK_KEY,
        host=Host.DATA,
        repeat_safe=True,
        key_type=KEY_TYPE,
    )
    return Operation(request, _read)


def _read(request: Request, response: Response) -> WrittenCallData:
    row = json_body(request, response)
    if not isinstance(row, dict) or not isinstance(row.get("status"), str):
        raise protocol_error(request, response, "is not an object with a 'status'")
    written: Row = row
    return {**written}  # type: ignore[typeddict-item]
