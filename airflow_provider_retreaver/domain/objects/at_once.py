"""Reading several objects at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from airflow_provider_retreaver.core.errors import RUN_ENDING
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together

K = TypeVar("K")


def together(operations: Sequence[Operation[Any]]) -> Procedure[list[Outcome[Any]]]:
    """Do operations at once; an error that concerns the whole account, or a task told to stop, is raised.

    :param operations: that do not depend on each other.
    :return: what each returned, in their order.
    :raises AuthenticationError: when the key is refused.
    :raises PermissionDenied: when the company is refused.
    :raises Stopped: when the task is told to stop.
    """
    outcomes: list[Outcome[Any]] = (yield Together(operations)) if operations else []
    for outcome in outcomes:
        if isinstance(outcome.error, RUN_ENDING):
            raise outcome.error
    return outcomes


def complete(
    listed: dict[K, Row], chosen: Iterable[K], needed: Sequence[str], read: Callable[[K], Operation[Any]]
) -> Procedure[None]:
    """Read those objects of a list that came without fields which they must have.

    :param listed: the list by any key; objects are replaced by what was read.
    :param chosen: keys of the objects that are concerned.
    :param needed: names of the fields.
    :param read: returns the operation that reads an object, by its key.
    """
    incomplete = [key for key in dict.fromkeys(chosen) if any(name not in listed[key] for name in needed)]
    outcomes = yield from together([read(key) for key in incomplete])
    for key, outcome in zip(incomplete, outcomes, strict=True):
        if outcome.error is not None:
            raise outcome.error
        listed[key] = outcome.value or listed[key]
