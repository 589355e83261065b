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

# Names: one, several, or a text with commas.
Names = str | Iterable[str]

# `"key:value"`, or a mapping of one key to its value.
TagFilter = str | Mapping[str, str]

# The parameters that select targets, as template fields.
SELECTION_FIELDS: Final = ("target_ids", "tids", "target_names", "target_group_ids", "target_group_names", "tag")


class NotGiven(Enum):
    """The default of parameters for which None has a meaning of its own."""

    NOT_GIVEN = "not given"


# An operator never keeps it in a template field: there the value is None, and `given_names` has the difference.
NOT_GIVEN: Final = NotGiven.NOT_GIVEN


T = TypeVar("T")


class SelectsTargets(Protocol):
    """An operator with the parameters that select targets."""

    target_ids: Ids | None
    tids: Ids | None
    target_names: Names | None
    target_group_ids: Ids | None
    target_group_names: Names | None
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


def object_name(operator: object, id_name: str, name_name: str) -> str | None:
    """Read the parameter that chooses one object by its name, in which a comma is a part of it.

    :param operator: with rendered parameters.
    :param id_name: name of the parameter for the ID.
    :param name_name: name of the parameter for the name.
    :return: the name; None when the parameter is None, which leaves the choice to the other one.
    :raises InvalidArgument: when both are given, or the name is blank or came out as "None".
    """
    from airflow_provider_retreaver.core.parameters import is_given, text

    id_, name = getattr(operator, id_name), getattr(operator, name_name)
    if name is None:
        return None
    if is_given(id_):
        raise InvalidArgument(f"Give {id_name} or {name_name}, not both: each chooses the object.")
    if not is_given(name):
        raise InvalidArgument(f"{name_name} is blank, or came out as None; give a name, or {id_name}.")
    return text(name, name_name)


def one_object(operator: object, id_name: str, name_name: str) -> int | str:
    """Read the parameters that choose one object, by its ID or by its name.

    :param operator: with rendered parameters.
    :param id_name: name of the parameter for Retreaver's own ID.
    :param name_name: name of the parameter for the name, in which a comma is a part of it.
    :return: the ID, or the name as a text.
    :raises InvalidArgument: when not exactly one of the two is given, or one is invalid.
    """
    from airflow_provider_retreaver.core.parameters import ids
    from airflow_provider_retreaver.core.quoting import quoted

    name = object_name(operator, id_name, name_name)
    if name is not None:
        return name
    id_ = getattr(operator, id_name)
    found = ids(id_, id_name) or []
    if len(found) != 1:
        raise InvalidArgument(
            f"{id_name} must be one ID, not {quoted(id_)}; give it, or {name_name}, and map over several."
        )
    return found[0]


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
    selection = read_selection(operator, only_filled=bool(only_filled))
    none = ", ".join(given)
    if selection.everything and none:
        more = ", or leave the parameter out for all targets with a full cap" if only_filled else ""
        raise InvalidArgument(
            f"{none} came out as None, as from a task that returned nothing, which selects no targets; give IDs or "
            f"names, or [] for no targets{more}."
        )
    if selection.everything and not only_filled:
        more = ", or set only_filled=True for those with a full cap" if only_filled is not None else ""
        raise InvalidArgument(f"No targets are selected; give {', '.join(SELECTION_FIELDS[:-1])} or tag{more}.")
    return selection


def read_selection(operator: SelectsTargets, *, only_filled: bool = False) -> TargetSelection:
    """Read the parameters that select targets.

    :param operator: with rendered parameters.
    :param only_filled: whether only targets with a full cap are selected.
    :return: the selection, which may be that of all targets.
    :raises InvalidArgument: naming the parameter that is invalid.
    """
    from airflow_provider_retreaver.core.parameters import ids, names, texts
    from airflow_provider_retreaver.domain.objects.selection import Tag, TargetSelection

    return TargetSelection(
        ids=ids(operator.target_ids, "target_ids"),
        tids=texts(operator.tids, "tids"),
        groups=ids(operator.target_group_ids, "target_group_ids"),
        tag=Tag.parse(operator.tag),
        only_filled=only_filled,
        names=names(operator.target_names, "target_names"),
        group_names=names(operator.target_group_names, "target_group_names"),
    )
