"""Call reservations, the older form of real-time bidding: a number to dial for a caller, without a confirmation."""

from __future__ import annotations

import json
import uuid
from typing import Any

from airflow_provider_retreaver.sandbox.api import rtb
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds


def reserve(context: RequestContext) -> Reply:
    """Reserve a target for a caller. Retreaver's article "Call Reservation API".

    :param context: The request and the sandbox's state.
    :return: The reservation, with a number to dial also when there is no target.
    :raises ApiError: With status 401 or 403 for a wrong or paused key, 422 for a missing parameter.
    """
    given = rtb.read_parameters(context)
    key = rtb.authorized(context, given, rtb.RESERVATION)
    caller = rtb.phone_parameter(given, "caller_number")
    if caller is None or not given.get("publisher_id"):
        raise api_error(422, "publisher_id and caller_number are required")
    target = rtb.find_target(context, caller)
    number = rtb.inbound_number(context, given, key) or "+18885550199"
    status = "no-target" if target is None else "reserved"
    expires = None if target is None else context.now + 1000 * key["ttl_seconds"]
    tags = {name: value for name, value in given.items() if name not in rtb.PARAMETERS}
    call: dict[str, Any] = {
        "uuid": str(uuid.UUID(int=context.state.random.getrandbits(128), version=4)),
        "formatted_caller_number": f"({caller[-10:-7]}) {caller[-7:-4]}-{caller[-4:]}",
        "status": status,
        "start_time": None,
        "end_time": context.now,
        "caller_number": caller,
        "target_id": None if target is None else target["id"],
        "winning_leg_connected_at": None,
        "winning_leg_disconnected_at": None,
    }
    reservation = {
        "uuid": call["uuid"],
        # The example has a number without quotation marks and plus sign.
        "inbound_number": int(number.lstrip("+")),
        "caller_number": caller,
        "status": status,
        "expires_at": format_milliseconds(expires),
        "claimed_at": None,
        "wiped_at": None,
        "call": call,
        "matched_targets": [] if target is None else [{"id": target["id"], "name": target["name"]}],
        "tag_values": [{"key": name, "value": value} for name, value in tags.items()],
        "conversion_groups": [],
    }
    context.store.insert(
        "reservations",
        {
            "uuid": call["uuid"],
            "key": key["key"],
            "company_id": context.company_id,
            "publisher_id": given["publisher_id"],
            "caller": caller,
            "inbound_number": number,
            "target_id": call["target_id"],
            "tags": json.dumps(tags),
            "created_at": context.now,
            "expires_at": expires,
        },
    )
    return Reply({"call_reservation": reservation})


ROUTES = [Route("POST", "call_reservations", reserve, access="open")]
