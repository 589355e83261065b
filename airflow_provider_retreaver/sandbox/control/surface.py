"""The control surface under ``/__sandbox__/``: for tests and demonstrations, without a key."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_retreaver.sandbox.api import caps, number_pools, postback_keys, routing, rtb
from airflow_provider_retreaver.sandbox.api.context import UPLOAD_DELAY, ExportSettings
from airflow_provider_retreaver.sandbox.control import pages, trackdrive, webhooks
from airflow_provider_retreaver.sandbox.control.bodies import (
    MOST,
    ControlledSandbox,
    is_count,
    read_body,
    read_object,
)
from airflow_provider_retreaver.sandbox.control.calls import add_calls, change_call
from airflow_provider_retreaver.sandbox.control.inbounds import add_inbounds, set_exports
from airflow_provider_retreaver.sandbox.demo import account as demo
from airflow_provider_retreaver.sandbox.faults import read_fault
from airflow_provider_retreaver.sandbox.http.wire import ApiError, Reply, Request, api_error
from airflow_provider_retreaver.sandbox.state.clock import Clock, format_milliseconds, parse_time
from airflow_provider_retreaver.sandbox.state.store import Row

PREFIX = "/__sandbox__"


def _time(text: object) -> int:
    try:
        time = parse_time(str(text))
    except ValueError as error:
        raise api_error(400, f"{text!r} is not an RFC 3339 time") from error
    return _in_range(time / 1000)


def _in_range(seconds: float) -> int:
    """Return a time in milliseconds; one that the sandbox could not write in every time zone is an ApiError 400."""
    try:
        Clock.check(seconds)
    except ValueError as error:
        raise api_error(400, str(error)) from error
    return round(seconds * 1000)


def _target(sandbox: ControlledSandbox, target_id: str) -> Row:
    row = sandbox.state.store.row("SELECT * FROM targets WHERE id = ? AND deleted = 0", (target_id,))
    if row is None:
        raise api_error(404, f"there is no target {target_id}")
    return row


def _reset(sandbox: ControlledSandbox, request: Request) -> Reply:
    load = read_object(request).get("load", sandbox.options.load)
    if load not in ("demo", "empty"):
        raise api_error(400, f"load must be demo or empty, not {load!r}")
    sandbox.faults.scripted.clear()
    sandbox.log.clear()
    sandbox.webhooks.reset()
    sandbox.state.clock.reset()
    sandbox.state.upload_delay = UPLOAD_DELAY
    sandbox.state.exports = ExportSettings()
    sandbox.state.random.seed(sandbox.options.seed)
    sandbox.state.store.clear()
    demo.load(sandbox.state, load)
    return Reply({"load": load})


def _add_calls(sandbox: ControlledSandbox, request: Request) -> Reply:
    added = add_calls(sandbox.state, read_object(request))
    sandbox.webhooks.calls_made(added["uuids"])
    return Reply(added)


def _add_inbounds(sandbox: ControlledSandbox, request: Request) -> Reply:
    return Reply(add_inbounds(sandbox.state, read_object(request)))


def _exports(sandbox: ControlledSandbox, request: Request) -> Reply:
    return Reply(set_exports(sandbox.state, read_object(request)))


def _change_call(sandbox: ControlledSandbox, request: Request, uuid: str) -> Reply:
    given = read_object(request)
    changed = change_call(sandbox.state, uuid, given)
    if (given.get("fields") or {}).get("status") == "finished":
        sandbox.webhooks.call_ended(uuid)
    return Reply(changed)


def _add_faults(sandbox: ControlledSandbox, request: Request) -> Reply:
    value = read_body(request)
    sandbox.faults.scripted += [read_fault(fault) for fault in (value if isinstance(value, list) else [value])]
    return Reply({"faults": len(sandbox.faults.scripted)})


def _clear_faults(sandbox: ControlledSandbox, _request: Request) -> Reply:
    sandbox.faults.scripted.clear()
    return Reply(status=204)


def _requests(sandbox: ControlledSandbox, request: Request) -> Reply:
    since = request.param("since") or "0"
    if not since.isdigit():
        raise api_error(400, f"since is the number of a request, not {since!r}")
    return Reply(sandbox.log.since(int(since)))


def _clear_requests(sandbox: ControlledSandbox, _request: Request) -> Reply:
    sandbox.log.clear()
    return Reply(status=204)


def _clock(sandbox: ControlledSandbox, request: Request) -> Reply:
    given = read_object(request)
    clock = sandbox.state.clock
    if not given or not given.keys() <= {"now", "advance", "hold"}:
        raise api_error(400, 'the clock takes "now" (RFC 3339), "advance" (seconds) and "hold" (true stops it)')
    if not isinstance(given.get("advance", 0), int | float):
        raise api_error(400, "advance is a number of seconds")
    at = _time(given["now"]) if "now" in given else clock.now()
    _in_range(at / 1000 + given.get("advance", 0))
    if "now" in given or "hold" in given:
        clock.set(at, hold=bool(given.get("hold", False)))
    clock.advance(given.get("advance", 0))
    return _now(sandbox, request)


def _now(sandbox: ControlledSandbox, _request: Request) -> Reply:
    return Reply({"now": format_milliseconds(sandbox.state.clock.now())})


def _requested_time(sandbox: ControlledSandbox, request: Request) -> int:
    text = request.param("at")
    return sandbox.state.clock.now() if text is None else _time(text)


def _routing(sandbox: ControlledSandbox, request: Request) -> Reply:
    time = _requested_time(sandbox, request)
    store = sandbox.state.store
    targets = []
    for row in store.rows("SELECT * FROM targets WHERE deleted = 0 ORDER BY id"):
        is_open, reason = routing.accepts_call(store, row, time)
        targets.append({"id": row["id"], "tid": row["tid"], "name": row["name"], "open": is_open, "reason": reason})
    return Reply({"at": format_milliseconds(time), "targets": targets})


def _open(sandbox: ControlledSandbox, request: Request, target_id: str) -> Reply:
    time = _requested_time(sandbox, request)
    target, caller = _target(sandbox, target_id), request.param("caller")
    is_open, reason = routing.accepts_call(sandbox.state.store, target, time, caller)
    return Reply({"open": is_open, "reason": reason})


def _fill(sandbox: ControlledSandbox, request: Request, owner: str, owner_id: str) -> Reply:
    given = read_object(request)
    kind = str(given.get("type", "hard")).capitalize()
    filled = given.get("filled")
    if kind not in caps.KINDS or not is_count(filled):
        raise api_error(400, 'fill takes "type" (hard, hourly, daily, monthly) and "filled" (0 or more)')
    store, now = sandbox.state.store, sandbox.state.clock.now()
    if not store.value(f"SELECT count(*) FROM {owner} WHERE id = ? AND deleted = 0", (owner_id,)):
        raise api_error(404, f"{owner} has no object {owner_id}")
    caps.fill(store, owner.removesuffix("s"), int(owner_id), kind, filled, now)
    return Reply({"type": kind, "filled": filled})


def _in_progress(sandbox: ControlledSandbox, request: Request) -> Reply:
    given = read_object(request)
    calls = given.get("calls_in_progress")
    if given.keys() != {"target_id", "calls_in_progress"} or not is_count(calls):
        raise api_error(400, 'calls_in_progress takes "target_id" and "calls_in_progress" (0 or more)')
    target = _target(sandbox, str(given["target_id"]))
    sandbox.state.store.update("targets", target["id"], {"calls_in_progress": calls})
    return Reply(given)


def _postback_key(sandbox: ControlledSandbox, request: Request) -> Reply:
    """Issue a key for the caller lists of a company, a target or a campaign, with given permissions."""
    given = {
        "company_id": sandbox.options.company_id,
        "owner": "company",
        "owner_id": 0,
        "permissions": list(postback_keys.PERMISSIONS),
        **read_object(request),
    }
    names = {"key", "secret", "company_id", "owner", "owner_id", "permissions"}
    if given.keys() != names or given["owner"] not in postback_keys.OWNERS:
        raise api_error(400, f"postback_keys takes {', '.join(sorted(names))}; owner is company, target or campaign")
    unknown = sorted(set(given["permissions"]) - set(postback_keys.PERMISSIONS))
    if unknown:
        raise api_error(400, f"there is no permission {', '.join(unknown)}")
    postback_keys.issue(sandbox.state.store, **given)
    return Reply(given)


def _rtb_key(sandbox: ControlledSandbox, request: Request) -> Reply:
    """Issue a key for real-time bidding, call reservations or data writing, or change one."""
    given = {
        "type": rtb.RTB,
        "ttl_seconds": 60,
        "needs_caller": True,
        "paused": False,
        "storage_seconds": 86_400,
        "cut_off_seconds": None,
        **read_object(request),
    }
    names = {
        *("key", "type", "ttl_seconds", "needs_caller", "paused", "inbound_number", "campaign_id"),
        *("storage_seconds", "cut_off_seconds"),
    }
    durations = (given["ttl_seconds"], given["storage_seconds"], given["cut_off_seconds"] or 0)
    if "key" not in given or not given.keys() <= names or not all(isinstance(one, int) for one in durations):
        raise api_error(400, f"rtb_keys takes {', '.join(sorted(names))}")
    if given["type"] not in rtb.KEY_TYPES:
        raise api_error(400, f"type must be one of {', '.join(rtb.KEY_TYPES)}")
    settings = {name: value for name, value in given.items() if name not in {"key", "type"}}
    rtb.issue(sandbox.state.store, given["key"], sandbox.options.company_id, given["type"], **settings)
    return Reply(given)


def _provision(sandbox: ControlledSandbox, request: Request, pool_id: str) -> Reply:
    """Set how many numbers a pool has."""
    given, store = read_object(request), sandbox.state.store
    count = given.get("numbers")
    pool = store.row("SELECT * FROM number_pools WHERE id = ? AND deleted = 0", (pool_id,))
    if pool is None:
        raise api_error(404, f"there is no number pool {pool_id}")
    if given.keys() != {"numbers"} or not is_count(count) or not 0 <= count <= pool["max_pool_size"]:
        raise api_error(400, f'provision takes "numbers" (0 to the pool\'s {pool["max_pool_size"]})')
    number_pools.provision(sandbox.state, pool, count)
    return Reply(given)


def _upload_delay(sandbox: ControlledSandbox, request: Request) -> Reply:
    given = read_object(request)
    seconds = given.get("seconds")
    if given.keys() != {"seconds"} or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST:
        raise api_error(400, 'upload_delay takes "seconds" (0 or more)')
    sandbox.state.upload_delay = float(seconds)
    return Reply(given)


_HANDLERS: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", r"reset", _reset),
    ("POST", r"calls", _add_calls),
    ("POST", r"calls/([\w-]+)", _change_call),
    ("POST", r"faults", _add_faults),
    ("DELETE", r"faults", _clear_faults),
    ("GET", r"requests", _requests),
    ("DELETE", r"requests", _clear_requests),
    ("POST", r"clock", _clock),
    ("GET", r"clock", _now),
    ("GET", r"routing", _routing),
    ("GET", r"targets/(\d+)/open", _open),
    ("POST", r"(targets|target_groups)/(\d+)/fill", _fill),
    ("POST", r"calls_in_progress", _in_progress),
    ("POST", r"postback_keys", _postback_key),
    ("POST", r"number_pools/(\d+)/provision", _provision),
    ("POST", r"rtb_keys", _rtb_key),
    ("POST", r"upload_delay", _upload_delay),
    ("POST", r"rtb_inbounds", _add_inbounds),
    ("POST", r"exports", _exports),
    *trackdrive.ROUTES,
    *webhooks.ROUTES,
    *pages.ROUTES,
)
_ROUTES = tuple((method, re.compile(path), handler) for method, path, handler in _HANDLERS)


def handle(sandbox: ControlledSandbox, request: Request) -> Reply:
    """Answer a request to the control surface.

    :param sandbox: The sandbox to inspect or to change.
    :param request: A request whose path begins with :data:`PREFIX`.
    :return: The reply.
    :raises ApiError: With status 400, 404 or 405, if the request is wrong.
    """
    path = request.path.removeprefix(PREFIX).strip("/").removesuffix(".json")
    allowed = []
    for method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match and method == request.method:
            return handler(sandbox, request, *match.groups())
        if match:
            allowed.append(method)
    if allowed:
        raise ApiError(405, {"error": f"use {' or '.join(allowed)}"}, [("Allow", ", ".join(allowed))])
    if not path and request.method == "GET":
        return Reply({"control": [f"{method} {PREFIX}/{pattern.pattern}" for method, pattern, _ in _ROUTES]})
    raise api_error(404, f"{PREFIX}/{path} is not part of the control surface")
