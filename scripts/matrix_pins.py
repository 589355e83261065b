"""Writes the requirements of `make test-matrix`: a file for each line of Airflow, pinned, with hashes.

    scripts/matrix_pins.py [LINE …]

Needs uv (`pip install uv`), which resolves for all Pythons at once. What `constraints/` pins for a line stays as it
is there. A hash is kept for each file that fits a supported Python on Linux or macOS.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.utils import parse_wheel_filename

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "constraints" / "matrix"
#: Lines of Airflow, with the minor versions of Python that each supports and the package does, too.
LINES = {"2.11": (11, 12), "3.1": (11, 12, 13), "3.2": (11, 12, 13, 14), "3.3": (11, 12, 13, 14)}
EXTRAS = ("sandbox", "parquet", "warehouse")
# What the tests of the matrix need; `hatchling` and `editables` build the package itself.
TOOLS = ("apache-airflow-providers-sqlite", "pytest", "pytest-xdist", "requests-mock", "hatchling", "editables")
# Of a line without a list in `constraints/`: what does not work with the newest release.
OLDER = {"3.2": ("fastapi<0.137", "svcs<26")}
PLATFORMS = ("any", "manylinux", "macosx")
MACHINES = ("any", "x86_64", "arm64", "aarch64", "universal2")


def main(lines: list[str]) -> int:
    """Write the files of the lines, of all by default."""
    FOLDER.mkdir(exist_ok=True)
    for line in lines or LINES:
        packages = resolved(line)
        text = "".join(f"{entry}\n" for package in packages for entry in requirement(package, LINES[line]))
        head = f"# Airflow {line} for `make test-matrix`: written by scripts/matrix_pins.py.\n"
        (FOLDER / f"airflow-{line}.txt").write_text(head + text, encoding="utf-8")
        print(f"Airflow {line}: {len(packages)} distributions")
    return 0


def resolved(line: str) -> list[dict[str, Any]]:
    """Return the distributions of a line, as the lock file of uv has them."""
    constraints = PROJECT / "constraints" / f"airflow-{line}.txt"
    with TemporaryDirectory(prefix="matrix-pins-") as folder:
        wanted = Path(folder) / "wanted.in"
        wanted.write_text("\n".join([f"apache-airflow=={line}.*", *OLDER.get(line, ()), *TOOLS]), encoding="utf-8")
        command = ["uv", "pip", "compile", str(PROJECT / "pyproject.toml"), str(wanted), "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--format", "pylock.toml", "-o", str(Path(folder) / "pylock.toml")]
        command += [option for extra in EXTRAS for option in ("--extra", extra)]
        if constraints.exists():
            command += ["--constraint", str(constraints)]
        subprocess.run(command, check=True)
        packages: list[dict[str, Any]] = tomllib.loads((Path(folder) / "pylock.toml").read_text("utf-8"))["packages"]
    return packages


def requirement(package: Mapping[str, Any], minors: tuple[int, ...]) -> Iterator[str]:
    """Yield the lines of a distribution: its version, and the hashes of its files.

    :param minors: of the supported Pythons.
    """
    marker = f" ; {package['marker']}" if "marker" in package else ""
    hashes = sorted(hashes_of(package, minors))
    yield f"{package['name']}=={package['version']}{marker} \\"
    yield from (f"    --hash=sha256:{value} \\" for value in hashes[:-1])
    yield f"    --hash=sha256:{hashes[-1]}"


def hashes_of(package: Mapping[str, Any], minors: tuple[int, ...]) -> Iterator[str]:
    """Yield the hashes of the wheels that fit, and that of the source where no wheel fits every machine.

    :param minors: of the supported Pythons.
    """
    everywhere = False
    for wheel in package.get("wheels", ()):
        name = wheel["url"].rpartition("/")[2]
        if fits(name, minors):
            everywhere |= name.endswith("-none-any.whl")
            yield wheel["hashes"]["sha256"]
    if not everywhere and "sdist" in package:
        yield package["sdist"]["hashes"]["sha256"]


def fits(name: str, minors: tuple[int, ...]) -> bool:
    """Return whether a wheel may be installed by a supported Python on Linux or macOS.

    :param name: of the wheel's file.
    :param minors: of the supported Pythons.
    """
    interpreters = {"py3", *(f"py3{minor}" for minor in minors), *(f"cp3{minor}" for minor in minors)}
    return any(
        ((tag.interpreter in interpreters and not tag.abi.endswith("t")) or tag.abi == "abi3")
        and tag.platform.startswith(PLATFORMS)
        and tag.platform.endswith(MACHINES)
        for tag in parse_wheel_filename(name)[3]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
