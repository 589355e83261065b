"""What a sensor waits for: a query that is run again and again, and an evaluation of each of its results.

The two are kept apart, so that sensors which run the same query with different limits share its requests. A query is
a procedure of requests; an evaluation is a pure function of the query's result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any, ClassVar, Generic, Self, TypedDict, TypeVar, cast

from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.domain.objects.names import FoundNames

ResultT = TypeVar("ResultT")

# Class paths of all conditions by kind. Deferred triggers in Airflow's database hold the kinds: they must not change.
KINDS = {
    "call_volume": "airflow_provider_retreaver.domain.watching.call_volume.CallVolume",
    "call_status": "airflow_provider_retreaver.domain.watching.call_status.CallStatus",
    "cap_filled": "airflow_provider_retreaver.domain.watching.cap_filled.CapFilled",
    "target_idle": "airflow_provider_retreaver.domain.watching.target_idle.TargetIdle",
    "number_pool": "airflow_provider_retreaver.domain.watching.pool_headroom.PoolHeadroom",
    "account_drift": "airflow_provider_retreaver.account.drifting.AccountDrift",
}
# Conditions of operators, which have no sensor.
OF_OPERATORS = {"export_job": "airflow_provider_retreaver.domain.watching.export_job.ExportEnded"}


class QueryState(TypedDict, total=False):
    """What a query keeps between two runs; plain JSON, empty before the first run.

    Queries of calls keep what they have read, see `call_volume`; those with names keep what they have found.

    :param filters_known: whether the objects that the filters name were found.
    :param names: the IDs of objects that are chosen by name, which no later run looks up again.
    :param calls: the matching calls: when each was created (RFC 3339), by UUID.
    :param newest: the latest `updated_at` that was read, RFC 3339.
    """

    filters_known: bool
    names: FoundNames
    calls: dict[str, str]
    newest: str


class Query(ABC, Generic[ResultT]):
    """Something to read from Retreaver; equal queries are run once for all who wait for the result.

    Queries are frozen dataclasses: they are compared and hashed by their fields.
    """

    @abstractmethod
    def run(self, state: QueryState, /) -> Procedure[ResultT]:
        """Read the result.

        :param state: what earlier runs kept; changed only when the run succeeds.
        :return: a procedure that returns the result.
        """

    @property
    def by_name(self) -> bool:
        """Whether it chooses any object by name."""
        return False

    def with_found(self, state: QueryState) -> Query[ResultT]:  # noqa: ARG002
        """Return the query with the IDs of what it has found by name, in place of the names.

        :param state: of the query.
        :return: an equal query where there are no names, or nothing was found yet.
        """
        return self


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a query's result means for one condition.

    :param met: whether the condition is met.
    :param value: what the sensor returns when it is; small, plain JSON.
    :param message: one line for the log.
    :param impossible: why the condition can no longer be met, None while it can.
    :param matches: rows of the objects for which the condition holds, by label (`target 3`); empty for conditions
        that are not about several objects.
    """

    met: bool
    value: object
    message: str
    impossible: str | None = None
    matches: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition(ABC, Generic[ResultT]):
    """A query with the evaluation of its result.

    Subclasses are frozen dataclasses whose fields are the sensor's parameters.
    """

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_parameters(cls, *args: Any, **kwargs: Any) -> Self:
        """Build the condition from a sensor's parameters, as given or rendered.

        :param args: none; subclasses list the parameters of their sensor, keyword-only.
        :param kwargs: the sensor's parameters by name.
        :return: the condition.
        :raises InvalidArgument: naming the parameter that is not valid.
        """

    @property
    @abstractmethod
    def query(self) -> Query[ResultT]:
        """What is read from Retreaver."""

    @abstractmethod
    def evaluate(self, result: ResultT) -> Evaluation:
        """Evaluate a result of the query.

        :param result: what the query returned.
        :return: whether the condition is met, and what to return and log.
        """

    def with_found(self, state: QueryState) -> Self:  # noqa: ARG002
        """Return the condition with the IDs of what its query has found by name, in place of the names.

        A deferred sensor waits by IDs, so that an object which is renamed meanwhile stays the one that is meant.

        :param state: of the query.
        :return: an equal condition where there are no names, or nothing was found yet.
        """
        return self

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Return the names of the parameters.

        :return: names of the sensor's parameters, in the order of the fields.
        """
        return tuple(one.name for one in fields(cls))

    def options(self) -> dict[str, object]:
        """Return the parameters as plain JSON, from which `from_parameters` builds an equal condition.

        :return: the parameters by name.
        """
        return {name: to_json(getattr(self, name)) for name in self.parameter_names()}


def to_json(value: object) -> object:
    """Return a value as plain JSON: mappings become dicts, lists and tuples become lists.

    :param value: a parameter of a condition.
    :return: the same as plain JSON.
    """
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def build_condition(kind: str, options: Mapping[str, object]) -> Condition[Any]:
    """Build a condition from its kind and its parameters.

    :param kind: a key of `KINDS` or `OF_OPERATORS`.
    :param options: the parameters of the sensor, by name.
    :return: the condition.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    return _class_of(kind).from_parameters(**options)


def parameter_names(kind: str) -> tuple[str, ...]:
    """Return the names of a condition's parameters.

    :param kind: a key of `KINDS` or `OF_OPERATORS`.
    :return: names of the sensor's parameters.
    """
    return _class_of(kind).parameter_names()


def _class_of(kind: str) -> type[Condition[Any]]:
    path = _path_of(kind)
    return cast("type[Condition[Any]]", getattr(import_module(module_of(kind)), path.rpartition(".")[2]))


def module_of(kind: str) -> str:
    """Return the module of a condition.

    :param kind: a key of `KINDS` or `OF_OPERATORS`.
    :return: its full name.
    """
    return _path_of(kind).rpartition(".")[0]


def _path_of(kind: str) -> str:
    return {**KINDS, **OF_OPERATORS}[kind]
