"""The TrackDrive account of a running sandbox, for tests with Airflow."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_retreaver.operators import trackdrive
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from tests.airflow.support.account import OWN, Account

TOKEN = base64.b64encode(f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}".encode()).decode()
GROUPS = "/api/v1/buyer_groups"


class TrackDriveAccount:
    """Prepares and inspects the buyer groups of a running sandbox.

    :param account: the Retreaver account of the same sandbox.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to TrackDrive directly."""
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "authorization": f"Basic {TOKEN}", OWN: "1"}
        answer = self.account._sandbox.handle(method, f"{GROUPS}{path}", [], headers, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body)

    def group(self, name: str = "Roofers", *, used: float = 0, **attributes: Any) -> int:
        """Add a group whose total caps have counted attempts, and return its ID."""
        id_ = int(self.do("POST", "", {"name": name, **attributes})["buyer_group"]["id"])
        self.fill(id_, used)
        return id_

    def fill(self, id_: int, used: float) -> None:
        """Set how many attempts the total cap of a group has counted."""
        self.account._control("POST", f"trackdrive/buyer_groups/{id_}/fill", {"cap": "attempt_total", "used": used})

    def invitations(self) -> list[str]:
        """Return the addresses that were sent an invitation."""
        return [row["email"] for row in self.account._control("GET", "trackdrive/invitations")]

    def buyer(self, own_id: str) -> int:
        """Add a buyer and return its ID."""
        body = {"name": "Buyer", "user_buyer_id": own_id}
        return int(self.account._control("POST", "trackdrive/buyers", body)["id"])

    def read(self, id_: int) -> dict[str, Any]:
        """Return a group as it is."""
        found: dict[str, Any] = self.do("GET", f"/{id_}")["buyer_group"]
        return found

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Return an Airflow connection to this account, with some fields changed."""
        parts = {"login": TRACKDRIVE_PUBLIC_KEY, "password": TRACKDRIVE_PRIVATE_KEY, "host": self.account.url}
        return {"conn_type": "trackdrive", **parts, **changes}


def execute(verb: str, context: Mapping[str, Any] | None = None, **parameters: Any) -> Any:
    """Execute an operator as a worker would after rendering, and return its result as JSON."""
    operator = getattr(trackdrive, f"TrackDriveBuyerGroup{verb}Operator")(task_id=verb.lower(), **parameters)
    return json.loads(json.dumps(operator.execute({} if context is None else context)))
