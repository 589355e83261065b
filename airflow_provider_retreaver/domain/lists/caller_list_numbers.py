"""Reading the numbers of a caller list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_retreaver.core.errors import PermissionDenied
from airflow_provider_retreaver.core.operations import Count, Each, Procedure, Row
from airflow_provider_retreaver.domain.lists.number_set import Collector, NumberSet
from airflow_provider_retreaver.domain.lists.phones import from_e164
from airflow_provider_retreaver.resources import caller_lists
from airflow_provider_retreaver.resources.caller_lists import Owner


@dataclass(slots=True)
class ListedNumbers:
    """The numbers of a caller list.

    :param numbers: in E.164.
    :param others: count of numbers that are written otherwise.
    :param created: when the watched numbers were put on the list, as Retreaver writes it.
    """

    numbers: NumberSet
    others: int = 0
    created: dict[int, str] = field(default_factory=dict)


def read_numbers(
    owner: Owner, name: str, watched: Callable[[int], bool], each: Callable[[], None]
) -> Procedure[ListedNumbers]:
    """Read a caller list completely.

    :param owner: target or campaign of the list.
    :param name: of the list.
    :param watched: says of which numbers the result has when they were put on the list.
    :param each: called for each number.
    :return: its numbers.
    :raises PermissionDenied: when the key may not list.
    :raises ListingIncomplete: when it cannot be read completely.
    """
    found, listed = Collector(), ListedNumbers(NumberSet())

    def visit(row: Row) -> None:
        each()
        number = from_e164(str(row["number"]).strip())
        if number is None:
            listed.others += 1
            return
        found.add(number)
        if watched(number):
            listed.created[number] = str(row.get("created_at"))

    yield Each(caller_lists.list_caller_list_numbers(owner, name), visit)
    listed.numbers = found.finish()
    return listed


def count_numbers(owner: Owner, name: str) -> Procedure[int | None]:
    """Count the numbers of a caller list.

    :param owner: target or campaign of the list.
    :param name: of the list.
    :return: the count; None when the key may not list.
    """
    try:
        total: int = yield Count(caller_lists.list_caller_list_numbers(owner, name))
    except PermissionDenied:
        return None
    return total
