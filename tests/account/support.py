"""An account in memory with its files: what a person does with `retreaver-account`, without a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from airflow_provider_retreaver.account.applying import Apply, ApplyResult
from airflow_provider_retreaver.account.drifting import Applied, load_applied
from airflow_provider_retreaver.account.exporting import Export, Exporter
from airflow_provider_retreaver.account.files import read_files
from airflow_provider_retreaver.account.kinds import Live, read_account
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Plan, load_plan
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from tests.domain.support.retreaver import SimulatedRetreaver

TODAY = date(2026, 11, 27)


class Account(SimulatedRetreaver):
    """A company of the sandbox and somebody who manages it by files; `secrets` are those that references find."""

    def __init__(self, load: str = "empty") -> None:
        super().__init__(load)
        self.secrets: dict[str, str] = {}
        self.world = World(secrets=lambda one: self.secrets.get(str(one.connection or one.env)), today=TODAY)
        self.records: dict[str, Record] = {}
        self.applied: Applied | None = None

    def add(self, kind: str, **attributes: Any) -> dict[str, Any] | None:
        """Add an object of the resource; None when the vendor refuses it."""
        envelope = kind.removesuffix("s")
        path = f"/api/v1/{kind}.json" if kind == "affiliates" else f"/{kind}.json"
        pairs = [("api_key", "sandbox-key"), ("company_id", "1")]
        body = json.dumps({envelope: attributes}).encode()
        answer = self._sandbox.handle("POST", path, pairs, {"content-type": "application/json"}, body)
        return json.loads(answer.body)[envelope] if answer.status < 300 else None

    def put(self, kind: str, id_: object, **attributes: Any) -> None:
        """Change an object as somebody else."""
        path = f"/api/v1/{kind}/{id_}.json" if kind == "affiliates" else f"/{kind}/{id_}.json"
        self.ask("PUT", path, {kind.removesuffix("s"): attributes})

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return all objects of a resource."""
        path, found, page = f"/api/v1/{kind}.json" if kind == "affiliates" else f"/{kind}.json", [], 1
        while rows := self.ask("GET", path, query={"page": str(page)}):
            found += [row[kind.removesuffix("s")] for row in rows]
            page += 1
        return found

    def live(self) -> Live:
        """Read the account."""
        return self.client.run(read_account())

    def export(self, **patterns: Any) -> Export:
        """Export the account."""
        return Exporter(self.live(), self.world, **patterns).export()

    def plan(self, *texts: str, variables: Mapping[str, object] | None = None, overlay: str | None = None) -> Plan:
        """Plan files, given as texts."""
        named = [(f"file{number}.yaml", text) for number, text in enumerate(texts)]
        files = read_files(named, ("overlay.yaml", overlay) if overlay is not None else None, variables)
        return Planner(files, self.live(), self.world).plan()

    def apply(self, plan: Plan, **how: Any) -> ApplyResult:
        """Apply a plan that went through a file; the record is that of earlier applies."""
        how.setdefault("limit", ChangeLimit())
        again = load_plan(plan.dump(), "plan.json", plan.sha256)
        return self.client.run(self.apply_of(again, **how).procedure())

    def apply_of(self, plan: Plan, **how: Any) -> Apply:
        """Return an apply that is not begun; what it saves goes through JSON, as a file does."""
        record = self.records.get(plan.sha256, Record())
        how.setdefault("limit", ChangeLimit())
        kept: dict[str, Any] = {"applied": self.applied, "note": self.note}
        return Apply(plan, self.world, record=record, save=lambda one: self.keep(plan, one), **kept, **how)

    def note(self, applied: Applied) -> None:
        """Keep what is applied."""
        self.applied = load_applied(applied.dump(), "applied.json")

    def keep(self, plan: Plan, record: Record) -> None:
        """Keep what an apply saves."""
        self.records[plan.sha256] = Record.load(json.loads(json.dumps(record.dump())))


def statuses(result: ApplyResult) -> dict[str, str]:
    """Return what became of each object."""
    return {one["address"]: one["status"] for one in result["outcomes"]}
