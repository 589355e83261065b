"""Spools and webhooks for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_retreaver.core.secrets import Secret, register_secrets
from airflow_provider_retreaver.core.webhook_settings import WebhookSettings
from airflow_provider_retreaver.webhooks.received import Webhook, to_line
from airflow_provider_retreaver.webhooks.spool import Spool

TOKEN, NEXT_TOKEN, OLD_TOKEN = "wh-token-one-0123456789", "wh-token-two-0123456789", "wh-token-old-0123456789"
START = datetime(2027, 1, 15, 8, tzinfo=UTC)


def settings_for(folder: object, **changes: Any) -> WebhookSettings:
    """Return settings with a spool in a folder; their tokens are masked, as those of a connection."""
    made = WebhookSettings(company="1", tokens=(Secret(TOKEN),), spool=f"file://{folder}/spool")
    made = replace(made, **changes)
    register_secrets(made.tokens)
    return made


def spool_in(folder: object, trigger: str = "always", **changes: Any) -> Spool:
    """Return a spool in a folder."""
    return Spool(settings_for(folder, **changes), trigger)


def webhook(number: int, *, at: datetime = START, event: str = "", **fields: Any) -> Webhook:
    """Return a webhook of a call, each time with another id."""
    from uuid import uuid4

    return Webhook(
        id=uuid4().hex,
        received_at=at.isoformat(),
        trigger="always",
        call_uuid=f"call-{number}",
        event=event,
        fields={"call_uuid": f"call-{number}", **fields},
    )


def keep(spool: Spool, *webhooks: Webhook) -> None:
    """Write webhooks as one file of the spool."""
    spool.keep(b"".join(map(to_line, webhooks)))


def batched_calls(spool: Spool) -> list[list[str]]:
    """Return the calls of every batch of a spool."""
    return [[one["call_uuid"] for one in spool.read(number).webhooks] for number in spool.numbers()]


def all_calls(spool: Spool) -> list[str]:
    """Return the calls of all batches of a spool."""
    return [call for calls in batched_calls(spool) for call in calls]


class MovedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def seconds(self) -> float:
        """Return the time as seconds."""
        return self.now.timestamp()

    def pass_(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)
