"""A company whose suppressed numbers and caller lists are looked at behind the client's back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.suppression_list import read_list
from airflow_provider_retreaver.domain.lists.suppression_plan import (
    Known,
    Ours,
    Plan,
    SuppressionRequest,
    compare,
)
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint, SuppressionSync
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope
from airflow_provider_retreaver.sandbox.options import POSTBACK_KEY, POSTBACK_SECRET
from airflow_provider_retreaver.transport.client import RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter
from tests.domain.support.retreaver import SimulatedRetreaver

FIRST = 19192000000


def some(count: int, start: int = 0) -> NumberSet:
    """Return so many numbers in a row."""
    return NumberSet(range(FIRST + start, FIRST + start + count))


class Blocked(SimulatedRetreaver):
    """An account; `client` speaks the edition that it is made with, four requests at once."""

    def __init__(self, edition: str = "current", **extra: Any) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.legacy = edition == "legacy"
        settings = Settings.parse(
            "test",
            login="1",
            password="sandbox-key",
            host="http://127.0.0.1:1",
            extra={
                "api_routes": edition,
                "max_concurrency": 4,
                "caller_list_key": POSTBACK_KEY,
                "caller_list_secret": POSTBACK_SECRET,
                **extra,
            },
        )
        self.client = RetreaverClient(settings, transport=self, sleep=self.sleep, limiter=Limiter(4))

    def sleep(self, seconds: float) -> None:
        """Let the sandbox's time pass."""
        self.slept.append(seconds)
        self.ask("POST", "/__sandbox__/clock", {"advance": seconds})

    def suppress(self, numbers: NumberSet, *, can_resubscribe: bool = False, cid: str | None = None) -> None:
        """Suppress numbers without the client."""
        for number in numbers:
            body = {"can_resubscribe": can_resubscribe}
            self.ask("POST", f"/suppressed_numbers/+{number}.json", {"suppressed_number": body})
            if cid is not None:
                self.ask("PUT", f"/suppressed_numbers/+{number}.json", {"campaign_id": cid})

    def campaign(self, cid: str) -> None:
        """Add a campaign."""
        self.ask("POST", "/campaigns.json", {"campaign": {"cid": cid, "name": cid}})

    def suppressed(self) -> dict[int, tuple[bool, str | None]]:
        """Return every suppressed number with its `can_resubscribe` and its campaign."""
        names = {row["campaign"]["id"]: row["campaign"]["cid"] for row in self.ask("GET", "/campaigns.json")}
        found, page = {}, 1
        while rows := self.ask("GET", "/suppressed_numbers.json", query={"page": str(page)}):
            for row in (row["suppressed_number"] for row in rows):
                found[int(row["number"][1:])] = (row["can_resubscribe"], names.get(row.get("cid")))
            page += 1
        return found

    def sends(self, *methods: str) -> list[tuple[str, int]]:
        """Return method and number of the client's requests about one number."""
        found = [(method, re.search(r"%2B([0-9]+)", path)) for method, path, _ in self.sent]
        return [(method, int(one[1])) for method, one in found if one and (not methods or method in methods)]

    def plan(self, wanted: SuppressionRequest, source: NumberSet, ours: Ours | None = None) -> Plan:
        """Compare a source with what is known."""
        ours = ours or Ours()
        scope = WantedScope(wanted.campaign)
        known = Known.recorded(ours) if self.legacy else self.client.run(read_list(wanted, scope))
        return compare(replace(wanted, legacy=self.legacy), source, known, ours)

    def sync(
        self,
        plan: Plan,
        wanted: SuppressionRequest,
        *,
        checkpoint: Checkpoint | None = None,
        max_failures: int = 100,
        **how: Any,
    ) -> SuppressionSync:
        """Return a sync of a plan that is not yet begun."""
        return SuppressionSync(
            plan,
            replace(wanted, legacy=self.legacy),
            WantedScope(wanted.campaign),
            at_once=4,
            max_failures=max_failures,
            checkpoint=checkpoint,
            **how,
        )
