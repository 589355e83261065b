"""Every route of the sandbox, and the search for the route of a request."""

from __future__ import annotations

import re
from collections import defaultdict

from airflow_provider_retreaver.sandbox.api import (
    affiliates,
    call_reservations,
    caller_lists,
    calls,
    campaigns,
    companies,
    contacts,
    data_writing,
    exports,
    number_pools,
    numbers,
    payout_tables,
    recordings,
    reports,
    rtb,
    rtb_inbounds,
    static_callers,
    suppression,
    target_groups,
    targets,
)
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.api.trackdrive import buyer_groups, buyers
from airflow_provider_retreaver.sandbox.http.wire import ApiError, Reply, Request, api_error

_MODULES = (
    companies,
    calls,
    affiliates,
    targets,
    target_groups,
    campaigns,
    numbers,
    number_pools,
    contacts,
    suppression,
    static_callers,
    caller_lists,
    reports,
    rtb,
    payout_tables,
    rtb_inbounds,
    exports,
    call_reservations,
    data_writing,
    recordings,
    buyer_groups,
    buyers,
)
ROUTES: list[Route] = [route for module in _MODULES for route in module.ROUTES]

_Compiled = tuple[list[re.Pattern[str]], Route]


def _compile(path: str) -> list[re.Pattern[str]]:
    """Return one pattern for each segment; a variable part matches any text except an empty one."""
    return [
        re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(segment)), re.DOTALL)
        for segment in path.split("/")
    ]


def _by_length() -> dict[int, list[_Compiled]]:
    grouped: dict[int, list[_Compiled]] = defaultdict(list)
    for route in ROUTES:
        grouped[route.path.count("/") + 1].append((_compile(route.path), route))
    return dict(grouped)


_COMPILED = _by_length()


def match(request: Request) -> tuple[Route, dict[str, str]]:
    """Find the route of a request.

    :param request: The request.
    :return: The route, and the variable segments of the path by name.
    :raises ApiError: With status 404 for an unknown path, or 405 for a method that it does not have.
    """
    allowed = set()
    for patterns, route in _COMPILED.get(len(request.segments), []):
        matches = [pattern.fullmatch(segment) for pattern, segment in zip(patterns, request.segments, strict=True)]
        segments = [one for one in matches if one is not None]
        if len(segments) < len(matches):
            continue
        if route.method == request.method:
            return route, {name: text for one in segments for name, text in one.groupdict().items()}
        allowed.add(route.method)
    if allowed:
        body = {"error": f"{request.method} is not one of {', '.join(sorted(allowed))} here."}
        raise ApiError(405, body, [("Allow", ", ".join(sorted(allowed)))])
    raise api_error(404, "There is no such route.")


def index() -> Reply:
    """List the routes, as the answer to ``GET /``.

    :return: The reply.
    """
    listed = [
        {
            "method": route.method,
            "path": f"/{route.path}" + ("" if route.format == "" else f".{route.format or 'json'}"),
            "legacy": route.legacy,
            "needs": route.access,
        }
        for route in ROUTES
    ]
    return Reply({"sandbox": "Retreaver's API on this machine", "control": "/__sandbox__/", "routes": listed})
