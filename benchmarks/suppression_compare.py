"""Compare a source of a million numbers with a list of a million: time and memory, listing and sending left out.

    python benchmarks/suppression_compare.py [COUNT]

Half of the numbers are written as a warehouse writes them (ten digits), the other half in E.164; a hundredth differs
from the list on either side. The list arrives as rows, as the client hands them over.
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
from airflow_provider_retreaver.domain.lists.phones import Normaliser
from airflow_provider_retreaver.domain.lists.suppression_plan import Ours, Plan, Wanted, compare, read_list

T = TypeVar("T")
AREAS = ("212", "305", "415", "512", "617", "702", "808", "919")


def numbers(count: int, start: int = 0) -> Iterator[int]:
    """Yield so many valid numbers, in no order."""
    for place in range(start, start + count):
        shuffled = place * 7_919 % 7_999_993 + 2_000_000
        yield int(f"1{AREAS[place % len(AREAS)]}{shuffled:07d}")


def rows(count: int, start: int) -> Iterator[dict[str, Any]]:
    """Yield the vendor's list."""
    for number in numbers(count, start):
        yield {"id": number, "number": f"+{number}", "can_resubscribe": False, "company_id": 1, "cid": None}


def read_known(wanted: Wanted, listed: Iterator[dict[str, Any]]) -> Any:
    """Carry `read_list` as the client would, with the rows of a list in memory."""
    progress = Progress(read_list(wanted))
    assert isinstance(progress.step, Each)
    for row in listed:
        progress.step.visit(row)
    progress.send(None)
    return progress.result


def megabytes() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def told(what: str, work: Callable[[], T]) -> T:
    """Do a part of the work and print how long it took, and the memory so far."""
    began = time.perf_counter()
    result = work()
    print(f"| {what:<44} | {time.perf_counter() - began:7.1f} s | {megabytes():6.0f} MB |")
    return result


def main(count: int) -> None:
    """Print the table."""
    wanted, differing = Wanted("mirror", can_resubscribe=False), count // 100
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dnc.csv.gz"
        with gzip.open(file, "wt", compresslevel=1) as out:
            out.write("phone\n")
            out.writelines(f"{number % 10**10 if number % 2 else f'+{number}'}\n" for number in numbers(count))
        print(f"| {count:,} numbers against {count:,}{'':<20} | time      | most memory |")
        print("|---|---|---|")
        told("an empty process", lambda: None)
        with file.open("rb") as stream:
            source = told(
                "source read, normalised, folded",
                lambda: collect(read_file(stream, str(file), "csv"), Normaliser(), print),
            )
        known = told("list taken in", lambda: read_known(wanted, rows(count, differing)))
        plan = told("compared", lambda: compare(wanted, source.numbers, known, Ours()))
        plan_file = Path(folder) / "plan.csv"
        told("plan written", lambda: plan_file.write_text("\n".join(plan.lines())))
        again = told("plan read", lambda: Plan.read(plan_file.open(), plan.unchanged, str(plan_file)))
        told("fingerprint", lambda: wanted.fingerprint(source.numbers))
    assert again == plan
    assert (source.rows, source.rejected, source.duplicates) == (count, 0, 0)
    assert (len(plan.add), len(plan.remove), plan.unchanged) == (differing, differing, count - differing)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
