"""What has become of one call (vendor's reference: "Get a specific Call")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.watching.call_filters import statuses
from airflow_provider_retreaver.domain.watching.condition import Condition, Memory, Question, Verdict
from airflow_provider_retreaver.resources import calls


@dataclass(frozen=True, slots=True)
class CallState(Question):
    """A call's status: `{"uuid", "status", "updated_at"}`."""

    uuid: str

    def ask(self, _memory: Memory, /) -> Procedure[Any]:
        """Read the call; nothing is kept."""
        operation = calls.get_call(self.uuid)
        row: Row = yield operation
        return {
            "uuid": self.uuid,
            "status": str(require(row, "status", operation.request)),
            "updated_at": row.get("updated_at"),
        }


@dataclass(frozen=True, slots=True)
class CallStatus(Condition):
    """A call has one of some statuses; see `RetreaverCallSensor` for the parameters."""

    kind: ClassVar[str] = "call_status"

    uuid: str
    status: tuple[str, ...]

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters."""
        uuid = str(options["uuid"] or "").strip()
        if not uuid or any(char in uuid for char in "/?# "):
            raise InvalidArgument(f"uuid must be the UUID of a call, not {options['uuid']!r}.")
        return cls(uuid, statuses(options["status"], "status"))

    @property
    def question(self) -> CallState:
        """The call's status."""
        return CallState(self.uuid)

    def judge(self, found: Any) -> Verdict:
        """Compare the statuses, whatever their case."""
        met = found["status"].lower() in self.status
        told = f"call {self.uuid} has status {found['status']!r}, {' or '.join(self.status)} wanted"
        return Verdict(met, found, told, holding=(f"call {self.uuid}",) if met else ())
