"""The part of the control surface for webhooks: where calls send them."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_retreaver.sandbox.control.bodies import ControlledSandbox, read_object
from airflow_provider_retreaver.sandbox.http.wire import Reply, Request, api_error
from airflow_provider_retreaver.sandbox.webhooks import TRIGGERS, WebhookSettings


def _set(sandbox: ControlledSandbox, request: Request) -> Reply:
    """Set URLs by trigger; calls that are made from now on send webhooks there."""
    try:
        sandbox.webhooks.settings = WebhookSettings.read(read_object(request))
    except ValueError as error:
        raise api_error(400, str(error)) from error
    return Reply({**sandbox.webhooks.state(), "sent": []})


def _state(sandbox: ControlledSandbox, _request: Request) -> Reply:
    return Reply(sandbox.webhooks.state())


def _fire(sandbox: ControlledSandbox, request: Request, uuid: str) -> Reply:
    """Send one webhook of a call now, such as that of a postback."""
    given = read_object(request)
    if given.keys() != {"trigger"} or given["trigger"] not in TRIGGERS:
        raise api_error(400, f'webhooks of a call takes "trigger": {", ".join(TRIGGERS)}')
    try:
        sandbox.webhooks.fire(uuid, given["trigger"])
    except LookupError:
        raise api_error(404, f"there is no call {uuid}") from None
    return Reply({"call_uuid": uuid, **given})


ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", r"webhooks", _set),
    ("GET", r"webhooks", _state),
    ("POST", r"calls/([\w-]+)/webhooks", _fire),
)
