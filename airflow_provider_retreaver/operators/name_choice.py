"""How operators that change no targets choose an object by name, and keep its ID for the attempts of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.objects.names import FoundNames

T = TypeVar("T")


def find_for_run(
    run: Callable[[Procedure[T]], T],
    context: Context,
    state_path: str | None,
    find: Callable[[FoundNames], Procedure[T]],
    *,
    dry_run: bool = False,
) -> T:
    """Find objects by name once in a run: later attempts have the same ones, whatever has their names then.

    :param run: runs a procedure, such as a hook's `run`.
    :param context: of the task.
    :param state_path: folder on object storage for what was found; None for Airflow's task state store. With neither
        each attempt looks names up.
    :param find: returns the procedure, which gets what was found before, and adds to it.
    :param dry_run: whether nothing is kept.
    :return: what the procedure returns.
    :raises NotFound: when no object has one of the names.
    :raises InvalidArgument: when several have one of the names.
    """
    from airflow_provider_retreaver.storage.run_state import RunState

    state = RunState(context, "names", state_path)
    known: dict[str, Any] = state.load() or {}
    before = {kind: dict(ids) for kind, ids in known.items()}
    found = run(find(known))
    if known != before and not dry_run:
        state.save(known)
    return found
