"""The options of a sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

POSTBACK_KEY = "0b54c1f6-6d3c-4a39-9d0c-1f8a2f3f5a10"
POSTBACK_SECRET = "sandbox-secret"  # noqa: S105 - opens this sandbox and nothing else
RESERVATION_KEY = "9c2d7b44-1e0f-4d58-8b3a-5f7e6a1d0c93"
WRITING_KEY = "b3e9d1c4-7f52-4a86-9c0b-2d8e5f6a1b43"
TRACKDRIVE_PUBLIC_KEY = "td-public-sandbox"
TRACKDRIVE_PRIVATE_KEY = "td-private-sandbox"
RTB_KEY = "4f6b1c2e-8d57-4b0a-9a1e-6c3d2e5f7a21"


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The account, where it is stored, and the failures to simulate.

    :param api_key: The API key that is accepted.
    :param company_id: ID of the first company, 1 or more.
    :param database: Path of the SQLite database that stores the account; ``:memory:`` stores nothing.
    :param load: What a new account contains: the ``demo`` data, or only a company and its keys.
    :param postback_key: Key of the caller lists.
    :param postback_secret: Secret of the caller lists.
    :param rtb_key: Key of real-time bidding.
    :param reservation_key: Key of call reservations.
    :param writing_key: Key of call data writing.
    :param trackdrive_public_key: Public key of the TrackDrive account.
    :param trackdrive_private_key: Private key of the TrackDrive account.
    :param legacy_routes: Whether the older routes work; without them they are answered with 410.
    :param fault_rate: Share of the requests that fail at random, from 0 to 1.
    :param latency_ms: How long each answer takes, in milliseconds.
    :param jitter_ms: How much longer it takes at random, at most, in milliseconds.
    :param max_concurrency: How many requests are answered at the same time; more get 429. None is no limit.
    :param rate_limit: How many requests a second are answered; more get 429. None is no limit.
    :param seed: Seed of the demo data and of the random faults.
    :param wall: Returns real time in seconds since the epoch; tests pass a constant.
    :param ticks: Returns monotonic time in seconds, for the rate limit.
    """

    api_key: str = "sandbox-key"
    company_id: int = 1
    database: str = ":memory:"
    load: Literal["demo", "empty"] = "empty"
    postback_key: str = POSTBACK_KEY
    postback_secret: str = POSTBACK_SECRET
    rtb_key: str = RTB_KEY
    reservation_key: str = RESERVATION_KEY
    writing_key: str = WRITING_KEY
    trackdrive_public_key: str = TRACKDRIVE_PUBLIC_KEY
    trackdrive_private_key: str = TRACKDRIVE_PRIVATE_KEY
    legacy_routes: bool = True
    fault_rate: float = 0.0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    max_concurrency: int | None = None
    rate_limit: float | None = None
    seed: int = 0
    wall: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.api_key.strip():
            raise ValueError("api_key must not be blank")
        if ":" in self.trackdrive_public_key:
            raise ValueError("trackdrive_public_key must not contain a colon")
        if self.company_id < 1:
            raise ValueError(f"company_id must be 1 or more, not {self.company_id}")
        if self.load not in ("demo", "empty"):
            raise ValueError(f"load must be demo or empty, not {self.load!r}")
        if not 0 <= self.fault_rate <= 1:
            raise ValueError(f"fault_rate must be between 0 and 1, not {self.fault_rate}")
        for name in ("latency_ms", "jitter_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("max_concurrency", "rate_limit"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be more than 0")


OPTION_NAMES = tuple(field.name for field in fields(SandboxOptions))
