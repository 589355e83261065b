"""One request that resets hard caps: a target's, or a group's, which resets all of its targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.domain.objects.key import ObjectKey, target_key
from airflow_provider_retreaver.resources import target_groups, targets


@dataclass(slots=True)
class ResetRequest:
    """One request to send.

    :param key: of the target or group whose route is used.
    :param before: counts before, by key of every object whose count the request sets to 0.
    :param attempts: how often it was sent.
    """

    key: ObjectKey
    before: dict[ObjectKey, int]
    attempts: int = 0

    def operation(self) -> Operation[None]:
        """Return the request.

        :return: an operation without a value.
        """
        if self.key.kind == "group":
            return target_groups.reset_cap(self.key.label)
        return targets.reset_cap(self.key.label)


def members_of(group: Mapping[str, Any]) -> list[ObjectKey]:
    """Return the targets of a group.

    :param group: as read.
    :return: their keys.
    """
    return [target_key(member) for member in group.get("target_ids") or ()]


def split_if_covered(resets: Iterable[ResetRequest], covered: set[ObjectKey]) -> Iterator[ResetRequest]:
    """Yield a group's reset, or single ones where another group's covers some and it has no count of its own.

    :param resets: of one group.
    :param covered: what the resets of other groups set to 0.
    :return: an iterator of resets.
    """
    for reset in resets:
        own = {key: count for key, count in reset.before.items() if key not in covered}
        if reset.key in reset.before or len(own) == len(reset.before):
            yield reset
        else:
            yield from (ResetRequest(key, {key: count}) for key, count in own.items())
