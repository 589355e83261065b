"""What is requested of a sync of a caller list, and what it uploads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_provider_retreaver.domain.lists.number_set import NumberSet
from airflow_provider_retreaver.domain.lists.phones import e164
from airflow_provider_retreaver.domain.lists.suppression_plan import EMPTY
from airflow_provider_retreaver.resources.caller_lists import Owner


@dataclass(frozen=True, slots=True)
class CallerListRequest:
    """The list to synchronize, and what is allowed.

    :param owner: target or campaign of the list.
    :param name: of the list.
    :param mode: `add`, `mirror` or `remove`.
    :param allow_gap: a list that the key may not read may be cleared and filled again.
    :param allow_accept_list: a list that blocks all other callers may be created.
    :param max_removals: see `suppression_plan.limits`.
    :param verify_wait: seconds to wait in total until the list shows the uploads.
    """

    owner: Owner
    name: str
    mode: str
    allow_gap: bool = False
    allow_accept_list: bool = False
    max_removals: object = None
    verify_wait: float = 600.0


@dataclass(slots=True)
class ListChange:
    """What a sync uploads.

    :param add: numbers to add.
    :param remove: numbers to remove.
    :param unchanged: count of the others.
    :param keep: numbers that are not in the source, and are not removed since an unreadable value may mean them.
    :param known: count of numbers on the list before, None when the key may not list.
    :param exact: whether `add` and `remove` were compared with the list, so that the result is known in advance.
    :param clear: clear the list first.
    :param created: whether the list has to be created.
    :param created_at: when the numbers that may be removed were put on the list, as Retreaver writes it.
    :param changed_by_others: how many of them someone else has changed since the list was read.
    """

    add: NumberSet = EMPTY
    remove: NumberSet = EMPTY
    unchanged: int = 0
    keep: NumberSet = EMPTY
    known: int | None = None
    exact: bool = False
    clear: bool = False
    created: bool = False
    created_at: dict[int, str] = field(default_factory=dict)
    changed_by_others: int = 0

    def lines(self) -> Iterator[str]:
        """Return the change as lines of csv, without line ends.

        :return: lines of action and number.
        """
        yield "action,number"
        for action, numbers in (("add", self.add), ("remove", self.remove), ("keep", self.keep)):
            for number in numbers:
                yield f"{action},{e164(number)}"
