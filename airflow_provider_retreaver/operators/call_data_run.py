"""One run of a write of call data: send, save the progress and the outcomes, read back."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.phone_text import mask_numbers
from airflow_provider_retreaver.core.time_parameters import instant
from airflow_provider_retreaver.domain.data_writing.reading_back import read_back
from airflow_provider_retreaver.domain.data_writing.writing import APPLIED, FAILED, CallDataWriting, WriteCheckpoint
from airflow_provider_retreaver.operators.source_rows import REJECTS
from airflow_provider_retreaver.storage.csv_cells import escape_formulas

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.data_writing.rows import CallWrite, Writes
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.storage.line_files import Folder
    from airflow_provider_retreaver.storage.run_state import RunState

log = logging.getLogger(__name__)

OUTCOMES, NOT_SHOWN = "outcomes.csv", "not_shown.csv"
# Rows that a result names; all of them are in the files.
NAMED = 100


class CallDataRun:
    """One run of `RetreaverWriteCallDataOperator`.

    :param hook: of the connection.
    :param found: the source, read completely.
    :param max_failures: see the operator.
    :param state: of the run.
    :param folder: for the files of this run, None for none.
    """

    def __init__(
        self, hook: RetreaverHook, found: Writes, *, max_failures: int, state: RunState, folder: Folder | None
    ) -> None:
        self._hook = hook
        self._found = found
        self._state = state
        self._folder = folder
        self._plan = {"fingerprint": found.fingerprint()}
        saved = state.load() or {}
        self._written: dict[str, Any] = saved.get("written", {})
        checkpoint = None
        if saved.get("plan") == self._plan:
            checkpoint = WriteCheckpoint.load(saved)
            log.info("An earlier attempt has sent %d of %d writes.", checkpoint.done, len(found.writes))
        elif saved and not self._written:
            log.warning("The source has changed since an earlier attempt of this run, so all of it is written again.")
        self.begun = checkpoint is not None
        self._sending = CallDataWriting(
            found.writes,
            at_once=hook.settings.max_concurrency,
            max_failures=max_failures,
            checkpoint=checkpoint,
            note=self._note,
        )

    def send(self) -> dict[str, Any]:
        """Send what is still to be sent.

        :return: counts and paths as plain JSON.
        :raises RetreaverError: see `RetreaverWriteCallDataOperator`; `result()` then has what was done.
        """
        if self._written:
            return self._written["result"]  # type: ignore[no-any-return]
        self.begun = True
        try:
            self._hook.run(self._sending.procedure())
        finally:
            if self._folder is not None:
                self._folder.write(OUTCOMES, _outcome_lines(self._sending.outcomes()))
        result = self.result()
        log.info("Call data: %s.", ", ".join(f"{name} {n}" for name, n in result.items() if isinstance(n, int)))
        return result

    def result(self) -> dict[str, Any]:
        """Return what was done.

        :return: counts and paths as plain JSON.
        """
        others = (
            {"line": write.line, "call": write.label, "outcome": outcome, "reason": mask_numbers(reason)}
            for write, outcome, reason in self._sending.outcomes()
            if outcome != APPLIED
        )
        paths = {}
        if self._folder is not None:
            paths = {"outcomes": str(self._folder.path / OUTCOMES), "rejects": str(self._folder.path / REJECTS)}
        return {
            **self._sending.counts(),
            **source_counts(self._found),
            "not_applied": [row for row, _ in zip(others, range(NAMED), strict=False)],
            **paths,
        }

    def due(self, result: dict[str, Any], after: float) -> datetime:
        """Return when the calls are to be read back; the time is saved with the result.

        :param result: of `send`.
        :param after: seconds after all was sent.
        :return: the time.
        """
        if not self._written:
            due = datetime.now(UTC) + timedelta(seconds=after)
            self._written = {"due": due.isoformat(), "result": result}
            self._note(self._sending.checkpoint)
        return instant(self._written["due"], "The saved time of reading back")

    def read_back(self, result: dict[str, Any], due: datetime) -> dict[str, Any]:
        """Wait until a time, and read the calls back.

        :param result: of `send`.
        :param due: the time.
        :return: the result with what never showed.
        :raises RetreaverError: when a call could not be read; a retry reads them all again and writes nothing.
        """
        left = (due - datetime.now(UTC)).total_seconds()
        failed = {write.call for write, outcome, _ in self._sending.outcomes() if outcome == FAILED}
        written = [write for write in self._found.writes if write.call not in failed]
        missing = self._hook.run(read_back(written, self._hook.settings.max_concurrency, left))
        if missing:
            log.warning("The tags of %d of %d calls did not show.", len(missing), len(written))
        paths = {}
        if self._folder is not None:
            paths = {"not_shown": self._folder.write(NOT_SHOWN, _missing_lines(missing))}
        named = [{"line": write.line, "call": write.label, "tags": tags} for write, tags in missing[:NAMED]]
        verified = {"verified": len(written) - len(missing), "missing": len(missing), "missing_tags": named}
        return {**result, **verified, **paths}

    def finish(self) -> None:
        """Forget the progress, so that a task that is cleared starts over."""
        self._state.save({})

    def _note(self, checkpoint: WriteCheckpoint) -> None:
        written = {"written": self._written} if self._written else {}
        self._state.save({"plan": self._plan, **checkpoint.dump(), **written})


def source_counts(found: Writes) -> dict[str, int]:
    """Return the counts of a source.

    :param found: the source.
    :return: `{"rows", "rejected", "duplicates"}`.
    """
    return {"rows": found.rows, "rejected": found.rejected, "duplicates": found.duplicates}


def _outcome_lines(outcomes: Iterable[tuple[CallWrite, str, str]]) -> Iterator[str]:
    yield "line,call,outcome,reason"
    for write, outcome, reason in outcomes:
        yield _csv_line(write.line, write.call, outcome, reason)


def _missing_lines(missing: Iterable[tuple[CallWrite, list[str]]]) -> Iterator[str]:
    yield "line,call,tags"
    for write, tags in missing:
        yield _csv_line(write.line, write.call, " ".join(tags))


def _csv_line(*cells: object) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(escape_formulas(list(cells)))
    return line.getvalue()
