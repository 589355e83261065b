"""Call data writing: tags from elsewhere onto finished, running and unknown calls."""

from __future__ import annotations

import json

from airflow_provider_retreaver.sandbox.api import rtb
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.crud import Route
from airflow_provider_retreaver.sandbox.http.wire import Reply, api_error
from airflow_provider_retreaver.sandbox.state.store import Row, Store

PARAMETERS = ("key", "caller_number", "call_uuid")
FINISHED = "finished"
# The first and the last are Retreaver's own words; that of a running call is described and not shown.
APPLIED, RUNNING, STORED = (
    "completed call found, tags applied",
    "call in progress, tags stored",
    "call not found, tags stored",
)


def write(context: RequestContext) -> Reply:
    """Write tags onto a call. Retreaver's reference: "Call Data Writing".

    A caller stands for the newest of its calls. Tags of a running call are stored until it ends, those of an unknown
    call until there is one, and both for no longer than the key says.

    :param context: The request and the sandbox's state.
    :return: The tags, the call or caller, and what became of them.
    :raises ApiError: With status 401 or 403 for a wrong or paused key, 422 without a call, or for a wrong parameter.
    """
    given = {**rtb.read_parameters(context), **context.args}
    key = rtb.authorized(context, given, rtb.WRITING)
    by = [name for name in PARAMETERS[1:] if given.get(name)]
    if len(by) != 1:
        raise api_error(422, "FAILED must include either caller_number or call_uuid")
    (name,) = by
    wanted = rtb.phone_parameter(given, name) if name == "caller_number" else str(given[name]).lower()
    tags = {tag: str(value) for tag, value in given.items() if tag not in PARAMETERS}
    call = _find(context, name, wanted, key)
    stored = {"call_uuid": None, "caller": None, ("caller" if name == "caller_number" else name): wanted}
    if call is None:
        status = STORED
    elif call["status"] == FINISHED:
        _apply(context.store, call, tags, context.now)
        status = APPLIED
    else:
        stored, status = {"call_uuid": call["uuid"], "caller": None}, RUNNING
    if status != APPLIED:
        row = {"company_id": context.company_id, "tags": json.dumps(tags), "stored_at": context.now, **stored}
        row["expires_at"] = context.now + 1000 * key["storage_seconds"]
        context.store.insert("stored_tags", row)
    return Reply({"tag_values": tags, name: wanted, "status": status})


def settle(store: Store, company_id: int, now: int) -> None:
    """Apply the stored tags of calls that are finished, and forget those that have lapsed.

    :param store: The sandbox's database.
    :param company_id: ID of the company whose calls were added or changed.
    :param now: The sandbox's time in milliseconds.
    """
    store.run("DELETE FROM stored_tags WHERE expires_at <= ?", (now,))
    for stored in store.rows("SELECT * FROM stored_tags WHERE company_id = ? ORDER BY id", (company_id,)):
        # By a caller only a later call is meant: the earlier ones were not found when the tags came.
        column, value, since = ("uuid", stored["call_uuid"], 0)
        if value is None:
            column, value, since = ("caller", stored["caller"], stored["stored_at"])
        sql = f"SELECT * FROM calls WHERE company_id = ? AND {column} = ? AND created_at >= ? ORDER BY created_at, id"
        call = store.row(sql, (company_id, value, since))
        if call is not None and call["status"] == FINISHED:
            _apply(store, call, json.loads(stored["tags"]), now)
            store.run("DELETE FROM stored_tags WHERE id = ?", (stored["id"],))


def _find(context: RequestContext, name: str, wanted: str | None, key: Row) -> Row | None:
    """Return the call, unless it ended before the key's cut-off."""
    column = "caller" if name == "caller_number" else "uuid"
    sql = f"SELECT * FROM calls WHERE company_id = ? AND {column} = ? ORDER BY created_at DESC, id DESC"
    call = context.store.row(sql, (context.company_id, wanted))
    cut_off = key["cut_off_seconds"]
    if call is None or cut_off is None or call["end_time"] is None:
        return call
    return call if call["end_time"] > context.now - 1000 * cut_off else None


def _apply(store: Store, call: Row, tags: dict[str, str], now: int) -> None:
    merged = {**json.loads(call["tags"] or "{}"), **tags}
    store.update("calls", call["id"], {"tags": json.dumps(merged), "updated_at": now})
    store.calls_version += 1


ROUTES = [
    Route(method, path, write, access="open", format="")
    for path in ("data_writing", "data_writing/{key}")
    for method in ("GET", "POST")
]
