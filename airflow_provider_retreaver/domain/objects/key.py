"""What identifies an object of an account inside a procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_retreaver.core.quoting import mask_number, one_line, quoted

ObjectKind = Literal["target", "group", "contact", "buyer group"]

# How an object is named that is known by the customer's ID only.
_PREFIXES: dict[ObjectKind, str] = {"target": "tid ", "group": "", "contact": "with number ", "buyer group": ""}


@dataclass(frozen=True, slots=True, repr=False)
class ObjectKey:
    """A target, a target group, a contact, or a buyer group of TrackDrive.

    :param kind: `target`, `group`, `contact` or `buyer group`.
    :param id: Retreaver's (TrackDrive's) own ID; None for an object that could not be read by the customer's ID.
    :param customer_id: where the ID is not known: the tid of a target, or the phone number of a contact.
    :param name: where neither is known: the name of a target or group.
    """

    kind: ObjectKind
    id: int | None = None
    customer_id: str | None = None
    name: str | None = None

    @property
    def label(self) -> str:
        """What identifies the object among those of its kind: `3`, `tid A7`, `'Acme'`; a phone number is masked."""
        if self.id is not None:
            return str(self.id)
        if self.name is not None:
            return quoted(self.name)
        name = mask_number(self.customer_id) if self.kind == "contact" else one_line(self.customer_id, numbers=False)
        return _PREFIXES[self.kind] + name

    def __str__(self) -> str:
        """Return the form of logs, errors and state files: `target 3`, `group 5`, `target tid A7`."""
        return f"{self.kind} {self.label}"

    def __repr__(self) -> str:
        """Return the form for debugging, in which a phone number is masked as well."""
        return f"<{self}>"


def target_key(id_: int) -> ObjectKey:
    """Return the key of a target.

    :param id_: Retreaver's own ID.
    :return: the key.
    """
    return ObjectKey("target", id_)


def group_key(id_: int) -> ObjectKey:
    """Return the key of a target group.

    :param id_: Retreaver's own ID.
    :return: the key.
    """
    return ObjectKey("group", id_)


def buyer_group_key(id_: int) -> ObjectKey:
    """Return the key of a buyer group.

    :param id_: TrackDrive's own ID.
    :return: the key.
    """
    return ObjectKey("buyer group", id_)
