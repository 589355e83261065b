"""How operators select targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from airflow_provider_retreaver.core.errors import InvalidArgument

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.objects.selection import TargetSelection

# IDs of Retreaver or of the customer: one, several, or a text with commas.
Ids = str | int | Iterable[str | int]

# `"key:value"`, or a mapping of one key to its value.
TagFilter = str | Mapping[str, str]

# The parameters that select targets, as template fields.
SELECTION_FIELDS: Final = ("target_ids", "tids", "target_group_ids", "tag")


class NotGiven(Enum):
    """The default of parameters for which None has a meaning of its own."""

    NOT_GIVEN = "not given"


# An operator never keeps it in a template field: there the value is None, and `given_names` has the difference.
NOT_GIVEN: Final = NotGiven.NOT_GIVEN


T = TypeVar("T")


class SelectsTargets(Protocol):
    """An operator with the four parameters that select targets."""

    target_ids: Ids | None
    tids: Ids | None
    target_group_ids: Ids | None
    tag: TagFilter | None


def given_names(**parameters: object) -> tuple[str, ...]:
    """Return which parameters were given.

    :param parameters: by name; the value `NOT_GIVEN` stands for those that were not.
    :return: their names. A parameter that a template or another task sets to None counts as given: None from
        upstream must not select all targets.
    """
    return tuple(name for name, value in parameters.items() if value is not NOT_GIVEN)


def given_value(value: T | NotGiven) -> T | None:
    """Return a parameter as an operator keeps it.

    :param value: of the parameter.
    :return: the value; None when it was not given.
    """
    return None if isinstance(value, NotGiven) else value


def select_targets(
    operator: SelectsTargets, *, only_filled: bool | None = None, given: Iterable[str] = ()
) -> TargetSelection:
    """Read which targets an operator selects; a group stands for its members.

    :param operator: with rendered parameters.
    :param only_filled: whether only targets with a full cap are selected, which may stand alone for those of the
        whole company; None for operators without that parameter.
    :param given: what `given_names` returned.
    :return: the selection.
    :raises InvalidArgument: when nothing selects targets, or only parameters that came out as None.
    """
    from airflow_provider_retreaver.core.parameters import ids, texts
    from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection

    selection = TargetSelection(
        ids=ids(operator.target_ids, "target_ids"),
        tids=texts(operator.tids, "tids"),
        groups=ids(operator.target_group_ids, "target_group_ids"),
        tag=Tag.parse(operator.tag),
        only_filled=bool(only_filled),
    )
    names = ", ".join(given)
    if selection.everything and names:
        more = ", or leave the parameter out for all targets with a full cap" if only_filled else ""
        raise InvalidArgument(
            f"{names} came out as None, as from a task that returned nothing, which selects no targets; give IDs, or "
            f"[] for no targets{more}."
        )
    if selection.everything and not only_filled:
        more = ", or set only_filled=True for those with a full cap" if only_filled is not None else ""
        raise InvalidArgument(f"No targets are selected; give target_ids, tids, target_group_ids or tag{more}.")
    return selection
