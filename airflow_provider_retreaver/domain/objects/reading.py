"""Reading many targets: one by one where they are few, by listing where that costs fewer requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import AuthenticationError, PermissionDenied, RetreaverError
from airflow_provider_retreaver.core.operations import Operation, Outcome, Procedure, Row, Together
from airflow_provider_retreaver.resources import targets

# More targets than a page of the list are read by listing them.
ONE_BY_ONE = 25

Found = tuple[dict[int, Row], dict[int, RetreaverError]]


def together(operations: Sequence[Operation[Any]]) -> Procedure[list[Outcome[Any]]]:
    """Do operations at once; an error that all of them would meet is raised at once.

    :raises AuthenticationError: when the key is refused.
    :raises PermissionDenied: when the company is refused.
    """
    outcomes: list[Outcome[Any]] = (yield Together(operations)) if operations else []
    for outcome in outcomes:
        if isinstance(outcome.error, (AuthenticationError, PermissionDenied)):
            raise outcome.error
    return outcomes


def read_targets(ids: Iterable[int], needed: Sequence[str] = ("caps",)) -> Procedure[Found]:
    """Read targets by Retreaver's own IDs.

    :param needed: fields that rows of the vendor's list must have, see `all_targets`.
    :return: the targets found and the errors of those that could not be read, both by ID.
    """
    wanted = list(dict.fromkeys(ids))
    rows: dict[int, Row] = {}
    if len(wanted) > ONE_BY_ONE:
        listed = yield from all_targets(needed)
        rows = {row["id"]: row for row in listed if row["id"] in set(wanted)}
    missing = [id_ for id_ in wanted if id_ not in rows]
    outcomes = yield from together([targets.get_target(id=id_) for id_ in missing])
    errors: dict[int, RetreaverError] = {}
    for id_, outcome in zip(missing, outcomes, strict=True):
        if outcome.error is not None:
            errors[id_] = outcome.error
        else:
            rows[id_] = outcome.value or {}
    return {id_: rows[id_] for id_ in wanted if id_ in rows}, errors


def read_by_tid(tids: Sequence[str]) -> Procedure[tuple[list[Row], dict[str, RetreaverError]]]:
    """Read targets by the customer's IDs.

    :return: the targets found, each with an integer `id`, and the errors of the others by tid.
    """
    operations = [targets.get_target(tid=tid) for tid in tids]
    outcomes = yield from together(operations)
    rows: list[Row] = []
    errors: dict[str, RetreaverError] = {}
    for tid, operation, outcome in zip(tids, operations, outcomes, strict=True):
        if outcome.error is not None:
            errors[tid] = outcome.error
        elif outcome.value is not None:
            require(outcome.value, "id", operation.request)
            rows.append(outcome.value)
    return rows, errors


def all_targets(needed: Sequence[str] = ("caps",)) -> Procedure[list[Row]]:
    """Read all targets of the company.

    :param needed: fields that every row must have; the vendor's list may leave nested ones out, and such a target is
        then read on its own.
    :return: rows with an integer `id`.
    """
    listing = targets.list_targets()
    rows: list[Row] = yield listing
    for row in rows:
        require(row, "id", listing.request)
    short = [row["id"] for row in rows if any(name not in row for name in needed)]
    outcomes = yield from together([targets.get_target(id=id_) for id_ in short])
    whole: dict[int, Row | None] = {}
    for id_, outcome in zip(short, outcomes, strict=True):
        if outcome.error is not None:
            raise outcome.error
        whole[id_] = outcome.value
    return [whole.get(row["id"]) or row for row in rows]
