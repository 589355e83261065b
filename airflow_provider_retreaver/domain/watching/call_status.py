"""The status of one call (Retreaver's reference: "Get a specific Call")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, TypedDict

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.domain.watching.call_filters import lower_case_texts
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState
from airflow_provider_retreaver.resources import calls


class CallStatusRow(TypedDict):
    """A call's status, as the sensor returns it.

    :param uuid: the call.
    :param status: its status, as Retreaver spells it.
    :param updated_at: when the call was last updated, RFC 3339; None when Retreaver does not say.
    """

    uuid: str
    status: str
    updated_at: str | None


@dataclass(frozen=True, slots=True)
class CallStatusQuery(Query[CallStatusRow]):
    """The status of a call.

    :param uuid: the call.
    """

    uuid: str

    def run(self, _state: QueryState, /) -> Procedure[CallStatusRow]:
        """Read the call; no state is kept."""
        operation = calls.get_call(self.uuid)
        row: Row = yield operation
        return {
            "uuid": self.uuid,
            "status": str(require(row, "status", operation.request)),
            "updated_at": row.get("updated_at"),
        }


@dataclass(frozen=True, slots=True)
class CallStatus(Condition[CallStatusRow]):
    """A call has one of several statuses; the condition of `RetreaverCallSensor`.

    :param uuid: the call.
    :param status: the statuses, in lower case.
    """

    kind: ClassVar[str] = "call_status"

    uuid: str
    status: tuple[str, ...]

    @classmethod
    def from_parameters(cls, *, uuid: object, status: object) -> Self:
        """Build the condition from the sensor's parameters."""
        text = str(uuid or "").strip()
        if not text or any(char in text for char in "/?# "):
            raise InvalidArgument(f"uuid must be the UUID of a call, not {quoted(uuid)}.")
        return cls(text, lower_case_texts(status, "status"))

    @property
    def query(self) -> CallStatusQuery:
        """The call's status."""
        return CallStatusQuery(self.uuid)

    def evaluate(self, result: CallStatusRow) -> Evaluation:
        """Compare the statuses, ignoring case."""
        expected = " or ".join(self.status)
        message = f"call {one_line(self.uuid)} has status {quoted(result['status'])}, expected {expected}"
        return Evaluation(result["status"].lower() in self.status, result, message)
