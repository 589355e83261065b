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


@dataclass(frozen=True, slots=True)
class HardCap:
    """The hard cap of a target or group.

    :param filled: calls counted.
    :param cap: calls allowed, None for no cap.
    """

    filled: int
    cap: int | None

    @property
    def full(self) -> bool:
        """Whether it stops calls."""
        return self.cap is not None and self.filled >= self.cap


def hard_cap(row: Mapping[str, Any]) -> HardCap:
    """Return the hard cap of a target or group; one that has none counts as having no cap.

    :raises ProtocolError: when the row has no `caps` at all, or a hard cap whose numbers are none.
    """
    caps = row.get("caps")
    if not isinstance(caps, list) or not all(isinstance(cap, Mapping) for cap in caps):
        raise ProtocolError(f"Object {row.get('id')} came without 'caps', which the vendor documents for it.")
    for cap in caps:
        if cap.get("type") == HARD:
            filled, most = cap.get("filled"), cap.get("cap")
            if not isinstance(filled, int) or not isinstance(most, (int, type(None))):
                raise ProtocolError(f"The hard cap of object {row.get('id')} came without numbers.")
            return HardCap(filled, most)
    return HardCap(0, None)
