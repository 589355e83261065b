"""Feeds every parser with input that Atheris makes: `make fuzz-coverage`, `make fuzz-coverage SECONDS=600`.

Atheris changes the bytes from which Hypothesis makes the input of `fuzz.py`, and goes on with those that reach new
lines of a parser. Each parser has a process of its own and an equal part of the time. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PACKAGE = "airflow_provider_retreaver"
#: For all parsers, unless it is given.
SECONDS = 300.0


def feed_one(name: str, seconds: int, folder: str) -> None:
    """Feed one parser; ends the process, with an exit code other than 0 when the parser failed.

    :param name: of the parser.
    :param seconds: how long.
    :param folder: for the bytes with which it fails.
    """
    import atheris

    with atheris.instrument_imports(include=[PACKAGE]):
        from scripts import fuzz

    inputs, parse = fuzz.PARSERS[name]

    def shown(value: object) -> None:
        try:
            parse(value)
        except fuzz.REFUSALS:
            raise
        except Exception:
            print(f"input: {value!r}", flush=True)
            raise

    fuzz.PARSERS[name] = inputs, shown
    test = fuzz.feeding(name)
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options], test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Feed all parsers, and return whether one of them failed."""
    from scripts.fuzz import PARSERS

    each = max(1, round(float(arguments[0] if arguments else SECONDS) / len(PARSERS)))
    failed, inputs = [], 0
    with tempfile.TemporaryDirectory(prefix="fuzz-coverage-") as folder:
        for name in PARSERS:
            done = subprocess.run(
                [sys.executable, __file__, name, str(each), folder], stdin=subprocess.DEVNULL, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            executed = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
            inputs += sum(int(line.rpartition(" ")[2]) for line in executed)
            if done.returncode or not executed:
                failed.append(name)
                print(f"failed: {name}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    print(f"{len(PARSERS)} parsers, {inputs:,} inputs, {each} s each; failed: {len(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        feed_one(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(main(sys.argv[1:]))
