"""What a process holds, and whether it holds more and more."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from tests.stopping import own_threads

# Of so few measurements nothing can be said.
LEAST = 8


def held() -> dict[str, float]:
    """Return what this process holds: MB of memory, open files with sockets, threads of tasks and all threads."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "files": files,
        "threads": len(own_threads()),
        "all threads": len(list(Path("/proc/self/task").iterdir())),
    }


def growth(values: Sequence[float]) -> float:
    """Return by how much values grow from their second quarter to the last one; the first one warms up.

    :param values: measured at equal distances.
    :return: difference of the medians.
    :raises ValueError: when they are too few.
    """
    if len(values) < LEAST:
        raise ValueError(f"{len(values)} measurements are too few to see growth; at least {LEAST} are needed.")
    quarter = len(values) // 4
    return statistics.median(values[-quarter:]) - statistics.median(values[quarter : 2 * quarter])
