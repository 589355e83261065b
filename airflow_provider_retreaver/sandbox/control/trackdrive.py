"""The part of the control surface for TrackDrive: buyers, offers, used caps, invitations."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_retreaver.sandbox.api.trackdrive import buyer_groups, buyers, usage
from airflow_provider_retreaver.sandbox.api.trackdrive.names import INTERVALS, KINDS
from airflow_provider_retreaver.sandbox.control.bodies import MOST, ControlledSandbox, read_object
from airflow_provider_retreaver.sandbox.demo.account import own_request
from airflow_provider_retreaver.sandbox.http.wire import Reply, Request, api_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds

_CAPS = {f"{kind}_{interval}": (kind, interval) for kind in KINDS for interval in INTERVALS}
_BUYER = {"id", "name", "user_buyer_id", "number"}


def _fill(sandbox: ControlledSandbox, request: Request, group_id: str) -> Reply:
    """Set how much of a cap is used."""
    given = read_object(request)
    amount = given.get("used")
    is_amount = isinstance(amount, int | float) and not isinstance(amount, bool) and 0 <= amount <= MOST
    if given.get("cap") not in _CAPS or not is_amount or amount is None:
        raise api_error(400, f'fill takes "cap" ({", ".join(_CAPS)}) and "used" (0 or more)')
    context = own_request(sandbox.state, sandbox.options.company_id)
    group = buyer_groups.find(context, group_id)
    usage.fill(sandbox.state.store, group, _CAPS[given["cap"]], float(amount), context.now)
    return Reply(given)


def _add_buyer(sandbox: ControlledSandbox, request: Request) -> Reply:
    given = read_object(request)
    if not given.get("name") or not given.keys() <= _BUYER:
        raise api_error(400, f"buyers takes name, and any of {', '.join(sorted(_BUYER - {'name'}))}")
    store = sandbox.state.store
    for name in ("id", "user_buyer_id"):
        if name in given and store.value(f"SELECT count(*) FROM trackdrive_buyers WHERE {name} = ?", (given[name],)):
            raise api_error(400, f"there is a buyer with this {name}")
    return Reply({"id": buyers.add(store, sandbox.state.clock.now(), **given)})


def _add_offer(sandbox: ControlledSandbox, request: Request) -> Reply:
    given, now = read_object(request), sandbox.state.clock.now()
    if not given.get("name") or not given.keys() <= {"id", "name"}:
        raise api_error(400, "offers takes name and id")
    row = {**given, "created_at": now, "updated_at": now}
    return Reply({"id": sandbox.state.store.insert("trackdrive_offers", row)})


def _invitations(sandbox: ControlledSandbox, _request: Request) -> Reply:
    rows = sandbox.state.store.rows("SELECT group_id, email, sent_at FROM trackdrive_invitations ORDER BY id")
    return Reply([{**row, "sent_at": format_milliseconds(row["sent_at"])} for row in rows])


ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", r"trackdrive/buyer_groups/(\d+)/fill", _fill),
    ("POST", r"trackdrive/buyers", _add_buyer),
    ("POST", r"trackdrive/offers", _add_offer),
    ("GET", r"trackdrive/invitations", _invitations),
)
