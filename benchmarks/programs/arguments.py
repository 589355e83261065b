"""The arguments of the programs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

END = os.environ.get("BENCHMARK_END", "2026-01-01T00:00:00Z")
# As long as keys usually are: responses are searched for it, and for a word of some letters that takes longer.
KEY = "6d1f0c4b92e84a57b3c0d97e1a5f8264"


@dataclass(frozen=True, slots=True)
class Task:
    """Read the calls created since `start` into `output`, with at most `concurrency` requests at the same time."""

    url: str
    per_page: int
    concurrency: int
    start: str
    output: str

    @property
    def query(self) -> dict[str, str]:
        """Query parameters of every page."""
        return {
            "api_key": KEY,
            "company_id": "1",
            "order": "asc",
            "created_at_start": self.start,
            "created_at_end": END,
            "per_page": str(self.per_page),
        }


def task() -> Task:
    """Read the command line."""
    url, per_page, concurrency, start, output = sys.argv[1:]
    return Task(url, int(per_page), int(concurrency), start, output)
