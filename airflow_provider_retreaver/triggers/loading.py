"""Imports of what triggers need when they run: the triggerer's event loop is everybody's, nothing may hold it."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module

# What every trigger of this package needs to run; the client libraries come with the client.
EVERY_RUN = (
    "airflow.providers.common.compat.connection",
    "airflow_provider_retreaver.domain.watching.poll_interval",
    "airflow_provider_retreaver.domain.watching.failure_budget",
    "airflow_provider_retreaver.triggers.polls",
)
# Names of modules that are wholly imported: `sys.modules` has those that a thread is still busy with as well.
_loaded: set[str] = set()


async def loaded(*modules: str) -> None:
    """Import modules in a thread, those excepted for which that was done; imports after it take no time.

    :param modules: their full names.
    :raises ImportError: when one cannot be imported.
    """
    if not _loaded:
        _loaded.add(__name__)
        spare_what_is_there()
    for module in modules:
        if module not in _loaded:
            await asyncio.to_thread(import_module, module)
            _loaded.add(module)


def spare_what_is_there() -> None:
    """Let Python's garbage collector pass over all that the process holds by now (`gc.freeze`).

    A full collection goes through everything that Airflow has imported, which holds the loop for some 0.2 s, and a
    thousand sensors that start are enough to bring one about. What is spared still goes when its last reference
    does; garbage in a cycle stays. So this is done before the first import, and when the number of sensors has grown
    by half: a few dozen times in the life of a triggerer.
    """
    gc.freeze()
