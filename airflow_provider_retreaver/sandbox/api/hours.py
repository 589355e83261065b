"""Business hours of a target: seven rows by default; a row with an ``id`` is changed, one without is added."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.sandbox.api.columns import Column, InvalidValue, integer, truth
from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.api.nested import NestedTable, nested_rows
from airflow_provider_retreaver.sandbox.state.clock import format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store


def _day(value: Any) -> int:
    day = integer(value)
    if day is None or not 0 <= day <= 6:
        raise InvalidValue("is not included in the list")
    return day


def _hhmm(value: Any) -> int:
    """Read 0 to 2400 as hours and minutes."""
    number = integer(value)
    if number is None or not 0 <= number <= 2400 or number % 100 > 59:
        raise InvalidValue("is not a time (HHMM)")
    return number


_COLUMNS = (
    Column("day_of_week", _day, required=True),
    Column("work_day", truth, optional=False),
    Column("time_open", _hhmm, optional=False),
    Column("time_close", _hhmm, optional=False),
    # Retreaver's parameter table has "inverted", every example has "invert".
    Column("invert", truth, optional=False, aliases=("inverted",)),
)
_HOURS = NestedTable("business_hours", _COLUMNS, {"work_day": 1, "time_open": 0, "time_close": 2400, "invert": 0})


def open_always(context: RequestContext, target_id: int, attributes: dict[str, Any]) -> None:
    """Add seven open days to a new target, unless the request has business hours.

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :param attributes: Attributes from the request.
    """
    if not nested_rows(attributes, "business_hours_attributes"):
        for day in range(7):
            _change_one(context, target_id, {"day_of_week": day})


def change(context: RequestContext, target_id: int, attributes: dict[str, Any]) -> None:
    """Save ``business_hours_attributes``. Retreaver's reference: "Creating a target with business hours".

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :param attributes: Attributes from the request.
    :raises ApiError: With status 422, if a row is invalid.
    """
    for row in nested_rows(attributes, "business_hours_attributes"):
        _change_one(context, target_id, row)


def _change_one(context: RequestContext, target_id: int, attributes: dict[str, Any]) -> None:
    now = context.now
    parent = {"target_id": target_id}
    _HOURS.save(context.store, attributes, parent, initial={"created_at": now}, stamps={"updated_at": now})


def get_rows(store: Store, target_id: int) -> list[Row]:
    """Return the rows of business hours of a target.

    :param store: The sandbox's database.
    :param target_id: ID of the target.
    :return: Rows in the order of their days.
    """
    return store.rows("SELECT * FROM business_hours WHERE target_id = ? ORDER BY day_of_week, id", (target_id,))


def render(context: RequestContext, target_id: int) -> list[dict[str, Any]]:
    """Write the business hours of a target.

    :param context: The request and the sandbox's state.
    :param target_id: ID of the target.
    :return: Objects in the order of their days.
    """
    return [
        {
            "id": row["id"],
            "target_id": target_id,
            "work_day": bool(row["work_day"]),
            "time_open": row["time_open"],
            "time_close": row["time_close"],
            "day_of_week": row["day_of_week"],
            "invert": bool(row["invert"]),
            "created_at": format_milliseconds(row["created_at"]),
            "updated_at": format_milliseconds(row["updated_at"]),
        }
        for row in get_rows(context.store, target_id)
    ]
