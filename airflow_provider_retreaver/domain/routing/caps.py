"""Caps of targets and groups (Retreaver's reference: "Changing a Target's Caps").

A hard cap counts until it is reset; Retreaver resets hourly, daily and monthly caps. `cap` null means no cap,
`filled` is
the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import ProtocolError

HARD = "Hard"
# Names of the operators' parameters, with Retreaver's names of the types.
TYPES = {"hard": HARD, "hourly": "Hourly", "daily": "Daily", "monthly": "Monthly"}


@dataclass(frozen=True, slots=True)
class Cap:
    """One of the caps of a target or group.

    :param filled: calls counted.
    :param cap: calls allowed, None for no cap.
    """

    filled: int
    cap: int | None

    @property
    def full(self) -> bool:
        """Whether the cap stops calls."""
        return self.cap is not None and self.filled >= self.cap


def hard_cap(row: Mapping[str, object]) -> Cap:
    """Return the hard cap of a target or group.

    :param row: the target or group; without a hard cap it counts as having no cap.
    :return: the cap.
    :raises ProtocolError: when the row has no `caps`, or invalid ones.
    """
    return cap_of(row, "hard")


def limits(row: Mapping[str, object]) -> dict[str, int | None]:
    """Return the limits of a target or group.

    :param row: the target or group.
    :return: limits by name (`hard`, `hourly`, `daily`, `monthly`), None for no cap.
    :raises ProtocolError: when the row has no `caps`, or invalid ones.
    """
    return {name: cap_of(row, name).cap for name in TYPES}


def any_full(row: Mapping[str, object]) -> bool:
    """Return whether one of the four caps of a target or group stops calls.

    :param row: the target or group.
    :return: True when one is full.
    :raises ProtocolError: when the row has no `caps`, or invalid ones.
    """
    return any(cap_of(row, name).full for name in TYPES)


def cap_of(row: Mapping[str, object], name: str) -> Cap:
    """Return one of the four caps of a target or group.

    :param row: the target or group; without this cap it counts as having no cap.
    :param name: `hard`, `hourly`, `daily` or `monthly`.
    :return: the cap.
    :raises ProtocolError: when the row has no `caps`, or invalid ones.
    """
    caps = row.get("caps")
    if not isinstance(caps, list) or not all(isinstance(cap, Mapping) for cap in caps):
        raise ProtocolError(f"Object {row.get('id')} came without 'caps', which Retreaver documents for it.")
    for cap in caps:
        if cap.get("type") == TYPES[name]:
            filled, most = cap.get("filled"), cap.get("cap")
            if not isinstance(filled, int) or not isinstance(most, (int, type(None))):
                raise ProtocolError(
                    f"The {name} cap of object {row.get('id')} came without numbers in 'filled' and 'cap'."
                )
            return Cap(filled, most)
    return Cap(0, None)
