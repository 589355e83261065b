"""Measures the comparison of a source of a million numbers with a list of a million, without requests.

    python benchmarks/suppression_compare.py [COUNT]

Half of the numbers have ten digits, as in a warehouse, the other half are in E.164; a hundredth of the numbers is
only in the source, and as many only in the list. The list consists of rows as the client returns them.
"""

from __future__ import annotations

import gzip
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_retreaver.core.operations import Each, Progress
from airflow_provider_retreaver.domain.lists.number_sources import collect, read_file
from airflow_provider_retreaver.domain.lists.phones import Normalizer
from airflow_provider_retreaver.domain.lists.suppression_list import read_list
from airflow_provider_retreaver.domain.lists.suppression_plan import (
    Ours,
    Plan,
    SuppressionRequest,
    compare,
)
from airflow_provider_retreaver.domain.objects.suppression_scope import WantedScope

T = TypeVar("T")
AREAS = ("212", "305", "415", "512", "617", "702", "808", "919")


def numbers(count: int, start: int = 0) -> Iterator[int]:
    """Yield valid numbers in no order."""
    for index in range(start, start + count):
        shuffled = index * 7_919 % 7_999_993 + 2_000_000
        yield int(f"1{AREAS[index % len(AREAS)]}{shuffled:07d}")


def rows(count: int, start: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of the list."""
    for number in numbers(count, start):
        yield {"id": number, "number": f"+{number}", "can_resubscribe": False, "company_id": 1}


def read_known(wanted: SuppressionRequest, listed: Iterator[dict[str, Any]]) -> Any:
    """Run `read_list` as the client does, with rows in memory."""
    progress = Progress(read_list(wanted, WantedScope(wanted.campaign)))
    assert isinstance(progress.step, Each)
    for row in listed:
        progress.step.visit(row)
    progress.send(None)
    return progress.result


def megabytes() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(title: str, work: Callable[[], T]) -> T:
    """Run a part of the work and print its time and the peak memory so far."""
    started = time.perf_counter()
    result = work()
    print(f"| {title:<44} | {time.perf_counter() - started:7.1f} s | {megabytes():6.0f} MB |")
    return result


def main(count: int) -> None:
    """Print the table."""
    wanted, differing = SuppressionRequest("mirror", can_resubscribe=False), count // 100
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dnc.csv.gz"
        with gzip.open(file, "wt", compresslevel=1) as out:
            out.write("phone\n")
            out.writelines(f"{number % 10**10 if number % 2 else f'+{number}'}\n" for number in numbers(count))
        print(f"| {count:,} numbers against {count:,}{'':<20} | time      | peak memory |")
        print("|---|---|---|")
        measure("an empty process", lambda: None)
        with file.open("rb") as stream:
            source = measure(
                "read and normalize the source",
                lambda: collect(read_file(stream, str(file), "csv"), Normalizer(), print),
            )
        known = measure("read the list", lambda: read_known(wanted, rows(count, differing)))
        plan = measure("compare", lambda: compare(wanted, source.numbers, known, Ours()))
        plan_file = Path(folder) / "plan.csv"
        measure("write the plan", lambda: plan_file.write_text("\n".join(plan.lines())))
        again = measure("read the plan", lambda: Plan.read(plan_file.open(), plan.unchanged, str(plan_file)))
        measure("fingerprint", lambda: wanted.fingerprint(source.numbers))
    assert again == plan
    assert (source.rows, source.rejected, source.duplicates) == (count, 0, 0)
    assert (len(plan.add), len(plan.remove), plan.unchanged) == (differing, differing, count - differing)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
