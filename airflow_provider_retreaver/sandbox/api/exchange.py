"""What a handler is given: the request, who asks, and the sandbox's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.api.paging import Anchors
from airflow_provider_retreaver.sandbox.http.wire import Reply, Request
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from airflow_provider_retreaver.sandbox.state.clock import Clock
from airflow_provider_retreaver.sandbox.state.store import Store

# How long an upload to a caller list takes, in seconds of the sandbox's clock.
UPLOAD_DELAY = 2.0


@dataclass(slots=True)
class World:
    """What outlives a request."""

    options: SandboxOptions
    store: Store
    clock: Clock
    anchors: Anchors
    random: Random
    upload_delay: float = UPLOAD_DELAY


@dataclass(slots=True)
class Exchange:
    """One request on its way to a handler; ``args`` are the path's variable parts, decoded."""

    world: World
    request: Request
    args: dict[str, str] = field(default_factory=dict)
    key: str = ""
    company_id: int = 0

    @property
    def store(self) -> Store:
        """The account's data."""
        return self.world.store

    @property
    def now(self) -> int:
        """The sandbox's time in milliseconds."""
        return self.world.clock.now()

    def zone(self) -> ZoneInfo:
        """Give the company's own time zone, which the vendor's offsets follow."""
        return ZoneInfo(self.store.value("SELECT zone FROM companies WHERE id = ?", (self.company_id,)) or "UTC")


Handler = Callable[[Exchange], Reply]
