"""What a sensor waits for: a question that is asked again and again, and a judgement of each answer.

The two are kept apart, so that sensors which ask the same question with different limits share the asking. A question
is a procedure of requests; a judgement is a pure function of what the question found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, ClassVar, Self, cast

from airflow_provider_retreaver.core.operations import Procedure

# What a question keeps between two times it is asked; plain JSON.
Memory = dict[str, Any]

# Every condition, by the name under which a trigger is told of it.
KINDS = {
    "call_volume": "airflow_provider_retreaver.domain.watching.call_volume.CallVolume",
    "call_status": "airflow_provider_retreaver.domain.watching.call_status.CallStatus",
    "cap_filled": "airflow_provider_retreaver.domain.watching.cap_filled.CapFilled",
    "target_idle": "airflow_provider_retreaver.domain.watching.target_idle.TargetIdle",
    "number_pool": "airflow_provider_retreaver.domain.watching.pool_headroom.PoolHeadroom",
}


class Question(ABC):
    """Something to find out; equal questions are asked once for all who want to know.

    Questions are frozen dataclasses: they are compared and hashed by their fields.
    """

    @abstractmethod
    def ask(self, memory: Memory, /) -> Procedure[Any]:
        """Find out, and return what was found.

        :param memory: what earlier rounds kept, empty at first; changed only when the round succeeds.
        """


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means for one condition.

    :param met: whether what is waited for has come.
    :param value: what the sensor returns when it has; small, plain JSON.
    :param told: one line for the log.
    :param hopeless: why it can no longer come, None when it can.
    :param holding: for which of several objects it holds (keys such as `target 3`).
    """

    met: bool
    value: Any
    told: str
    hopeless: str | None = None
    holding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition(ABC):
    """A question with its judgement. Subclasses are frozen dataclasses whose fields are the sensor's parameters."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters, as they were given or rendered.

        :raises InvalidArgument: naming the parameter that cannot be right.
        """

    @property
    @abstractmethod
    def question(self) -> Question:
        """What is to be found out."""

    @abstractmethod
    def judge(self, found: Any) -> Verdict:
        """Judge what the question found."""

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(field.name for field in fields(cls))

    def options(self) -> dict[str, Any]:
        """Return the parameters as plain JSON, from which `of` builds an equal condition."""
        return {name: plain(getattr(self, name)) for name in self.parameters()}


def plain(value: Any) -> Any:
    """Return a value as plain JSON: mappings and sequences become dicts and lists."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def condition_of(kind: str, options: Mapping[str, Any]) -> Condition:
    """Build a condition from its name and its parameters.

    :raises InvalidArgument: naming the parameter that cannot be right.
    """
    return _class_of(kind).of(**options)


def parameters_of(kind: str) -> tuple[str, ...]:
    """Return the names of a condition's parameters."""
    return _class_of(kind).parameters()


def _class_of(kind: str) -> type[Condition]:
    module, _, name = KINDS[kind].rpartition(".")
    return cast("type[Condition]", getattr(import_module(module), name))
