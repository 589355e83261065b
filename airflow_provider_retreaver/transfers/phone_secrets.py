"""The secret that callers' numbers are hashed with, from an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.secrets import MIN_LENGTH, Secret, register_secrets
from airflow_provider_retreaver.domain.calls.caller_privacy import Transform, phone_transform


def phone_hider(mode: Any, conn_id: str | None) -> Transform | None:
    """Return what hides callers' numbers in a call, None when they are kept.

    :param mode: `keep`, `hash` or `mask`; see `domain.privacy`.
    :param conn_id: for `hash`, id of a connection of any type whose password is the secret.
    :raises InvalidArgument: naming the parameter that cannot be right.
    """
    if mode != "hash":
        return phone_transform(mode)
    if not is_given(conn_id):
        raise InvalidArgument(
            "phone_numbers='hash' needs phone_numbers_conn_id: a connection whose password is the secret."
        )
    from airflow.providers.common.compat.sdk import BaseHook, mask_secret

    password = BaseHook.get_connection(str(conn_id)).password or ""
    secret = Secret(password)
    if len(password) >= MIN_LENGTH:
        register_secrets([secret])
        mask_secret(password)
    return phone_transform(mode, secret)
