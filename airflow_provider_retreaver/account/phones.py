"""Phone numbers of targets and menu options: as Retreaver has them, and as files write them."""

from __future__ import annotations

import re

from airflow_provider_retreaver.core.phone_parameters import phone_or_sip
from airflow_provider_retreaver.domain.resources.equality import phone_digits
from airflow_provider_retreaver.resources.targets import is_placeholder


def phone(value: object) -> object:
    """Return a phone number in E.164.

    :param value: a phone number in any writing, a SIP address, a placeholder or None.
    :return: the number; the others as they are.
    """
    if not isinstance(value, str) or ":" in value or value.strip().startswith("["):
        return value
    return f"+{phone_digits(value)}"


def written_phone(written: str, name: str) -> str:
    """Return a phone number of a file as it is compared and sent.

    :param written: a phone number in any writing, a SIP address or a placeholder.
    :param name: of the field, for the error.
    :return: a number in E.164; the others as they are.
    :raises InvalidArgument: when it is none of these.
    """
    if is_placeholder(written):
        return written
    separated = re.fullmatch(r"[+0-9().\s/-]+", written, re.ASCII)
    return phone_or_sip(str(phone(written)) if separated else written, name)
