"""``retreaver-sandbox``: serves a sandbox of Retreaver's API on this machine."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TextIO

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.callers import is_loopback
from airflow_provider_retreaver.sandbox.options import OPTION_NAMES, SandboxOptions

_EPILOG = """\
examples:
  retreaver-sandbox --load demo
  curl "http://127.0.0.1:8787/targets.json?api_key=sandbox-key&company_id=1"
  curl "http://127.0.0.1:8787/api/v2/calls.json?api_key=sandbox-key&company_id=1&per_page=100"
  curl -u td-public-sandbox:td-private-sandbox "http://127.0.0.1:8787/api/v1/buyer_groups?columns=id,name"
  retreaver-sandbox --database account.db --load demo     (survives restarts)
  retreaver-sandbox --fault-rate 0.1 --latency-ms 50 --jitter-ms 100 --max-concurrency 4 --rate-limit 20

control surface (no key needed, for tests and demonstrations), under /__sandbox__/:
  POST   reset               {"load": "demo"}                     start again with a new account
  POST   calls               {"count": 5, "fields": {"tid": "buyer-001"}}   counted on the caps
  POST   calls/UUID          {"fields": {"status": "finished"}}   change a call
  POST   faults              {"method": "POST", "path": "reset_cap", "status": 500, "then": "done"}
  DELETE faults
  GET    requests?since=N    the log of requests, keys not masked;   DELETE requests
  POST   clock               {"now": "2026-05-01T00:00:00Z", "hold": true} or {"advance": 3600}
  GET    routing?at=TIME     which targets would take a call;     GET targets/ID/open?at=TIME
  POST   targets/ID/fill     {"type": "hard", "filled": 10}       (target_groups/ID/fill too)
  POST   calls_in_progress   {"target_id": 3, "calls_in_progress": 2}
  POST   number_pools/ID/provision   {"numbers": 9}
  POST   postback_keys       {"key": "k", "secret": "s", "owner": "target", "owner_id": 3,
                              "permissions": ["caller_list__show"]}
  POST   rtb_keys            {"key": "k", "ttl_seconds": 60, "needs_caller": false, "paused": true}
                             {"key": "k", "type": "Call Data Writing", "storage_seconds": 60}
                             {"key": "k", "campaign_id": 1}      its payout table acts on the key's bids
  POST   trackdrive/buyer_groups/ID/fill   {"cap": "attempt_total", "used": 10}
  POST   trackdrive/buyers   {"name": "Acme", "user_buyer_id": "loan-22-en"}   (trackdrive/offers too)
  GET    trackdrive/invitations                                   e-mails that invited to teams
  GET    portal/targets/ID   an object as a page, for portal_url and portal_paths of a connection
  POST   upload_delay        {"seconds": 5}                       of caller list uploads
  POST   rtb_inbounds        {"count": 100000, "fields": {"created_at_start": TIME, "created_at_end": TIME}}
  POST   exports             {"seconds": 5, "outcome": "errors"}  of export jobs: file, errors, no_file, gone
"""
_ALLOW_HOST = "another name under which it is reached, for example that of a container; may be repeated"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line.

    :return: The parser.
    """
    default = SandboxOptions()
    parser = argparse.ArgumentParser(
        prog="retreaver-sandbox",
        description="Serves a sandbox of Retreaver's API on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--allow-host", action="append", default=[], metavar="NAME", help=_ALLOW_HOST)
    add("--port", type=int, default=8787, help="port to listen on; 0 takes a free one (8787)")
    add("--api-key", default=default.api_key, help=f"the key that is accepted ({default.api_key})")
    add("--company-id", type=int, default=default.company_id, help="ID of the first company (1)")
    add("--database", default=default.database, metavar="FILE", help="file that stores the account (:memory:)")
    add("--load", choices=("demo", "empty"), default="demo", help="contents of a new account (demo)")
    add("--postback-key", default=default.postback_key, metavar="UUID", help="key of the caller lists")
    add("--postback-secret", default=default.postback_secret, metavar="SECRET", help="secret of the caller lists")
    add("--rtb-key", default=default.rtb_key, metavar="UUID", help="key of real-time bidding")
    add("--reservation-key", default=default.reservation_key, metavar="UUID", help="key of call reservations")
    add("--writing-key", default=default.writing_key, metavar="UUID", help="key of call data writing")
    for name in ("public", "private"):
        known = getattr(default, f"trackdrive_{name}_key")
        add(f"--trackdrive-{name}-key", default=known, metavar="KEY", help=f"{name} key of TrackDrive ({known})")
    add("--legacy-routes", choices=("on", "off"), default="on", help="off answers the older routes with 410 (on)")
    add("--latency-ms", type=float, default=0.0, help="how long each answer takes (0)")
    add("--jitter-ms", type=float, default=0.0, help="how much longer at random, at most (0)")
    add("--fault-rate", type=float, default=0.0, help="share of requests that fail at random, 0 to 1 (0)")
    add("--max-concurrency", type=int, help="requests at the same time; more are answered with 429")
    add("--rate-limit", type=float, help="requests a second; more are answered with 429")
    add("--seed", type=int, default=0, help="seed of the demo data and of random faults (0)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM.

    :param arguments: Command line; that of the process by default.
    :return: Exit code: 0 after a signal, 2 for a wrong option, an address that cannot be used or a missing extra.
    """
    given = build_parser().parse_args(arguments)
    if find_spec("uvicorn") is None:
        _write("retreaver-sandbox: needs pip install 'airflow-provider-retreaver[sandbox]'", sys.stderr)
        return 2
    from airflow_provider_retreaver.sandbox.http.server import Application, listen, serving

    values = {name: value for name, value in vars(given).items() if name in OPTION_NAMES}
    try:
        options = SandboxOptions(**{**values, "legacy_routes": given.legacy_routes == "on"})
        listener = listen(given.host, given.port)
    except ValueError as error:
        _write(f"retreaver-sandbox: {error}", sys.stderr)
        return 2
    except OSError as error:
        where = f"{given.host} port {given.port}"
        _write(
            f"retreaver-sandbox: cannot listen on {where} ({error.strerror or error}); choose another --port, or 0.",
            sys.stderr,
        )
        return 2
    if not is_loopback(given.host):
        _write(_warning(given.host), sys.stderr)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(options)
    application = Application(
        sandbox,
        max_concurrency=options.max_concurrency,
        allowed_hosts=given.allow_host,
        write_line=lambda line: _write(line, sys.stderr),
    )
    try:
        with serving(application, listener):
            host = f"[{given.host}]" if ":" in given.host else given.host
            _write(f"listening on http://{host}:{listener.getsockname()[1]}", sys.stdout)
            stop.wait()
    finally:
        sandbox.close()
    return 0


def _warning(host: str) -> str:
    return (
        f"retreaver-sandbox: warning: on {host}, other machines can read and change this account, since its control "
        "surface needs no key; leave out --host to serve this machine only"
    )


def _write(line: str, stream: TextIO) -> None:
    stream.write(f"{line}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
