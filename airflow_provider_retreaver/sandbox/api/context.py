"""What a handler receives: the request, whose company it is for, and the sandbox's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.sandbox.api.paging import CallPages
from airflow_provider_retreaver.sandbox.http.wire import Reply, Request
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from airflow_provider_retreaver.sandbox.state.clock import Clock
from airflow_provider_retreaver.sandbox.state.store import Store

# How long an upload to a caller list takes, in seconds of the sandbox's clock.
UPLOAD_DELAY = 2.0
EXPORT_SECONDS = 2.0


@dataclass(slots=True)
class ExportSettings:
    """What becomes of the export jobs that are created from now on.

    :param seconds: How long a job takes, in seconds of the sandbox's clock.
    :param outcome: How it ends: ``file``, ``errors``, ``no_file`` or ``gone``.
    :param publisher_label: Label of the column of publishers, which depends on the account.
    """

    seconds: float = EXPORT_SECONDS
    outcome: str = "file"
    publisher_label: str = "Source ID"


@dataclass(slots=True)
class SandboxState:
    """The state that lasts longer than a request.

    :param options: Options of the sandbox.
    :param store: The database.
    :param clock: The sandbox's clock.
    :param call_pages: Pages of calls.
    :param random: Source of randomness.
    :param upload_delay: How long an upload to a caller list takes, in seconds of the sandbox's clock.
    :param exports: What becomes of export jobs.
    """

    options: SandboxOptions
    store: Store
    clock: Clock
    call_pages: CallPages
    random: Random
    upload_delay: float = UPLOAD_DELAY
    exports: ExportSettings = field(default_factory=ExportSettings)


@dataclass(slots=True)
class RequestContext:
    """One request and what its handler needs.

    :param state: The sandbox's state.
    :param request: The request.
    :param args: Variable segments of the path by name, decoded.
    :param key: The API key, after authorization.
    :param company_id: ID of the company, after authorization.
    """

    state: SandboxState
    request: Request
    args: dict[str, str] = field(default_factory=dict)
    key: str = ""
    company_id: int = 0

    @property
    def store(self) -> Store:
        """The account's data."""
        return self.state.store

    @property
    def now(self) -> int:
        """The sandbox's time in milliseconds."""
        return self.state.clock.now()

    def zone(self) -> ZoneInfo:
        """Return the company's time zone, in which Retreaver writes times with an offset.

        :return: The time zone.
        """
        return ZoneInfo(self.store.value("SELECT zone FROM companies WHERE id = ?", (self.company_id,)) or "UTC")


Handler = Callable[[RequestContext], Reply]
