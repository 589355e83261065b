"""What the parts of the control surface share: the sandbox that they control, and how they read a request."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

from airflow_provider_retreaver.sandbox.api.context import SandboxState
from airflow_provider_retreaver.sandbox.faults import FaultInjector
from airflow_provider_retreaver.sandbox.http import bodies
from airflow_provider_retreaver.sandbox.http.wire import Answer, Request, api_error
from airflow_provider_retreaver.sandbox.log import RequestLog
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from airflow_provider_retreaver.sandbox.webhooks import WebhookSender

# Nothing that the sandbox counts is more, and SQLite takes only a few more digits.
MOST = 10**12


class ControlledSandbox(Protocol):
    """The parts of a sandbox that the control surface reads and changes."""

    @property
    def options(self) -> SandboxOptions:
        """The options it was created with."""
        ...

    @property
    def state(self) -> SandboxState:
        """The account, the clock and the source of randomness."""
        ...

    @property
    def faults(self) -> FaultInjector:
        """The failures to simulate."""
        ...

    @property
    def webhooks(self) -> WebhookSender:
        """Sends webhooks for calls."""
        ...

    def answer(self, request: Request) -> Answer:
        """Answer a request to the API, without failures and without a line in the log.

        :param request: The request.
        :return: The answer.
        """
        ...

    @property
    def log(self) -> RequestLog:
        """The requests that were received."""
        ...


def read_object(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object, whatever its Content-Type; an empty body is an empty object.

    :param request: The request.
    :return: The object.
    :raises ApiError: With status 400, if it is none.
    """
    value = read_body(request)
    if not isinstance(value, dict):
        raise api_error(400, "the body must be a JSON object")
    return value


def read_body(request: Request) -> object:
    """Read the body as JSON; an empty body is an empty object.

    :param request: The request.
    :return: The value.
    :raises ApiError: With status 400, if it is no JSON.
    """
    if not request.body.strip():
        return {}
    try:
        return bodies.parse_json(request.body)
    except ValueError as error:
        raise api_error(400, f"the body could not be read: {error}") from error


def is_count(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number of 0 or more.

    :param value: The value.
    :return: True if it is.
    """
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
