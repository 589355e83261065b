"""The licenses of what the package requires at run time, as a table in docs/licenses.md, held against a list.

    scripts/licenses.py [--check]

What Airflow itself requires is Airflow's: only Airflow and its providers are listed. `--check` changes nothing and
fails when a license is not one of `ALLOWED`, or the page is out of date. The licenses are those of what is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
DESTINATION = PROJECT / "docs" / "licenses.md"
EXTRAS = ("iceberg", "parquet", "sandbox", "warehouse")
# Licenses, as SPDX names them, that a package under Apache-2.0 may require. MPL-2.0 binds who changes its files.
ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"}
# What older metadata says in place of an SPDX name.
NAMES = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
HEAD = """# Licenses of what the package requires

Written by `scripts/licenses.py` from the metadata of the tested versions; a test keeps it up to date and refuses a
license that is not in the script's list. The package itself is under Apache-2.0. What Airflow requires for itself is
not listed.

| distribution | license | required by |
|---|---|---|
"""


def required() -> dict[str, str]:
    """Return the distributions that are required at run time.

    :return: their names to what requires them: the package, an extra of it, or another distribution.
    :raises PackageNotFoundError: when one is not installed here.
    """
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    roots = {"the package": project["dependencies"]}
    roots |= {f"extra `{extra}`": project["optional-dependencies"][extra] for extra in EXTRAS}
    found = {
        canonicalize_name(requirement.name): source
        for source, lines in reversed(roots.items())
        for requirement in map(Requirement, lines)
        if requirement.name != project["name"]
    }
    pending = sorted(found)
    for name in pending:
        if name.startswith("apache-airflow"):
            continue
        for needed in _needs(name):
            if needed not in found:
                found[needed] = name
                pending.append(needed)
    return found


def _needs(name: str) -> Iterator[str]:
    """Yield what a distribution requires, without its extras, on the oldest Python: newer ones require less."""
    oldest = {"extra": "", "python_version": "3.11", "python_full_version": "3.11.0"}
    for requirement in map(Requirement, requires(name) or ()):
        if requirement.marker is None or requirement.marker.evaluate(oldest):
            yield canonicalize_name(requirement.name)


def license_of(name: str) -> str:
    """Return the license of an installed distribution.

    :param name: of the distribution.
    :return: an SPDX expression, or what the metadata says where it is none that this script knows.
    """
    told: Mapping[str, str] = dict(metadata(name).items())
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata(name).get_all("Classifier") or ()
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    text = told.get("License-Expression") or (classifiers[0] if classifiers else told.get("License", "").strip())
    return NAMES.get(text, text.splitlines()[0] if text else "unknown")


def unknown(licenses: Mapping[str, str]) -> dict[str, str]:
    """Return the distributions whose license has a part that is not allowed.

    :param licenses: names of distributions to SPDX expressions.
    :return: those that are refused, with their license.
    """
    return {name: text for name, text in licenses.items() if not _allowed(text)}


def _allowed(text: str) -> bool:
    # Of a choice one part is enough; all others are demanded together.
    choices = re.split(r"\s+OR\s+", text.replace("(", "").replace(")", ""))
    return any(all(part in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in choices)


def page(licenses: Mapping[str, str], sources: Mapping[str, str]) -> str:
    """Return the page with its table.

    :param licenses: names of distributions to licenses.
    :param sources: names of distributions to what requires them.
    :return: the text.
    """
    return HEAD + "".join(f"| {name} | {licenses[name]} | {sources[name]} |\n" for name in sorted(licenses))


def main() -> int:
    """Write or check the page."""
    try:
        sources = required()
        licenses = {name: license_of(name) for name in sources}
    except PackageNotFoundError as error:
        print(f"error: {error.name} is not installed beside the package; run make test once")
        return 1
    refused = unknown(licenses)
    for name, text in refused.items():
        print(f"error: {name} has the license {text}, which is not in the list of scripts/licenses.py")
    text = page(licenses, sources)
    if "--check" not in sys.argv[1:]:
        DESTINATION.write_text(text, encoding="utf-8")
    elif DESTINATION.read_text(encoding="utf-8") != text:
        print("error: docs/licenses.md is out of date: run scripts/licenses.py")
        return 1
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
