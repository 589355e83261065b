"""What the page shows of this package's own tasks: what they changed, wrote and refused. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any

from airflow_provider_retreaver.core.quoting import one_line, quoted

# Class names of the exports: what a warehouse or a folder is fed by.
EXPORTS = (
    "RetreaverCallsToObjectStorageOperator",
    "RetreaverCallsToSqlOperator",
    "RetreaverRecordingsToObjectStorageOperator",
    "RetreaverRtbInboundsToObjectStorageOperator",
)
RESTORE = "RetreaverRestoreOperator"
# Lists of results that hold what was done to objects, and lists that only count.
DONE = ("changed", "would_change", "reset", "would_reset")
COUNTED = (*DONE, "unchanged", "skipped", "failed")
MOST_CHANGES, MOST_COUNTS = 5, 8
TEXT_LENGTH = 120


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One attempt of a task, as Airflow's database has it.

    :param dag_id: of its DAG.
    :param run_id: of its run.
    :param task_id: of the task.
    :param map_index: of a mapped task; -1 otherwise.
    :param operator: name of its class.
    :param state: Airflow's state.
    :param started: when it began; None before.
    :param ended: when it ended; None before.
    :param attempts: how many there were.
    :param fields: its template fields as rendered.
    :param result: what it returned; None where there is nothing, or where the reader may not see it.
    :param refused: what a guard said that refused it; blank otherwise.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    operator: str
    state: str
    started: datetime | None
    ended: datetime | None
    attempts: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    refused: str = ""

    @property
    def dry_run(self) -> bool:
        """Whether it only showed what would change."""
        rendered = str(self.fields.get("dry_run", False)).casefold() in {"true", "1", "yes"}
        return rendered or (isinstance(self.result, Mapping) and self.result.get("dry_run") is True)

    @property
    def snapshot(self) -> str:
        """The file that keeps what it changed as it was; blank for none."""
        path = self.fields.get("snapshot_path")
        return path if isinstance(path, str) and path not in {"", "None"} else ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a task did, in words.

    :param counts: e.g. `changed 3, unchanged 12`.
    :param changes: the first of what was changed, e.g. `target 3 (Acme): hard_cap 100 → 110`.
    :param notes: a manifest, what is not complete, what was refused.
    """

    counts: str = ""
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def summary(run: TaskRun) -> Summary:
    """Return what a task did, in words; phone numbers and secrets are masked.

    :param run: with its result.
    :return: the words.
    """
    notes = [f"A guard refused it: {_text(run.refused, 500)}"] if run.refused else []
    result = run.result
    if isinstance(result, list):
        return Summary(f"{len(result)} rows", notes=tuple(notes))
    if not isinstance(result, Mapping):
        return Summary(notes=tuple(notes))
    if isinstance(result.get("refused"), str):
        notes.append(f"A guard would refuse it: {_text(result['refused'], 500)}")
    if isinstance(result.get("manifest"), str):
        notes.append(f"Manifest: {_text(result['manifest'], 300, numbers=False)}")
    if result.get("complete") is False:
        reason = f": {_text(result['reason'], 300)}" if isinstance(result.get("reason"), str) else "."
        notes.append(f"Not complete{reason}")
    counts = [f"{_label(name)} {len(result[name])}" for name in COUNTED if isinstance(result.get(name), list)]
    numbers = ((name, value) for name, value in result.items() if _is_count(value) and not name.endswith("id"))
    counts += [f"{_label(name)} {value:,}" for name, value in islice(numbers, MOST_COUNTS)]
    if isinstance(result.get("action"), str):
        counts.insert(0, _label(result["action"]))
    return Summary(", ".join(counts), tuple(islice(_changes(result), MOST_CHANGES)), tuple(notes))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _changes(result: Mapping[str, Any]) -> Iterable[str]:
    for name in DONE:
        for row in result.get(name) or () if isinstance(result.get(name), list) else ():
            if isinstance(row, Mapping):
                yield _change(row)
    changed = result.get("changed")
    for attribute, values in changed.items() if isinstance(changed, Mapping) else ():
        if isinstance(values, Mapping):
            yield f"{_text(attribute)} {quoted(values.get('before'))} → {quoted(values.get('after'))}"


def _change(row: Mapping[str, Any]) -> str:
    if "target_group_id" in row and "id" not in row:
        what = f"group {_text(row['target_group_id'], numbers=False)}"
    else:
        id_ = row.get("id") or row.get("named") or row.get("tid")
        what = f"{_text(row.get('kind', 'target'))} {_text(id_, numbers=False)}"
    name = f" ({_text(row['name'])})" if row.get("name") else ""
    if "field" in row:
        return f"{what}{name}: {_text(row['field'])} {quoted(row.get('before'))} → {quoted(row.get('after'))}"
    if "filled_before" in row:
        after = row.get("filled_after")
        return f"{what}{name}: {quoted(row['filled_before'])} → {'?' if after is None else quoted(after)}"
    return f"{what}{name}"


def _label(name: str) -> str:
    return _text(name.replace("_", " "))


def _text(value: object, length: int = TEXT_LENGTH, *, numbers: bool = True) -> str:
    return one_line(value, length, numbers=numbers)


def loaded(loads: Iterable[TaskRun], runs: Iterable[TaskRun]) -> list[TaskRun]:
    """Return the tasks that have loaded what others have exported.

    :param loads: tasks that have manifests to load.
    :param runs: tasks with their results, which name the manifests that they have written.
    :return: of `loads`.
    """
    written = {run.result["manifest"] for run in runs if _has_manifest(run.result)}
    return [run for run in loads if written & set(_manifests(run.fields.get("manifest")))]


def _has_manifest(result: object) -> bool:
    return isinstance(result, Mapping) and isinstance(result.get("manifest"), str)


def _manifests(given: object) -> Iterable[str]:
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]


@dataclass(frozen=True, slots=True)
class WaitingSnapshot:
    """A snapshot that no run has restored.

    :param path: of the file.
    :param run: which took it.
    :param changed: how many fields were changed since.
    """

    path: str
    run: TaskRun
    changed: int


def waiting_snapshots(runs: Iterable[TaskRun]) -> list[WaitingSnapshot]:
    """Return the snapshots that were taken and not restored since, the oldest first.

    :param runs: of all operators, in any order.
    :return: snapshots of runs that changed something.
    """
    waiting: dict[str, WaitingSnapshot] = {}
    ended = [(run.ended, run) for run in runs if run.ended is not None and run.snapshot and not run.dry_run]
    for _, run in sorted(ended, key=itemgetter(0)):
        if run.operator == RESTORE:
            if run.state == "success":
                waiting.pop(run.snapshot, None)
            continue
        changed = run.result.get("changed") if isinstance(run.result, Mapping) else None
        if isinstance(changed, list) and changed and run.snapshot not in waiting:
            waiting[run.snapshot] = WaitingSnapshot(_text(run.snapshot, 300, numbers=False), run, len(changed))
    return list(waiting.values())


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """A scheduled export and when it succeeded last.

    :param dag_id: of its DAG.
    :param task_id: of the task.
    :param operator: name of its class.
    :param at: end of the last success; None where there was none.
    :param paused: whether its DAG is paused.
    """

    dag_id: str
    task_id: str
    operator: str
    at: datetime | None
    paused: bool

    def ago(self, now: datetime) -> str:
        """Return how long ago that was.

        :param now: aware.
        :return: e.g. `3 h 5 min`.
        """
        return "no success in the runs that Airflow has" if self.at is None else span_text(now - self.at)


def span_text(span: timedelta) -> str:
    """Return a span of time in words.

    :param span: of any length.
    :return: its two largest units, e.g. `2 d 3 h`, `45 s`.
    """
    seconds = max(0, int(span.total_seconds()))
    parts = [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((index for index, (number, _) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number or first == 3)


@dataclass(frozen=True, slots=True)
class TriggerableDag:
    """A DAG that the reader may trigger.

    :param dag_id: of the DAG.
    :param parameters: names of its parameters.
    """

    dag_id: str
    parameters: frozenset[str]


def configuration_for(dag: TriggerableDag, kind: str, id_: int, tid: str) -> dict[str, object] | None:
    """Return the configuration with which a DAG works on one object.

    :param dag: the DAG.
    :param kind: target or group.
    :param id_: Retreaver's ID.
    :param tid: the customer's ID of a target; blank for none.
    :return: values of its parameters; None where it has none that chooses such an object.
    """
    choices: Sequence[tuple[str, object]] = (
        (("target_group_ids", [id_]), ("target_group_id", id_))
        if kind == "group"
        else (("target_ids", [id_]), ("target_id", id_), *((("tids", [tid]), ("tid", tid)) if tid else ()))
    )
    return next(({name: value} for name, value in choices if name in dag.parameters), None)
