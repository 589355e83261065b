"""Adding rows to the log of real-time bidding, and what becomes of export jobs, from the control surface."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_retreaver.sandbox.api.context import ExportSettings, SandboxState
from airflow_provider_retreaver.sandbox.api.exports import OUTCOMES, PUBLISHER_LABELS
from airflow_provider_retreaver.sandbox.api.rtb_inbounds import FIELDS, PBM, TIMES
from airflow_provider_retreaver.sandbox.control.calls import creation_times, read_time
from airflow_provider_retreaver.sandbox.demo.inbounds import insert_inbounds
from airflow_provider_retreaver.sandbox.http.wire import api_error

MAX_COUNT = 2_000_000
_SPREAD = ("created_at_start", "created_at_end")


def add_inbounds(state: SandboxState, given: dict[str, Any]) -> dict[str, Any]:
    """Add rows; fields that are not given are random.

    With ``created_at_start`` and ``created_at_end`` among the fields the rows are spread evenly over that span;
    otherwise they are created now, or at ``created_at``.

    :param state: The sandbox's state.
    :param given: The request: ``count`` (1 by default) and ``fields`` of every row by name.
    :return: ``added``, how many.
    :raises ApiError: With status 400, if the request is wrong.
    """
    count, fields = given.get("count", 1), given.get("fields", {})
    wrong = not given.keys() <= {"count", "fields"} or not isinstance(fields, dict)
    if wrong or not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
        raise api_error(400, f'rtb_inbounds takes "count" (0 to {MAX_COUNT}) and "fields"')
    unknown = sorted(fields.keys() - {*FIELDS, *PBM, *_SPREAD})
    if unknown:
        raise api_error(400, f"a row of rtb_inbounds has no field {unknown[0]!r}")
    spread = {name: fields[name] for name in _SPREAD if name in fields}
    columns = {
        name: read_time(name, value) if name in TIMES and value is not None else value
        for name, value in fields.items()
        if name not in {*_SPREAD, *PBM}
    }
    pbm = {name: fields[name] for name in PBM if name in fields}
    if pbm:
        columns["pbm"] = json.dumps(pbm)
    times = creation_times(count, spread, columns.pop("created_at", state.clock.now()))
    insert_inbounds(state.store, state.random, state.options.company_id, times, columns)
    return {"added": count}


def set_exports(state: SandboxState, given: dict[str, Any]) -> dict[str, Any]:
    """Set what becomes of the export jobs that are created from now on.

    :param state: The sandbox's state.
    :param given: The request: ``seconds``, ``outcome`` and ``publisher_label``; what is left out has its default.
    :return: The settings.
    :raises ApiError: With status 400, if the request is wrong.
    """
    default = ExportSettings()
    values = {
        "seconds": default.seconds,
        "outcome": default.outcome,
        "publisher_label": default.publisher_label,
        **given,
    }
    seconds = values["seconds"]
    is_wrong = len(values) > 3 or values["outcome"] not in OUTCOMES
    if is_wrong or values["publisher_label"] not in PUBLISHER_LABELS or not isinstance(seconds, int | float):
        raise api_error(
            400,
            f'exports takes "seconds", "outcome" ({", ".join(OUTCOMES)}) and "publisher_label" '
            f"({' or '.join(PUBLISHER_LABELS)})",
        )
    state.exports = ExportSettings(float(seconds), values["outcome"], values["publisher_label"])
    return values
