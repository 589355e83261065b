"""Imports of what triggers need when they run, in a thread: the triggerer's event loop is everybody's."""

from __future__ import annotations

import asyncio
from importlib import import_module

# Names of modules that are wholly imported: `sys.modules` has those that a thread is still busy with as well.
_loaded: set[str] = set()


async def loaded(module: str) -> None:
    """Import a module in a thread, unless that was done; imports after it take no time.

    :param module: its full name.
    :raises ImportError: when it cannot be imported.
    """
    if module not in _loaded:
        await asyncio.to_thread(import_module, module)
        _loaded.add(module)
