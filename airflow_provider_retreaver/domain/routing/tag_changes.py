"""Changing the tags of targets and contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.operations import Operation, Procedure, Row
from airflow_provider_retreaver.domain.changes.aims import Aim, owner
from airflow_provider_retreaver.domain.changes.differences import View
from airflow_provider_retreaver.domain.changes.edit import FoundObjects
from airflow_provider_retreaver.domain.objects.reading import together
from airflow_provider_retreaver.domain.routing import tags
from airflow_provider_retreaver.resources import contacts


class TagsAim(Aim):
    """Tags of a target or contact.

    :param edit: what is to be done to them.
    :param kind: `target` or `contact`, for errors.
    """

    replaces = True

    def __init__(self, edit: tags.TagEdit, kind: str) -> None:
        self._edit = edit
        self._kind = kind

    def view(self, row: Row) -> View:
        """Return the tags in alphabetical order; the vendor does not promise one."""
        return {"tags": _texts(tags.read(row, owner(row, self._kind)))}

    def want(self, row: Row) -> View:
        """Return the tags it is to have."""
        return {"tags": _texts(self._wanted(row))}

    def body(self, row: Row, _wanted: View) -> dict[str, Any]:
        """Return the list that replaces the tags.

        :raises ChangeRefused: when it cannot carry them.
        """
        return {"tag_list": tags.tag_list(row, self._wanted(row), owner(row, self._kind))}

    def _wanted(self, row: Row) -> list[tags.Pair]:
        return self._edit.applied(tags.read(row, owner(row, self._kind)))


def find_contacts(ids: Sequence[int], numbers: Sequence[str]) -> Procedure[FoundObjects]:
    """Read contacts by Retreaver's own IDs and by their phone numbers."""
    named: list[tuple[str, Operation[Any]]] = [(f"contact {id_}", contacts.get_contact(id=id_)) for id_ in ids]
    named += [(f"contact with number {_masked(one)}", contacts.get_contact(number=one)) for one in numbers]
    outcomes = yield from together([operation for _, operation in named])
    found = FoundObjects()
    for (key, operation), outcome in zip(named, outcomes, strict=True):
        if outcome.error is not None:
            found.errors[key] = outcome.error
        elif outcome.value is not None:
            found.rows[f"contact {require(outcome.value, 'id', operation.request)}"] = outcome.value
    return found


def _masked(number: str) -> str:
    return f"{number[:2]}…{number[-2:]}"


def _texts(pairs: Sequence[tags.Pair]) -> list[str]:
    return sorted(map(tags.text_of, pairs))
