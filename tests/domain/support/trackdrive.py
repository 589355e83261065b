"""TrackDrive in memory: the sandbox behind the client's transport, with other people at work between two requests."""

from __future__ import annotations

import base64
import json
from typing import Any

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings
from airflow_provider_retreaver.sandbox.options import TRACKDRIVE_PRIVATE_KEY, TRACKDRIVE_PUBLIC_KEY
from tests.domain.support.retreaver import SimulatedRetreaver

TOKEN = base64.b64encode(f"{TRACKDRIVE_PUBLIC_KEY}:{TRACKDRIVE_PRIVATE_KEY}".encode()).decode()
PATH = "/buyer_groups"


class SimulatedTrackDrive(SimulatedRetreaver):
    """An account of TrackDrive, filled and read behind the client's back."""

    def settings(self) -> ClientSettings:
        """Return the connection's settings."""
        return TrackDriveSettings.parse(
            "test",
            login=TRACKDRIVE_PUBLIC_KEY,
            password=TRACKDRIVE_PRIVATE_KEY,
            host="http://127.0.0.1:1",
            extra={"max_concurrency": 1},
        )

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Do something at TrackDrive behind the client's back."""
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "authorization": f"Basic {TOKEN}"}
        answer = self._sandbox.handle(method, f"/api/v1{path}", [], headers, raw)
        assert answer.status < 300, (method, path, answer)
        return json.loads(answer.body)

    def buyers(self, *own_ids: str) -> list[int]:
        """Add buyers with these IDs of the customer, and return TrackDrive's."""
        path = "/__sandbox__/trackdrive/buyers"
        return [self.ask("POST", path, {"name": "Buyer", "user_buyer_id": own})["id"] for own in own_ids]

    def add_group(self, name: str = "Roofers", **attributes: Any) -> int:
        """Add a buyer group and return its ID."""
        return int(self.do("POST", PATH, {"name": name, **attributes})["buyer_group"]["id"])

    def fill(self, id_: int, used: float = 10, cap: str = "attempt_total") -> None:
        """Set what a cap has counted."""
        self.ask("POST", f"/__sandbox__/trackdrive{PATH}/{id_}/fill", {"cap": cap, "used": used})

    def group_now(self, id_: int) -> dict[str, Any]:
        """Return a buyer group as it is."""
        found: dict[str, Any] = self.do("GET", f"{PATH}/{id_}")["buyer_group"]
        return found

    def set_group(self, id_: int, **attributes: Any) -> None:
        """Change a buyer group as someone else would."""
        self.do("PUT", f"{PATH}/{id_}", attributes)

    def puts(self) -> list[tuple[int, Any]]:
        """Return ID and body of the client's PUTs."""
        return [(int(path.rpartition("/")[2]), body) for method, path, body in self.sent if method == "PUT"]

    def invitations(self) -> list[str]:
        """Return the addresses that were sent an invitation."""
        return [row["email"] for row in self.ask("GET", "/__sandbox__/trackdrive/invitations")]

    def lose_answer(self, id_: int, *, times: int = 1, done: bool = True, status: int = 500) -> None:
        """Lose the answers to the next changes of a group, after or before they are done."""
        self.fault(
            f"/api/v1{PATH}/{id_}", method="PUT", times=times, status=status, then="done" if done else "nothing"
        )
