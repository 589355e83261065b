"""The name of an export of calls, by which former exports of a folder are found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.domain.calls.first_pages import SHORT, in_proportion
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.storage.paths import storage_errors, storage_path
from airflow_provider_retreaver.transfers.file_parts import utc_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.domain.calls.window import CallWindow


_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class _Window(msgspec.Struct):
    start: _Aware
    end: _Aware


class _Former(msgspec.Struct):
    """What matters here of a manifest of a window with an end."""

    window: _Window
    calls: int
    complete: bool


_FORMER = msgspec.json.Decoder(_Former)


def selection(window: CallWindow) -> dict[str, Any]:
    """Return what chooses among the calls of a window's time, as plain JSON.

    :param window: which calls.
    :return: `{"filters", "version"}`.
    """
    filters = {name: value for name, value in sorted(window.filters.items()) if value is not None}
    return {"filters": filters, "version": window.version}


def export_name(window: CallWindow) -> str:
    """Return the name of an export, the same whenever the same window is exported with the same filters.

    :param window: which calls.
    :return: the name, with which its files and its manifest begin.
    """
    end = f"-{utc_name(window.end)}" if window.end else ""
    name = f"calls-{window.by.removesuffix('_at')}-{utc_name(window.start)}{end}"
    chosen = selection(window)
    if not any(chosen.values()):
        return name
    return f"{name}-{hashlib.sha256(json.dumps(chosen, sort_keys=True, default=str).encode()).hexdigest()[:8]}"


def expected_calls(destination: str, window: CallWindow, length: timedelta) -> int | None:
    """Return how many calls a window may have by a former export of it, or of the one right before it.

    Their manifests are read only where that can save requests. One that cannot be read says nothing.

    :param destination: folder URL of the exports.
    :param window: which calls; its name is that of the export.
    :param length: of the time that is read, which `lookback` makes longer than the window.
    :return: the number, None where there is no such export that is complete.
    """
    if window.end is None or length < SHORT:
        return None
    earlier = replace(window, start=window.start - (window.end - window.start), end=window.start)
    for former in _formers(storage_path(destination, "destination"), (window, earlier)):
        return in_proportion(former.calls, former.window.end - former.window.start, length)
    return None


def _formers(folder: ObjectStoragePath, windows: tuple[CallWindow, ...]) -> Iterator[_Former]:
    for window in windows:
        file = folder / f"{export_name(window)}.manifest.json"
        with suppress(StorageFailed, *ODD), storage_errors(f"Reading {file}", "it is left out."):
            former = _FORMER.decode(file.read_bytes())
            if former.complete and former.calls >= 0:
                yield former
