"""TrackDrive's buyer groups: list, get, create, change, delete (TrackDrive's reference: "buyer_groups")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypedDict, cast

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.envelopes import read_item, read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Request, Response, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.core.trackdrive_settings import MOST_PER_PAGE
from airflow_provider_retreaver.resources.trackdrive import checks
from airflow_provider_retreaver.resources.trackdrive.answers import (
    read_changed,
    read_created,
    read_csv_rows,
    read_rows,
)
from airflow_provider_retreaver.resources.trackdrive.checks import Check
from airflow_provider_retreaver.resources.trackdrive.fields import (
    ADDING,
    COLUMNS,
    INVITING,
    LIMITS,
    ORDERS,
    REMOVING,
    RESET,
)
from airflow_provider_retreaver.resources.trackdrive.times import Time, span_query

OrderDirection = Literal["asc", "desc"]
Attributes = Mapping[str, object]
Id = int | str

PATH = "/buyer_groups"
ENVELOPE = "buyer_group"

# Attributes of a create, each with the check that returns the value to send.
CREATE: dict[str, Check] = {
    "name": parameters.text,
    "paused": checks.switch,
    "dial_buyers_type": checks.dial_type,
    "buyer_ids": checks.buyer_ids,
    "tier": checks.decimal_number,
    "weight": checks.decimal_number,
    "generate_team": checks.switch,
    "team_users_emails": checks.emails,
    "team_offer_ids": checks.buyer_ids,
    **dict.fromkeys(LIMITS, checks.limit),
}
UPDATE: dict[str, Check] = {
    **CREATE,
    RESET: checks.switch,
    "add_buyer_ids": checks.buyer_ids,
    "remove_buyer_ids": checks.buyer_ids,
    "add_user_buyer_ids": checks.user_buyer_ids,
    "remove_user_buyer_ids": checks.user_buyer_ids,
}
# A second request with these after a lost answer may do more than the first: it forgets calls, sends e-mails, or
# appends again.
NOT_REPEATABLE = (RESET, *INVITING, *ADDING)


class BuyerGroup(TypedDict, total=False):
    """A buyer group as TrackDrive sends it, with the fields that the package reads; others are kept."""

    id: int | str
    name: str
    paused: bool
    deleted_at: str | None
    dial_buyers_type: str
    buyer_ids: list[int | str]
    tier: float | str | None
    weight: float | str | None


def list_buyer_groups(
    *,
    columns: str | list[str] | None = None,
    order: str = "created_at",
    order_dir: OrderDirection = "asc",
    fulltext: str | None = None,
    created_at_from: Time | None = None,
    created_at_to: Time | None = None,
    time_zone: str | None = None,
    root: bool = True,
    per_page: int | None = None,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - the usual name
) -> Listing:
    """List the buyer groups, as JSON or CSV.

    The values of CSV are all texts, and nothing in it says how many rows there are. TrackDrive's reference: "GET
    /api/v1/buyer_groups".

    :param columns: of the rows, of `fields.COLUMNS`; None for all. Fewer make it faster. `id` is always among them.
    :param order: a name of `fields.ORDERS`, which are not those of the columns. The oldest come first by default, so
        that groups which are created meanwhile do not shift the pages.
    :param order_dir: `asc` or `desc`.
    :param fulltext: text that a group must match.
    :param created_at_from: aware datetime, a date (midnight UTC), RFC 3339, or `2016-01-01 12:25:15 -0500`.
    :param created_at_to: the same, later; part of a second is rounded up.
    :param time_zone: sent as it is; the times above have an offset of their own.
    :param root: False for bare lists without metadata, of JSON.
    :param per_page: rows of a page; None for the connection's.
    :param format: `json` or `csv`.
    :return: a listing of `BuyerGroup`; of CSV, of rows of texts, None where they are blank. A row that shows that it
        was created outside the times is a `ProtocolError`.
    :raises InvalidArgument: naming the parameter, and for an unknown column or order a near known one.
    """
    query = _list_query(columns, order, order_dir, fulltext, created_at_from, created_at_to, time_zone)
    csv = parameters.one_of(format, ("json", "csv"), "format") == "csv"
    if csv and not root:
        raise InvalidArgument("root=False goes with format json only: CSV has no root node.")
    if not root:
        query.append(("root", "false"))
    request = Request("GET", f"{PATH}.csv" if csv else PATH, tuple(query), auth=Auth.BASIC)
    read = read_csv_rows if csv else read_rows("buyer_groups")
    if per_page is None:
        return Listing(request, ENVELOPE, page_size=None, read=read, linked=False)
    size = parameters.whole(per_page, "per_page", 1, MOST_PER_PAGE)
    return Listing(request.with_query(per_page=str(size)), ENVELOPE, page_size=size, read=read, linked=False)


def get_buyer_group(id: Id) -> Operation[BuyerGroup]:  # noqa: A002
    """Get one buyer group.

    TrackDrive's reference: "GET /api/v1/buyer_groups/:id".

    :param id: TrackDrive's own ID.
    :return: a `BuyerGroup`.
    :raises InvalidArgument: when the ID is blank.
    """
    return Operation(Request("GET", _path(id), auth=Auth.BASIC), _as_group(read_item(ENVELOPE)))


def create_buyer_group(attributes: Attributes) -> Operation[BuyerGroup]:
    """Create a buyer group; not sent again when its answer is lost.

    TrackDrive's reference: "POST /api/v1/buyer_groups/:id", whose example posts to the collection.

    :param attributes: of `CREATE`; `name` is needed. `generate_team` and `team_users_emails` send invitations.
    :return: a `BuyerGroup`; an accepted create whose answer holds no group ends as `OutcomeUnknown`.
    :raises InvalidArgument: naming the attribute that is unknown, wrong or missing.
    """
    body = _checked(attributes, CREATE, "to create a buyer group with")
    if "name" not in body:
        raise InvalidArgument("name is required to create a buyer group, and is missing.")
    return Operation(Request("POST", PATH, body=body, auth=Auth.BASIC), _as_group(read_created(ENVELOPE)))


def update_buyer_group(attributes: Attributes, id: Id) -> Operation[BuyerGroup]:  # noqa: A002
    """Change a buyer group; attributes that are not given stay.

    A request that resets, invites or adds is not sent again when its answer is lost. TrackDrive's reference: "PUT
    /api/v1/buyer_groups/:id".

    :param attributes: of `UPDATE`. The `add_…` and `remove_…` ones are safe beside other requests, `buyer_ids`
        replaces the list.
    :param id: TrackDrive's own ID.
    :return: a `BuyerGroup`, empty where the answer holds none.
    :raises InvalidArgument: naming the attribute that is unknown or wrong, or when there is nothing to change.
    """
    body = _checked(attributes, UPDATE, "of a buyer group")
    if not body:
        raise InvalidArgument("attributes is empty: there is nothing to change on the buyer group.")
    members = [name for name in body if name in (*ADDING, *REMOVING)]
    if "buyer_ids" in body and members:
        raise InvalidArgument(f"buyer_ids replaces all buyers: give it without {members[0]}.")
    repeatable = False if set(body) & set(NOT_REPEATABLE) else None
    request = Request("PUT", _path(id), body=body, auth=Auth.BASIC, repeat_safe=repeatable)
    return Operation(request, _as_group(read_changed(ENVELOPE)))


def delete_buyer_group(id: Id) -> Operation[None]:  # noqa: A002
    """Delete a buyer group.

    TrackDrive's reference: "DELETE /api/v1/buyer_groups/:id".

    :param id: TrackDrive's own ID.
    :return: an operation without a result.
    :raises InvalidArgument: when the ID is blank.
    """
    return Operation(Request("DELETE", _path(id), auth=Auth.BASIC), read_nothing)


def check_columns(value: object) -> list[str] | None:
    """Return the columns of a list.

    :param value: names, in a list or a text with commas; None for all.
    :return: the names with `id` among them; None for all.
    :raises InvalidArgument: naming the unknown one and a near known one.
    """
    found = parameters.texts(value, "columns")
    if found is None:
        return None
    if not found:
        raise InvalidArgument("columns is empty; leave it out for all columns.")
    parameters.known(dict.fromkeys(found), COLUMNS, "column of buyer groups")
    return found if "id" in found else ["id", *found]


def _list_query(
    columns: object,
    order: str,
    order_dir: str,
    fulltext: str | None,
    created_at_from: Time | None,
    created_at_to: Time | None,
    time_zone: str | None,
) -> list[tuple[str, str]]:
    names = check_columns(columns)
    parameters.known({order: None}, ORDERS, "order of buyer groups")
    parameters.one_of(order_dir, ("asc", "desc"), "order_dir")
    query = [("columns", ",".join(names))] if names is not None else []
    query += [("order", order), ("order_dir", order_dir)]
    for name, text in (("fulltext", fulltext), ("time_zone", time_zone)):
        if text is not None:
            query.append((name, parameters.text(text, name)))
    return query + span_query(created_at_from, created_at_to)


def _as_group(read: Callable[[Request, Response], Row]) -> Callable[[Request, Response], BuyerGroup]:
    return cast("Callable[[Request, Response], BuyerGroup]", read)


def _path(id: Id) -> str:  # noqa: A002
    return f"{PATH}/{segment(id, 'buyer group id')}"


def _checked(attributes: Attributes, allowed: Mapping[str, Check], what: str) -> Row:
    parameters.known(attributes, allowed, f"attribute {what}")
    return {name: allowed[name](value, name) for name, value in attributes.items()}
