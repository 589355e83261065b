"""The client sends every example of TrackDrive's reference as it is documented, and reads the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import (
    create_buyer_group,
    delete_buyer_group,
    get_buyer_group,
    list_buyer_groups,
    update_buyer_group,
)
from airflow_provider_retreaver.resources.trackdrive.buyers import list_buyers
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from airflow_provider_retreaver.transport.client import RetreaverClient
from tests.documents.account import KEY_PAIR, Documented
from tests.documents.examples import EXAMPLES, Example

BY_HEADING = {example.heading: example for example in EXAMPLES if example.uses_key_pair}
GROUP, NAME = 123_456, "Great Group Of Buyers"


def update(**attributes: Any) -> Operation[Any]:
    """Return an update of the documented group."""
    return update_buyer_group(attributes, GROUP)


CASES: dict[str, Callable[[], Operation[Any] | Listing]] = {
    "Get buyer groups": lambda: list_buyer_groups(order="created_at"),
    "Get buyer groups: root": lambda: list_buyer_groups(root=False),
    "Get buyer groups: created_at_from": lambda: list_buyer_groups(created_at_from="2016-01-01 12:25:15 -0500"),
    "Get buyer groups: csv": lambda: list_buyer_groups(columns="uuid,name,created_at", format="csv"),
    "Get an individual buyer group by id": lambda: get_buyer_group(GROUP),
    "POST /api/v1/buyer_groups/:id": lambda: create_buyer_group({"name": NAME, "buyer_ids": [100_123, 100_124]}),
    "Update an individual buyer group": lambda: update(
        name=NAME, add_buyer_ids=[100_123, 100_124], remove_buyer_ids=[100_101]
    ),
    "Update an individual buyer group: add_user_buyer_ids": lambda: update(
        add_user_buyer_ids=["loan-22-en", "loan-23-fr"]
    ),
    "Update an individual buyer group: remove_user_buyer_ids": lambda: update(remove_user_buyer_ids=["loan-23-fr"]),
    "Update an individual buyer group: buyer_ids": lambda: update(buyer_ids=[100_123, 100_124, 1_000_125]),
    "Update an individual buyer group: team_users_emails": lambda: update(
        team_users_emails=["john-smith@example.com", "example@example.com"]
    ),
    "Destroy an individual buyer group": lambda: delete_buyer_group(GROUP),
    "buyer_ids: internal buyer IDs": lambda: list_buyers(columns=["name", "id", "user_buyer_id"]),
}


def documented_body(example: Example) -> Any:
    """Return the documented body, without the blank after a name that it shows."""
    return None if example.body is None else {name.strip(): value for name, value in json.loads(example.body).items()}


@pytest.mark.parametrize("heading", CASES)
def test_the_client_sends_the_documented_request(heading):
    """Method, path, header and body are the documented ones, and the documented parameters are among those sent."""
    example, account = BY_HEADING[heading], Documented()
    keys = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY}
    with RetreaverClient(TrackDriveSettings.parse("td", host="acme", **keys), transport=account) as client:
        work = CASES[heading]()
        result = list(client.iterate(work)) if isinstance(work, Listing) else client.run(work)
        assert result or example.method == "DELETE"
    wire = account.sent[0]
    url, shown = urlsplit(wire.url), urlsplit(example.url)
    assert (wire.method, url.netloc, url.path) == (example.method, "acme.trackdrive.com", shown.path)
    assert wire.headers["Authorization"] == KEY_PAIR
    assert (None if wire.body is None else json.loads(wire.body)) == documented_body(example)
    sent, wanted = dict(parse_qsl(url.query)), dict(parse_qsl(unquote(shown.query)))
    columns = wanted.pop("columns", "")
    assert wanted.items() <= sent.items()
    assert set(filter(None, columns.split(","))) <= set(sent.get("columns", "").split(","))


def test_every_example_has_a_case():
    """No request of TrackDrive's reference is one that the client does not know."""
    assert set(CASES) == set(BY_HEADING)
