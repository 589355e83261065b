"""Campaigns: routing settings that numbers share (Retreaver's reference: "Campaigns")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core.operations import Listing, Operation
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.nested import CALL_HANDLING, Greeting, MenuOption, Timer
from airflow_provider_retreaver.resources.resource import Attributes, Id, Resource, anything, at_least_0


class Campaign(TypedDict, total=False):
    """A campaign as Retreaver sends it; timers and menu options come wrapped in `timer` and `menu_option`."""

    id: int
    cid: str
    name: str
    record_calls: bool
    record_seconds: int
    dedupe_seconds: int
    affiliate_can_pull_number: bool
    show_key: str
    greeting: Greeting
    timers: list[dict[str, Timer]]
    menu_options: list[dict[str, MenuOption]]
    updated_at: str
    created_at: str


CAMPAIGNS: Resource[Campaign] = Resource(
    "campaigns",
    "campaign",
    attributes={
        "cid": anything,
        "name": anything,
        "dedupe_seconds": at_least_0,
        "affiliate_can_pull_number": checks.truth,
        "record_calls": checks.truth,
        **CALL_HANDLING,
    },
    accessor="cid",
    row_key="cid",
)


def list_campaigns() -> Listing:
    """List all campaigns of the company.

    Retreaver's reference: "Get all Campaigns".

    :return: a listing of `Campaign` rows.
    """
    return CAMPAIGNS.listing()


def get_campaign(*, id: Id | None = None, cid: str | None = None) -> Operation[Campaign]:  # noqa: A002
    """Get one campaign.

    Retreaver's reference: "Get a specific Campaign".

    :param id: Retreaver's own ID, or
    :param cid: the customer's ID; exactly one of the two is given.
    :return: a `Campaign`.
    """
    return CAMPAIGNS.get(id, cid)


def create_campaign(attributes: Attributes, *, undocumented: Attributes | None = None) -> Operation[Campaign]:
    """Create a campaign.

    Retreaver's reference: "Create a Campaign".

    :param attributes: `cid`, `name`, `dedupe_seconds`, `affiliate_can_pull_number`, `record_calls`, `message`,
        `voice_gender`, `message_file_b64_data` with `message_file_b64_filename`, `repeat`, `timers_attributes`,
        `menu_options_attributes`, `destroy_nested`.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Campaign`.
    """
    return CAMPAIGNS.create(attributes, undocumented)


def update_campaign(
    attributes: Attributes,
    *,
    id: Id | None = None,  # noqa: A002
    cid: str | None = None,
    undocumented: Attributes | None = None,
) -> Operation[Campaign]:
    """Change attributes of a campaign.

    A timer or menu option is changed by sending its `id`; `destroy_nested` removes all of them first.
    Retreaver's reference: "Update a Campaign".

    :param attributes: to change; see `create_campaign`.
    :param id: Retreaver's own ID, or
    :param cid: the customer's ID; exactly one of the two is given.
    :param undocumented: attributes to send that Retreaver does not document.
    :return: a `Campaign`.
    """
    return CAMPAIGNS.update(attributes, id, cid, undocumented)


def delete_campaign(*, id: Id | None = None, cid: str | None = None) -> Operation[None]:  # noqa: A002
    """Delete a campaign; its numbers must be deleted first.

    Retreaver's reference: "Remove a Campaign".

    :param id: Retreaver's own ID, or
    :param cid: the customer's ID; exactly one of the two is given.
    :return: an operation without a result.
    """
    return CAMPAIGNS.delete(id, cid)
