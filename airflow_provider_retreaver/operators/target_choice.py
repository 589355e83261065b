"""Which targets an operator means, as DAG authors say it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.objects.selection import Chosen

Ids = str | int | Iterable[str | int]

# A default that no template and no other task's result comes out as: None from upstream must not mean "all".
NOT_GIVEN = "(not given)"


def chosen_targets(
    target_ids: Any, tids: Any, target_group_ids: Any, tag: Any, *, only_filled: bool | None = None
) -> Chosen:
    """Read which targets an operator means; a group stands for its members.

    :param only_filled: whether only full ones are meant, which may stand alone; None where there is no such choice.
    :raises InvalidArgument: when nothing says which, or only a None does.
    """
    from airflow_provider_retreaver.core.parameters import ids, texts
    from airflow_provider_retreaver.domain.objects.selection import Chosen, Tag

    named = {"target_ids": target_ids, "tids": tids, "target_group_ids": target_group_ids, "tag": tag}
    given = {name: value for name, value in named.items() if value != NOT_GIVEN}
    chosen = Chosen(
        ids=ids(given.get("target_ids"), "target_ids"),
        tids=texts(given.get("tids"), "tids"),
        groups=ids(given.get("target_group_ids"), "target_group_ids"),
        tag=Tag.parse(given.get("tag")),
        only_filled=bool(only_filled),
    )
    if chosen.everything and not only_filled:
        more = ", or set only_filled=True for the full ones" if only_filled is not None else ""
        raise InvalidArgument(
            f"Nothing says which targets are meant; give target_ids, tids, target_group_ids or tag{more}."
        )
    if chosen.everything and given:
        raise InvalidArgument(
            f"{', '.join(given)} came out as None, as from a task that returned nothing, and taking that for all "
            f"full targets of the company would be a guess; give [] for nobody, or leave it out for all."
        )
    return chosen
