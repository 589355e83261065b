"""The targets, groups and number pools that sensors look at: who is meant, and reading all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.parameters import ids, is_given, texts
from airflow_provider_retreaver.domain.objects.naming import customer_id, told
from airflow_provider_retreaver.domain.objects.reading import read_by_tid, read_targets, together
from airflow_provider_retreaver.domain.routing.caps import TYPES, cap_of
from airflow_provider_retreaver.domain.watching.condition import Memory, Question, Verdict
from airflow_provider_retreaver.resources import target_groups

# Fields of a target's row that a look needs; the vendor's list may leave nested ones out.
NEEDED = ("caps",)


@dataclass(frozen=True, slots=True)
class Watched(Question):
    """Counts of targets and groups, by key: `{"target 3": {"id", "tid", "name", "calls_in_progress", caps…}}`.

    :param target_ids: by Retreaver's ID.
    :param tids: by the customer's ID.
    :param group_ids: target groups.
    :param members: look at the groups' members instead of the groups.
    """

    target_ids: tuple[int, ...] = ()
    tids: tuple[str, ...] = ()
    group_ids: tuple[int, ...] = ()
    members: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any], *, members: bool = False) -> Watched:
        """Build it from a sensor's `target_id`, `tid` and `target_group_id`, each one or several.

        :raises InvalidArgument: when nobody is named, or an ID is none.
        """
        found = cls(
            tuple(_listed(ids, options["target_id"], "target_id")),
            tuple(_listed(texts, options["tid"], "tid")),
            tuple(_listed(ids, options["target_group_id"], "target_group_id")),
            members,
        )
        if not (found.target_ids or found.tids or found.group_ids):
            raise InvalidArgument("Give target_id, tid or target_group_id: nothing says what is to be watched.")
        return found

    def as_options(self) -> dict[str, Any]:
        """Return the three parameters, as `of` takes them."""
        return {"target_id": self.target_ids, "tid": self.tids, "target_group_id": self.group_ids}

    def ask(self, _memory: Memory, /) -> Procedure[Any]:
        """Read all of them; nothing is kept.

        :raises NotFound: naming the first of them that is gone.
        """
        groups: list[Row] = []
        for outcome in (yield from together([target_groups.get_target_group(id_) for id_ in self.group_ids])):
            if outcome.error is not None:
                raise outcome.error
            groups.append(outcome.value or {})
        wanted = [*self.target_ids]
        if self.members:
            wanted += [id_ for group in groups for id_ in _members(group)]
        rows, errors = yield from read_targets(wanted, NEEDED)
        by_tid, unread = yield from read_by_tid(list(self.tids))
        for error in (*errors.values(), *unread.values()):
            raise error
        found = {f"target {row['id']}": _reading(row) for row in (*rows.values(), *by_tid)}
        if not self.members:
            found |= {f"group {id_}": _reading(group) for id_, group in zip(self.group_ids, groups, strict=True)}
        return found


def _listed(read: Any, value: Any, name: str) -> Iterable[Any]:
    return read(value, name) or () if is_given(value) else ()


def _members(group: Row) -> list[int]:
    members = group.get("target_ids")
    if not isinstance(members, list):
        raise ProtocolError(f"Target group {group.get('id')} came without 'target_ids', which the vendor documents.")
    return members


def _reading(row: Row) -> dict[str, Any]:
    """Return what conditions look at, as small plain JSON: a cap is [filled, limit]."""
    caps = {name: cap_of(row, name) for name in TYPES}
    counts: dict[str, Any] = {name: [cap.filled, cap.cap] for name, cap in caps.items()}
    counts["concurrency"] = [row.get("calls_in_progress"), row.get("concurrency_cap")]
    return {"id": row.get("id"), "tid": customer_id(row), "name": told(row, "name"), **counts}


def in_progress(key: str, reading: Mapping[str, Any]) -> int:
    """Return how many calls an object has in progress.

    :raises ProtocolError: when the vendor did not say.
    """
    busy = reading["concurrency"][0]
    if not isinstance(busy, int):
        raise ProtocolError(f"The {key} came without 'calls_in_progress', which the vendor documents for targets.")
    return busy


def of_several(
    rows: Mapping[str, dict[str, Any]], met: Sequence[str], match: str, told_each: Mapping[str, str]
) -> Verdict:
    """Return the verdict on several objects.

    :param rows: what is returned of each, by key.
    :param met: the keys for which the condition holds.
    :param match: `any` or `all`.
    :param told_each: what is logged of each, by key.
    """
    enough = bool(rows) and (len(met) == len(rows) if match == "all" else bool(met))
    shown = [told_each[key] for key in sorted(rows, key=lambda key: key not in met)][:5]
    more = f"; and {len(rows) - 5} more" if len(rows) > 5 else ""
    line = f"{len(met)} of {len(rows)} ({match} wanted): {'; '.join(shown)}{more}"
    return Verdict(enough, [rows[key] for key in met], line, holding=tuple(met))
