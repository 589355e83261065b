"""Reading calls back, to find tags that were written and never showed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_retreaver.core.errors import Gone, NotFound
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Together, Wait
from airflow_provider_retreaver.domain.data_writing.rows import CallWrite
from airflow_provider_retreaver.domain.progress import ProgressLogger
from airflow_provider_retreaver.resources.calls import Call, get_call, list_calls

log = logging.getLogger(__name__)

# The first version of the call log that has tags.
VERSION = "v2"


def read_back(
    writes: Sequence[CallWrite], at_once: int, wait: float = 0.0
) -> Procedure[list[tuple[CallWrite, list[str]]]]:
    """Read calls after a wait, and compare their tags with those that were written.

    Any call of a caller counts, since Retreaver does not say which one it chose.

    :param writes: what was written.
    :param at_once: number of concurrent requests.
    :param wait: seconds to wait first.
    :return: for each write whose tags are not all there, the names of those that are missing.
    :raises RetreaverError: when a call could not be read.
    """
    if wait > 0:
        log.info("Waiting %.0f s before the calls are read back.", wait)
        yield Wait(wait)
    missing: list[tuple[CallWrite, list[str]]] = []
    progress = ProgressLogger(lambda line: log.info("Reading calls back: %s", line), len(writes))
    named = [write for write in writes if not write.by_caller]
    for start in range(0, len(named), at_once):
        batch = named[start : start + at_once]
        outcomes: list[Outcome[Call]] = yield Together([get_call(write.call, version=VERSION) for write in batch])
        for write, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is not None and not isinstance(outcome.error, (NotFound, Gone)):
                raise outcome.error
            missing += _missing(write, [outcome.value] if outcome.value else [])
        progress.update(start + len(batch))
    for done, write in enumerate((write for write in writes if write.by_caller), len(named) + 1):
        calls: list[Mapping[str, Any]] = yield list_calls(caller=write.call, version=VERSION)
        missing += _missing(write, calls)
        progress.update(done)
    return missing


def _missing(write: CallWrite, calls: Iterable[Mapping[str, Any]]) -> list[tuple[CallWrite, list[str]]]:
    """Return the write with the tags that are missing, by the call that has most of them; nothing when all are."""
    fewest = list(write.tags)
    for call in calls:
        # Whether Retreaver keeps capital letters in keys is not documented.
        tags = {str(name).lower(): str(value) for name, value in (call.get("tags") or {}).items()}
        absent = [name for name, value in write.tags.items() if tags.get(name.lower()) != value]
        fewest = min(fewest, absent, key=len)
    return [(write, fewest)] if fewest else []
