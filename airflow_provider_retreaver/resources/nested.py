"""What campaigns and numbers share: greeting, timers, menu options (Retreaver's reference: "Campaigns")."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Check, anything, at_least_0


class Greeting(TypedDict, total=False):
    """What a caller hears: a text read aloud, or an audio file."""

    message: str
    voice_gender: str
    audio_file_name: str
    audio_file_content_type: str
    audio_file_size: int
    audio_file_updated_at: str
    inherited: bool


class Timer(TypedDict, total=False):
    """A URL that is called when a call has lasted so many seconds; 0 is a click, more is a sale."""

    id: int
    seconds: int
    url: str
    inherited: bool


class MenuOption(TypedDict, total=False):
    """What a pressed key does; `option` is 1 to 9, 0, * or #."""

    id: int
    option: str
    target_cid: str | None
    target_number: str | None
    inherited: bool


KEYS = (*"1234567890*#",)


def timers(value: object, name: str) -> None:
    """Refuse timers without seconds or URL; a row with an `id` changes that timer.

    :param value: rows of timers.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    for row in checks.rows_of(value, name):
        if row.get("_destroy"):
            continue
        if "id" not in row and not ("seconds" in row and row.get("url")):
            raise InvalidArgument(f"{name}: a timer needs seconds and url (or the id of the timer to change).")
        if "seconds" in row:
            checks.whole(row["seconds"], f"{name}: seconds", 0)


def menu_options(value: object, name: str) -> None:
    """Refuse menu options without a key; a row with an `id` changes that option.

    :param value: rows of menu options.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    for row in checks.rows_of(value, name):
        if row.get("_destroy"):
            continue
        if "id" not in row or "option" in row:
            parameters.one_of(str(row.get("option")), KEYS, f"{name}: option")


def voice(value: object, name: str) -> None:
    """Refuse a voice that is neither Male nor Female.

    :param value: of the attribute.
    :param name: of the attribute.
    :raises InvalidArgument: naming the attribute.
    """
    parameters.one_of(value, ("Male", "Female"), name)


CALL_HANDLING: dict[str, Check] = {
    "message": anything,
    "voice_gender": voice,
    "message_file_b64_data": anything,
    "message_file_b64_filename": anything,
    "repeat": at_least_0,
    "timers_attributes": timers,
    "menu_options_attributes": menu_options,
    "destroy_nested": checks.truth,
}
