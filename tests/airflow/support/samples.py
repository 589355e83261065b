"""The Python samples of the documents: found, and executed as a worker would execute their tasks."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import DAG, TaskDeferred

from tests.airflow.support.account import TaskInstance
from tests.paths import PROJECT

FENCE = re.compile(r"^```python.*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
QUOTE = re.compile(r"^--8<--\n(\S+)\n--8<--$", re.MULTILINE)
# A window that is settled, and not too old for a reset of caps.
ENDS = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


@dataclass(frozen=True)
class Sample:
    """A block of Python in a document.

    :param place: file and line.
    :param code: the block, with quoted files in full.
    :param quoted: the files that it quotes.
    :param before: the paragraph that it follows.
    """

    place: str
    code: str
    quoted: tuple[str, ...]
    before: str

    @property
    def needs_airflow_3(self) -> bool:
        """Whether it has what Airflow 2.11 does not have: asset watchers, approvals."""
        return "AssetWatcher" in self.code or "ApprovalOperator" in self.code


def samples() -> Iterator[Sample]:
    """Yield the Python blocks of README and docs."""
    for path in [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            code = QUOTE.sub(lambda quote: (PROJECT / quote[1]).read_text(encoding="utf-8"), match[1])
            before = text[: match.start()].rstrip().rpartition("\n\n")[2]
            yield Sample(f"{path.name}:{line}", code, tuple(QUOTE.findall(match[1])), before)


class SampleInstance(TaskInstance):
    """A task instance that has the results of the tasks before it."""

    def xcom_pull(self, task_ids: Any = None, key: str = "return_value", **_: Any) -> Any:
        """Return the result of a task."""
        task_id = task_ids if isinstance(task_ids, str) else task_ids[0]
        result = self.pushed[str(task_id)]
        return result if key == "return_value" else result[key]

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        """Return that no task is mapped; Airflow 2.11 asks for it."""


def loaded(code: str, place: str) -> list[DAG]:
    """Execute a sample as a DAG file, and return its DAGs: its own, and one with the tasks that are in none."""
    three = find_spec("airflow.sdk") is not None
    contexts = import_module("airflow.sdk.definitions._internal.contextmanager" if three else "airflow.models.dag")
    registered = contexts.DagContext
    module = sys.modules["sample"] = ModuleType("sample")
    module.__file__ = "sample.py"
    registered.current_autoregister_module_name = "sample"
    registered.autoregistered_dags.clear()
    try:
        with DAG("sample", schedule=None, start_date=ENDS) as around:
            exec(compile(code, place, "exec", dont_inherit=True), vars(module))  # noqa: S102 - as a DAG file
        own = [dag for dag, _ in registered.autoregistered_dags if dag is not around]
    finally:
        registered.autoregistered_dags.clear()
        registered.current_autoregister_module_name = None
        del sys.modules["sample"]
    return [*own, *([around] if around.tasks else [])]


def executed(dag: DAG, **more: Any) -> dict[str, Any]:
    """Render and execute the tasks of a DAG one after another, and return their results.

    Of a mapped task the first one is executed. A deferred task is resumed with the first event of its trigger, unless
    it waits for a time.
    """
    instance = SampleInstance(dag_id=dag.dag_id)
    for task in map(_first_of, dag.topological_sort()):
        instance.task_id = task.task_id
        context = {
            "ti": instance,
            "task": task,
            "dag": dag,
            "run_id": instance.run_id,
            "ds": ENDS.date().isoformat(),
            "data_interval_start": ENDS - timedelta(days=1),
            "data_interval_end": ENDS,
            "outlet_events": defaultdict(lambda: SimpleNamespace(extra={})),
            "triggering_asset_events": {},
            "expanded_ti_count": None,
            **more,
            "params": {**{name: dag.params[name] for name in dag.params}, **more.get("params", {})},
        }
        task.render_template_fields(context)
        instance.pushed[task.task_id] = _result(task, context)
    return instance.pushed


def _first_of(task: Any) -> Any:
    """Return a task, or the first of those that one is mapped to."""
    if not hasattr(task, "expand_input"):
        return task
    value = task.expand_input.value
    first = value[0] if isinstance(value, list) else {name: several[0] for name, several in value.items()}
    return task.unmap(first)


def _result(task: Any, context: dict[str, Any]) -> Any:
    if type(task).__name__ == "ApprovalOperator":
        # What it returns when a person has clicked.
        return {"chosen_options": ["Approve"], "responded_by_user": {"id": "1", "name": "Nancy"}}
    try:
        return task.execute(context)
    except TaskDeferred as raised:
        deferred = raised
    if type(deferred.trigger).__name__ == "RetreaverWaitTrigger":
        return None
    event = asyncio.run(asyncio.wait_for(_first_event(deferred.trigger), 60))
    return getattr(task, deferred.method_name)(context, event=event.payload, **(deferred.kwargs or {}))


async def _first_event(trigger: Any) -> Any:
    return await anext(aiter(trigger.run()))
