"""Payout tables: whose they are, and answers of other shapes."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.resources import payout_tables
from airflow_provider_retreaver.resources.entry import ObjectReference
from airflow_provider_retreaver.resources.registry import entry_of


@pytest.mark.parametrize("campaign_id", ["0044", 0, -5, True, "", " ", "a1", 5.5, None, "٣", "9" * 19, "5/targets"])
def test_a_campaign_is_meant_by_retreavers_id(campaign_id):
    """A customer's ID, which may look like a number, is refused by name."""
    with pytest.raises(InvalidArgument, match="campaign_id must be Retreaver's own ID"):
        payout_tables.get_payout_table(campaign_id, 1)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"csv_data": ""}, "csv_data"),
        ({"csv_data": 5}, "csv_data"),
        ({"csv_data": "x", "active": "false"}, "active"),
        ({"csv_data": "x", "salt": " "}, "salt"),
        ({"csv_data": "x", "table_version": 5}, "table_version"),
    ],
)
def test_wrong_attributes_are_refused(attributes, name):
    """Nothing is sent that Retreaver would read as something else."""
    with pytest.raises(InvalidArgument, match=name):
        payout_tables.create_payout_table(5, **attributes)


def read_change(body):
    """Return what a change is read as that is answered with a body."""
    operation = payout_tables.activate_payout_table(5, 9)
    return operation.read(operation.request, Response(200, {}, body))


def test_answers_of_a_change():
    """A bare table, one in its envelope and an empty body are read; a page of HTML is not."""
    assert read_change(b"") == {}
    assert read_change(b'{"id": 9, "active": true}') == {"id": 9, "active": True}
    assert read_change(b'{"payout_bid_modification_table": {"id": 9}}') == {"id": 9}
    for body in (b"<html>", b'{"active": true}', b"[]"):
        with pytest.raises(ProtocolError, match="PUT /api/v5/campaigns/5/"):
            read_change(body)


def test_the_generic_verbs_take_the_campaign():
    """The campaign comes as `list_owner`, and is needed."""
    entry = entry_of("payout_tables")
    path = "/api/v5/campaigns/5/payout_bid_modification_tables"
    owner = {"campaign_id": "5"}
    assert entry.list({}, owner).request.path == f"{path}.json"
    assert entry.get(ObjectReference(id=9, owner=owner)).request.path == f"{path}/9.json"
    assert entry.delete(ObjectReference(id=9, owner=owner)).request.path == f"{path}/9.json"
    for wrong, message in (({}, "belong to a campaign"), ({"target_id": 5}, "target_id")):
        with pytest.raises(InvalidArgument, match=message):
            entry.list({}, wrong)
