"""The secret for the hashes of callers' numbers, from an Airflow connection."""

from __future__ import annotations

from collections.abc import Collection

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.secrets import MIN_LENGTH, Secret, register_secrets
from airflow_provider_retreaver.domain.calls.caller_privacy import CALLER_FIELDS, Transform, phone_transform


def phone_hider(mode: object, conn_id: str | None, fields: Collection[str] = CALLER_FIELDS) -> Transform | None:
    """Return the function that hides the callers' numbers in a call.

    :param mode: `keep`, `hash` or `mask`; see `domain.calls.caller_privacy`.
    :param conn_id: for `hash`, id of a connection of any type whose password is the secret.
    :param fields: that hold the caller's number.
    :return: takes a call and returns another one; None for `keep`.
    :raises InvalidArgument: naming the parameter that is wrong.
    """
    if mode != "hash":
        return phone_transform(mode, fields=fields)
    if not is_given(conn_id):
        raise InvalidArgument(
            "phone_numbers='hash' needs phone_numbers_conn_id: a connection whose password is the secret."
        )
    from airflow.providers.common.compat.sdk import BaseHook, mask_secret

    secret = Secret(BaseHook.get_connection(str(conn_id)).password or "")
    if len(secret.reveal()) >= MIN_LENGTH:
        register_secrets([secret])
        mask_secret(secret.reveal())
    return phone_transform(mode, secret, fields)
