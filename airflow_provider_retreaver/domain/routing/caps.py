"""What caps mean (vendor's reference: "Changing a Target's Caps").

A hard cap counts until it is reset by hand; hourly, daily and monthly caps are reset by the vendor. `cap` null is no
cap, `filled` is the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import ProtocolError

HARD = "Hard"
# As operators name them, with the vendor's names for their types.
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
        """Whether it stops calls."""
        return self.cap is not None and self.filled >= self.cap


def hard_cap(row: Mapping[str, Any]) -> Cap:
    """Return the hard cap of a target or group; one that has none counts as having no cap.

    :raises ProtocolError: when the row has no `caps` at all, or a hard cap whose numbers are none.
    """
    return cap_of(row, "hard")


def limits(row: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the limits of a target or group by name (`hard`, `hourly`, `daily`, `monthly`), None for no cap.

    :raises ProtocolError: as `cap_of` does.
    """
    return {name: cap_of(row, name).cap for name in TYPES}


def any_full(row: Mapping[str, Any]) -> bool:
    """Whether one of the four caps of a target or group stops calls.

    :raises ProtocolError: as `cap_of` does.
    """
    return any(cap_of(row, name).full for name in TYPES)


def cap_of(row: Mapping[str, Any], name: str) -> Cap:
    """Return one of the four caps of a target or group; one that it does not have counts as having no cap.

    :param name: `hard`, `hourly`, `daily` or `monthly`.
    :raises ProtocolError: when the row has no `caps` at all, or this cap's numbers are none.
    """
    caps = row.get("caps")
    if not isinstance(caps, list) or not all(isinstance(cap, Mapping) for cap in caps):
        raise ProtocolError(f"Object {row.get('id')} came without 'caps', which the vendor documents for it.")
    for cap in caps:
        if cap.get("type") == TYPES[name]:
            filled, most = cap.get("filled"), cap.get("cap")
            if not isinstance(filled, int) or not isinstance(most, (int, type(None))):
                raise ProtocolError(
                    f"The {name} cap of object {row.get('id')} came without numbers in 'filled' and 'cap'."
                )
            return Cap(filled, most)
    return Cap(0, None)
