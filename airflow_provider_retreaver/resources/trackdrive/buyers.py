"""TrackDrive's buyers, as far as buyer groups need them (TrackDrive's reference: "buyer_groups", `buyer_ids`)."""

from __future__ import annotations

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Request
from airflow_provider_retreaver.core.operations import Listing
from airflow_provider_retreaver.resources.trackdrive.answers import read_rows

# As the reference of buyer groups shows them; that of buyers has more.
COLUMNS = ("name", "id", "user_buyer_id")


def list_buyers(*, columns: str | list[str] | tuple[str, ...] = COLUMNS) -> Listing:
    """List the buyers with their IDs and the customer's.

    TrackDrive's reference: "buyer_groups", which reads IDs from `/api/v1/buyers?columns=name,id,user_buyer_id`.

    :param columns: names of fields, sent as they are; `id` is always among them.
    :return: a listing of rows.
    :raises InvalidArgument: when there are none.
    """
    names = parameters.texts(columns, "columns")
    if not names:
        raise InvalidArgument("columns is empty; give names of fields, such as name and user_buyer_id.")
    names = names if "id" in names else ["id", *names]
    request = Request("GET", "/buyers", (("columns", ",".join(names)),), auth=Auth.BASIC)
    return Listing(request, "buyer", page_size=None, read=read_rows("buyers"), linked=False)
