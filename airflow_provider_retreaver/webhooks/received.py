"""Reading what a webhook brings: a query, a form or JSON, as Retreaver's webhooks send them.

The payload has no schema: it is what the account's settings put into the webhook's URL or body. Only the call's UUID
is needed, by which repeated webhooks are recognized. Nothing of it is executed or rendered.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict
from urllib.parse import parse_qsl

import msgspec

from airflow_provider_retreaver.core.bodies import too_deep
from airflow_provider_retreaver.core.row_secrets import without_secrets

# Names under which a payload may have the call's UUID, in the order in which they are looked for.
CALL_NAMES = ("call_uuid", "uuid", "CallUUID", "call_id", "id")
# Tells webhooks of one trigger apart which a call may send several of, such as those of two timers.
EVENT_NAME = "webhook_event"
MAX_DEPTH = 20
MAX_FIELDS = 1_000
_LONGEST_ID = 200


class Refused(Exception):
    """A webhook that is not accepted.

    :param status: of the answer.
    :param reason: a sentence, which repeats nothing of the webhook.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Webhook(TypedDict):
    """A webhook as it is kept and handed to a DAG.

    :param id: of this request; a webhook that is sent again has another one.
    :param received_at: when it was received, RFC 3339, UTC.
    :param trigger: what it was sent for.
    :param call_uuid: of the call.
    :param event: its field `webhook_event`; blank without one.
    :param fields: all fields of the payload, without secrets.
    """

    id: str
    received_at: str
    trigger: str
    call_uuid: str
    event: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Payload:
    """A request's payload as it was sent.

    :param query: without the question mark.
    :param content_type: header of the body; blank without one.
    :param body: of the request.
    """

    query: bytes
    content_type: str
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return all fields; those of the body stand over those of the query.

        :return: fields by name; a name that is there several times has a list.
        :raises Refused: when the payload cannot be read, or is too deep or large.
        """
        fields = _pairs(self.query)
        kind = self.content_type.partition(";")[0].strip().lower()
        if not self.body.strip():
            return fields
        if kind == "application/json" or kind.endswith("+json") or (not kind and self.body.lstrip()[:1] == b"{"):
            fields |= _json_object(self.body)
        elif kind in {"", "application/x-www-form-urlencoded"}:
            fields |= _pairs(self.body)
        else:
            raise Refused(415, "Send the webhook as a query, a form (urlencoded) or JSON.")
        if len(fields) > MAX_FIELDS:
            raise Refused(400, f"The webhook has more than {MAX_FIELDS} fields.")
        return fields


def read_webhook(payload: Payload, trigger: str, now: datetime) -> Webhook:
    """Read a webhook.

    :param payload: of the request.
    :param trigger: of its URL.
    :param now: when it was received.
    :return: the webhook, without secrets.
    :raises Refused: when it cannot be read, or has no call's UUID.
    """
    fields = payload.fields()
    call = _identity(fields, CALL_NAMES)
    if not call and isinstance(fields.get("call"), dict):
        call = _identity(fields["call"], CALL_NAMES)
    if not call:
        raise Refused(
            400, f"The webhook has no UUID of its call; add it to the URL or body as {', '.join(CALL_NAMES[:2])}."
        )
    return Webhook(
        id=uuid.uuid4().hex,
        received_at=now.astimezone(UTC).isoformat(timespec="microseconds"),
        trigger=trigger,
        call_uuid=call,
        event=_identity(fields, (EVENT_NAME,)),
        fields=without_secrets(fields),
    )


def identity(webhook: Webhook) -> tuple[str, str]:
    """Return what repeated webhooks of one trigger have in common.

    :param webhook: the webhook.
    :return: the call's UUID, in lower case, and `webhook_event`.
    """
    return webhook["call_uuid"].lower(), webhook["event"]


def to_line(webhook: Webhook) -> bytes:
    """Return a webhook as a line of JSON in ASCII.

    :param webhook: the webhook.
    :return: the line with its end.
    """
    return json.dumps(webhook, separators=(",", ":")).encode() + b"\n"


def from_lines(lines: Iterable[bytes]) -> list[Webhook]:
    """Read what `to_line` has written.

    :param lines: of a file.
    :return: the webhooks.
    :raises ValueError: when a line is damaged.
    """
    found: list[Webhook] = []
    for line in lines:
        if line.strip():
            value = json.loads(line)
            if not isinstance(value, dict) or Webhook.__required_keys__ - value.keys():
                raise ValueError("a line is not a webhook")
            found.append(Webhook(**value))  # type: ignore[typeddict-item] # its keys were compared
    return found


def _identity(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            text = str(value).strip()
            if len(text) > _LONGEST_ID or not text.isprintable():
                raise Refused(400, f"The webhook's {name} is not an ID.")
            if text:
                return text
    return ""


def _pairs(encoded: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(encoded.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Refused(400, f"The query or form is not UTF-8, or has more than {MAX_FIELDS} fields.") from None
    fields: dict[str, Any] = {}
    for name, text in pairs:
        if name not in fields:
            fields[name] = text
        elif isinstance(fields[name], list):
            fields[name].append(text)
        else:
            fields[name] = [fields[name], text]
    return fields


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body is not a JSON object.")
    if too_deep(value, MAX_DEPTH) is not None:
        raise Refused(400, f"The body is nested more than {MAX_DEPTH} levels deep.")
    return value
