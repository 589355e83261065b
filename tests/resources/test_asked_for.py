"""An answer that holds another object than was asked for is no answer."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.resources.calls import get_call
from airflow_provider_retreaver.resources.campaigns import get_campaign
from airflow_provider_retreaver.resources.contacts import get_contact
from airflow_provider_retreaver.resources.target_groups import get_target_group
from airflow_provider_retreaver.resources.targets import get_target

UUID = "123e4567-e89b-12d3-a456-426614174000"


def answered(operation, body):
    """Return what an operation reads from a body."""
    return operation.read(operation.request, Response(200, {}, json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("operation", "body", "other"),
    [
        (get_call(UUID), {"call": {"uuid": "0" * 8 + UUID[8:]}}, "uuid '00000000"),
        (get_call(UUID), {"uuid": 7}, "uuid 7"),
        (get_target(id=7), {"target": {"id": 8}}, "id 8"),
        (get_target(id="7"), {"id": 77, "name": "7"}, "id 77"),
        (get_target_group(id=7), {"target_group": {"id": "8"}}, "id '8'"),
        (get_contact(id=7), {"contact": {"id": None}}, "id None"),
        (get_campaign(id=7), {"campaign": {"cid": "x", "id": 8}}, "id 8"),
    ],
)
def test_another_object_is_refused(operation, body, other):
    """Whichever way it is wrapped, and also when it does not say which object it is."""
    with pytest.raises(ProtocolError, match=f"{other}.*not the one that was asked for"):
        answered(operation, body)


def test_an_object_without_its_id_is_refused():
    """The field that is missing is named."""
    with pytest.raises(ProtocolError, match="lacks the documented field 'uuid'"):
        answered(get_call(UUID), {"call": {"id": 7}})


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (get_call(UUID.upper()), {"call": {"uuid": UUID}}),
        (get_target(id=" 7 "), {"target": {"id": 7}}),
        (get_target(tid="seven"), {"target": {"id": 9}}),
        # The documents show no ID of a campaign.
        (get_campaign(id=7), {"campaign": {"cid": "x"}}),
    ],
)
def test_the_object_is_accepted(operation, body):
    """However its ID is written, and where the documents show none."""
    assert answered(operation, body)


def test_an_integer_of_thousands_of_digits_is_named():
    """It is JSON, but no value."""
    operation = get_target(id=7)
    with pytest.raises(ProtocolError, match=r"an integer of more than 4,300 digits"):
        operation.read(operation.request, Response(200, {}, b'{"target": {"id": %s}}' % (b"9" * 5_000)))
