"""Caller lists and their numbers with the same five verbs as other resources; they have an owner.

An owner is a mapping: `{"target_id": 3}` or `{"campaign_id": 5}` for caller lists, and for their numbers the list's
name as well, `{"target_id": 3, "caller_list": "suppressed-leads"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.resources import caller_lists
from airflow_provider_retreaver.resources.caller_lists import Owner
from airflow_provider_retreaver.resources.resource import Attributes


def shuts_out(attributes: Attributes) -> str | None:
    """Return why a caller list changes who gets through as soon as it is there, None when it does not."""
    if caller_lists.blocks_unlisted_callers(str(attributes.get("name", ""))):
        return "A caller list whose name begins with accepted blocks every caller who is not on it."
    return None


def get_list(owner: Mapping[str, Any], name: str) -> Operation[Row]:
    """Get a caller list."""
    return caller_lists.get_caller_list(_owner(owner), name)


def create_list(attributes: Attributes, owner: Mapping[str, Any]) -> Operation[Row]:
    """Create a caller list.

    :param attributes: `name` (required).
    """
    parameters.known(attributes, ("name",), "attribute of a caller list")
    return caller_lists.create_caller_list(_owner(owner), attributes.get("name", ""))


def delete_list(owner: Mapping[str, Any], name: str) -> Operation[None]:
    """Delete a caller list with its numbers."""
    return caller_lists.delete_caller_list(_owner(owner), name)


def list_numbers(owner: Mapping[str, Any]) -> Listing:
    """List the numbers of a caller list, newest first."""
    return caller_lists.list_caller_list_numbers(_owner(owner, in_list=True), owner["caller_list"])


def get_number(owner: Mapping[str, Any], number: str) -> Operation[Row]:
    """Get a number of a caller list: the vendor promises no more than whether it is there."""
    there = caller_lists.get_caller_list_number(_owner(owner, in_list=True), owner["caller_list"], number)

    def read(request: Request, response: Response) -> Row:
        there.read(request, response)
        return {"number": number}

    return Operation(there.request, read)


def add_number(attributes: Attributes, owner: Mapping[str, Any]) -> Operation[Row]:
    """Put a number on a caller list.

    :param attributes: `number` (required).
    """
    parameters.known(attributes, ("number",), "attribute of a caller list's number")
    return caller_lists.add_caller_list_number(
        _owner(owner, in_list=True), owner["caller_list"], attributes.get("number", "")
    )


def remove_number(owner: Mapping[str, Any], number: str) -> Operation[None]:
    """Take a number off a caller list."""
    return caller_lists.remove_caller_list_number(_owner(owner, in_list=True), owner["caller_list"], number)


def _owner(owner: Mapping[str, Any], *, in_list: bool = False) -> Owner:
    names = ("target_id", "campaign_id", *(["caller_list"] if in_list else []))
    parameters.known(owner, names, "part of list_owner")
    if in_list and not owner.get("caller_list"):
        raise InvalidArgument("list_owner must name the caller_list beside its target_id or campaign_id.")
    return Owner(owner.get("target_id"), owner.get("campaign_id"))
