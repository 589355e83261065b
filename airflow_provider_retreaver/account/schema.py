"""The format of the files: what may be written about each kind of object.

Only what is written is managed, so every field may be left out. `JSON Schema` of the same classes lets editors
complete and check the files.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from airflow_provider_retreaver.resources.checks import COUNTRIES, NUMBER_TYPES
from airflow_provider_retreaver.resources.nested import KEYS
from airflow_provider_retreaver.resources.targets import DEDUPE_SECONDS

Count = Annotated[int, Meta(ge=0)]
Text = Annotated[str, Meta(min_length=1)]
Price = Annotated[float, Meta(ge=0)]


def _about(description: str) -> Meta:
    return Meta(description=description)


class Part(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of everything that files hold."""


class Caps(Part):
    """Calls that are allowed; null is no cap."""

    hard: Annotated[Count | UnsetType | None, _about("Counts until somebody resets it.")] = UNSET
    hourly: Annotated[Count | UnsetType | None, _about("Calls of an hour.")] = UNSET
    daily: Annotated[Count | UnsetType | None, _about("Calls of a day.")] = UNSET
    monthly: Annotated[Count | UnsetType | None, _about("Calls of a month.")] = UNSET
    concurrency: Annotated[Count | UnsetType | None, _about("Calls at the same time.")] = UNSET


class SecretReference(Part):
    """Where a secret is kept; exactly one of the two. The secret itself is never written."""

    connection: Annotated[Text | UnsetType, _about("ID of an Airflow connection; its password is the secret.")] = (
        UNSET
    )
    env: Annotated[Text | UnsetType, _about("Name of an environment variable.")] = UNSET


class Timer(Part):
    """A URL that is called when a call has lasted so many seconds."""

    seconds: Count
    url: Text


class MenuOption(Part):
    """What a pressed key does: dial a number, or go to a campaign."""

    option: Literal[KEYS]  # type: ignore[valid-type]
    number: Annotated[str | None, _about("Phone number or SIP address.")] = None
    campaign: Annotated[str | None, _about("Address of a campaign.")] = None


class Conversion(Part):
    """What a call of so many seconds earns."""

    seconds: Count
    revenue: float


class ConversionGroup(Part, kw_only=True):
    """Conversions that are counted together."""

    name: Text
    dedupe_seconds: Literal[DEDUPE_SECONDS] = 0  # type: ignore[valid-type]
    conversions: list[Conversion]


class Purchase(Part):
    """A number that is to be bought, once."""

    key: Annotated[Text, _about("Sent as the number's SubID, by which the number is found again ever after.")]
    type: Literal[NUMBER_TYPES]  # type: ignore[valid-type]
    country: Literal[COUNTRIES] | UnsetType = UNSET  # type: ignore[valid-type]
    desired_text: str | UnsetType = UNSET


class Managed(Part):
    """Base of all objects."""

    ignore: Annotated[
        list[Text], _about("Fields that are written and left alone all the same, e.g. `caps.daily` or `caps`.")
    ] = []


class Affiliate(Managed):
    """An affiliate (publisher); its address is its `afid`."""

    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    company_name: str | UnsetType | None = UNSET


class CallHandling(Managed):
    """What campaigns and numbers share."""

    message: Annotated[str | UnsetType | None, _about("Text that is read to callers.")] = UNSET
    voice_gender: Literal["Male", "Female"] | UnsetType | None = UNSET
    timers: Annotated[list[Timer] | UnsetType, _about("All timers.")] = UNSET
    menu_options: Annotated[list[MenuOption] | UnsetType, _about("All menu options.")] = UNSET


class Campaign(CallHandling):
    """A campaign; its address is its `cid`."""

    name: str | UnsetType | None = UNSET
    dedupe_seconds: Count | UnsetType = UNSET
    affiliate_can_pull_number: bool | UnsetType = UNSET
    record_calls: bool | UnsetType = UNSET
    repeat: Annotated[Count | UnsetType, _about("How often the message is read.")] = UNSET


class TargetGroup(Managed):
    """A target group; its address is its name, or any name where `id` is given."""

    id: Annotated[int | UnsetType, _about("Retreaver's own ID, where several groups have one name.")] = UNSET
    name: Annotated[Text | UnsetType, _about("Only where `id` is given.")] = UNSET
    behavior: Literal["separately", "simuldial"] | UnsetType = UNSET
    priority: Count | UnsetType | None = UNSET
    weight: Count | UnsetType | None = UNSET
    caps: Caps | UnsetType = UNSET


class Target(Managed):
    """A target (buyer); its address is its `tid`, or any name where `id` is given."""

    id: Annotated[int | UnsetType, _about("Retreaver's own ID, of a target without a `tid`.")] = UNSET
    name: str | UnsetType | None = UNSET
    number: Annotated[Text | UnsetType, _about("Phone number, SIP address or placeholder.")] = UNSET
    paused: bool | UnsetType = UNSET
    caps: Caps | UnsetType = UNSET
    time_zone: Annotated[Text | UnsetType, _about("Name of the tz database or of Retreaver.")] = UNSET
    hours: Annotated[
        dict[str, str | list[str]] | str | UnsetType,
        _about("Days with hours in the target's time zone, e.g. `{mon-fri: 9am-5pm, sun: closed}`; or `24h`."),
    ] = UNSET
    tags: Annotated[dict[str, str | int | float | list[str | int | float]] | UnsetType, _about("All tags.")] = UNSET
    groups: Annotated[list[Text] | UnsetType, _about("Addresses of all groups that the target is in.")] = UNSET
    priority: Count | UnsetType = UNSET
    weight: Count | UnsetType = UNSET
    timeout_seconds: Count | UnsetType = UNSET
    timer_offset: int | UnsetType = UNSET
    inband_signals: bool | UnsetType = UNSET
    obfuscate_cid: bool | UnsetType = UNSET
    send_digits: str | UnsetType | None = UNSET
    sip_username: str | UnsetType | None = UNSET
    sip_password: SecretReference | UnsetType = UNSET
    conversion_groups: Annotated[list[ConversionGroup] | UnsetType, _about("All conversion groups.")] = UNSET


class Number(CallHandling):
    """A number; its address is the number in E.164, or any name where it is to be bought."""

    campaign: Annotated[Text | UnsetType, _about("Address of its campaign.")] = UNSET
    affiliate: Annotated[Text | UnsetType, _about("Address of its affiliate.")] = UNSET
    sid: Annotated[str | UnsetType | None, _about("SubID.")] = UNSET
    purchase: Purchase | UnsetType = UNSET


class NumberPool(Managed):
    """A number pool; found by campaign and affiliate, or by `id` where several have the same."""

    id: Annotated[int | UnsetType, _about("Retreaver's own ID.")] = UNSET
    campaign: Annotated[Text | UnsetType, _about("Address of its campaign.")] = UNSET
    affiliate: Annotated[Text | UnsetType | None, _about("Address of its affiliate.")] = UNSET
    type: Literal[NUMBER_TYPES] | UnsetType = UNSET  # type: ignore[valid-type]
    country: Literal[COUNTRIES] | UnsetType = UNSET  # type: ignore[valid-type]
    max_pool_size: Count | UnsetType = UNSET
    reserve_size: Count | UnsetType = UNSET
    buffer_seconds: Count | UnsetType = UNSET
    hide_embedded_access: bool | UnsetType = UNSET
    google_analytics: bool | UnsetType = UNSET


class Move(Part, rename={"source": "from"}):
    """An object whose address has changed: it keeps its history and gets the new customer ID."""

    source: Text
    to: Text


class Prices(Part):
    """What a number costs a month, for the plan; Retreaver's API does not tell."""

    toll_free: Price | UnsetType = UNSET
    local: Price | UnsetType = UNSET


class Defaults(Part):
    """Fields that all objects of a kind have unless they write their own."""

    affiliates: Affiliate | UnsetType = UNSET
    campaigns: Campaign | UnsetType = UNSET
    target_groups: TargetGroup | UnsetType = UNSET
    targets: Target | UnsetType = UNSET
    numbers: Number | UnsetType = UNSET
    number_pools: NumberPool | UnsetType = UNSET


class AccountFile(Part):
    """One file; several files and folders are read as one."""

    company: Annotated[int | UnsetType, _about("Retreaver's ID of the company.")] = UNSET
    vars: Annotated[
        dict[str, str | int | float | bool | None], _about("Variables, used as `${name}`; `--var` sets others.")
    ] = {}
    prices: Prices | UnsetType = UNSET
    defaults: Defaults | UnsetType = UNSET
    affiliates: dict[str, Affiliate] = {}
    campaigns: dict[str, Campaign] = {}
    target_groups: dict[str, TargetGroup] = {}
    targets: dict[str, Target] = {}
    numbers: dict[str, Number] = {}
    number_pools: dict[str, NumberPool] = {}
    moved: Annotated[list[Move], _about("Objects with a new address.")] = []
    removed: Annotated[list[Text], _about("Addresses to delete; only this deletes.")] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file, for editors.

    :return: plain JSON.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Retreaver account",
        "description": "A Retreaver account as code, see retreaver-account.",
        **msgspec.json.schema(AccountFile),
    }
