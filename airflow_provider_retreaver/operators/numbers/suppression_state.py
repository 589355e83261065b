"""The state of a suppression sync on object storage: its own record, the plan of a run, and the plan's progress."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.domain.lists.number_set import Collector
from airflow_provider_retreaver.domain.lists.phones import e164, from_e164
from airflow_provider_retreaver.domain.lists.suppression_plan import Ours, Plan
from airflow_provider_retreaver.domain.lists.suppression_sync import Checkpoint, fold
from airflow_provider_retreaver.storage.line_files import Folder
from airflow_provider_retreaver.storage.paths import storage_path
from airflow_provider_retreaver.storage.run_state import damaged_state, read_state
from airflow_provider_retreaver.storage.whole_files import replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

SURE, UNSURE = "sure", "unsure"
PLAN, CHECKPOINT = "plan.csv.gz", "checkpoint.json"
CHECK = "Retreaver's list"
_PART = re.compile(r"[\w +.~%-]+", re.ASCII)


class SyncState:
    """The saved state of one sync: what it has added to the list, and the plan that is being sent.

    `<state_path>/<scope>.json` has the owner of the record and its open plan, `<scope>.csv.gz` is the record. A plan
    is open from
    before its first request until its outcome is part of the record: whatever happens to a run, the next one knows
    what it has
    sent.

    :param context: the task's context.
    :param state_path: folder on object storage.
    :param place: path of this run's files below it.
    :param scope: company and campaign, as part of file names.
    :raises ChangeRefused: when the record belongs to another task.
    """

    def __init__(self, context: Context, state_path: str, place: str, scope: str) -> None:
        root = storage_path(state_path, "state_path")
        name = quote(scope, safe="-_.")
        self._root, self._place = root, place
        self._folder = Folder(root)
        self._head, self._record = root / f"{name}.json", f"{name}.csv.gz"
        instance = context.get("ti")
        self._owner = {} if instance is None else {"dag_id": instance.dag_id, "task_id": instance.task_id}
        self._plan: dict[str, Any] = {}
        self._open = self._read_head()

    def _read_head(self) -> str | None:
        if not self._head.is_file():
            return None
        head = read_state(self._head.read_text(), f"{self._head} (state_path)", CHECK)
        owner = head.get("owner", {})
        if owner and self._owner and owner != self._owner:
            raise ChangeRefused(
                f"{self._head} is the record of task {owner.get('task_id')} of {owner.get('dag_id')}: with one "
                f"record for two syncs each would remove what the other has added. Give this one its own state_path; "
                f"if it is the same sync under another name, correct the owner in that file."
            )
        self._owner = self._owner or owner
        place = head.get("open", {}).get("place")
        # What was read back is not trusted: it is a path that a person or another program may have written.
        if place is not None and not _is_inside(place):
            raise damaged_state(f"{self._head} (state_path)", CHECK)
        return cast("str | None", place)

    def _write_head(self, place: str | None) -> None:
        self._open = place
        replace_text(self._head, json.dumps({"owner": self._owner, "open": {"place": place} if place else {}}))

    def resume(self, fingerprint: str) -> tuple[Plan, Checkpoint] | None:
        """Return the open plan if it belongs to this run and its source.

        :param fingerprint: of parameters and source.
        :return: the plan and its progress, None without one.
        """
        if self._open != self._place or self._place.startswith("manual/"):
            return None
        head, checkpoint = self._checkpoint(self._place)
        if head["fingerprint"] != fingerprint:
            return None
        self._plan = head
        return self._read_plan(self._place, head, checkpoint), checkpoint

    def ours(self) -> Ours:
        """Return what this sync has added to the list, including what an open plan has sent.

        :return: numbers with known and unknown outcome.
        """
        found = self._read_record()
        if self._open is None:
            return found
        head, checkpoint = self._checkpoint(self._open)
        return fold(found, self._read_plan(self._open, head, checkpoint), checkpoint)

    def begin(self, plan: Plan, fingerprint: str, ours: Ours) -> None:
        """Save a plan before its first request.

        :param plan: the plan.
        :param fingerprint: of parameters and source.
        :param ours: what the sync had added before.
        """
        self.close(ours)
        Folder(self._root / self._place).write(PLAN, plan.lines())
        self._plan = {"fingerprint": fingerprint, "unchanged": plan.unchanged}
        self.note(Checkpoint())
        self._write_head(self._place)

    def close(self, ours: Ours) -> None:
        """Save what the sync has added; no plan is open afterwards.

        :param ours: what the sync has added.
        """
        self._folder.write(self._record, _record_lines(ours))
        self._write_head(None)

    def note(self, checkpoint: Checkpoint) -> None:
        """Save the progress of the plan.

        :param checkpoint: the progress.
        """
        text = json.dumps({"plan": self._plan, **checkpoint.dump()}, separators=(",", ":"))
        replace_text(self._root / self._place / CHECKPOINT, text)

    def _checkpoint(self, place: str) -> tuple[dict[str, Any], Checkpoint]:
        file = self._root / place / CHECKPOINT
        if not file.is_file():
            raise InvalidArgument(
                f"{file} is missing, so it is unknown what the open plan of {self._head} has sent; restore it, or "
                f"check {CHECK} and set open to {{}} there."
            )
        value = read_state(file.read_text(), str(file), CHECK)
        try:
            plan = {"fingerprint": str(value["plan"]["fingerprint"]), "unchanged": int(value["plan"]["unchanged"])}
            checkpoint = Checkpoint.load(value)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise damaged_state(str(file), CHECK) from error
        return plan, checkpoint

    def _read_plan(self, place: str, head: dict[str, Any], checkpoint: Checkpoint) -> Plan:
        folder = Folder(self._root / place)
        with folder.reading(PLAN) as lines:
            plan = Plan.read(lines, head["unchanged"], str(folder.path / PLAN))
        if not checkpoint.fits(len(plan)):
            raise damaged_state(str(folder.path / CHECKPOINT), CHECK)
        return plan

    def _read_record(self) -> Ours:
        if not (self._root / self._record).is_file():
            return Ours()
        found = {SURE: Collector(), UNSURE: Collector()}
        with self._folder.reading(self._record) as lines:
            for line in lines:
                text, _, state = line.strip().partition(",")
                number = from_e164(text)
                if number is None or state not in found:
                    raise InvalidArgument(
                        f"{self._root / self._record} is damaged: it contains something other than numbers; restore "
                        f"it from {CHECK}, with a line `number,sure` for each."
                    )
                found[state].add(number)
        return Ours(found[SURE].finish(), found[UNSURE].finish())


def _is_inside(place: object) -> bool:
    """Return whether a path that was read back is one that `run_folder` makes, below the folder of the state."""
    parts = place.split("/") if isinstance(place, str) else [""]
    return all(_PART.fullmatch(part) and set(part) != {"."} for part in parts)


def _record_lines(ours: Ours) -> Iterator[str]:
    for state, numbers in ((SURE, ours.sure), (UNSURE, ours.unsure)):
        for number in numbers:
            yield f"{e164(number)},{state}"
