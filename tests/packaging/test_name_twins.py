"""Wherever an ID of a target, target group, campaign or affiliate is taken, its name is taken as well."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest

from airflow_provider_retreaver import resources
from airflow_provider_retreaver.domain.objects.named_values import ATTRIBUTES, FILTERS, LIST_OWNER
from airflow_provider_retreaver.resources.caller_list_verbs import ListOwner
from airflow_provider_retreaver.resources.registry import RESOURCES
from airflow_provider_retreaver.resources.resource import Resource
from tests.packaging.test_signatures import CLASSES, parameters

pytestmark = pytest.mark.airflow

ANY_ID = re.compile(r"(^|_)(id|ids|uuid|tid|tids|cid|afid|by_id|of)$")
# What each parameter that takes an ID, or several, of one of the four kinds has beside it.
TWINS = {
    "target_id": ("target_name", "target_names"),
    "target_ids": ("target_names",),
    "tid": ("target_names",),
    "tids": ("target_names",),
    "target_group_id": ("target_group_name", "target_group_names"),
    "target_group_ids": ("target_group_names",),
    "campaign_id": ("campaign_name",),
    "cid": ("campaign_name",),
    "afid": ("affiliate_name",),
    "publisher_id": ("publisher_name",),
    "resource_id": ("object_name",),
    "customer_id": ("object_name",),
    # Target IDs by the names of the design.
    "add": ("add_names",),
    "remove": ("remove_names",),
    "replace": ("replace_names",),
}
# IDs of other things, which people do not know by a name that Retreaver lists.
OTHER_KINDS = {
    "buyer_group_id", "buyer_group_ids", "add_user_buyer_ids", "remove_user_buyer_ids", "company_id", "contact_ids",
    "number_pool_id", "uuid", "call_uuid", "retreaver_conn_id", "trackdrive_conn_id", "sql_conn_id",
    "iceberg_conn_id",
    "phone_numbers_conn_id",
}  # fmt: skip
# `check_ids` is a truth value.
NO_IDS = {"check_ids"}
# Tags are no objects.
TAGS = {"add", "remove", "replace"}
OF_THE_FOUR = re.compile(
    r"^(system_)?(client_)?(target|target_group|campaign|affiliate|publisher)_ids?$|targets_by_id$"
)
CUSTOMER_IDS = re.compile(r"^(client_)?(tid|cid|afid)$")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_parameter_that_takes_an_id_has_one_that_takes_a_name(kind):
    """A new parameter must be in one of the tables above, and have the other one beside it."""
    own = set(parameters(kind)) - {"self"}
    for name in own:
        takes_ids = name in TWINS if name not in TAGS else kind.__name__.endswith("TargetGroupOperator")
        if takes_ids and not kind.__name__.startswith("TrackDrive"):
            assert own & set(TWINS[name]), f"{kind.__name__}: {name} has no parameter that takes a name"
        elif ANY_ID.search(name) and name not in TWINS:
            assert name in OTHER_KINDS | NO_IDS, f"{kind.__name__}: say what {name} takes"


def test_the_tables_hold_nothing_that_is_gone():
    """Each name in the tables above is a parameter of some class."""
    everywhere = {name for kind in CLASSES for name in parameters(kind.values[0])}
    assert (set(TWINS) | OTHER_KINDS | NO_IDS) - everywhere == set()


@pytest.mark.parametrize("resource", sorted(name for name, entry in RESOURCES.items() if entry.has("list")))
def test_every_filter_that_takes_an_id_has_one_that_takes_a_name(resource):
    """Filters of the generic list, which are also those of exports and sensors."""
    taken = {name for name in RESOURCES[resource].filters if OF_THE_FOUR.search(name) or CUSTOMER_IDS.search(name)}
    assert taken == {value.of_id for value in FILTERS.get(resource, {}).values()}


def described() -> dict[str, Resource]:
    """Return every resource, by name, as its module describes it."""
    modules = [
        import_module(f"{resources.__name__}.{found.name}") for found in pkgutil.iter_modules(resources.__path__)
    ]
    values = [value for module in modules for value in vars(module).values()]
    return {value.name: value for value in values if isinstance(value, Resource)}


@pytest.mark.parametrize("resource", sorted({*described(), *ATTRIBUTES}))
def test_every_attribute_that_takes_an_id_has_one_that_takes_a_name(resource):
    """Attributes of objects that name another one; an object's own ID names none."""
    one = described()[resource]
    own = {one.accessor, f"client_{one.accessor}"}
    taken = {name for name in one.attributes if OF_THE_FOUR.search(name) or CUSTOMER_IDS.search(name)} - own
    assert taken == {value.of_id for value in ATTRIBUTES.get(resource, {}).values()}
    assert not set(ATTRIBUTES.get(resource, {})) & set(one.attributes)


def test_owners_of_lists():
    """Whoever owns a caller list or a payout table is chosen by ID or by name."""
    of_id = {value.of_id for value in LIST_OWNER.values()}
    assert set(ListOwner.__annotations__) == {*of_id, *LIST_OWNER, "caller_list"}
