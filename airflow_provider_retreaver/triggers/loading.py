"""Imports and garbage collection in a triggerer: neither may block the event loop, which all triggers share."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module

# What every trigger of this package needs to run; the client libraries come with the client.
TRIGGER_MODULES = (
    "airflow.providers.common.compat.connection",
    "airflow_provider_retreaver.domain.watching.poll_interval",
    "airflow_provider_retreaver.domain.watching.failure_budget",
    "airflow_provider_retreaver.triggers.polls",
)
# Modules that are completely imported; `sys.modules` also has those that a thread is still importing.
_imported: set[str] = set()


async def import_in_threads(*modules: str) -> None:
    """Import modules in a thread, so that a later import on the event loop takes no time.

    :param modules: their full names; those that were imported this way before are skipped.
    :raises ImportError: when one cannot be imported.
    """
    if not _imported:
        _imported.add(__name__)
        freeze_objects()
    for module in modules:
        if module not in _imported:
            await asyncio.to_thread(import_module, module)
            _imported.add(module)


def freeze_objects() -> None:
    """Exclude all objects that the process has now from Python's garbage collections (`gc.freeze`).

    A full collection visits everything that Airflow has imported, which blocks the event loop for about 0.2 s, and a
    thousand sensors that start are enough to cause one. Frozen objects are still freed with their last reference;
    only those in a reference cycle stay. So this is called before the first import, and when the number of sensors
    has grown by half: a few dozen times in the life of a triggerer.
    """
    gc.freeze()
