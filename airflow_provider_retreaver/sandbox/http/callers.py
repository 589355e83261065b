"""Which callers a sandbox serves: its control surface needs no key, and a web page may send requests to this machine.

A page whose name was made to resolve to this machine sends that name as ``Host``; scripts, forms and images of any
other page send its ``Origin``, or that they come from another site. All are refused; a link may be followed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from airflow_provider_retreaver.sandbox.http.wire import ApiError, api_error

_QUOTED = 80


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine and nothing else.

    :param host: A name or an address, without port and brackets.
    :return: True for ``localhost`` and for loopback addresses.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(headers: Mapping[str, str], address: str, allowed: Collection[str]) -> ApiError | None:
    """Return why a request is not served, if its ``Host`` or its ``Origin`` is foreign.

    :param headers: Headers by name in lower case.
    :param address: The address of this machine that the request came to.
    :param allowed: Other hosts under which the sandbox is reached, in lower case.
    :return: The error to answer with; None for a request that is served.
    """
    host = headers.get("host", "")
    name = _name(host)
    if host and not (is_loopback(name) or name == address.lower() or name in allowed):
        shown = name[:_QUOTED] or "that"
        return api_error(403, f"The sandbox is not reached as {shown}; start it with --allow-host for another name.")
    origin = headers.get("origin")
    is_embedded = headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
    if is_embedded or (origin is not None and _authority(origin) != host.lower()):
        return api_error(403, "The sandbox takes no requests that a web page of another origin sends.")
    return None


def _name(host: str) -> str:
    """Return the name of a ``Host`` header in lower case, without its port; empty if it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    """Return the host and port of an ``Origin`` header in lower case; ``null`` and unreadable ones have none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "null"
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else "null"
