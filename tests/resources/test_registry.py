"""The table of all resources: its verbs, and the names that the operators take."""

from __future__ import annotations

from typing import get_args

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.objects.names import KINDS
from airflow_provider_retreaver.resources import resource_names, targets
from airflow_provider_retreaver.resources.entry import VERBS, Entry, ObjectReference
from airflow_provider_retreaver.resources.registry import RESOURCES, entry_of

# Of what has no such key, an upsert finds target groups, by their name.
KEYED = {name for name, entry in RESOURCES.items() if entry.natural_key is not None}
UPSERT = {name for name, entry in RESOURCES.items() if entry.has("create")} & {*KEYED, *KINDS}


@pytest.mark.parametrize("verb", [*VERBS, "upsert"])
def test_names_of_a_verb_are_those_of_the_registry(verb):
    """The names that an editor offers for an operator are the resources that have its verb."""
    names = get_args(getattr(resource_names, f"ResourceTo{verb.capitalize()}"))
    expected = UPSERT if verb == "upsert" else {name for name, entry in RESOURCES.items() if entry.has(verb)}
    assert len(names) == len(set(names))
    assert set(names) == expected


def test_entry_is_made_from_its_resource():
    """Names, keys and functions come from the resource and its module."""
    entry = Entry.of(targets, targets.TARGETS)
    assert entry == entry_of("targets")
    assert (entry.title, entry.key, entry.customer_key, entry.natural_key) == ("target", "id", "tid", "tid")
    assert entry.function("list") is targets.list_targets
    assert entry.function("delete") is targets.delete_target


def test_verbs_of_every_resource():
    """A function of another name would be left out silently, so the number of verbs is compared."""
    counts = {name: len(entry.functions) for name, entry in RESOURCES.items()}
    assert counts == {
        **dict.fromkeys(("affiliates", "campaigns", "companies", "contacts", "numbers", "number_pools"), 5),
        **dict.fromkeys(("target_groups", "targets", "suppressed_numbers"), 5),
        "calls": 2,
        "company": 1,
        "contact_numbers": 2,
        "reports": 1,
        "rtb_inbounds": 1,
        "payout_tables": 3,
        "static_caller_numbers": 3,
        "caller_lists": 3,
        "caller_list_numbers": 4,
    }


@pytest.mark.parametrize(
    ("resource", "reference", "description"),
    [
        ("targets", ObjectReference(id=3), "target 3"),
        ("targets", ObjectReference(customer_id="A1"), "target with tid A1"),
        ("company", ObjectReference(), "active company"),
        ("suppressed_numbers", ObjectReference(id="+18668987878"), "suppressed number +1…78"),
    ],
)
def test_describe(resource, reference, description):
    """An object is described by what names it, and phone numbers are masked."""
    assert entry_of(resource).describe(reference) == description


def test_unknown_resource():
    """A resource that does not exist is refused with a near name."""
    with pytest.raises(InvalidArgument, match="did you mean 'targets'"):
        entry_of("target")
