"""The two keys of a TrackDrive account, as a Basic header."""

from __future__ import annotations

import base64
import binascii
import hmac

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.http.wire import api_error


def authorize(context: RequestContext) -> None:
    """Check the public and the private key of a request. TrackDrive's docs: "Buyer Groups", the examples.

    :param context: The request and the sandbox's state.
    :raises ApiError: With status 401, if they are wrong or missing.
    """
    scheme, _, token = context.request.headers.get("authorization", "").partition(" ")
    options = context.state.options
    expected = f"{options.trackdrive_public_key}:{options.trackdrive_private_key}".encode()
    if scheme.lower() != "basic" or not hmac.compare_digest(_decoded(token.strip()), expected):
        raise api_error(401, "The public or the private key is wrong or missing.")


def _decoded(token: str) -> bytes:
    try:
        return base64.b64decode(token.encode(), validate=True)
    except (binascii.Error, ValueError):
        return b""
