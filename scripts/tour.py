"""What the example DAGs find in `make ui`: connections, variables, a warehouse, a CRM, and calls that fit them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from local_airflow import API_KEY, COMPANY, Fields, connection_fields, get_json, post_json

from airflow_provider_retreaver.sandbox.options import (
    TRACKDRIVE_PRIVATE_KEY,
    TRACKDRIVE_PUBLIC_KEY,
    WRITING_KEY,
)

ZONE = ZoneInfo("America/New_York")
# The year and the number of the calls for the DAG that backfills a year.
YEAR, CALLS = 2025, 520
# Sales a day, and the days around today that have some.
SALES, DAYS = 4, range(-3, 3)
# What links of tasks lead to: the sandbox has a page for each.
PAGES = ("affiliates", "calls", "campaigns", "numbers", "suppressed_numbers", "target_groups", "targets")
POOL, SLOTS = "retreaver", 4
SPAMMER = "+19195550666"
WEBHOOK_TOKEN = "webhook-token-of-the-tour"  # noqa: S105 - of this machine's Airflow only
DO_NOT_CALL = [f"+1213555{1000 + index}" for index in range(25)]
TABLES = """
CREATE TABLE do_not_call (phone TEXT);
CREATE TABLE sales (call_uuid TEXT, caller_number TEXT, amount TEXT, outcome TEXT, sold_on TEXT);
"""


@dataclass(frozen=True)
class Tour:
    """The example DAGs' surroundings, all of them in one folder.

    :param folder: of `make ui`.
    :param sandbox: URL of the sandbox.
    :param files: URL at which the folder of the DAGs' files is served.
    :param airflow: URL of Airflow, to which the sandbox sends webhooks.
    """

    folder: Path
    sandbox: str
    files: str
    airflow: str

    @property
    def warehouse(self) -> Path:
        """The SQLite database that is the warehouse and the CRM."""
        return self.folder / "warehouse.db"

    def connections(self) -> dict[str, Fields]:
        """Return the connections by their ids."""
        folder = self.variables()["retreaver_storage"]
        portal = {"portal_url": self.sandbox, "file_links": {f"{folder}/": f"{self.files}/"}}
        links = {**portal, "portal_paths": {name: f"/__sandbox__/portal/{name}/{{id}}" for name in PAGES}}
        webhooks = {"webhook_token": WEBHOOK_TOKEN, "webhook_spool": f"{folder}/webhooks"}
        retreaver = {**connection_fields(self.sandbox), "extra": {**links, **webhooks}}
        database: Fields = {"conn_type": "sqlite", "host": str(self.warehouse)}
        keys = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY}
        return {
            "retreaver_default": retreaver,
            "retreaver_writing": {**retreaver, "extra": {**links, "postback_key": WRITING_KEY}},
            "trackdrive_default": {
                **retreaver,
                "conn_type": "trackdrive",
                **keys,
                "extra": {**portal, "portal_paths": {"buyer_groups": "/__sandbox__/portal/buyer_groups/{id}"}},
            },
            "warehouse": database,
            "crm": database,
        }

    def variables(self) -> dict[str, str]:
        """Return the variables that the example DAGs read."""
        # Storages take a path as it is: a space is no %20.
        return {"retreaver_storage": f"file://{self.folder}/storage", "retreaver_verify_after": "20s"}

    def prepare(self) -> None:
        """Create the databases, and give the account calls of a past year; a buyer's call in progress ends."""
        (self.folder / "storage").mkdir()
        span = {"created_at_start": f"{YEAR}-01-01T06:00:00Z", "created_at_end": f"{YEAR}-12-31T23:00:00Z"}
        post_json(f"{self.sandbox}/__sandbox__/calls", {"count": CALLS, "fields": {**span, "status": "finished"}})
        post_json(f"{self.sandbox}/__sandbox__/calls_in_progress", {"target_id": 1, "calls_in_progress": 0})
        url = f"{self.airflow}/retreaver/webhooks/retreaver_default/always/{WEBHOOK_TOKEN}"
        post_json(f"{self.sandbox}/__sandbox__/webhooks", {"urls": {"always": url}})
        with closing(sqlite3.connect(self.warehouse)) as database, database:
            database.executescript(TABLES)
            database.executemany("INSERT INTO do_not_call VALUES (?)", [(number,) for number in DO_NOT_CALL])
            database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", self._sales())

    def _sales(self) -> Iterator[tuple[str | None, str, str, str, str]]:
        """Yield sales of some days; the last one of each day is of a call that has not come in."""
        query = f"api_key={API_KEY}&company_id={COMPANY}&per_page={SALES * len(DAYS)}&sort_by=created_at&order=asc"
        calls = iter(get_json(f"{self.sandbox}/api/v2/calls.json?{query}"))
        for days in DAYS:
            day = (datetime.now(UTC).astimezone(ZONE) + timedelta(days=days)).date().isoformat()
            for index in range(SALES - 1):
                call = next(calls)["call"]
                yield call["uuid"], call["caller"], f"{120 + index}.50", "sold", day
            yield None, f"+1919555{1000 + days % 100}", "80.00", "sold", day

    def commands(self) -> Iterator[tuple[str, str]]:
        """Yield what makes something happen in the account: a description and a command for a shell."""
        control = f"curl -X POST {self.sandbox}/__sandbox__"
        yield (
            "five calls come in (export_new_calls notices them within a minute)",
            f"""{control}/calls -d '{{"count": 5, "fields": {{"tid": "buyer-004"}}}}'""",
        )
        short = {"caller": SPAMMER, "total_duration": 4, "status": "finished"}
        yield (
            "a caller hangs up three times (mark_spam_callers marks the calls within a minute)",
            f"""{control}/calls -d '{json.dumps({"count": 3, "fields": short})}'""",
        )
        yield (
            "a hard cap fills (for nightly_cap_reset)",
            f"""{control}/targets/2/fill -d '{{"type": "hard", "filled": 1000}}'""",
        )
        yield (
            "a call begins at a buyer, and ends (drain_and_maintain waits for that)",
            f"""{control}/calls_in_progress -d '{{"target_id": 1, "calls_in_progress": 1}}'""",
        )
        yield ("", f"""{control}/calls_in_progress -d '{{"target_id": 1, "calls_in_progress": 0}}'""")
        yield (
            "the campaign 0001 is not quiet any more (quiet_line_alert waits)",
            f"""{control}/calls -d '{{"fields": {{"cid": "0001"}}}}'""",
        )
